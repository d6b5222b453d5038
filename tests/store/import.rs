//! An import that something gets in the way of between its check and its write leaves nothing behind.

use panel::actions::subscribers::import::{Check, Counts, Step, write};
use panel::crypto::{KeyFile, Sealer};
use panel::domain::error::{AppError, Conflict};
use panel::domain::sheets::{Column, Line};
use panel::store::Db;

use crate::place::{NOW, Place, create, operator, subscriber, today};

fn checked(place: &Place, db: &Db, usernames: &[&str]) -> (Counts, Vec<Step>) {
    let sealer = Sealer::new(&KeyFile::open_or_create(place.path("panel.key")).unwrap());
    db.read(|tx| {
        let permit = operator();
        let mut check = Check::begin(tx, &permit, &sealer, NOW, today())?;
        for username in usernames {
            let mut line = Line::default();
            line.set(Column::Username, (*username).to_owned());
            line.set(Column::Service, "Default".to_owned());
            line.set(Column::Phone, "961".to_owned());
            assert_eq!(check.line(tx, &line)?, []);
        }
        Ok((check.counts, check.steps))
    })
    .unwrap()
}

fn footprint(place: &Place) -> [i64; 3] {
    ["subscribers", "audit", "counters"].map(|table| place.count(table))
}

#[test]
fn a_login_taken_after_the_check_undoes_all_that_came_before() {
    let place = Place::new();
    let db = place.open();
    create(&db, &operator(), subscriber("ada")).unwrap();
    let (counts, steps) = checked(&place, &db, &["ada", "bea", "cleo"]);
    assert_eq!(counts, Counts { new: 2, changed: 1, unchanged: 0, random_passwords: 2 });
    create(&db, &operator(), subscriber("CLEO")).unwrap();
    let before = footprint(&place);

    let refused = db.write_blocking(move |tx| write(tx, &operator(), &steps, NOW, today()));

    let said = "cleo was changed since the check: username cleo is taken".to_owned();
    assert_eq!(refused, Err(AppError::Conflict(Conflict::InTheWay(said))));
    assert_eq!(footprint(&place), before);
    assert_eq!(place.count("subscribers WHERE phone <> ''"), 0);
}

#[test]
fn a_row_deleted_after_the_check_undoes_all_that_came_before() {
    let place = Place::new();
    let db = place.open();
    let ada = create(&db, &operator(), subscriber("ada")).unwrap().subscriber.id;
    let (_, steps) = checked(&place, &db, &["bea", "ada"]);
    db.write_blocking(move |tx| panel::actions::subscribers::delete(tx, &operator(), ada, NOW)).unwrap();
    let before = footprint(&place);
    let refused = db.write_blocking(move |tx| write(tx, &operator(), &steps, NOW, today()));
    assert!(matches!(refused, Err(AppError::Conflict(Conflict::InTheWay(_)))), "{refused:?}");
    assert_eq!(footprint(&place), before);
}
