//! The one writer: what it answers is on the disk, and one job's fate is not another's.

use std::time::{Duration, Instant};

use panel::domain::error::AppError;
use panel::store::{self, Options};

use crate::place::{NOW, Place, add_service, hand_in, operator, outcome, service};

#[test]
fn a_job_that_fails_is_undone_alone() {
    let place = Place::new();
    let db = place.open();
    let lock = place.lock();
    // The first keeps the writer waiting for the lock; the others then share one commit.
    let first = hand_in(&db, |tx| add_service(tx, "first")).unwrap();
    let good = hand_in(&db, |tx| add_service(tx, "good")).unwrap();
    let bad = hand_in(&db, |tx| {
        add_service(tx, "bad")?;
        Err::<(), _>(AppError::Malformed("no".to_owned()))
    });
    let last = hand_in(&db, |tx| add_service(tx, "last")).unwrap();
    drop(lock);

    assert_eq!(outcome(bad.unwrap()), Err(AppError::Malformed("no".to_owned())));
    for write in [first, good, last] {
        outcome(write).unwrap();
    }
    assert_eq!(place.count("services WHERE name IN ('first', 'good', 'last')"), 3);
    assert_eq!(place.count("services WHERE name = 'bad'"), 0);
    assert_eq!(place.count("audit WHERE action = 'services.create'"), 3, "its audit row went with it");
}

#[test]
fn a_job_that_panics_answers_an_internal_error_and_the_others_are_committed() {
    let place = Place::new();
    let db = place.open();
    let lock = place.lock();
    let first = hand_in(&db, |tx| add_service(tx, "first")).unwrap();
    let panics = hand_in(&db, |tx| -> Result<(), AppError> {
        add_service(tx, "panics")?;
        panic!("on purpose")
    });
    let last = hand_in(&db, |tx| add_service(tx, "last")).unwrap();
    drop(lock);

    let error = outcome(panics.unwrap()).unwrap_err();
    assert!(matches!(&error, AppError::Internal(text) if text.contains("on purpose")), "{error:?}");
    outcome(first).unwrap();
    outcome(last).unwrap();
    assert_eq!(place.count("services WHERE name IN ('first', 'last')"), 2);
    assert_eq!(place.count("services WHERE name = 'panics'"), 0);
    db.write_blocking(|tx| add_service(tx, "after")).unwrap();
}

#[test]
fn a_write_without_an_audit_row_or_a_reason_is_undone() {
    let place = Place::new();
    let db = place.open();
    let error = db.write_blocking(|tx| store::services::insert(tx, &operator(), &service("silent"), NOW)).unwrap_err();
    assert!(matches!(&error, AppError::Internal(text) if text.contains("audit")), "{error:?}");
    assert_eq!(place.count("services WHERE name = 'silent'"), 0);

    db.write_blocking(|tx| store::services::list(tx).map(|_| ())).unwrap();
    let explained = db.write_blocking(|tx| {
        tx.unaudited("a test says why");
        store::services::insert(tx, &operator(), &service("explained"), NOW)
    });
    assert!(explained.unwrap().is_some());
    assert_eq!(place.count("services WHERE name = 'explained'"), 1);
}

#[test]
fn a_full_queue_refuses_at_once_and_what_waits_is_written_when_the_lock_goes() {
    let place = Place::new();
    let db = place.open_with(&Options { queue: 1, ..place.options() });
    let lock = place.lock();
    let mut waiting = Vec::new();
    let began = Instant::now();
    // One is with the writer, one in the queue; the writer may have taken more before it met the lock.
    let refused = loop {
        assert!(began.elapsed() < Duration::from_secs(4), "the queue has no end");
        let name = format!("plan {}", waiting.len());
        match hand_in(&db, move |tx| add_service(tx, &name)) {
            Ok(write) => waiting.push(write),
            Err(error) if waiting.len() >= 2 => break error,
            Err(_) => std::thread::yield_now(),
        }
    };
    assert!(matches!(refused, AppError::Overloaded { retry_after_seconds: 1.. }), "{refused:?}");
    assert_eq!(place.count("services WHERE name LIKE 'plan %'"), 0);
    drop(lock);

    let accepted = waiting.len();
    for write in waiting {
        outcome(write).unwrap();
    }
    assert_eq!(place.count("services WHERE name LIKE 'plan %'"), i64::try_from(accepted).unwrap());
}

