//! The same call again, and many at once: each change happens once.

use serde_json::{Value, json};

use super::calls::{TRANSACTIONS, act, assert_chain, assert_counted, book, delete, put, read, subscriber};
use crate::support::{Answer, Key, Request, SUBSCRIBERS, TestApp};

async fn shop() -> (TestApp, Key, i64) {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "delete");
    app.change("UPDATE services SET price = 1250", []);
    let id = subscriber(&app, &key, "ada").await;
    (app, key, id)
}

async fn guarded(app: &TestApp, key: &Key, method: &str, target: &str, body: &Value) -> Answer {
    app.call(Request::new(method, target).key(key).json(body).header("idempotency-key", "once")).await
}

#[tokio::test]
async fn another_body_under_the_same_header_is_refused_for_every_change() {
    let (app, key, id) = shop().await;
    let one = format!("{SUBSCRIBERS}/{id}");
    for (method, target, first, second) in [
        ("PUT", one.clone(), json!({"note": "a"}), json!({"note": "b"})),
        ("POST", format!("{one}/suspend"), json!({}), json!({"reason": "other"})),
        ("POST", format!("{one}/activate"), json!({}), json!({"reason": "other"})),
        ("POST", format!("{one}/renew"), json!({"periods": 1}), json!({"periods": 2})),
        (
            "POST",
            TRANSACTIONS.to_owned(),
            json!({"subscriber_id": id, "type": "payment", "amount": 1}),
            json!({"subscriber_id": id, "type": "payment", "amount": 2}),
        ),
    ] {
        assert!(guarded(&app, &key, method, &target, &first).await.status < 300, "{method} {target}");
        let before = (app.footprint(), app.rows("SELECT * FROM subscribers"), app.count("renewals"));
        let refused = guarded(&app, &key, method, &target, &second).await;
        assert_eq!((refused.status, refused.code()), (409, "IDEMPOTENCY_CONFLICT"), "{method} {target}");
        let after = (app.footprint(), app.rows("SELECT * FROM subscribers"), app.count("renewals"));
        assert_eq!(after, before, "{method} {target}");
    }
}

#[tokio::test]
async fn every_change_is_replayed_and_not_done_again() {
    let (app, key, id) = shop().await;
    let one = format!("{SUBSCRIBERS}/{id}");
    for (method, target, body) in [
        ("PUT", one.clone(), json!({"note": "a", "full_name": "Ada"})),
        ("POST", format!("{one}/suspend"), json!({"reason": "unpaid"})),
        ("POST", format!("{one}/activate"), json!({})),
        ("POST", format!("{one}/renew"), json!({"periods": 3})),
        ("POST", TRANSACTIONS.to_owned(), json!({"subscriber_id": id, "type": "charge", "amount": 0.1})),
        ("DELETE", one.clone(), json!({})),
    ] {
        let first = guarded(&app, &key, method, &target, &body).await;
        assert!(first.status < 300, "{method} {target}: {}", first.text);
        let before = (app.footprint(), app.rows("SELECT * FROM subscribers"), app.count("renewals"));
        app.move_clock(app.now().plus_millis(60_000));
        let again = guarded(&app, &key, method, &target, &body).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{method} {target}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{method} {target}");
        let after = (app.footprint(), app.rows("SELECT * FROM subscribers"), app.count("renewals"));
        assert_eq!(after, before, "{method} {target}");
    }
    assert_chain(&app, id);
    assert_counted(&app);
}

/// The stored answer is looked up before anything else is, as for every other change.
#[tokio::test]
async fn a_new_password_is_replayed_after_the_row_is_gone_too() {
    let (app, key, _) = shop().await;
    for (name, body) in [("bob", json!({"note": "a"})), ("eve", json!({"password": "second-password"}))] {
        let id = subscriber(&app, &key, name).await;
        let target = format!("{SUBSCRIBERS}/{id}");
        let first = guarded(&app, &key, "PUT", &target, &body).await;
        assert_eq!(first.status, 200, "{}", first.text);
        assert_eq!(delete(&app, &key, id).await.status, 200);
        let again = guarded(&app, &key, "PUT", &target, &body).await;
        assert_eq!((again.status, &again.text), (200, &first.text), "{body}");
    }
}

#[tokio::test]
async fn twins_that_arrive_together_renew_once() {
    let (app, key, id) = shop().await;
    let calls = (0..24).map(|_| act(&app, &key, id, "renew", json!({"external_id": "inv-1"})));
    let answers = futures_util::future::join_all(calls).await;
    for answer in &answers {
        assert_eq!((answer.status, answer.data()), (200, answers[0].data()), "{}", answer.text);
    }
    assert_eq!((app.count("renewals"), app.count("transactions")), (1, 1));
    assert_eq!(read(&app, &key, id).await.data()["expiry_date"], "2027-01-31T00:00:00Z");
    assert!(answers[0].text.contains("\"balance\":-12.50,"), "{}", answers[0].text);
}

#[tokio::test]
async fn renewals_and_bookings_that_arrive_together_are_all_done_one_after_the_other() {
    let (app, key, id) = shop().await;
    let calls = (0..30).map(async |at| match at % 3 {
        0 => act(&app, &key, id, "renew", json!({"external_id": format!("inv-{at}")})).await.status,
        1 => book(&app, &key, json!({"subscriber_id": id, "type": "payment", "amount": 2.5})).await.status,
        _ => put(&app, &key, id, &json!({"note": format!("{at}")})).await.status,
    });
    let mut statuses = futures_util::future::join_all(calls).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 20].as_slice(), [201; 10].as_slice()].concat());
    assert_eq!((app.count("renewals"), app.count("transactions")), (10, 20));
    let shown = read(&app, &key, id).await;
    assert_eq!(shown.data()["balance"], -100.0);
    // Month by month from 31 December: once in February it stays on the 28th.
    assert_eq!(shown.data()["expiry_date"], "2027-10-28T00:00:00Z");
    let chained = "renewals a JOIN renewals b ON b.id = a.id + 1 WHERE a.expiry_after <> b.expiry_before";
    assert_eq!(app.count(chained), 0, "each began where the one before it ended");
    assert_chain(&app, id);
    assert_counted(&app);
}

#[tokio::test]
async fn nothing_changes_or_removes_what_was_booked() {
    let (app, key, id) = shop().await;
    let row = book(&app, &key, json!({"subscriber_id": id, "type": "payment", "amount": 5})).await.id();
    let before = app.rows("SELECT * FROM transactions");
    for (method, target, status) in [
        ("PUT", TRANSACTIONS.to_owned(), 405),
        ("DELETE", TRANSACTIONS.to_owned(), 405),
        ("PUT", format!("{TRANSACTIONS}/{row}"), 404),
        ("DELETE", format!("{TRANSACTIONS}/{row}"), 404),
        ("PATCH", format!("{TRANSACTIONS}/{row}"), 404),
    ] {
        let refused = app.call(Request::new(method, &target).key(&key).json(&json!({"amount": 1}))).await;
        assert_eq!(refused.status, status, "{method} {target}: {}", refused.text);
    }
    assert_eq!(app.rows("SELECT * FROM transactions"), before);
}
