//! `/transactions`: what is booked, what a retry finds, and what a list shows.

use serde_json::{Value, json};

use super::calls::{TRANSACTIONS, act, assert_chain, book, delete, fields, read, subscriber};
use crate::support::{Answer, Key, Plan, Request, TestApp};

const ROW: [&str; 9] = [
    "id",
    "subscriber_id",
    "type",
    "amount",
    "balance_before",
    "balance_after",
    "description",
    "external_id",
    "created_at",
];

async fn shop() -> (TestApp, Key, i64) {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "delete");
    let id = subscriber(&app, &key, "ada").await;
    (app, key, id)
}

async fn raw(app: &TestApp, key: &Key, body: &str) -> Answer {
    app.call(Request::new("POST", TRANSACTIONS).key(key).header("content-type", "application/json").body(body)).await
}

#[tokio::test]
async fn an_amount_is_a_number_with_at_most_two_decimals() {
    let (app, key, id) = shop().await;
    let before = (app.footprint(), app.rows("SELECT * FROM subscribers"));
    for amount in [
        "0",
        "0.0",
        "0.00",
        "-0",
        "-1",
        "-0.01",
        "0.001",
        "1.005",
        "25.500",
        "10000000",
        "10000000.00",
        "9999999.991",
        "9999999.999",
        "\"25\"",
        "\"25.50\"",
        "\"\"",
        "true",
        "[]",
        "[25]",
        "{}",
        "{\"amount\": 25}",
        "1e400",
        "-1e400",
        "1e-400",
        "9223372036854775808",
        "92233720368547758.08",
        "123456789012345678901234567890",
        "0.1e-5",
    ] {
        let body = format!(r#"{{"subscriber_id": {id}, "type": "payment", "amount": {amount}}}"#);
        let refused = raw(&app, &key, &body).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID_PARAMETER"), "{amount}: {}", refused.text);
        assert!(refused.message().starts_with("amount "), "{amount}: {}", refused.message());
    }
    for amount in ["+1", "01", ".5", "1.", "0x10", "1,5", "NaN", "Infinity", "", "1 2", "25€", "--1", "1e"] {
        let body = format!(r#"{{"subscriber_id": {id}, "type": "payment", "amount": {amount}}}"#);
        let refused = raw(&app, &key, &body).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID_JSON"), "{amount}: {}", refused.text);
    }
    assert_eq!((app.footprint(), app.rows("SELECT * FROM subscribers")), before);

    let mut balance = 0;
    for (amount, minor, shown) in [
        ("25", 2500, "25.00"),
        ("25.5", 2550, "25.50"),
        ("25.50", 2550, "25.50"),
        ("0.01", 1, "0.01"),
        ("0.1", 10, "0.10"),
        ("9999999.99", 999_999_999, "9999999.99"),
        ("8.29", 829, "8.29"),
        ("1.15", 115, "1.15"),
    ] {
        let body = format!(r#"{{"subscriber_id": {id}, "type": "payment", "amount": {amount}}}"#);
        let made = raw(&app, &key, &body).await;
        assert_eq!(made.status, 201, "{amount}: {}", made.text);
        assert!(made.text.contains(&format!("\"amount\":{shown},")), "{amount}: {}", made.text);
        balance += minor;
        assert_eq!(app.number("SELECT balance FROM subscribers"), balance, "{amount}");
    }
    assert_chain(&app, id);
}

/// JSON says that 1e2 is the number 100, which has no decimals.
#[tokio::test]
async fn an_amount_with_an_exponent_is_either_that_number_or_refused() {
    let (app, key, id) = shop().await;
    for (amount, minor) in [("1e2", 10_000), ("2.5E1", 2500), ("250e-1", 2500)] {
        let before = app.number("SELECT balance FROM subscribers");
        let body = format!(r#"{{"subscriber_id": {id}, "type": "payment", "amount": {amount}}}"#);
        let answer = raw(&app, &key, &body).await;
        let moved = app.number("SELECT balance FROM subscribers") - before;
        match answer.status {
            201 => assert_eq!(moved, minor, "{amount}"),
            _ => assert_eq!((answer.status, answer.code(), moved), (400, "INVALID_PARAMETER", 0), "{amount}"),
        }
    }
}

#[tokio::test]
async fn payments_and_refunds_raise_and_charges_and_renewals_lower() {
    let (app, key, id) = shop().await;
    let expiry = read(&app, &key, id).await.data()["expiry_date"].clone();
    for (kind, amount, before, after) in [
        ("charge", "10", "0.00", "-10.00"),
        ("payment", "25.5", "-10.00", "15.50"),
        ("renewal", "15.55", "15.50", "-0.05"),
        ("refund", "0.05", "-0.05", "0.00"),
        ("charge", "9999999.99", "0.00", "-9999999.99"),
        ("charge", "9999999.99", "-9999999.99", "-19999999.98"),
    ] {
        let body = format!(r#"{{"subscriber_id": {id}, "type": "{kind}", "amount": {amount}, "description": "d\n1"}}"#);
        let made = raw(&app, &key, &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let expected = format!("\"balance_before\":{before},\"balance_after\":{after},");
        assert!(made.text.contains(&expected), "{kind}: {}", made.text);
        assert_eq!(fields(made.data()), ROW);
        assert_eq!((&made.data()["type"], &made.data()["subscriber_id"]), (&json!(kind), &json!(id)));
        assert_eq!((&made.data()["description"], &made.data()["external_id"]), (&json!("d\n1"), &json!(null)));
        assert_eq!(made.data()["created_at"], "2026-03-20T12:00:00Z");
        let shown = read(&app, &key, id).await;
        assert!(shown.text.contains(&format!("\"balance\":{after},")), "{}", shown.text);
        let audit = app.rows("SELECT * FROM audit ORDER BY id DESC LIMIT 1").remove(0);
        assert_eq!((&audit["action"], &audit["object_id"]), (&json!("transactions.create"), &json!(made.id())));
    }
    assert_eq!(read(&app, &key, id).await.data()["expiry_date"], expiry, "a posted renewal books money only");
    assert_eq!(app.count("renewals"), 0);
    assert_chain(&app, id);
}

#[tokio::test]
async fn a_retry_finds_the_first_row_and_other_values_are_refused() {
    let (app, key, id) = shop().await;
    let other = subscriber(&app, &key, "bob").await;
    let body = json!({
        "subscriber_id": id, "type": "payment", "amount": 25.5, "description": "cash", "external_id": "pay-1",
    });
    let first = book(&app, &key, body.clone()).await;
    assert_eq!(first.status, 201);
    let noise = json!({"subscriber_id": id, "type": "charge", "amount": 1});
    assert_eq!(book(&app, &key, noise).await.status, 201);
    let before = (app.footprint(), app.rows("SELECT * FROM subscribers"));
    for (changes, named) in [
        (json!({"amount": 25.51}), "amount"),
        (json!({"type": "refund"}), "type"),
        (json!({"subscriber_id": other}), "subscriber_id"),
        (json!({"description": "card"}), "description"),
        (json!({"description": ""}), "description"),
        (json!({"amount": 1, "type": "charge"}), "type, amount"),
    ] {
        let mut retry = body.clone();
        retry.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let refused = book(&app, &key, retry).await;
        assert_eq!((refused.status, refused.code()), (409, "EXTERNAL_ID_TAKEN"), "{changes}: {}", refused.text);
        assert!(refused.message().ends_with(&format!(": {named}")), "{changes}: {}", refused.message());
    }
    let mut fewer = body.clone();
    fewer.as_object_mut().unwrap().retain(|name, _| name != "description");
    for retry in [body.clone(), fewer] {
        let again = book(&app, &key, retry).await;
        assert_eq!((again.status, again.data()), (201, first.data()));
    }
    let other_form = r#""type": "payment", "amount": 25.50, "external_id": "pay-1"}"#;
    let again = raw(&app, &key, &format!(r#"{{"subscriber_id": {id}, {other_form}"#)).await;
    assert_eq!((again.status, again.data()), (201, first.data()));
    assert_eq!((app.footprint(), app.rows("SELECT * FROM subscribers")), before);

    app.reseller("rex");
    let rex = app.external_key("rex", "write");
    let theirs = subscriber(&app, &rex, "eve").await;
    let same = json!({"subscriber_id": theirs, "type": "charge", "amount": 1, "external_id": "pay-1"});
    assert_eq!(book(&app, &rex, same).await.status, 201, "an id belongs to its owner");
    assert_chain(&app, id);
}

fn ids(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.data().as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

async fn list(app: &TestApp, key: &Key, query: &str) -> Vec<i64> {
    let answer = app.get(&format!("{TRANSACTIONS}?{query}"), key).await;
    let ids = ids(&answer);
    assert_eq!(answer.body["pagination"]["total"], ids.len(), "{query}");
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first: {ids:?}");
    ids
}

#[tokio::test]
async fn wrong_filters_are_refused() {
    let (app, key, _) = shop().await;
    for (query, field) in [
        ("subscriber_id=0", "subscriber_id"),
        ("subscriber_id=x", "subscriber_id"),
        ("subscriber_id=1&subscriber_id=2", "subscriber_id"),
        ("type=Payment", "type"),
        ("type=payment,charge", "type"),
        ("date_from=2026-02-30", "date_from"),
        ("date_from=yesterday", "date_from"),
        ("date_to=2026-13-01", "date_to"),
        ("date_to=20260101", "date_to"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("page=0", "page"),
        ("cursor=x", "cursor"),
        ("page=1&cursor=5", "cursor"),
    ] {
        let refused = app.get(&format!("{TRANSACTIONS}?{query}"), &key).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID_PARAMETER"), "{query}: {}", refused.text);
        assert!(refused.message().starts_with(field), "{query}: {}", refused.message());
    }
}

#[tokio::test]
async fn filters_hold_together_and_days_count_whole() {
    let (app, key, id) = shop().await;
    let other = subscriber(&app, &key, "bob").await;
    let mut made = Vec::new();
    for (at, kind) in ["payment", "charge", "renewal", "refund"].into_iter().cycle().take(8).enumerate() {
        let subscriber = if at < 4 { id } else { other };
        made.push(book(&app, &key, json!({"subscriber_id": subscriber, "type": kind, "amount": 1})).await.id());
    }
    let newest = |picked: &[usize]| -> Vec<i64> { picked.iter().rev().map(|at| made[*at]).collect() };
    for (query, expected) in [
        (String::new(), newest(&[0, 1, 2, 3, 4, 5, 6, 7])),
        (format!("subscriber_id={id}"), newest(&[0, 1, 2, 3])),
        ("type=charge".to_owned(), newest(&[1, 5])),
        (format!("type=charge&subscriber_id={other}"), newest(&[5])),
        ("subscriber_id=999".to_owned(), vec![]),
        ("date_from=2026-03-20&date_to=2026-03-20&type=refund".to_owned(), newest(&[3, 7])),
        ("date_from=2026-03-21".to_owned(), vec![]),
        ("date_to=2026-03-19".to_owned(), vec![]),
        ("date_from=2026-03-21&date_to=2026-03-19".to_owned(), vec![]),
        ("type=&date_from=&subscriber_id=".to_owned(), newest(&[0, 1, 2, 3, 4, 5, 6, 7])),
    ] {
        assert_eq!(list(&app, &key, &query).await, expected, "{query}");
    }
    assert_eq!(delete(&app, &key, id).await.status, 200);
    assert_eq!(list(&app, &key, "").await.len(), 8, "the ledger keeps what was booked");
}

/// Beirut's 29 March 2026 begins at 01:00 summer time, which is 22:00Z of the day before, and has 23 hours.
#[tokio::test]
async fn a_day_is_a_day_of_the_configured_zone() {
    for (zone, instants, day) in [
        (
            "Asia/Beirut",
            ["2026-03-28T21:59:59Z", "2026-03-28T22:00:00Z", "2026-03-29T20:59:59Z", "2026-03-29T21:00:00Z"],
            "2026-03-29",
        ),
        (
            "UTC",
            ["2026-03-28T23:59:59Z", "2026-03-29T00:00:00Z", "2026-03-29T23:59:59Z", "2026-03-30T00:00:00Z"],
            "2026-03-29",
        ),
        (
            "America/New_York",
            ["2026-11-01T03:59:59Z", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59Z", "2026-11-02T05:00:00Z"],
            "2026-11-01",
        ),
    ] {
        let plan = Plan::new().config(|config| config.locale.time_zone = zone.parse().unwrap()).at(instants[0]);
        let app = plan.spawn().await;
        let key = app.external_key("admin", "write");
        let id = subscriber(&app, &key, "ada").await;
        let mut made = Vec::new();
        for instant in instants {
            app.move_to(instant);
            made.push(book(&app, &key, json!({"subscriber_id": id, "type": "payment", "amount": 1})).await.id());
        }
        made.reverse();
        let of = async |query: &str| list(&app, &key, query).await;
        assert_eq!(of(&format!("date_from={day}&date_to={day}")).await, made[1..3], "{zone}");
        assert_eq!(of(&format!("date_from={day}")).await, made[..3], "{zone}");
        assert_eq!(of(&format!("date_to={day}")).await, made[1..], "{zone}");
        assert_eq!(of("date_to=9999-12-31&date_from=1970-01-01").await, made, "{zone}");
    }
}

#[tokio::test]
async fn a_walk_by_cursor_sees_each_row_once_also_while_others_are_booked() {
    let (app, key, id) = shop().await;
    let other = subscriber(&app, &key, "bob").await;
    let mut made = Vec::new();
    for at in 0..45 {
        let subscriber = if at % 3 == 0 { other } else { id };
        made.push(book(&app, &key, json!({"subscriber_id": subscriber, "type": "payment", "amount": 1})).await.id());
    }
    made.reverse();
    let pages = app.get(&format!("{TRANSACTIONS}?limit=20&page=3"), &key).await;
    assert_eq!(pages.body["pagination"], json!({"page": 3, "limit": 20, "total": 45, "pages": 3}));
    assert_eq!(ids(&pages), made[40..]);

    let (mut walked, mut target) = (Vec::new(), format!("{TRANSACTIONS}?limit=7"));
    loop {
        let page = app.get(&target, &key).await;
        walked.extend(ids(&page));
        // What is booked meanwhile stands before the walk began.
        assert_eq!(act(&app, &key, id, "renew", json!({"price": 1})).await.status, 200);
        let Some(next) = page.body["pagination"]["next_cursor"].as_str() else { break };
        assert!(!target.contains("cursor") || page.body["pagination"].get("total").is_none());
        target = format!("{TRANSACTIONS}?limit=7&cursor={next}");
    }
    assert_eq!(walked, made);

    let mine = app.get(&format!("{TRANSACTIONS}?subscriber_id={other}&limit=10&cursor={}", made[10]), &key).await;
    let all: Vec<Value> = mine.data().as_array().unwrap().clone();
    assert_eq!(all.len(), 10);
    assert!(all.iter().all(|row| row["subscriber_id"] == other && row["id"].as_i64() < Some(made[10])));
    assert_chain(&app, id);
}
