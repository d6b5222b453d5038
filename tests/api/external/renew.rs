//! `POST /subscribers/{id}/renew`: how far, for how much, and what a retry finds.

use serde_json::{Value, json};

use super::calls::{act, assert_chain, assert_counted, book, delete, put, read, subscriber};
use crate::support::{Answer, Key, Plan, SUBSCRIBERS, TestApp};

async fn renew(app: &TestApp, key: &Key, id: i64, body: Value) -> Answer {
    act(app, key, id, "renew", body).await
}

/// Service 5 costs 12.50 for a month.
async fn shop() -> (TestApp, Key, i64) {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    app.service(5, 1, "month");
    app.change("UPDATE services SET price = 1250 WHERE id = 5", []);
    let key = app.external_key("admin", "delete");
    let id = subscriber(&app, &key, "ada").await;
    let moved = put(&app, &key, id, &json!({"service_id": 5, "expiry_date": "2026-04-10"})).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    (app, key, id)
}

#[tokio::test]
async fn the_new_date_is_counted_from_the_later_of_today_and_the_old_one() {
    for (zone, now, unit, expiry, periods, expected) in [
        ("UTC", "2026-01-31T12:00:00Z", (1, "month"), "2026-01-31", 1, "2026-02-28"),
        ("UTC", "2028-01-31T12:00:00Z", (1, "month"), "2028-01-31", 1, "2028-02-29"),
        ("UTC", "2028-02-29T12:00:00Z", (12, "month"), "2028-02-29", 1, "2029-02-28"),
        ("UTC", "2028-02-29T12:00:00Z", (12, "month"), "2028-02-29", 4, "2032-02-29"),
        ("UTC", "2026-01-31T12:00:00Z", (1, "month"), "2026-01-31", 2, "2026-03-31"),
        ("UTC", "2026-01-01T12:00:00Z", (1, "month"), "2026-01-15", 24, "2028-01-15"),
        ("UTC", "2026-12-30T12:00:00Z", (1, "month"), "2026-12-31", 2, "2027-02-28"),
        ("UTC", "2026-02-20T12:00:00Z", (30, "day"), "2026-02-20", 1, "2026-03-22"),
        ("UTC", "2028-02-20T12:00:00Z", (30, "day"), "2028-02-20", 1, "2028-03-21"),
        ("UTC", "2026-02-20T12:00:00Z", (1, "day"), "2026-02-20", 24, "2026-03-16"),
        ("UTC", "2026-05-01T00:00:00Z", (1, "month"), "2020-01-01", 1, "2026-06-01"),
        ("UTC", "2026-05-01T23:59:59Z", (1, "month"), "2026-05-02", 1, "2026-06-02"),
        ("UTC", "2026-01-31T23:30:00Z", (1, "month"), "2026-01-01", 1, "2026-02-28"),
        ("Asia/Beirut", "2026-01-31T23:30:00Z", (1, "month"), "2026-01-01", 1, "2026-03-01"),
        ("America/Los_Angeles", "2026-02-01T07:59:59Z", (1, "month"), "2026-01-01", 1, "2026-02-28"),
        ("America/Los_Angeles", "2026-02-01T08:00:00Z", (1, "month"), "2026-01-01", 1, "2026-03-01"),
        // The night in which Beirut has no midnight: the clock goes from 23:59:59 to 01:00.
        ("Asia/Beirut", "2026-03-28T21:59:59Z", (1, "day"), "2026-01-01", 1, "2026-03-29"),
        ("Asia/Beirut", "2026-03-28T22:00:00Z", (1, "day"), "2026-01-01", 1, "2026-03-30"),
        ("Asia/Beirut", "2026-03-28T22:00:00Z", (1, "month"), "2026-02-28", 1, "2026-04-29"),
        // The hour that Berlin has twice.
        ("Europe/Berlin", "2026-10-25T00:30:00Z", (1, "month"), "2026-10-25", 1, "2026-11-25"),
        ("Europe/Berlin", "2026-10-25T22:59:59Z", (1, "day"), "2026-10-01", 1, "2026-10-26"),
        ("Europe/Berlin", "2026-10-25T23:00:00Z", (1, "day"), "2026-10-01", 1, "2026-10-27"),
        ("Pacific/Auckland", "2026-09-26T14:00:00Z", (7, "day"), "2026-09-27", 1, "2026-10-04"),
    ] {
        let plan = Plan::new().config(|config| config.locale.time_zone = zone.parse().unwrap()).at(now);
        let app = plan.spawn().await;
        app.service(2, unit.0, unit.1);
        let key = app.external_key("admin", "write");
        let body = json!({"username": "ada", "service_id": 2, "expiry_date": expiry});
        let id = app.post(SUBSCRIBERS, &key, body).await.id();
        let renewed = renew(&app, &key, id, json!({"periods": periods})).await;
        let told = format!("{zone} {now} {expiry} + {periods} × {unit:?}: {}", renewed.text);
        assert_eq!(renewed.data()["expiry_date"], format!("{expected}T00:00:00Z"), "{told}");
        assert_eq!(renewed.data()["status"], 1, "{told}");
        assert_counted(&app);
    }
}

