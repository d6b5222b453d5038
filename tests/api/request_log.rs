//! The request log: who called what, from where, with which outcome, and never a secret (contract: keys.md).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{HEALTH, Key, NewKey, Request, SUBSCRIBERS, TestApp};

/// The contract's promise.
const READABLE_WITHIN: Duration = Duration::from_secs(1);

async fn logged(app: &TestApp, rows: usize) -> Vec<Value> {
    app.eventually("the log is readable", READABLE_WITHIN, || app.logged().len() >= rows).await;
    app.logged()
}

#[tokio::test]
async fn a_request_with_a_key_is_logged_within_a_second() {
    let app = TestApp::at("2026-03-20T12:00:00.123Z").await;
    let key = app.external_key("admin", "read");
    let request = Request::new("GET", "/api/v1/external/subscribers/77?secret=in-the-query").key(&key);
    assert_eq!(app.call(request.header("x-request-id", "req-1")).await.status, 404);

    let rows = logged(&app, 1).await;

    assert_eq!(rows.len(), 1);
    assert!(rows[0]["latency_us"].as_i64().unwrap() > 0);
    let mut row = rows[0].clone();
    row["latency_us"] = json!(0);
    let expected = json!({
        "id": 1, "at": 1_774_008_000_123_i64, "key_id": key.id, "generation": 1, "method": "GET",
        "route": "/api/v1/external/subscribers/{id}", "path": "/api/v1/external/subscribers/77", "status": 404,
        "gate": null, "ip": "127.0.0.1", "latency_us": 0, "request_id": "req-1",
    });
    assert_eq!(row, expected);
}

#[tokio::test]
async fn every_outcome_is_logged_and_a_refusal_with_its_gate() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let read = app.external_key("admin", "read");
    let write = app.external_key("admin", "write");
    let limited = app.key_with("admin", "read", NewKey { rate: Some(1), ..NewKey::default() });
    let elsewhere = app.key_with("admin", "read", NewKey { ips: &["10.0.0.1"], ..NewKey::default() });
    let revoked = app.external_key("admin", "read");
    app.revoke(&revoked);
    let body = json!({"username": "ada", "service_id": 1});

    app.post(SUBSCRIBERS, &read, body.clone()).await;
    app.post(SUBSCRIBERS, &write, body.clone()).await;
    app.post(SUBSCRIBERS, &write, body).await;
    app.get(SUBSCRIBERS, &limited).await;
    app.get(SUBSCRIBERS, &limited).await;
    app.get(SUBSCRIBERS, &elsewhere).await;
    app.get(SUBSCRIBERS, &revoked).await;
    app.get("/api/v1/external/nope", &read).await;
    app.get(HEALTH, &read).await;
    app.call(Request::new("PATCH", SUBSCRIBERS).key(&read)).await;
    app.call(Request::new("HEAD", SUBSCRIBERS).key(&read)).await;

    let rows = logged(&app, 11).await;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| json!([row["key_id"], row["method"], row["route"], row["status"], row["gate"]]))
        .collect();
    let expected = [
        json!([read.id, "POST", SUBSCRIBERS, 403, "scope"]),
        json!([write.id, "POST", SUBSCRIBERS, 201, null]),
        json!([write.id, "POST", SUBSCRIBERS, 409, null]),
        json!([limited.id, "GET", SUBSCRIBERS, 200, null]),
        json!([limited.id, "GET", SUBSCRIBERS, 429, "rate"]),
        json!([elsewhere.id, "GET", SUBSCRIBERS, 403, "ip"]),
        json!([revoked.id, "GET", SUBSCRIBERS, 401, "revoked"]),
        json!([read.id, "GET", "(unknown)", 404, null]),
        json!([read.id, "GET", HEALTH, 200, null]),
        json!([read.id, "PATCH", "(unknown)", 405, null]),
        json!([read.id, "HEAD", SUBSCRIBERS, 200, null]),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn strangers_leave_no_row() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "read");
    for _ in 0..5 {
        app.get(SUBSCRIBERS, &Key::none()).await;
        app.get(SUBSCRIBERS, &Key::of("pk_live_unknown")).await;
        app.get(HEALTH, &Key::none()).await;
    }
    app.get(SUBSCRIBERS, &key).await;
    // The log keeps the order of the requests: with the last one's row there, the others' would be.
    let rows = logged(&app, 1).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["key_id"], key.id);
}

#[tokio::test]
async fn a_key_of_another_style_is_logged_as_refused() {
    let app = TestApp::spawn().await;
    let panel = app.panel_key("admin", "all");
    app.get(SUBSCRIBERS, &panel).await;
    let rows = logged(&app, 1).await;
    assert_eq!(
        (&rows[0]["key_id"], &rows[0]["status"], &rows[0]["gate"]),
        (&json!(panel.id), &json!(401), &json!("key"))
    );
}

#[tokio::test]
async fn no_secret_is_written_to_the_log() {
    let mut app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let target = format!("{SUBSCRIBERS}?api_key={}", key.secret());
    app.call(Request::new("GET", &target).key(&key).header("user-agent", key.secret())).await;
    let body = json!({"username": "ada", "service_id": 1, "password": "hunter2-hunter2"});
    app.post(SUBSCRIBERS, &key, body).await;
    let made = app.post(SUBSCRIBERS, &key, json!({"username": "bob", "service_id": 1})).await;
    let generated = made.data()["password"].as_str().unwrap().to_owned();

    app.stop();

    assert_eq!(app.logged().len(), 3);
    for (name, bytes) in app.files() {
        for secret in [key.secret(), "hunter2-hunter2", &generated] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{name} holds {secret}");
        }
    }
}

#[tokio::test]
async fn the_last_use_is_stored_when_the_server_stops() {
    let mut app = TestApp::at("2026-03-20T12:00:00Z").await;
    let used = app.external_key("admin", "read");
    let unused = app.external_key("admin", "read");
    app.get(SUBSCRIBERS, &used).await;
    app.move_to("2026-03-20T12:00:05Z");
    app.get(HEALTH, &used).await;

    app.stop();

    let rows = app.rows("SELECT id, last_used_at, last_used_ip FROM api_keys ORDER BY id");
    let expected = [
        json!({"id": used.id, "last_used_at": 1_774_008_005_000_i64, "last_used_ip": "127.0.0.1"}),
        json!({"id": unused.id, "last_used_at": null, "last_used_ip": null}),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn the_last_use_is_stored_while_the_server_runs() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "read");
    app.get(SUBSCRIBERS, &key).await;
    app.move_to("2026-03-20T12:01:00Z");
    let stored = || app.number("SELECT coalesce(max(last_used_at), 0) FROM api_keys") == 1_774_008_000_000;
    app.eventually("within a minute of the panel's clock", Duration::from_secs(5), stored).await;
}

#[tokio::test]
async fn the_log_is_kept_as_long_as_the_settings_say() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "read");
    app.get(SUBSCRIBERS, &key).await;
    logged(&app, 1).await;
    app.move_to("2026-06-18T11:59:00Z");
    app.get(SUBSCRIBERS, &key).await;
    app.move_to("2026-06-18T13:00:01Z");
    let is_gone = || app.logged().iter().map(|row| &row["id"]).collect::<Vec<_>>() == [&json!(2)];
    app.eventually("90 days are over for the first row", Duration::from_secs(5), is_gone).await;
}
