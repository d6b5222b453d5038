//! `POST /api/v1/auth/login`: who gets in, and what a refusal gives away (panel.md, Session).

use panel::domain::sessions::Audience;
use panel::domain::users::Role;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{ME, USERS, people};
use crate::support::{ADMIN_LOGIN, LOGIN, PASSWORD, Request, TestApp};

fn with(name: &str, password: &str) -> Value {
    json!({"username": name, "password": password})
}

#[tokio::test]
async fn a_name_and_an_address_open_in_any_case_on_both_surfaces() {
    let app = TestApp::at("2026-05-18T10:39:25Z").await;
    people(&app);
    app.give_password("rita").await;
    app.change(
        "UPDATE users SET email = 'Rita.B@Example.com', email_key = 'rita.b@example.com' WHERE username = 'rita'",
        [],
    );
    for login in [LOGIN, ADMIN_LOGIN, "/api/auth/login/json"] {
        for name in ["rita", "RITA", "rita.b@example.com", "RITA.B@EXAMPLE.COM"] {
            let opened = app.ask("POST", login, "", with(name, PASSWORD)).await;
            assert_eq!(opened.status, 200, "{login} {name}: {}", opened.text);
        }
    }
    assert_eq!(app.number("SELECT last_login_at FROM users WHERE username = 'rita'"), app.now().millis());
    let row = app.last_audit();
    assert_eq!((&row["action"], &row["object_kind"]), (&json!("auth.login"), &json!("session")));
    assert!(!row.to_string().contains(PASSWORD));
    for name in [" rita", "rita ", "rit", "rita@", "rita.b", "%", "rita' OR 1=1 --"] {
        assert_eq!(app.ask("POST", LOGIN, "", with(name, PASSWORD)).await.status, 401, "{name:?}");
    }
    for password in [PASSWORD.to_uppercase(), format!("{PASSWORD} "), format!(" {PASSWORD}")] {
        assert_eq!(app.ask("POST", LOGIN, "", with("uwe", &password)).await.status, 500, "uwe's stored hash is none");
        assert_eq!(app.ask("POST", LOGIN, "", with("rita", &password)).await.status, 401, "{password:?}");
    }
}

#[tokio::test]
async fn what_is_missing_or_of_the_wrong_type_is_refused_before_anything_is_looked_up() {
    let app = TestApp::spawn().await;
    let before = app.footprint();
    let incomplete = (400, "VALIDATION_ERROR", "Username and password are required");
    for body in [
        json!({}),
        json!({"username": null, "password": "x"}),
        json!({"username": "", "password": "x"}),
        with("admin", ""),
    ] {
        assert_eq!(app.ask("POST", LOGIN, "", body.clone()).await.panel(), incomplete, "{body}");
    }
    for (body, text) in [
        (json!({"username": 5, "password": "x"}), "username must be a string"),
        (json!({"username": "admin", "password": 5_551_234}), "password must be a string"),
        (json!({"username": "admin", "password": ["s3cret"]}), "password must be a string"),
    ] {
        assert_eq!(app.ask("POST", LOGIN, "", body).await.panel(), (400, "VALIDATION_ERROR", text));
    }
    assert_eq!(app.call(Request::new("POST", LOGIN)).await.panel(), incomplete, "an empty body");
    let large = with("admin", &"x".repeat(9_000));
    assert_eq!(app.ask("POST", LOGIN, "", large).await.panel().1, "PAYLOAD_TOO_LARGE", "strangers get 8 KiB");
    assert_eq!(app.call(Request::new("GET", LOGIN)).await.panel().1, "METHOD_NOT_ALLOWED");
    assert_eq!(app.footprint(), before);
    assert_eq!(app.count("login_attempts"), 0);
}

