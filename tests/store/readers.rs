//! Reads: one snapshot each, and never a hang.

use std::time::{Duration, Instant};

use panel::domain::error::AppError;
use panel::store::{self, Options};

use crate::place::{Place, add_service};

#[test]
fn a_read_without_a_free_reader_is_refused_and_not_a_hang() {
    let place = Place::new();
    let db = place.open_with(&Options { fast_readers: 1, ..place.options() });
    let began = Instant::now();
    let inner = db.read(|_| Ok(db.read(store::services::list))).unwrap();
    assert!(matches!(inner, Err(AppError::Unavailable(_) | AppError::Overloaded { .. })), "{inner:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(db.read(store::services::list).is_ok());
}

#[test]
fn a_read_sees_one_moment_whatever_is_written_meanwhile() {
    let place = Place::new();
    let db = place.open();
    for slow in [false, true] {
        let names = |tx: &store::ReadTx<'_>| Ok(store::services::list(tx)?.len());
        let both = |tx: &store::ReadTx<'_>| {
            let before = names(tx)?;
            db.write_blocking(move |tx| add_service(tx, &format!("meanwhile {slow}")))?;
            Ok((before, names(tx)?))
        };
        let (before, after) = if slow { db.read_slowly(both) } else { db.read(both) }.unwrap();
        assert_eq!(before, after);
        assert_eq!(db.read(names).unwrap(), before + 1);
    }
}

#[test]
fn a_reader_does_not_wait_for_a_writer() {
    let place = Place::new();
    let db = place.open();
    let lock = place.lock();
    lock.execute("UPDATE services SET price = 7", []).unwrap();
    let began = Instant::now();
    let seen = db.read(store::services::list).unwrap();
    assert_eq!(seen[0].price.0, 0, "what is not committed is not seen");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_read_that_fails_or_panics_gives_its_reader_back() {
    let place = Place::new();
    let db = place.open_with(&Options { fast_readers: 1, ..place.options() });
    for _ in 0..3 {
        let refused: Result<(), _> = db.read(|_| Err(AppError::Malformed("no".to_owned())));
        assert!(refused.is_err());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            db.read(|_| -> Result<(), AppError> { panic!("on purpose") })
        }));
        assert!(panicked.is_err());
    }
    assert_eq!(db.read(store::services::list).unwrap().len(), 1);
}