#[tokio::test]
async fn only_the_house_says_whether_and_how_much() {
    let (app, key, _) = shop().await;
    app.reseller("rex");
    let rex = app.external_key("rex", "write");
    let body = json!({"username": "bob", "service_id": 5, "expiry_date": "2026-04-10"});
    let id = app.post(SUBSCRIBERS, &rex, body).await.id();
    let before = app.footprint();
    for (body, field) in [
        (json!({"charge": false}), "charge"),
        (json!({"price": 12.5}), "price"),
        (json!({"price": 0.01}), "price"),
        (json!({"charge": true, "price": 1}), "price"),
        (json!({"charge": false, "price": 1}), "charge"),
    ] {
        let refused = renew(&app, &rex, id, body.clone()).await;
        assert_eq!((refused.status, refused.code()), (403, "FORBIDDEN"), "{body}: {}", refused.text);
        assert!(refused.message().starts_with(&format!("{field} ")), "{body}: {}", refused.message());
        assert_eq!((app.footprint(), app.count("renewals")), (before.clone(), 0), "{body}");
    }
    for body in [json!({}), json!({"charge": true}), json!({"charge": null, "price": null})] {
        let renewed = renew(&app, &rex, id, body.clone()).await;
        assert_eq!(renewed.status, 200, "{body}: {}", renewed.text);
        assert_eq!(renewed.data()["transaction"]["amount"], 12.5, "{body}");
    }
    // The admin renews a reseller's subscriber at a price of its own; the money is booked where the subscriber belongs.
    let renewed = renew(&app, &key, id, json!({"price": 3})).await;
    assert_eq!(renewed.data()["transaction"]["amount"], 3.0);
    assert_eq!(
        app.count("transactions t JOIN subscribers s ON s.id = t.subscriber_id WHERE s.owner_id <> t.owner_id"),
        0
    );
    assert_eq!(app.count("transactions"), 4);
    assert_chain(&app, id);
}

#[tokio::test]
async fn the_amount_is_the_price_times_the_periods() {
    let (app, key, id) = shop().await;
    for (body, transaction) in [
        (json!({}), Some("12.50")),
        (json!({"periods": 3}), Some("37.50")),
        (json!({"periods": 24}), Some("300.00")),
        (json!({"periods": 3, "price": 0.01}), Some("0.03")),
        (json!({"price": 10, "charge": true}), Some("10.00")),
        (json!({"charge": false}), None),
        (json!({"charge": false, "price": 5}), None),
    ] {
        let before = app.number("SELECT balance FROM subscribers");
        let renewed = renew(&app, &key, id, body.clone()).await;
        assert_eq!(renewed.status, 200, "{body}: {}", renewed.text);
        let booked = &renewed.data()["transaction"];
        let Some(amount) = transaction else {
            assert!(booked.is_null(), "{body}: {booked}");
            assert_eq!(app.number("SELECT balance FROM subscribers"), before);
            continue;
        };
        assert!(renewed.text.contains(&format!("\"amount\":{amount},")), "{body}: {}", renewed.text);
        assert_eq!((&booked["type"], &booked["subscriber_id"]), (&json!("renewal"), &json!(id)), "{body}");
        assert_eq!(booked["balance_after"], renewed.data()["balance"], "{body}");
    }
    assert_chain(&app, id);
    assert_eq!(app.count("renewals WHERE transaction_id IS NULL"), 2);
    assert_eq!(app.count("audit WHERE action = 'subscribers.renew'"), 7);
}

