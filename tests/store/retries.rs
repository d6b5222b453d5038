//! A retry with the same `external_id`: told from another request by the values the row was created with.

use panel::domain::error::{AppError, Conflict};
use panel::domain::services::ServiceId;
use panel::domain::subscribers::NewSubscriber;
use panel::domain::time::Timestamp;
use panel::store::Db;

use crate::place::{NOW, Place, add_service, create, date, operator, reseller, subscriber};

fn order() -> NewSubscriber {
    let mut new = subscriber("Ada");
    new.draft.external_id = Some("order-7".to_owned());
    new.draft.full_name = Some("Ada \"L\" ✓ O'Neil".to_owned());
    new.draft.expiry_date = Some(date("2026-12-31"));
    new
}

fn differs_in(db: &Db, change: impl FnOnce(&mut NewSubscriber)) -> Vec<&'static str> {
    let mut new = order();
    change(&mut new);
    match create(db, &operator(), new) {
        Err(AppError::Conflict(Conflict::ExternalIdTaken { fields })) => fields,
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_value_in_any_field_is_a_conflict_that_names_it() {
    let place = Place::new();
    let db = place.open();
    db.write_blocking(|tx| add_service(tx, "gold")).unwrap();
    create(&db, &operator(), order()).unwrap();
    let text = || Some("other".to_owned());
    assert_eq!(differs_in(&db, |new| new.draft.username = subscriber("ada").draft.username), ["username"]);
    assert_eq!(differs_in(&db, |new| new.draft.service_id = ServiceId(2)), ["service_id"]);
    assert_eq!(differs_in(&db, |new| new.draft.full_name = text()), ["full_name"]);
    assert_eq!(differs_in(&db, |new| new.draft.phone = text()), ["phone"]);
    assert_eq!(differs_in(&db, |new| new.draft.address = text()), ["address"]);
    assert_eq!(differs_in(&db, |new| new.draft.email = text()), ["email"]);
    assert_eq!(differs_in(&db, |new| new.draft.note = text()), ["note"]);
    assert_eq!(differs_in(&db, |new| new.draft.expiry_date = Some(date("2027-01-01"))), ["expiry_date"]);
    assert_eq!(differs_in(&db, |new| new.draft.nas_id = Some(1)), ["nas_id"]);
    let both = differs_in(&db, |new| {
        new.draft.note = text();
        new.draft.phone = text();
    });
    assert_eq!(both, ["phone", "note"]);
    assert_eq!((place.count("subscribers"), place.count("audit WHERE action = 'subscribers.create'")), (1, 1));
}

#[test]
fn the_same_values_find_the_first_row_and_write_nothing() {
    let place = Place::new();
    let db = place.open();
    let first = create(&db, &operator(), order()).unwrap();
    let mut later = order();
    later.now = NOW.plus_millis(400 * Timestamp::DAY);
    later.today = later.now.date_in(chrono_tz::Tz::UTC);
    let mut instant = order();
    instant.draft.expiry_date = Some(date("2026-12-31T23:00:00+02:00"));
    let mut silent = order();
    (silent.draft.full_name, silent.draft.expiry_date) = (None, None);
    let mut empty = order();
    empty.draft.phone = Some(String::new());
    for retry in [order(), later, instant, silent, empty] {
        let second = create(&db, &operator(), retry).unwrap();
        assert_eq!((second.fresh, second.subscriber.id), (false, first.subscriber.id));
    }
    assert!(first.fresh);
    assert_eq!((place.count("subscribers"), place.count("audit WHERE action = 'subscribers.create'")), (1, 1));
}

#[test]
fn a_retry_on_another_day_is_the_same_although_the_expiry_would_be_another() {
    let place = Place::new();
    let db = place.open();
    let mut new = order();
    new.draft.expiry_date = None;
    let first = create(&db, &operator(), new.clone()).unwrap();
    assert_eq!(first.subscriber.expiry_date, date("2026-06-12"));
    new.today = date("2026-05-13");
    let second = create(&db, &operator(), new).unwrap();
    assert_eq!((second.fresh, second.subscriber.expiry_date), (false, date("2026-06-12")));
}

#[test]
fn what_an_owner_calls_order_7_is_not_what_another_calls_so() {
    let place = Place::new();
    let db = place.open();
    let rosa = reseller(&db, "rosa");
    create(&db, &operator(), order()).unwrap();
    let mut hers = order();
    hers.draft.username = subscriber("Bea").draft.username;
    let made = create(&db, &rosa, hers).unwrap();
    assert!(made.fresh);
    let taken = create(&db, &rosa, {
        let mut new = order();
        new.draft.external_id = Some("order-8".to_owned());
        new
    });
    assert_eq!(taken.unwrap_err(), AppError::Conflict(Conflict::UsernameTaken { username: "Ada".to_owned() }));
}

#[test]
fn eight_twins_at_once_make_one_row() {
    let place = Place::new();
    let db = place.open();
    let fresh: usize = std::thread::scope(|scope| {
        let twins: Vec<_> = (0..8).map(|_| scope.spawn(|| create(&db, &operator(), order()).unwrap().fresh)).collect();
        twins.into_iter().map(|twin| usize::from(twin.join().unwrap())).sum()
    });
    assert_eq!((fresh, place.count("subscribers"), place.count("counters WHERE subscribers <> 1")), (1, 1, 0));
}

#[test]
fn the_values_kept_hold_no_password_and_no_floating_point() {
    let place = Place::new();
    let db = place.open();
    create(&db, &operator(), order()).unwrap();
    let kept: String = place.value("SELECT created_values FROM subscribers");
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let object = kept.as_object().unwrap();
    assert!(!object.contains_key("password"), "{kept}");
    assert_eq!(kept["expiry_date"], "2026-12-31");
    assert!(object.values().all(|value| !value.is_f64()), "{kept}");
}
