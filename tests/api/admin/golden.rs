//! The seed's samples of `/api/api-keys`, byte for byte, and what the contract draws beside them (seed: external keys;
//! admin.md).

use serde_json::json;

use super::API_KEYS;
use crate::support::{ADMIN_LOGIN, PASSWORD, Plan, Request, TestApp, golden, prefix};

/// The seed's day; the keys get its ids.
async fn seeds_day() -> TestApp {
    let app = Plan::new().at("2026-05-12T10:30:00Z").spawn().await;
    app.change("UPDATE users SET email = 'admin@example.com', email_key = 'admin@example.com' WHERE id = 1", []);
    app.change("INSERT INTO sqlite_sequence (name, seq) VALUES ('api_keys', 13)", []);
    app
}

#[tokio::test]
async fn minting_listing_and_revoking_are_the_seeds() {
    let app = seeds_day().await;
    let admin = app.admin_token("admin");
    let made = app.ask("POST", API_KEYS, &admin, json!({"name": "Stripe sync", "scopes": "write"})).await;
    let secret = made.body["key"].as_str().unwrap().to_owned();
    let masked = [(secret.as_str(), "<secret>"), (prefix(&secret), "<prefix>")];
    golden("admin_key_create", &made, &masked);
    let dated = app.ask("POST", API_KEYS, &admin, json!({"expires_at": "2026-12-31"})).await;
    let other = dated.body["key"].as_str().unwrap().to_owned();
    golden("admin_key_create_dated", &dated, &[(&other, "<secret>"), (prefix(&other), "<prefix>")]);

    app.change("UPDATE api_keys SET last_used_at = 1778579711000 WHERE id = 14", []);
    golden("admin_key_list", &app.see(API_KEYS, &admin).await, &[masked[1], (prefix(&other), "<other>")]);
    golden("admin_key_get", &app.see(&format!("{API_KEYS}/14"), &admin).await, &masked[1..]);
    golden("admin_key_revoke", &app.ask("DELETE", &format!("{API_KEYS}/14"), &admin, json!({})).await, &[]);
    golden("admin_key_stats", &app.see(&format!("{API_KEYS}/stats"), &admin).await, &[]);
}

/// What the seed shows comes whole and in its order; what is ours (`message`) stands behind it, as `denied` does.
#[tokio::test]
async fn the_seeds_answer_to_a_mint_comes_whole_and_what_is_ours_behind_it() {
    let app = seeds_day().await;
    let body = json!({"name": "Stripe sync", "scopes": "write"});
    let made = app.ask("POST", API_KEYS, &app.admin_token("admin"), body).await;
    let secret = made.body["key"].as_str().unwrap();
    let seed = r#"{"success":true,"key":"<secret>","data":{"id":14,"name":"Stripe sync","key_prefix":"<prefix>","scopes":"write","expires_at":null,"created_at":"2026-05-12T10:30:00Z"}"#;
    let is = made.text.replace(secret, "<secret>").replace(prefix(secret), "<prefix>");
    assert!(is.starts_with(seed), "{is}");
}

#[tokio::test]
async fn a_billing_pair_shows_both_halves_at_the_top() {
    let app = seeds_day().await;
    let admin = app.admin_token("admin");
    let body = json!({"name": "WHMCS", "permission_level": "BILLING", "scopes": ["account_creation"], "allowed_ips": ["10.0.0.1"]});
    let made = app.ask("POST", API_KEYS, &admin, body).await;
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    golden("admin_pair_create", &made, &[(&text("key_id"), "<npk>"), (&text("key_secret"), "<nps>")]);
    let rotated = app.ask("POST", &format!("{API_KEYS}/14/rotate"), &admin, json!({"grace_seconds": 60})).await;
    let next = rotated.body["key_secret"].as_str().unwrap().to_owned();
    golden("admin_pair_rotate", &rotated, &[(&text("key_id"), "<npk>"), (&next, "<nps>")]);
}

#[tokio::test]
async fn sessions_are_as_the_contract_draws_them() {
    let app = seeds_day().await;
    app.give_password("admin").await;
    let body = json!({"username": "admin", "password": PASSWORD});
    let opened = app.ask("POST", ADMIN_LOGIN, "", body.clone()).await;
    let token = opened.body["token"].as_str().unwrap().to_owned();
    golden("admin_login", &opened, &[(&token, "<token>")]);
    golden("admin_me", &app.see("/api/auth/me", &token).await, &[]);
    golden("admin_sessions", &app.see("/api/auth/sessions", &token).await, &[]);
    let plain = app.ask("POST", "/api/auth/login/json", "", body).await;
    golden("admin_login_json", &plain, &[(plain.body["access_token"].as_str().unwrap(), "<token>")]);
    golden("admin_logout", &app.ask("POST", "/api/auth/logout", &token, json!({})).await, &[]);
    golden("admin_invalid_token", &app.see("/api/auth/me", &token).await, &[]);
    golden("admin_no_token", &app.see("/api/auth/me", "").await, &[]);
    let expired = app.admin_token("admin");
    app.move_to("2026-05-13T10:30:00Z");
    golden("admin_token_expired", &app.see("/api/auth/me", &expired).await, &[]);
    for body in [json!({"username": "admin", "password": "wrong"}), json!({"username": "nobody", "password": "wrong"})]
    {
        golden("admin_login_wrong", &app.ask("POST", ADMIN_LOGIN, "", body).await, &[]);
    }
    golden("admin_login_incomplete", &app.ask("POST", ADMIN_LOGIN, "", json!({})).await, &[]);
    golden("admin_refresh_without", &app.call(Request::new("POST", "/api/auth/refresh")).await, &[]);
}
