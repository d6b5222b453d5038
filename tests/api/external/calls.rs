//! What the tests of this surface ask again and again.

use serde_json::{Value, json};

use crate::support::{Answer, Key, Request, SUBSCRIBERS, TestApp};

pub const TRANSACTIONS: &str = "/api/v1/external/transactions";
pub const STATS: &str = "/api/v1/external/system/stats";

/// A subscriber with the default service until the end of 2026; its id.
pub async fn subscriber(app: &TestApp, key: &Key, name: &str) -> i64 {
    let body = json!({"username": name, "service_id": 1, "expiry_date": "2026-12-31"});
    let made = app.post(SUBSCRIBERS, key, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.id()
}

pub async fn read(app: &TestApp, key: &Key, id: i64) -> Answer {
    app.get(&format!("{SUBSCRIBERS}/{id}"), key).await
}

pub async fn put(app: &TestApp, key: &Key, id: i64, body: &Value) -> Answer {
    app.call(Request::new("PUT", &format!("{SUBSCRIBERS}/{id}")).key(key).json(body)).await
}

pub async fn delete(app: &TestApp, key: &Key, id: i64) -> Answer {
    app.call(Request::new("DELETE", &format!("{SUBSCRIBERS}/{id}")).key(key)).await
}

/// `suspend`, `activate` or `renew`.
pub async fn act(app: &TestApp, key: &Key, id: i64, what: &str, body: Value) -> Answer {
    app.post(&format!("{SUBSCRIBERS}/{id}/{what}"), key, body).await
}

pub async fn book(app: &TestApp, key: &Key, body: Value) -> Answer {
    app.post(TRANSACTIONS, key, body).await
}

/// Panics unless every row begins where the one before it ended, and the balance is where the last one ended.
pub fn assert_chain(app: &TestApp, subscriber: i64) {
    let select = "SELECT balance_before, balance_after FROM transactions WHERE subscriber_id";
    let mut balance = 0;
    for row in app.rows(&format!("{select} = {subscriber} ORDER BY id")) {
        assert_eq!(row["balance_before"], balance, "{subscriber}: {row}");
        balance = row["balance_after"].as_i64().unwrap();
    }
    assert_eq!(app.number(&format!("SELECT balance FROM subscribers WHERE id = {subscriber}")), balance);
}

/// Panics unless the counters say what counting says.
pub fn assert_counted(app: &TestApp) {
    let counted = "
        SELECT o AS owner_key, status, expiry_date, count(*) AS subscribers FROM (
            SELECT coalesce(owner_id, 0) AS o, status, expiry_date FROM subscribers WHERE deleted_at IS NULL
            UNION ALL SELECT -1, status, expiry_date FROM subscribers WHERE deleted_at IS NULL)
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    let kept = "SELECT owner_key, status, expiry_date, subscribers FROM counters ORDER BY 1, 2, 3";
    assert_eq!(app.rows(kept), app.rows(counted));
}

/// The names of an object's fields, in the order of the answer.
pub fn fields(of: &Value) -> Vec<&str> {
    of.as_object().unwrap_or_else(|| panic!("no object: {of}")).keys().map(String::as_str).collect()
}
