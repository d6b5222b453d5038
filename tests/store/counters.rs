//! The counters are what a recount would give, whatever was created or refused.

use panel::actions;
use panel::domain::subscribers::{Filter, PageOf, Place as Part};

use crate::place::{Place, create, date, operator, reseller, subscriber, today};

type Counts = Vec<(i64, i64, i64, i64)>;

fn read(place: &Place, statement: &str) -> Counts {
    let database = place.look("panel.db");
    let mut statement = database.prepare(statement).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn random_creates_of_several_owners_keep_the_counters_equal_to_a_recount() {
    let place = Place::new();
    let db = place.open();
    let owners = [operator(), reseller(&db, "rosa"), reseller(&db, "paul")];
    let days = ["2026-05-11", "2026-05-12", "2026-12-31", "9999-12-31"].map(date);
    let (mut made, mut refused) = ([0, 0, 0], 0);
    for turn in 0..300_u32 {
        let owner = usize::try_from(rand::random_range(0..3_u32)).unwrap();
        // From a small set of names, so that some are taken.
        let mut new = subscriber(&format!("Login{}", rand::random_range(0..200_u32)));
        new.draft.expiry_date = (turn % 5 != 0).then(|| days[usize::try_from(turn % 4).unwrap()]);
        new.draft.external_id = (turn % 3 == 0).then(|| format!("order-{}", rand::random_range(0..40_u32)));
        match create(&db, &owners[owner], new) {
            Ok(created) => made[owner] += i64::from(created.fresh),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0 && made.iter().all(|made| *made > 0), "{made:?} {refused}");

    let kept = read(
        &place,
        "SELECT owner_key, status, expiry_date, subscribers FROM counters WHERE subscribers > 0 ORDER BY 1, 2, 3",
    );
    let recount = read(
        &place,
        "SELECT coalesce(owner_id, 0), status, expiry_date, count(*) FROM subscribers WHERE deleted_at IS NULL GROUP BY 1, 2, 3
         UNION ALL SELECT -1, status, expiry_date, count(*) FROM subscribers WHERE deleted_at IS NULL GROUP BY 1, 2, 3
         ORDER BY 1, 2, 3",
    );
    assert_eq!(kept, recount);

    let page = PageOf { place: Part::Page(1), limit: 1, sort: Default::default() };
    let totals = owners.each_ref().map(|permit| {
        db.read(|tx| actions::subscribers::list(tx, permit, &Filter::default(), page, today())).unwrap().total.unwrap()
    });
    assert_eq!(totals, [made.iter().sum::<i64>(), made[1], made[2]], "an administrator sees all, a reseller its own");
}
