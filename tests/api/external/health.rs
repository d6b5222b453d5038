//! `GET /system/health`: open to strangers, honest to a key.

use serde_json::json;

use crate::support::{HEALTH, Key, NewKey, Plan, Request, SUBSCRIBERS, TestApp};

#[tokio::test]
async fn a_stranger_is_told_that_the_panel_is_healthy() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let answer = app.get(HEALTH, &Key::none()).await;
    assert_eq!(answer.status, 200);
    let expected = json!({
        "success": true,
        "data": {
            "status": "healthy", "database": "connected", "version": env!("CARGO_PKG_VERSION"),
            "timestamp": "2026-03-20T12:00:00Z",
        },
        "timestamp": "2026-03-20T12:00:00Z",
    });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn a_key_that_would_be_refused_elsewhere_is_refused_here() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    let key = app.external_key("rex", "read");
    assert_eq!(app.get(HEALTH, &key).await.status, 200);

    for (breaks, repairs, code) in [
        ("UPDATE api_keys SET expires_at = 1", "UPDATE api_keys SET expires_at = NULL", "API_KEY_EXPIRED"),
        ("UPDATE users SET status = 'suspended'", "UPDATE users SET status = 'active'", "USER_SUSPENDED"),
        ("UPDATE users SET can_use_api = 0", "UPDATE users SET can_use_api = 1", "API_ACCESS_DISABLED"),
        ("UPDATE api_keys SET allowed_ips = '10.0.0.0/8'", "UPDATE api_keys SET allowed_ips = ''", "IP_NOT_ALLOWED"),
        ("UPDATE users SET deleted_at = 1 WHERE id > 1", "UPDATE users SET deleted_at = NULL", "INVALID_USER"),
        ("UPDATE api_keys SET revoked_at = 1", "UPDATE api_keys SET revoked_at = NULL", "API_KEY_REVOKED"),
    ] {
        app.change(breaks, []);
        assert_eq!(app.get(HEALTH, &key).await.code(), code);
        app.change(repairs, []);
        assert_eq!(app.get(HEALTH, &key).await.status, 200, "after {code}");
    }
    let panel = app.panel_key("admin", "all");
    for wrong in ["pk_live_unknown", panel.secret()] {
        assert_eq!(app.get(HEALTH, &Key::of(wrong)).await.code(), "INVALID_API_KEY");
    }
    assert_eq!(app.get(HEALTH, &Key::of("")).await.status, 200, "an empty header is none");
}

#[tokio::test]
async fn health_is_neither_counted_nor_refused_by_the_limit_of_a_key() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.key_with("admin", "read", NewKey { rate: Some(1), ..NewKey::default() });
    for _ in 0..5 {
        let answer = app.get(HEALTH, &key).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, None));
    }
    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 429);
    assert_eq!(app.get(HEALTH, &key).await.status, 200);
}

#[tokio::test]
async fn health_is_neither_counted_nor_refused_by_the_limit_of_an_address() {
    let app = TestApp::with(|config| config.limits.per_ip_per_minute = 3).await;
    for _ in 0..10 {
        assert_eq!(app.get(HEALTH, &Key::none()).await.status, 200);
    }
    for _ in 0..3 {
        assert_eq!(app.get(SUBSCRIBERS, &Key::none()).await.status, 401);
    }
    assert_eq!(app.get(SUBSCRIBERS, &Key::none()).await.status, 429);
    assert_eq!(app.get(HEALTH, &Key::none()).await.status, 200);
}

/// A probe with a stale key must go on being told what is wrong with it.
#[tokio::test]
async fn health_tells_the_truth_to_a_wrong_key_however_often_it_asks() {
    let app = TestApp::with(|config| config.limits.failures_per_minute = 3).await;
    for _ in 0..10 {
        let answer = app.get(HEALTH, &Key::of("pk_live_unknown")).await;
        assert_eq!((answer.status, answer.code()), (401, "INVALID_API_KEY"));
    }
}

#[tokio::test]
async fn health_without_its_first_row_is_unhealthy() {
    let app = Plan::new().without_jobs().spawn().await;
    app.change("DELETE FROM meta WHERE name = 'key_check'", []);
    let answer = app.call(Request::new("GET", HEALTH)).await;
    // Not held to the shape of a success or of an error: it is both.
    assert_eq!(answer.status, 503);
    assert_eq!(answer.code(), "DATABASE_UNAVAILABLE");
    assert_eq!(answer.data()["status"], "unhealthy");
}

#[tokio::test]
async fn a_writer_that_is_held_up_does_not_hold_up_health() {
    let app = TestApp::spawn().await;
    let beside = app.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(app.get(HEALTH, &Key::none()).await.status, 200);
    beside.execute_batch("ROLLBACK").unwrap();
}
