//! Two stores on one file, as the server and a command are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use panel::store::{Db, WriteTx};

use crate::place::{Place, add_service};

#[test]
fn two_that_write_at_once_lose_nothing() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    std::thread::scope(|scope| {
        for (name, db) in [("one", &one), ("two", &two)] {
            for thread in 0..4 {
                scope.spawn(move || {
                    for turn in 0..125 {
                        db.write_blocking(move |tx| add_service(tx, &format!("{name} {thread} {turn}"))).unwrap();
                    }
                });
            }
        }
    });
    assert_eq!(place.count("services WHERE name LIKE 'one %'"), 500);
    assert_eq!(place.count("services WHERE name LIKE 'two %'"), 500);
    assert_eq!(place.value::<String>("PRAGMA integrity_check"), "ok");
}

/// A server under load commits again and again, and leaves the lock for a tenth of a millisecond in between: a command that
/// looked for it ten times a second hardly ever found it free, and failed.
#[test]
fn one_that_writes_without_a_pause_lets_the_other_in() {
    let place = Place::new();
    let (server, command) = (place.open(), place.open());
    let (is_over, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let turn = turns.fetch_add(1, Ordering::Relaxed);
                    let slowly = move |tx: &WriteTx<'_>| {
                        let (began, id) = (Instant::now(), add_service(tx, &format!("busy {turn}"))?);
                        while began.elapsed() < Duration::from_millis(20) {
                            std::hint::spin_loop();
                        }
                        Ok(id)
                    };
                    server.write_blocking(slowly).unwrap();
                }
            });
        }
        let write = |turn: usize| {
            // As a command begins: in the midst of it.
            let from = turns.load(Ordering::Relaxed);
            while turns.load(Ordering::Relaxed) < from + 4 {
                std::thread::yield_now();
            }
            command.write_blocking(move |tx| add_service(tx, &format!("command {turn}"))).map(|_| ())
        };
        let written: Vec<_> = (0..5).map(write).collect();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(written, vec![Ok(()); 5], "{} writes beside", turns.load(Ordering::Relaxed));
    });
    assert_eq!(place.count("services WHERE name LIKE 'command %'"), 5);
}

#[test]
fn what_one_wrote_the_other_reads_at_once() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    for (turn, (writer, reader)) in [(&one, &two), (&two, &one)].into_iter().cycle().take(20).enumerate() {
        let id = writer.write_blocking(move |tx| add_service(tx, &format!("plan {turn}"))).unwrap();
        assert!(reader.read(|tx| panel::store::services::find(tx, id)).unwrap().is_some(), "{turn}");
    }
}

#[test]
fn many_that_open_an_empty_folder_at_once_make_one_database() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| drop(place.open()));
        }
    });
    assert_eq!((place.count("packages"), place.count("users"), place.count("services")), (1, 1, 1));
    assert_eq!(place.value::<String>("PRAGMA integrity_check"), "ok");
}

#[test]
fn opening_again_changes_nothing() {
    let place = Place::new();
    drop(place.open());
    let look = place.look("panel.db");
    let version = || look.pragma_query_value::<i64, _>(None, "data_version", |row| row.get(0)).unwrap();
    let seen = version();
    let again = Db::open(&place.options()).unwrap();
    assert!(again.read(panel::actions::bootstrap::is_done).unwrap());
    assert_eq!(version(), seen, "something was written");
    assert_eq!(place.count("audit"), 1);
}