#[tokio::test]
async fn who_is_suspended_or_under_a_suspended_reseller_does_not_get_in() {
    let app = TestApp::spawn().await;
    people(&app);
    for user in ["ulla", "rita", "vera"] {
        app.give_password(user).await;
    }
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", &format!("{USERS}/rita/suspend"), &admin, json!({})).await.status, 200);
    let before = app.footprint();
    for (login, user, fix) in [
        (LOGIN, "ulla", "panel user unsuspend rita"),
        (LOGIN, "rita", "panel user unsuspend rita"),
        (ADMIN_LOGIN, "rita", "panel user unsuspend rita"),
    ] {
        let refused = app.ask("POST", login, "", with(user, PASSWORD)).await;
        assert_eq!((refused.status, refused.body["message"].as_str()), (403, Some("Account is suspended")), "{user}");
        assert_eq!((refused.gates()[0], &refused.body["denied"][0]["fix"]), ("owner_active", &json!(fix)));
        assert_eq!(refused.header("set-cookie"), None);
        // A wrong password does not learn it.
        assert_eq!(app.ask("POST", login, "", with(user, "wrong")).await.status, 401);
    }
    assert_eq!(app.footprint(), before);
    assert_eq!(app.ask("POST", LOGIN, "", with("vera", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn api_access_is_for_keys_and_a_deleted_account_is_nobody() {
    let app = TestApp::spawn().await;
    people(&app);
    app.change("UPDATE users SET can_use_api = 0 WHERE username = 'vera'", []);
    assert_eq!(app.see(ME, &app.session("vera").await).await.status, 200);
    app.change("UPDATE users SET deleted_at = 1 WHERE username = 'vera'", []);
    assert_eq!(app.ask("POST", LOGIN, "", with("vera", PASSWORD)).await.panel().2, "Invalid credentials");
    // Nobody has set a password yet.
    app.change("UPDATE users SET password_hash = NULL WHERE username = 'ulla'", []);
    for password in ["x", PASSWORD, "null"] {
        assert_eq!(app.ask("POST", LOGIN, "", with("ulla", password)).await.panel().2, "Invalid credentials");
    }
}

#[tokio::test]
async fn no_credential_is_looked_at_and_none_is_needed() {
    let app = TestApp::spawn().await;
    app.give_password("admin").await;
    for header in ["Bearer wsp_unknown", "Bearer a.b.c", "Basic YTpi"] {
        let request = Request::new("POST", LOGIN).header("authorization", header).json(&with("admin", PASSWORD));
        assert_eq!(app.call(request).await.status, 200, "{header}");
    }
}

#[tokio::test]
async fn no_token_session_id_or_refresh_token_is_in_any_file() {
    let app = TestApp::spawn().await;
    app.user("anna", Role::Admin, Some("admin"));
    let panel = app.session("anna").await;
    let (admin, cookie) = app.admin_session("anna").await;
    let next =
        app.call(Request::new("POST", "/api/auth/refresh").header("cookie", format!("refresh_token={cookie}"))).await;
    let renewed = app.ask("POST", "/api/v1/auth/refresh", &panel, json!({})).await;
    let mut secrets: Vec<String> = [&panel, &admin].map(|token| token.split('.').nth(2).unwrap().to_owned()).into();
    secrets.push(renewed.body["token"].as_str().unwrap().to_owned());
    for cookie in [cookie, next.refresh_cookie()] {
        let (session_id, token) = cookie.split_once('.').unwrap();
        secrets.extend([session_id.to_owned(), token.to_owned()]);
    }
    secrets.push(PASSWORD.to_owned());
    let opened = app.panel.signer.open(renewed.body["token"].as_str().unwrap().as_bytes(), Audience::Panel).unwrap();
    secrets.push(opened.session_id.expose_secret().to_owned());
    let files = app.files();
    assert!(files.iter().any(|(name, _)| name == "panel.db-wal" || name == "panel.db"));
    for (name, bytes) in files {
        for secret in &secrets {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{name} holds {secret}");
        }
    }
}