#[tokio::test]
async fn a_plan_without_a_price_books_nothing_and_too_much_is_refused_whole() {
    let (app, key, id) = shop().await;
    app.change("UPDATE services SET price = 999999999 WHERE id = 5", []);
    let before = (app.footprint(), app.rows("SELECT * FROM subscribers"));
    let refused = renew(&app, &key, id, json!({"periods": 2})).await;
    assert_eq!((refused.status, refused.code()), (400, "INVALID_PARAMETER"), "{}", refused.text);
    let refused = renew(&app, &key, id, json!({"periods": 24, "price": 9_999_999.99})).await;
    assert_eq!((refused.status, refused.code()), (400, "INVALID_PARAMETER"), "{}", refused.text);
    app.change("UPDATE services SET period_value = 3650 WHERE id = 5", []);
    let refused = renew(&app, &key, id, json!({"periods": 24, "charge": false})).await;
    assert_eq!(refused.status, 200, "24 × 3650 months are the year 9326: {}", refused.text);
    let refused = renew(&app, &key, id, json!({"periods": 24, "charge": false})).await;
    assert_eq!((refused.status, refused.code()), (400, "INVALID_PARAMETER"), "beyond 9999: {}", refused.text);
    assert_eq!(app.count("transactions"), 0);
    assert_eq!(before.0.0[3], 0);

    app.change("UPDATE services SET price = 0, period_value = 1 WHERE id = 5", []);
    app.change("UPDATE subscribers SET expiry_date = 20000", []);
    app.change("DELETE FROM counters", []);
    let renewed = renew(&app, &key, id, json!({"periods": 2, "external_id": "free"})).await;
    assert_eq!((renewed.status, &renewed.data()["transaction"]), (200, &json!(null)), "{}", renewed.text);
    assert!(renewed.text.contains("\"transaction\":null"), "the field is there: {}", renewed.text);
    let again = renew(&app, &key, id, json!({"periods": 2, "external_id": "free"})).await;
    assert_eq!(again.body, renewed.body);
}

#[tokio::test]
async fn suspended_and_stopped_stay_and_expired_becomes_active() {
    let (app, key, id) = shop().await;
    for (stored, expiry, before, after) in [(2, 20_000, 2, 2), (4, 20_000, 4, 4), (1, 20_000, 3, 1), (2, 21_000, 2, 2)]
    {
        let change = "UPDATE subscribers SET status = ?1, expiry_date = ?2";
        app.change(change, [stored, expiry]);
        app.change("DELETE FROM counters", []);
        assert_eq!(read(&app, &key, id).await.data()["status"], before);
        let renewed = renew(&app, &key, id, json!({})).await;
        assert_eq!((renewed.status, &renewed.data()["status"]), (200, &json!(after)), "{}", renewed.text);
        assert_eq!(read(&app, &key, id).await.data()["status"], after);
    }
}

