//! Search by a part of the username: the same rows before the index is filled, after it, and in between.

use std::collections::BTreeSet;

use panel::actions;
use panel::domain::subscribers::{Filter, PageOf, Place as Part};
use panel::domain::users::fold;
use panel::store::{self, Db};
use proptest::prelude::*;

use crate::place::{Place, create, operator, reseller, subscriber, today};

/// What a caller who types this finds.
fn found(db: &Db, typed: &str) -> BTreeSet<String> {
    let filter = Filter { username: Some(fold(typed)), ..Filter::default() };
    let page = PageOf { place: Part::Page(1), limit: 100, sort: Default::default() };
    let listed = db.read(|tx| actions::subscribers::list(tx, &operator(), &filter, page, today())).unwrap();
    assert_eq!(listed.total, Some(i64::try_from(listed.rows.len()).unwrap()), "the count and the rows differ");
    listed.rows.into_iter().map(|row| row.username).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn fill(db: &Db, chunk: i64) -> bool {
    db.write_blocking(move |tx| store::fill_search(tx, chunk)).unwrap()
}

/// Nothing indexed, a part of it, all of it.
fn each_way(names: &[&str], check: impl Fn(&Db)) {
    let place = Place::new();
    let db = place.open();
    for name in names {
        create(&db, &operator(), subscriber(name)).unwrap();
    }
    assert!(db.read(store::needs_search).unwrap());
    check(&db);
    assert!(fill(&db, i64::try_from(names.len() / 2).unwrap()));
    assert!(db.read(store::needs_search).unwrap());
    check(&db);
    while fill(&db, 2) {}
    assert!(!db.read(store::needs_search).unwrap());
    check(&db);
}

#[test]
fn a_needle_with_operators_in_it_is_taken_by_the_letter() {
    let names =
        ["a\"b\"c", "a*b*c", "a%b%c", "a_b_c", "axbxc", "x-AND-y", "NOT", "NEAR(a,b)", "col:umn", "'quoted'", "{a}+^b"];
    each_way(&names, |db| {
        for (typed, expected) in [
            ("\"b\"", &["a\"b\"c"][..]),
            ("a\"b", &["a\"b\"c"]),
            ("\"", &["a\"b\"c"]),
            ("*b*", &["a*b*c"]),
            ("a*b", &["a*b*c"]),
            ("%b%", &["a%b%c"]),
            ("%", &["a%b%c"]),
            ("_b_", &["a_b_c"]),
            ("_", &["a_b_c"]),
            ("AND", &["x-AND-y"]),
            ("not", &["NOT"]),
            ("near(a", &["NEAR(a,b)"]),
            ("col:umn", &["col:umn"]),
            ("'quoted'", &["'quoted'"]),
            ("{a}+^b", &["{a}+^b"]),
            ("a\" OR \"b", &[]),
            ("\"\"\"", &[]),
        ] {
            assert_eq!(found(db, typed), set(expected), "{typed}");
        }
    });
}

#[test]
fn case_does_not_matter_in_any_script_and_every_length_finds() {
    let names = ["Étage-Deux", "МОСКВА", "straße", "İstanbul", "李小龙先生", "user1234@example.lb", "Ab", "c"];
    each_way(&names, |db| {
        for (typed, expected) in [
            ("étage", &["Étage-Deux"][..]),
            ("ÉTA", &["Étage-Deux"]),
            ("éT", &["Étage-Deux"]),
            ("É", &["Étage-Deux"]),
            ("москва", &["МОСКВА"]),
            ("СКВ", &["МОСКВА"]),
            ("RAßE", &["straße"]),
            ("李小龙", &["李小龙先生"]),
            ("龙先", &["李小龙先生"]),
            ("1234@EXAMPLE", &["user1234@example.lb"]),
            ("ab", &["Ab"]),
            ("user1234@example.lb", &["user1234@example.lb"]),
            ("user1234@example.lb.", &[]),
            ("zzz", &[]),
        ] {
            assert_eq!(found(db, typed), set(expected), "{typed}");
        }
    });
}

#[test]
fn letters_whose_lower_case_depends_on_their_place_are_found_everywhere() {
    each_way(&["ΟΔΥΣΣΕΑΣ", "ΟΔΥΣΣΕΑΣ-2", "Kelvin", "ſecond"], |db| {
        assert_eq!(found(db, "ΟΔΥΣ"), set(&["ΟΔΥΣΣΕΑΣ", "ΟΔΥΣΣΕΑΣ-2"]));
        assert_eq!(found(db, "ΕΑΣ"), set(&["ΟΔΥΣΣΕΑΣ", "ΟΔΥΣΣΕΑΣ-2"]));
        assert_eq!(found(db, "kelvin"), set(&["Kelvin"]));
    });
}

#[test]
fn a_reseller_finds_its_own_rows_only() {
    let place = Place::new();
    let db = place.open();
    let rosa = reseller(&db, "rosa");
    create(&db, &rosa, subscriber("customer-of-rosa")).unwrap();
    create(&db, &operator(), subscriber("customer-of-the-house")).unwrap();
    let filter = Filter { username: Some("customer".to_owned()), ..Filter::default() };
    let page = PageOf { place: Part::Page(1), limit: 10, sort: Default::default() };
    for _ in 0..2 {
        let listed = db.read(|tx| actions::subscribers::list(tx, &rosa, &filter, page, today())).unwrap();
        assert_eq!(listed.rows.iter().map(|row| row.username.as_str()).collect::<Vec<_>>(), ["customer-of-rosa"]);
        assert_eq!(listed.total, Some(1));
        fill(&db, 10);
    }
    assert_eq!(found(&db, "customer").len(), 2);
}

#[test]
fn rows_created_while_the_index_is_filled_are_found() {
    let place = Place::new();
    let db = place.open();
    std::thread::scope(|scope| {
        let creator = scope.spawn(|| {
            for turn in 0..100 {
                let name = format!("login-{turn:03}");
                create(&db, &operator(), subscriber(&name)).unwrap();
                assert_eq!(found(&db, &name), set(&[&name]));
            }
        });
        while !creator.is_finished() {
            fill(&db, 3);
        }
        creator.join().unwrap();
    });
    assert!((0..40).any(|_| !fill(&db, 3)), "the index is never full");
    assert_eq!(found(&db, "login-").len(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_search_agrees_with_looking_at_every_name(
        names in proptest::collection::btree_set("[aAbB\"*%_'éÉжЖ-]{1,9}", 1..40),
        needles in proptest::collection::vec("[aAbB\"*%_'éÉжЖ-]{1,5}", 12),
        indexed in 0_i64..40,
    ) {
        let place = Place::new();
        let db = place.open();
        let mut there = Vec::new();
        for name in &names {
            // Names that differ in case only are the same login.
            if create(&db, &operator(), subscriber(name)).is_ok() {
                there.push(name.clone());
            }
        }
        if indexed > 0 {
            fill(&db, indexed);
        }
        for needle in &needles {
            let expected: BTreeSet<String> =
                there.iter().filter(|name| fold(name).contains(&fold(needle))).cloned().collect();
            prop_assert_eq!(found(&db, needle), expected, "{}", needle);
        }
    }
}
