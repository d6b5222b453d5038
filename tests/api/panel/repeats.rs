//! `Idempotency-Key` on this surface: a repeat is answered as the first, and shows no secret again (README.md, Every answer).

use serde_json::{Value, json};

use super::{PACKAGES, RESELLERS, USERS, features_of, keys_of, people};
use crate::support::{Answer, PASSWORD, Request, TestApp};

async fn send(app: &TestApp, method: &str, target: &str, bearer: &str, body: &Value) -> Answer {
    app.call(Request::new(method, target).bearer(bearer).json(body).header("idempotency-key", "once")).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

#[tokio::test]
async fn a_repeated_mint_makes_no_second_key_and_hides_the_secret() {
    let app = TestApp::at("2026-05-18T10:39:25Z").await;
    people(&app);
    for bearer in [app.panel_token("ulla"), app.panel_key("ulla", "all").secret().to_owned()] {
        let body = json!({"name": "x", "permissions": ["domains.read"], "expires_in": 5});
        let first = send(&app, "POST", &keys_of("ulla"), &bearer, &body).await;
        assert_eq!(first.status, 201);
        let before = app.footprint();
        app.move_to("2026-05-18T12:00:00Z");
        let repeat = send(&app, "POST", &keys_of("ulla"), &bearer, &body).await;
        let mut expected = first.body.clone();
        for secret in ["secret_key", "api_key"] {
            expected[secret] = Value::Null;
        }
        assert_eq!((repeat.status, &repeat.body), (201, &expected));
        assert!(is_replay(&repeat) && !is_replay(&first));
        assert_eq!(app.footprint(), before);
        let secret = first.body["secret_key"].as_str().unwrap();
        let kept = app.rows("SELECT CAST(answer AS TEXT) AS answer FROM idempotency");
        assert!(!kept.iter().any(|row| row.to_string().contains(secret)), "a kept answer holds the secret");
        let other = send(&app, "POST", &keys_of("ulla"), &bearer, &json!({"name": "y"})).await;
        assert_eq!(other.panel().1, "IDEMPOTENCY_CONFLICT");
        app.move_to("2026-05-18T10:39:25Z");
    }
}

/// Each mutating route once, twice: the same status and bytes, and one row in the audit.
#[tokio::test]
async fn every_mutating_route_answers_a_repeat_as_the_first() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let key = app.panel_id(&app.panel_key("vera", "read"));
    let new = |name: &str| json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    for (method, target, body) in [
        ("POST", USERS.to_owned(), new("nora")),
        ("PUT", format!("{USERS}/nora"), json!({"email": "n2@example.com", "password": "some-secret 99"})),
        ("PUT", features_of("nora"), json!({"php": false})),
        ("POST", format!("{USERS}/nora/suspend"), json!({})),
        ("POST", format!("{USERS}/nora/unsuspend"), json!({})),
        ("PUT", format!("{}/{key}", keys_of("vera")), json!({"name": "other", "expires_in": 3})),
        ("POST", format!("{}/{key}/toggle", keys_of("vera")), json!({})),
        ("DELETE", format!("{}/{key}", keys_of("vera")), json!({})),
        ("DELETE", format!("{USERS}/nora"), json!({})),
        ("POST", RESELLERS.to_owned(), new("rosa")),
        ("PUT", format!("{RESELLERS}/rosa"), json!({"max_users": 4})),
        ("PUT", format!("{RESELLERS}/rosa/limits"), json!({"can_grant_api": false})),
        ("DELETE", format!("{RESELLERS}/rosa"), json!({})),
        ("POST", PACKAGES.to_owned(), json!({"name": "gold"})),
        ("PUT", format!("{PACKAGES}/gold"), json!({"max_users": 4})),
        ("DELETE", format!("{PACKAGES}/gold"), json!({})),
    ] {
        let first = send(&app, method, &target, &admin, &body).await;
        assert!(first.status < 300, "{method} {target}: {}", first.text);
        let before = app.footprint();
        let repeat = send(&app, method, &target, &admin, &body).await;
        assert_eq!((repeat.status, &repeat.text), (first.status, &first.text), "{method} {target}");
        assert!(is_replay(&repeat), "{method} {target}");
        assert_eq!(app.footprint(), before, "{method} {target}");
    }
}

#[tokio::test]
async fn a_repeated_renaming_of_a_package_is_answered_as_the_first() {
    let app = TestApp::spawn().await;
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": "gold"})).await.status, 201);
    let (target, body) = (format!("{PACKAGES}/gold"), json!({"name": "silver"}));
    assert_eq!(send(&app, "PUT", &target, &admin, &body).await.status, 200);
    let repeat = send(&app, "PUT", &target, &admin, &body).await;
    assert_eq!(repeat.status, 200, "{}", repeat.text);
    assert!(is_replay(&repeat));
}

#[tokio::test]
async fn a_repeated_change_of_the_own_password_finds_its_session_ended_and_counts_as_no_failed_login() {
    let app = TestApp::spawn().await;
    people(&app);
    let ulla = app.session("ulla").await;
    let body = json!({"password": "some-secret 99", "current_password": PASSWORD});
    assert_eq!(send(&app, "PUT", &format!("{USERS}/ulla"), &ulla, &body).await.status, 200);
    let repeat = send(&app, "PUT", &format!("{USERS}/ulla"), &ulla, &body).await;
    assert_eq!(repeat.status, 401, "{}", repeat.text);
    assert_eq!(app.count("login_attempts"), 0);
}

#[tokio::test]
async fn a_refusal_is_not_kept_and_what_begins_or_ends_a_session_is_not_either() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    assert_eq!(send(&app, "POST", PACKAGES, &admin, &json!({"name": "default"})).await.status, 409);
    assert_eq!(app.count("idempotency"), 0);
    for target in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
        let token = app.panel_token("ulla");
        assert_eq!(send(&app, "POST", target, &token, &json!({})).await.status, 200);
        assert_eq!(send(&app, "POST", target, &token, &json!({})).await.status, 401, "{target}: the token is dead");
    }
    assert_eq!(app.count("idempotency"), 0);
}
