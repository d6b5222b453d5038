//! Copies to keep: every byte is held to the seal, and an older schema ends where a fresh one begins.

use std::fs;
use std::sync::mpsc::channel;

use panel::actions;
use panel::domain::backups::{Kind, NewBackup};
use panel::domain::time::Timestamp;
use panel::store::{self, CopyError, OpenError, Pace, SchemaFile};
use rusqlite::Connection;

use crate::place::{NOW, Place, add_service, operator};

const FIRST: &str = include_str!("schema-1.sql");

fn unhurried() -> Pace<'static> {
    Pace::new(u64::MAX)
}

/// A closed database and a backup of it.
fn backed_up() -> Place {
    let place = Place::new();
    drop(place.open());
    store::make_copy(&place.path("panel.db"), &place.path("x.db"), NOW, &mut unhurried()).unwrap();
    place
}

#[test]
fn whichever_byte_is_altered_the_backup_is_not_whole() {
    let place = backed_up();
    let whole = fs::read(place.path("x.db")).unwrap();
    let end = whole.len() - 700;
    // Each byte of what the engine and the seal are told by, and a sample of the rest.
    let every = (0..100).chain((100..end).step_by(4801)).chain(end..whole.len());
    for at in every {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(place.path("y.db"), bytes).unwrap();
        let refused = store::rehearse(&place.path("y.db"), &place.path("y.db"), &mut unhurried());
        assert!(
            matches!(refused, Err(CopyError::Damaged { .. } | CopyError::NotABackup { .. })),
            "byte {at}: {refused:?}"
        );
    }
    store::rehearse(&place.path("x.db"), &place.path("x.db"), &mut unhurried()).unwrap();
}

#[test]
fn a_sealed_copy_of_a_database_that_is_damaged_inside_is_not_whole_either() {
    let place = Place::new();
    drop(place.open());
    let damaged = place.look("panel.db");
    damaged.pragma_update(None, "foreign_keys", false).unwrap();
    damaged.execute_batch("UPDATE users SET package_id = 77").unwrap();
    drop(damaged);
    store::make_copy(&place.path("panel.db"), &place.path("x.db"), NOW, &mut unhurried()).unwrap();
    let refused = store::rehearse(&place.path("x.db"), &place.path("x.db"), &mut unhurried()).unwrap_err();
    assert!(matches!(&refused, CopyError::Damaged { what, .. } if what.contains("users refers to")), "{refused:?}");

    let place = Place::new();
    drop(place.open());
    place.look("panel.db").execute_batch("DROP INDEX users_by_creator").unwrap_or_default();
    place.look("panel.db").execute_batch("CREATE TABLE theirs (x INTEGER) STRICT").unwrap();
    store::make_copy(&place.path("panel.db"), &place.path("x.db"), NOW, &mut unhurried()).unwrap();
    let refused = store::rehearse(&place.path("x.db"), &place.path("x.db"), &mut unhurried()).unwrap_err();
    assert!(matches!(&refused, CopyError::Damaged { what, .. } if what.contains("schema")), "{refused:?}");
}

#[test]
fn a_backup_of_a_newer_panel_is_refused_by_its_schema() {
    let place = Place::new();
    drop(place.open());
    place.look("panel.db").pragma_update(None, "user_version", 99).unwrap();
    store::make_copy(&place.path("panel.db"), &place.path("x.db"), NOW, &mut unhurried()).unwrap();
    let refused = store::rehearse(&place.path("x.db"), &place.path("x.db"), &mut unhurried()).unwrap_err();
    assert!(matches!(refused, CopyError::Schema(OpenError::NewerSchema { found: 99, .. })), "{refused:?}");
}

#[test]
fn a_backup_that_is_stopped_leaves_nothing_behind() {
    let place = backed_up();
    let (tell, told) = channel();
    drop(tell);
    let stopped =
        store::make_copy(&place.path("panel.db"), &place.path("y.db"), NOW, &mut Pace::until(&told, u64::MAX));
    assert!(matches!(stopped, Err(CopyError::Stopped)), "{stopped:?}");
    let stopped = store::rehearse(&place.path("x.db"), &place.path("z.db"), &mut Pace::until(&told, u64::MAX));
    assert!(matches!(stopped, Err(CopyError::Stopped)), "{stopped:?}");
    let mut names: Vec<_> = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["panel.db", "x.db"]);
}

#[test]
fn the_snapshot_is_not_disturbed_by_writes_and_does_not_hold_them_up() {
    let place = Place::new();
    let db = place.open();
    // At this pace the copy takes a while; the writes below are all acknowledged before it is done.
    let copy = std::thread::scope(|scope| {
        let copy = scope
            .spawn(|| store::make_copy(&place.path("panel.db"), &place.path("x.db"), NOW, &mut Pace::new(512 * 1024)));
        let mut written = 0;
        while !copy.is_finished() {
            db.write_blocking(move |tx| add_service(tx, &format!("plan {written}"))).unwrap();
            written += 1;
        }
        assert!(written > 1, "{written}");
        copy.join().unwrap().unwrap()
    });
    let services = copy.seal.rows.iter().find(|(table, _)| table == "services").unwrap().1;
    assert!(services < place.count("services"), "it shows one moment");
    store::rehearse(&place.path("x.db"), &place.path("x.db"), &mut unhurried()).unwrap();
}

#[test]
fn the_first_schema_migrated_is_the_schema_of_today() {
    let place = Place::new();
    let old = Connection::open(place.path("panel.db")).unwrap();
    let main = FIRST.split("-- file: panel.db\n").nth(1).unwrap().split("-- file: ").next().unwrap();
    old.execute_batch(main).unwrap();
    old.execute_batch("PRAGMA application_id = 1885433445; PRAGMA user_version = 1;").unwrap();
    drop(old);
    let db = place.open();
    let migrated = db.migrated().unwrap().clone();
    assert_eq!((migrated.from, migrated.to), (1, SchemaFile::Main.version()));
    drop(db);
    let fresh = Place::new();
    drop(fresh.open());
    let objects = |place: &Place| {
        let database = place.look("panel.db");
        let mut statement = database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<Result<Vec<(String, String, Option<String>)>, _>>().unwrap()
    };
    assert_eq!(objects(&place), objects(&fresh));
    // What was copied before is the first schema still.
    let copy = Connection::open(migrated.backup.unwrap().path).unwrap();
    assert_eq!(copy.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn a_daily_backup_is_due_once_a_slot_and_not_for_what_is_younger() {
    let place = Place::new();
    let db = place.open();
    let due = |slot: i64, now: i64| {
        let (slot, now) = (NOW.plus_millis(slot * Timestamp::HOUR), NOW.plus_millis(now * Timestamp::HOUR));
        db.read(|tx| actions::backups::is_due(tx, slot, now)).unwrap()
    };
    let made = |hour: i64, kind: Kind| {
        let new = NewBackup {
            taken_at: NOW.plus_millis(hour * Timestamp::HOUR),
            kind,
            path: format!("{hour}"),
            bytes: 1,
            sha256: rand::random(),
        };
        db.write_blocking(move |tx| actions::backups::note_made(tx, &operator(), &new, NOW)).unwrap();
    };
    assert!(!due(-3, 1), "the database is younger than the slot");
    assert!(due(2, 3), "and this one it has seen");
    made(3, Kind::Manual);
    made(3, Kind::Migration);
    assert!(due(2, 4), "others do not stand in for it");
    made(4, Kind::Scheduled);
    assert!(!due(2, 5));
    assert!(due(26, 27), "the next day");
    made(1000, Kind::Scheduled);
    assert!(due(26, 27), "one from the future was made before the clock was set back");
}
