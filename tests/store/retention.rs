//! What is kept for a time only: answers of 24 hours, setup links of 30 minutes.

use panel::actions::{self, bootstrap};
use panel::domain::error::{AppError, Noun};
use panel::domain::time::Timestamp;
use panel::store::idempotency::{self, KEPT_MILLIS, Kept, Place as Under};
use panel::store::{Db, setup_links};

use crate::place::{NOW, Place, operator};

fn under(header: &str) -> Under {
    Under { caller: "key:1".to_owned(), method: "POST", target: "/x".to_owned(), header: header.to_owned() }
}

fn keep(db: &Db, header: &str, answer: &str, at: Timestamp) {
    let (place, kept) = (under(header), Kept { body_sha256: [7; 32], status: 201, answer: answer.into() });
    db.write_blocking(move |tx| idempotency::insert(tx, &place, &kept, at)).unwrap();
}

fn answer(db: &Db, place: &Under, at: Timestamp) -> Option<String> {
    let kept = db.read(|tx| idempotency::find(tx, place, at)).unwrap();
    kept.map(|kept| String::from_utf8(kept.answer).unwrap())
}

#[test]
fn an_answer_is_kept_for_24_hours_under_exactly_what_was_asked() {
    let place = Place::new();
    let db = place.open();
    keep(&db, "one", "first", NOW);
    for other in [
        Under { caller: "key:2".to_owned(), ..under("one") },
        Under { method: "PUT", ..under("one") },
        Under { target: "/x?a=1".to_owned(), ..under("one") },
        under("One"),
    ] {
        assert_eq!(answer(&db, &other, NOW), None, "{other:?}");
    }
    assert_eq!(answer(&db, &under("one"), NOW.plus_millis(KEPT_MILLIS - 1)).as_deref(), Some("first"));
    assert_eq!(answer(&db, &under("one"), NOW.plus_millis(KEPT_MILLIS)), None);

    keep(&db, "one", "second", NOW.plus_millis(KEPT_MILLIS));
    assert_eq!(answer(&db, &under("one"), NOW.plus_millis(KEPT_MILLIS)).as_deref(), Some("second"));
    assert_eq!(place.count("idempotency"), 1);
}

#[test]
fn old_answers_are_dropped_in_chunks_and_young_ones_stay() {
    let place = Place::new();
    let db = place.open();
    for turn in 0..7 {
        keep(&db, &format!("old {turn}"), "old", NOW.plus_millis(turn));
    }
    let later = NOW.plus_millis(KEPT_MILLIS + 100);
    keep(&db, "young", "young", later);
    let drop_some = || db.write_blocking(move |tx| idempotency::delete_old(tx, later, 3)).unwrap();
    assert_eq!([drop_some(), drop_some(), drop_some(), drop_some()], [3, 3, 1, 0]);
    assert_eq!(answer(&db, &under("young"), later).as_deref(), Some("young"));
    assert_eq!(place.count("idempotency"), 1);
}

fn make_link(db: &Db, token: &'static str, at: Timestamp) {
    let make = move |tx: &panel::store::WriteTx<'_>| {
        let admin = actions::users::get(tx, &operator(), bootstrap::ADMIN)?;
        actions::setup::make_link(tx, &operator(), &admin, token, at)
    };
    db.write_blocking(make).unwrap();
}

fn opens(db: &Db, token: &str, at: Timestamp) -> bool {
    match db.read(|tx| actions::setup::find(tx, token, at)) {
        Ok(link) => link.username == bootstrap::ADMIN,
        Err(error) => {
            assert_eq!(error, AppError::NotFound(Noun::SetupLink));
            false
        }
    }
}

#[test]
fn a_setup_link_lives_thirty_minutes_or_until_the_next_one() {
    let place = Place::new();
    let db = place.open();
    let half_an_hour = 30 * Timestamp::MINUTE;
    make_link(&db, "first", NOW);
    assert!(!opens(&db, "First", NOW));
    assert!(opens(&db, "first", NOW.plus_millis(half_an_hour - 1)));
    assert!(!opens(&db, "first", NOW.plus_millis(half_an_hour)));

    make_link(&db, "second", NOW.plus_millis(1));
    assert!(!opens(&db, "first", NOW.plus_millis(1)));
    assert!(opens(&db, "second", NOW.plus_millis(1)));
}

#[test]
fn dead_setup_links_are_dropped_and_living_ones_stay() {
    let place = Place::new();
    let db = place.open();
    make_link(&db, "old", NOW);
    let later = NOW.plus_millis(31 * Timestamp::MINUTE);
    make_link(&db, "new", later);
    assert_eq!(db.write_blocking(move |tx| setup_links::delete_old(tx, later)).unwrap(), 1);
    assert!(opens(&db, "new", later));
    assert_eq!(place.count("setup_links"), 1);
}

#[test]
fn a_link_that_two_use_at_once_sets_one_password() {
    let place = Place::new();
    let db = place.open();
    make_link(&db, "token", NOW);
    let used: usize = std::thread::scope(|scope| {
        let uses: Vec<_> = (0..8)
            .map(|turn| {
                let db = &db;
                scope.spawn(move || {
                    let origin = std::sync::Arc::new(operator().origin().clone());
                    let hash = format!("hash {turn}");
                    db.write_blocking(move |tx| actions::setup::use_link(tx, "token", &hash, &origin, NOW)).is_ok()
                })
            })
            .collect();
        uses.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!((used, place.count("audit WHERE action = 'users.password'")), (1, 1));
}
