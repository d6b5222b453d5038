//! `GET /api/health`: the connection test of a billing system. It shows green only to a key that could provision.

use panel::domain::keys::{BillingScope, Level};
use serde_json::json;

use super::calls::{HEALTH, NOT_SUPER, account, get, key_of, told, whole};
use crate::keys::revoke;
use crate::support::{Plan, Request, TestApp};

fn healthy() -> serde_json::Value {
    json!({"status": "healthy", "database": "connected", "version": env!("CARGO_PKG_VERSION")})
}

#[tokio::test]
async fn a_credential_that_could_not_provision_is_refused_in_the_words_of_a_create() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    let key = key_of(&app, "rex", Level::Billing, &[BillingScope::AccountCreation]);
    for (breaks, repairs, status, text) in [
        ("api_keys SET enabled = 0", "api_keys SET enabled = 1", 401, "API key is inactive"),
        ("api_keys SET expires_at = 1", "api_keys SET expires_at = NULL", 401, "API key has expired"),
        ("users SET deleted_at = 1 WHERE id > 1", "users SET deleted_at = NULL", 401, "Invalid API key or secret"),
        ("users SET status = 'suspended'", "users SET status = 'active'", 403, "Account is suspended"),
        ("users SET can_use_api = 0", "users SET can_use_api = 1", 403, "API access is disabled for this account"),
        (
            "api_keys SET allowed_ips = '10.0.0.0/8'",
            "api_keys SET allowed_ips = ''",
            403,
            "IP address not allowed: 127.0.0.1",
        ),
        ("api_keys SET level = 'DEVELOPER'", "api_keys SET level = 'BILLING'", 403, NOT_SUPER),
        (
            "api_keys SET scopes = 'billing_operations'",
            "api_keys SET scopes = 'account_creation'",
            403,
            "Missing scope: account_creation",
        ),
        ("users SET role = 'user' WHERE id > 1", "users SET role = 'reseller' WHERE id > 1", 403, NOT_SUPER),
    ] {
        app.change(&format!("UPDATE {breaks}"), []);
        let answer = get(&app, &key, HEALTH).await;
        assert_eq!(told(&answer), (status, text), "{breaks}");
        assert!(!answer.gates().is_empty(), "{breaks}");
        app.change(&format!("UPDATE {repairs}"), []);
        let answer = get(&app, &key, HEALTH).await;
        assert_eq!((answer.status, answer.body), (200, healthy()), "{repairs}");
    }
    revoke(&app, &key);
    assert_eq!(told(&get(&app, &key, HEALTH).await), (401, "API key is revoked"));
}

#[tokio::test]
async fn half_a_credential_or_a_wrong_one_is_refused_and_none_is_fine() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let bare = || Request::new("GET", HEALTH);
    for (name, request) in [
        ("no secret", bare().header("x-api-key", &key.key)),
        ("no key", bare().header("x-api-secret", key.shown())),
        ("an empty key", bare().header("x-api-key", "")),
        ("an empty secret", bare().header("x-api-secret", "")),
        ("an empty pair", bare().header("x-api-key", "").header("x-api-secret", "")),
        ("a wrong secret", bare().header("x-api-key", &key.key).header("x-api-secret", "nps_wrong")),
        ("an empty secret", bare().header("x-api-key", &key.key).header("x-api-secret", "")),
        ("an external key", bare().header("x-api-key", app.external_key("admin", "delete").secret())),
    ] {
        assert_eq!(told(&app.call(request).await), (401, "Invalid API key or secret"), "{name}");
    }
    for (name, request) in [
        ("a stranger", bare()),
        ("a client that always announces JSON", bare().header("content-type", "application/json")),
        ("another surface's header", bare().header("authorization", "Bearer wsp_x")),
    ] {
        let answer = app.call(request).await;
        assert_eq!((answer.status, answer.body), (200, healthy()), "{name}");
    }
    let head = app.call(key.on(Request::new("HEAD", HEALTH))).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(told(&app.call(key.on(Request::new("POST", HEALTH))).await).0, 405);
}

#[tokio::test]
async fn health_neither_counts_nor_is_refused_by_a_limit() {
    let app =
        Plan::new().at("2026-03-20T12:00:00Z").config(|config| config.limits.failures_per_minute = 2).spawn().await;
    let key = whole(&app);
    app.change("UPDATE api_keys SET rate_per_minute = 1, rate_per_hour = 1, rate_per_day = 1 WHERE id = ?1", [key.id]);
    for _ in 0..4 {
        let answer = get(&app, &key, HEALTH).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, None));
    }
    account(&app, &key, "ada").await;
    assert_eq!(super::calls::create(&app, &key, &super::calls::draft("bob")).await.status, 429);
    assert_eq!(get(&app, &key, HEALTH).await.status, 200);
    for _ in 0..5 {
        let wrong = Request::new("GET", HEALTH).header("x-api-key", "npk_wrong").header("x-api-secret", "nps_wrong");
        assert_eq!(app.call(wrong).await.status, 401, "a wrong key is told so however often it asks");
    }
}

/// Whatever the credential: that nothing works here is the first thing to say.
#[tokio::test]
async fn a_database_that_cannot_be_used_is_told_before_the_credential_is_looked_at() {
    let app = Plan::new().without_jobs().spawn().await;
    let key = whole(&app);
    app.change("DELETE FROM meta WHERE name = 'key_check'", []);
    let wrong = Request::new("GET", HEALTH).header("x-api-key", "npk_wrong").header("x-api-secret", "nps_wrong");
    for request in [Request::new("GET", HEALTH), key.on(Request::new("GET", HEALTH)), wrong] {
        let answer = app.call(request).await;
        assert_eq!(told(&answer), (503, "The database cannot be used at the moment"));
        assert_eq!(super::calls::fields(&answer.body), ["detail", "request_id"]);
    }
}

#[tokio::test]
async fn a_writer_that_is_held_up_does_not_hold_up_health() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let beside = app.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(get(&app, &key, HEALTH).await.status, 200);
    beside.execute_batch("ROLLBACK").unwrap();
}