#[test]
fn a_lock_that_stays_is_answered_to_everybody_within_seconds() {
    let place = Place::new();
    let db = place.open();
    let lock = place.lock();
    let began = Instant::now();
    let writes: Vec<_> =
        (0..8).map(|turn| hand_in(&db, move |tx| add_service(tx, &format!("plan {turn}"))).unwrap()).collect();
    for write in writes {
        let error = outcome(write).unwrap_err();
        assert!(matches!(error, AppError::Overloaded { .. } | AppError::Unavailable(_)), "{error:?}");
    }
    let took = began.elapsed();
    drop(lock);
    db.write_blocking(|tx| add_service(tx, "after")).unwrap();
    assert_eq!(place.count("services WHERE name LIKE 'plan %'"), 0);
    assert!(
        took < Duration::from_secs(25),
        "eight writes were answered after {took:?}: each waited for the one before"
    );
}

/// More than two groups: each used to wait for the lock anew, and the last was told after a quarter of a minute.
#[test]
fn a_write_whose_turn_does_not_come_is_refused_in_seconds_and_never_made() {
    let place = Place::new();
    let db = place.open();
    let lock = place.lock();
    let began = Instant::now();
    let writes: Vec<_> =
        (0..600).map(|turn| hand_in(&db, move |tx| add_service(tx, &format!("plan {turn}"))).unwrap()).collect();
    for write in writes {
        let error = outcome(write).unwrap_err();
        assert!(matches!(error, AppError::Overloaded { retry_after_seconds: 1.. }), "{error:?}");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(9), "the last was refused after {took:?}");
    drop(lock);
    db.write_blocking(|tx| add_service(tx, "after")).unwrap();
    assert_eq!(place.count("services WHERE name LIKE 'plan %'"), 0, "it was refused and made all the same");
}

#[test]
fn what_nobody_waits_for_any_more_is_not_carried_out_behind_their_back() {
    let place = Place::new();
    let db = place.open();
    let lock = place.lock();
    // The writer is held up at its first job; whoever asked for the others gives up meanwhile.
    let first = hand_in(&db, |tx| add_service(tx, "plan 0")).unwrap();
    let kept = hand_in(&db, |tx| add_service(tx, "plan 1")).unwrap();
    for turn in 2..50 {
        drop(hand_in(&db, move |tx| add_service(tx, &format!("plan {turn}"))).unwrap());
    }
    let release = std::thread::spawn(move || drop(lock));
    outcome(first).unwrap();
    outcome(kept).unwrap();
    release.join().unwrap();
    drop(db);
    let done = place.count("services WHERE name LIKE 'plan %'");
    assert!((2..50).contains(&done), "{done}");
}

#[test]
fn twelve_thousand_small_writes_of_sixty_four_threads_are_all_there() {
    let place = Place::new();
    let db = place.open();
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let db = &db;
            scope.spawn(move || {
                for turn in 0..200 {
                    db.write_blocking(move |tx| add_service(tx, &format!("plan {thread} {turn}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(place.count("services WHERE name LIKE 'plan %'"), 12_800);
    assert_eq!(place.count("audit WHERE action = 'services.create'"), 12_800);
    assert_eq!(place.value::<String>("PRAGMA integrity_check"), "ok");
}

#[test]
fn an_answer_means_that_another_program_can_read_the_row() {
    let place = Place::new();
    let db = place.open();
    for turn in 0..20 {
        let id = db.write_blocking(move |tx| add_service(tx, &format!("plan {turn}"))).unwrap();
        assert_eq!(place.count(&format!("services WHERE id = {}", id.0)), 1);
    }
}

#[test]
fn a_unique_name_asked_for_by_many_at_once_is_given_to_one() {
    let place = Place::new();
    let db = place.open();
    let won: usize = std::thread::scope(|scope| {
        let ask = || db.write_blocking(|tx| add_service(tx, "gold")).is_ok();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!((won, place.count("services WHERE name = 'gold'")), (1, 1));
}

#[test]
fn every_look_whether_something_can_be_changed_changes_something() {
    let place = Place::new();
    let db = place.open();
    let other = place.look("panel.db");
    let version = || other.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let mut seen = vec![version()];
    for _ in 0..4 {
        db.check_writing().unwrap();
        seen.push(version());
    }
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "a look wrote nothing: {seen:?}");
}

#[test]
fn what_was_committed_comes_into_the_file_while_the_database_is_open() {
    let place = Place::new();
    let db = place.open();
    let changed = || std::fs::metadata(place.path("panel.db")).unwrap().modified().unwrap();
    let before = changed();
    // Three pages each: together more than the log may have before it is brought over.
    for _ in 0..400 {
        db.write_blocking(store::meta::beat).unwrap();
    }
    let began = Instant::now();
    while changed() == before {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing came into the file");
        std::thread::yield_now();
    }
}
