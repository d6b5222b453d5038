//! `POST /api/api-keys`: external keys as the seed has them, billing pairs, and whose they are (seed; admin.md; keys.md).

use panel::domain::keys::hash_of;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::API_KEYS;
use crate::support::{Answer, Key, Plan, Request, SUBSCRIBERS, TestApp, prefix};

fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", answer.text))
}

#[tokio::test]
async fn a_key_without_a_word_is_the_seeds_default_and_works() {
    let app = TestApp::at("2026-05-12T10:30:00Z").await;
    let admin = app.admin_token("admin");
    for body in [json!({}), json!({"name": null, "scopes": null, "expires_at": null, "username": null, "unknown": 1})] {
        let made = app.ask("POST", API_KEYS, &admin, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let (secret, data) = (text(&made, "key"), made.data());
        assert_eq!(
            (&data["name"], &data["scopes"], &data["expires_at"]),
            (&json!("API Key"), &json!("read"), &Value::Null)
        );
        let hex = secret.strip_prefix("pk_live_").unwrap();
        assert!(hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{secret}");
        assert_eq!(data["key_prefix"], prefix(secret));
        let stored = app.blob(&format!("SELECT secret_hash FROM api_key_secrets WHERE key_id = {}", data["id"]));
        assert_eq!(stored, hash_of(secret.as_bytes()));
        assert_eq!(app.get(SUBSCRIBERS, &Key::of(secret)).await.status, 200);
        assert!(text(&made, "message").contains("secret"), "pk_live_ looks publishable");
    }
}

#[tokio::test]
async fn bad_values_are_refused_by_name_and_nothing_is_minted() {
    let app = TestApp::at("2026-05-12T10:30:00Z").await;
    app.user("vera", Role::User, Some("admin"));
    let admin = app.admin_token("admin");
    let before = app.footprint();
    for (field, values) in [
        ("name", vec![json!(""), json!("x".repeat(65)), json!(5), json!("a\nb")]),
        ("scopes", vec![json!("admin"), json!("READ"), json!(["read"]), json!(5), json!("")]),
        (
            "expires_at",
            vec![
                json!("2026-05-11"),
                json!("2026-05-12T10:30:00Z"),
                json!("tomorrow"),
                json!(5),
                json!("2026-02-30"),
                json!(""),
            ],
        ),
        ("allowed_ips", vec![json!("10.0.0.1"), json!(["x"]), json!([5])]),
        ("description", vec![json!("x".repeat(501)), json!(5)]),
        ("rate_limit_per_minute", vec![json!(-1), json!("5"), json!(4_294_967_296_u64)]),
        ("rate_limit_per_hour", vec![json!(-1)]),
        ("rate_limit_per_day", vec![json!(1.5)]),
        ("permission_level", vec![json!("ROOT"), json!(""), json!(5)]),
    ] {
        for bad in values {
            let refused = app.ask("POST", API_KEYS, &admin, json!({field: bad})).await;
            assert_eq!(refused.status, 400, "{field} {bad}: {}", refused.text);
            assert!(refused.admin().1.starts_with(field), "{field} {bad}: {}", refused.text);
        }
    }
    for bad in [json!("account_creation"), json!(["root"]), json!([5]), json!({})] {
        let refused = app.ask("POST", API_KEYS, &admin, json!({"permission_level": "BILLING", "scopes": bad})).await;
        assert!(refused.status == 400 && refused.admin().1.starts_with("scopes"), "{bad}: {}", refused.text);
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn a_date_is_its_last_second_in_the_zone_and_an_instant_is_itself() {
    let plan = Plan::new().config(|config| config.locale.time_zone = "Asia/Beirut".parse().unwrap());
    let app = plan.at("2026-05-12T10:30:00Z").spawn().await;
    let admin = app.admin_token("admin");
    for (sent, end) in [
        ("2026-12-31", "2026-12-31T21:59:59Z"),
        ("2026-07-01", "2026-07-01T20:59:59Z"),
        ("2026-05-12", "2026-05-12T20:59:59Z"),
        ("2026-12-31T12:00:00Z", "2026-12-31T12:00:00Z"),
        ("2026-12-31T12:00:00+07:00", "2026-12-31T05:00:00Z"),
    ] {
        let made = app.ask("POST", API_KEYS, &admin, json!({"expires_at": sent})).await;
        assert_eq!(made.data()["expires_at"], end, "{sent}");
    }
}

#[tokio::test]
async fn a_level_makes_a_pair_whose_secret_is_stored_as_its_hash() {
    let app = TestApp::spawn().await;
    let admin = app.admin_token("admin");
    for (body, level, scopes) in [
        (
            json!({"permission_level": "billing"}),
            "BILLING",
            json!(["user_management", "account_creation", "account_management", "billing_operations"]),
        ),
        (json!({"permission_level": "VIEWER"}), "READ_ONLY", json!([])),
        (
            json!({"permission_level": "SUPER_ADMIN", "scopes": ["full_access", "full_access"]}),
            "SUPER_ADMIN",
            json!(["full_access"]),
        ),
        (
            json!({"permission_level": "BILLING", "scopes": [], "rate_limit_per_hour": 5, "rate_limit_per_day": 6, "description": "of ours"}),
            "BILLING",
            json!([]),
        ),
    ] {
        let made = app.ask("POST", API_KEYS, &admin, body.clone()).await;
        assert_eq!(made.status, 201, "{body}: {}", made.text);
        let (key, secret) = (text(&made, "key_id"), text(&made, "key_secret"));
        assert!(
            key.starts_with("npk_") && key.len() == 47 && secret.starts_with("nps_") && secret.len() == 68,
            "{key}"
        );
        assert!(made.body.get("key").is_none());
        let data = made.data();
        assert_eq!(
            (&data["permission_level"], &data["scopes"], &data["kind"]),
            (&json!(level), &scopes, &json!("billing"))
        );
        assert_eq!(data["key_prefix"], key);
        let id = &data["id"];
        assert_eq!(
            app.blob(&format!("SELECT secret_hash FROM api_key_secrets WHERE key_id = {id}")),
            hash_of(secret.as_bytes())
        );
        for (secret, good) in [(secret, true), ("nps_wrong", false)] {
            let call = Request::new("GET", "/api/v1/billing/accounts");
            let answer = app.call(call.header("x-api-key", key).header("x-api-secret", secret)).await;
            assert_eq!(answer.status != 401, good, "{body}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_key_is_the_callers_unless_it_names_a_dedicated_admin_or_reseller() {
    let app = TestApp::spawn().await;
    for (name, role) in [("anna", Role::Admin), ("rita", Role::Reseller), ("vera", Role::User)] {
        app.user(name, role, Some("admin"));
    }
    let anna = app.admin_token("anna");
    for (username, level, owner) in [
        (None, None, "anna"),
        (Some("RITA"), None, "rita"),
        (Some("admin"), None, "admin"),
        (Some("vera"), Some("USER"), "vera"),
        (Some("rita"), Some("BILLING"), "rita"),
    ] {
        let made = app.ask("POST", API_KEYS, &anna, json!({"username": username, "permission_level": level})).await;
        assert_eq!(made.status, 201, "{username:?}: {}", made.text);
        let row = app.rows(&format!("SELECT user_id, created_by FROM api_keys WHERE id = {}", made.data()["id"]));
        assert_eq!(row, [json!({"user_id": app.user_id(owner), "created_by": app.user_id("anna")})]);
    }
    let before = app.footprint();
    for (username, level, field) in [("rita", "ADMIN", "permission_level"), ("vera", "BILLING", "permission_level")] {
        let refused = app.ask("POST", API_KEYS, &anna, json!({"username": username, "permission_level": level})).await;
        assert!(refused.status == 400 && refused.admin().1.starts_with(field), "{}", refused.text);
    }
    app.change("UPDATE users SET can_use_api = 0 WHERE username = 'rita'", []);
    for level in [None, Some("BILLING")] {
        let refused = app.ask("POST", API_KEYS, &anna, json!({"username": "rita", "permission_level": level})).await;
        assert_eq!(refused.admin(), (403, "API access is disabled for this account"), "also for an admin");
        assert_eq!(refused.gates(), ["api_access"]);
    }
    assert_eq!(app.footprint().0, before.0);
}

/// A reference that is not there is refused in the name of its field, which is `username` (README.md, Every answer).
#[tokio::test]
async fn an_owner_that_is_not_there_or_may_not_own_is_refused_in_the_name_of_its_field() {
    let app = TestApp::spawn().await;
    app.user("vera", Role::User, Some("admin"));
    let admin = app.admin_token("admin");
    for (username, text) in [
        ("nobody", "username does not exist"),
        ("vera", "username must be an admin or a reseller to own an external key"),
    ] {
        assert_eq!(app.ask("POST", API_KEYS, &admin, json!({"username": username})).await.admin(), (400, text));
    }
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_without_its_secret() {
    let app = TestApp::spawn().await;
    let admin = app.admin_token("admin");
    let id = app.ask("POST", API_KEYS, &admin, json!({})).await.id();
    for (target, body, secret) in [
        (API_KEYS.to_owned(), json!({"name": "x"}), "key"),
        (API_KEYS.to_owned(), json!({"permission_level": "BILLING"}), "key_secret"),
        (format!("{API_KEYS}/{id}/rotate"), json!({"grace_seconds": 60}), "key"),
    ] {
        let call = || {
            app.call(
                Request::new("POST", &target)
                    .bearer(&admin)
                    .json(&body)
                    .header("idempotency-key", secret.to_owned() + &target),
            )
        };
        let first = call().await;
        let before = app.footprint();
        let repeat = call().await;
        let mut expected = first.body.clone();
        expected[secret] = Value::Null;
        assert_eq!((repeat.status, &repeat.body), (first.status, &expected), "{target}");
        assert_eq!(repeat.header("idempotent-replayed"), Some("true"));
        assert_eq!(app.footprint(), before);
    }
}