#[tokio::test]
async fn a_retry_is_answered_with_the_first_outcome_whatever_came_after() {
    let (app, key, id) = shop().await;
    let other = subscriber(&app, &key, "eve").await;
    let body = json!({"periods": 2, "external_id": "inv-1"});
    let first = renew(&app, &key, id, body.clone()).await;
    assert_eq!(first.data()["expiry_date"], "2026-06-10T00:00:00Z");
    let at_once = renew(&app, &key, id, body.clone()).await;
    assert_eq!(at_once.body, first.body);
    app.move_to("2026-03-21T12:00:00Z");
    let second = renew(&app, &key, id, json!({"external_id": "inv-2"})).await;
    assert_eq!(second.data()["expiry_date"], "2026-07-10T00:00:00Z");
    assert_eq!(book(&app, &key, json!({"subscriber_id": id, "type": "payment", "amount": 100})).await.status, 201);
    let before = (app.footprint(), app.rows("SELECT * FROM subscribers"), app.count("renewals"));

    let later = renew(&app, &key, id, body.clone()).await;
    assert_eq!(later.status, 200, "{}", later.text);
    for field in ["transaction", "expiry_date", "balance", "status", "id"] {
        assert_eq!(later.data()[field], first.data()[field], "{field}");
    }
    for (target, changed, named) in [
        (id, json!({"periods": 3}), "periods"),
        (id, json!({"periods": null}), "periods"),
        (id, json!({"charge": false}), "charge"),
        (id, json!({"price": 5}), "price"),
        (other, json!({}), "id"),
    ] {
        let mut retry = body.clone();
        retry.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        let refused = renew(&app, &key, target, retry.clone()).await;
        assert_eq!((refused.status, refused.code()), (409, "EXTERNAL_ID_TAKEN"), "{retry}: {}", refused.text);
        assert!(refused.message().contains(named), "{retry}: {}", refused.message());
    }
    assert_eq!((app.footprint(), app.rows("SELECT * FROM subscribers"), app.count("renewals")), before);
    assert_chain(&app, id);
}

#[tokio::test]
async fn a_retry_with_other_values_is_told_which() {
    let (app, key, id) = shop().await;
    assert_eq!(renew(&app, &key, id, json!({"external_id": "x", "periods": 2})).await.status, 200);
    for (changes, named) in [
        (json!({"periods": 3}), "periods"),
        (json!({"periods": 2, "charge": false}), "charge"),
        (json!({"periods": 2, "price": 5}), "price"),
        (json!({"periods": 1, "price": 5}), "periods, price"),
    ] {
        let mut body = changes;
        body["external_id"] = json!("x");
        let refused = renew(&app, &key, id, body.clone()).await;
        assert_eq!((refused.status, refused.code()), (409, "EXTERNAL_ID_TAKEN"), "{body}");
        assert!(refused.message().ends_with(&format!(": {named}")), "{body}: {}", refused.message());
    }
}

/// The default said is the default left out.
#[tokio::test]
async fn a_retry_that_says_the_defaults_is_the_same_request() {
    let (app, key, id) = shop().await;
    let first = renew(&app, &key, id, json!({"external_id": "inv-1"})).await;
    for body in [json!({"external_id": "inv-1", "periods": 1}), json!({"external_id": "inv-1", "charge": true})] {
        let again = renew(&app, &key, id, body.clone()).await;
        assert_eq!(again.body, first.body, "{body}");
    }
    assert_eq!(app.count("renewals"), 1);
}

#[tokio::test]
async fn an_id_stands_for_one_request_and_belongs_to_one_owner() {
    let (app, key, id) = shop().await;
    app.reseller("rex");
    let rex = app.external_key("rex", "delete");
    let theirs = subscriber(&app, &rex, "bob").await;
    let paid = json!({"subscriber_id": id, "type": "payment", "amount": 12.5, "external_id": "x"});
    assert_eq!(book(&app, &key, paid).await.status, 201);
    let before = app.rows("SELECT * FROM subscribers");
    let refused = renew(&app, &key, id, json!({"external_id": "x"})).await;
    assert_eq!((refused.status, refused.code()), (409, "EXTERNAL_ID_TAKEN"), "{}", refused.text);
    assert_eq!((app.rows("SELECT * FROM subscribers"), app.count("renewals")), (before, 0));

    assert_eq!(renew(&app, &rex, theirs, json!({"external_id": "x"})).await.status, 200);
    assert_eq!(delete(&app, &rex, theirs).await.status, 200);
    assert_eq!(renew(&app, &rex, theirs, json!({"external_id": "x"})).await.code(), "NOT_FOUND");
}
