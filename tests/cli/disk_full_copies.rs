//! A disk that is full while the database is copied, put back or brought to another schema: nothing is lost, nothing is left
//! behind, and all is well when there is room.

use std::fs;

use serde_json::json;

use crate::home::Home;
use crate::migrate::{lay_old, version};
use crate::mounts::where_one_may_mount;

/// Enough for a small panel and for what a backup leaves to others.
const SIZE: u64 = 48 * 1024;

fn names(home: &Home) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(home.folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "filler");
    names.sort();
    names
}

#[test]
fn a_backup_without_room_says_how_much_is_needed_and_disturbs_nobody() {
    where_one_may_mount("disk_full_copies::a_backup_without_room_says_how_much_is_needed_and_disturbs_nobody", || {
        let home = Home::of_kilobytes(SIZE);
        let server = home.serve();
        let key = home.mint("write").1;
        let before = names(&home);
        let filler = home.fill(8 * 1024);
        home.run(["backup", "x.db"]).refused("are needed", "Free some space, or name a place on another disk");
        assert_eq!(names(&home), before);
        assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 201);
        drop(filler);
        home.ok(["backup", "x.db"]);
        let filler = home.fill(8 * 1024);
        let before = names(&home);
        home.run(["backup", "verify", "x.db"]).refused("are needed", "beside the database to see that it is whole");
        assert_eq!(names(&home), before);
        drop(filler);
        home.ok(["backup", "verify", "x.db"]);
    });
}

#[test]
fn a_restore_without_room_changes_nothing() {
    where_one_may_mount("disk_full_copies::a_restore_without_room_changes_nothing", || {
        let home = Home::of_kilobytes(SIZE);
        home.ok(["user", "list"]);
        home.ok(["backup", "x.db"]);
        home.add_user("eve", "user");
        let filler = home.fill(8 * 1024);
        let before = names(&home);
        home.run(["restore", "x.db"]).refused("are needed", "Free some space");
        assert_eq!((names(&home), home.count("users")), (before, 2));
        drop(filler);
        home.ok(["restore", "x.db"]);
        assert_eq!(home.count("users"), 1);
    });
}

#[test]
fn a_migration_without_room_for_its_backup_leaves_the_old_database() {
    where_one_may_mount("disk_full_copies::a_migration_without_room_for_its_backup_leaves_the_old_database", || {
        let home = Home::of_kilobytes(SIZE);
        lay_old(&home);
        let filler = home.fill(8 * 1024);
        home.run(["migrate"]).refused("could not be backed up before that", "Free some space");
        assert_eq!(version(&home), 1);
        drop(filler);
        home.ok(["migrate"]);
        assert_eq!((version(&home), home.count("services")), (2, 2));
    });
}

#[test]
fn a_migration_that_runs_out_of_room_is_undone_whole() {
    where_one_may_mount("disk_full_copies::a_migration_that_runs_out_of_room_is_undone_whole", || {
        let elsewhere = tempfile::tempdir().unwrap();
        let settings = [("PANEL_BACKUP__FOLDER", elsewhere.path().to_str().unwrap())];
        let mut refused = 0;
        for left in [0, 4, 8, 16, 24, 32, 40, 48, 64, 96, 128] {
            let home = Home::of_kilobytes(4 * 1024);
            lay_old(&home);
            let filler = home.fill(left);
            let ran = home.run_with(&settings, ["migrate"]);
            drop(filler);
            let after = version(&home);
            if ran.code != 0 {
                ran.refused("", "disk");
                refused += 1;
                // Either step is whole; which one depends on what the little room was enough for.
                assert!(matches!(after, 1 | 2), "{left}: {after}");
            }
            let made = home.value::<i64>("panel.db", "SELECT count(*) FROM sqlite_schema WHERE name = 'backups'");
            assert_eq!(made, after - 1, "{left}: half of a schema");
            let again = home.run_with(&settings, ["migrate"]);
            assert_eq!((again.code, version(&home), home.count("services")), (0, 2, 2), "{left}: {again:?}");
        }
        assert!(refused > 2, "{refused}");
    });
}
