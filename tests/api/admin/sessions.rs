//! `/api/auth`: who logs in here, the own password, the own sessions (admin.md).

use panel::domain::users::Role;
use serde_json::json;

use super::API_KEYS;
use crate::support::{ADMIN_LOGIN, LOGIN, PASSWORD, Request, TestApp};

fn with(name: &str, password: &str) -> serde_json::Value {
    json!({"username": name, "password": password})
}

#[tokio::test]
async fn a_user_has_no_business_here_and_no_session_is_made_for_it() {
    let app = TestApp::spawn().await;
    app.user("vera", Role::User, Some("admin"));
    app.give_password("vera").await;
    let before = app.footprint();
    for login in [ADMIN_LOGIN, "/api/auth/login/json"] {
        let refused = app.ask("POST", login, "", with("vera", PASSWORD)).await;
        assert_eq!((refused.admin(), refused.gates()), ((403, "Admin access required"), vec!["role"]), "{login}");
        assert_eq!(refused.header("set-cookie"), None);
        assert_eq!(app.ask("POST", login, "", with("vera", "wrong")).await.admin(), (401, "Invalid credentials"));
    }
    assert_eq!(app.footprint(), before);
    // Nor with a session from better days.
    let token = app.admin_token("vera");
    for target in ["/api/auth/me", "/api/auth/sessions", API_KEYS] {
        assert_eq!(app.see(target, &token).await.admin(), (403, "Admin access required"), "{target}");
    }
}

#[tokio::test]
async fn the_json_login_answers_for_installers_and_its_token_is_as_good() {
    let app = TestApp::at("2026-05-18T10:00:00Z").await;
    app.give_password("admin").await;
    let opened = app.ask("POST", "/api/auth/login/json", "", with("admin", PASSWORD)).await;
    let token = opened.body["access_token"].as_str().unwrap();
    assert_eq!((&opened.body["token_type"], opened.header("set-cookie")), (&json!("bearer"), None));
    assert_eq!(app.see(API_KEYS, token).await.status, 200);
    assert_eq!(app.count("refresh_tokens"), 0);
    app.move_to("2026-05-18T10:15:00Z");
    assert_eq!(app.see(API_KEYS, token).await.admin(), (401, "token expired"));
}

#[tokio::test]
async fn the_own_password_needs_the_current_one_and_ends_the_other_sessions() {
    let app = TestApp::spawn().await;
    app.user("rita", Role::Reseller, Some("admin"));
    let (token, cookie) = app.admin_session("rita").await;
    let (other, _) = app.admin_session("rita").await;
    let panel = app.panel_token("rita");
    let change = |body| app.ask("POST", "/api/auth/password", &token, body);
    let before = app.footprint();
    for (body, text) in [
        (json!({}), "current_password is required"),
        (json!({"current_password": PASSWORD}), "new_password is required"),
        (json!({"new_password": "green-heron 4410"}), "current_password is required"),
        (
            json!({"current_password": PASSWORD, "new_password": "short"}),
            "new_password must have at least 8 characters",
        ),
        (
            json!({"current_password": PASSWORD, "new_password": "p".repeat(129)}),
            "new_password must have at most 128 characters",
        ),
        (
            json!({"current_password": "wrong", "new_password": "green-heron 4410"}),
            "current_password is not the current password",
        ),
        (
            json!({"current_password": 5_551_234, "new_password": "green-heron 4410"}),
            "current_password must be a string",
        ),
    ] {
        assert_eq!(change(body).await.admin(), (400, text));
    }
    let common = change(json!({"current_password": PASSWORD, "new_password": "Password123"})).await;
    assert!(common.admin().1.starts_with("new_password is one of the 3000 commonest"), "{}", common.text);
    assert_eq!(app.footprint(), before);

    assert_eq!(change(json!({"current_password": PASSWORD, "new_password": "green-heron 4410"})).await.status, 200);
    assert_eq!(app.see("/api/auth/me", &token).await.status, 200, "where it was done");
    assert_eq!(app.see("/api/auth/me", &other).await.admin(), (401, "invalid token"));
    assert_eq!(app.see("/api/v1/auth/me", &panel).await.status, 401);
    let refresh = Request::new("POST", "/api/auth/refresh").header("cookie", format!("refresh_token={cookie}"));
    assert_eq!(app.call(refresh).await.status, 200, "its own goes on");
    for (login, password, status) in [(LOGIN, PASSWORD, 401), (ADMIN_LOGIN, "green-heron 4410", 200)] {
        assert_eq!(app.ask("POST", login, "", with("rita", password)).await.status, status);
    }
    let rows = app.rows("SELECT * FROM audit WHERE action = 'users.password'");
    assert!(!rows.is_empty() && !rows.iter().any(|row| row.to_string().contains("heron")), "{rows:?}");
}

#[tokio::test]
async fn everybody_sees_and_ends_its_own_sessions_only() {
    let app = TestApp::spawn().await;
    app.user("rita", Role::Reseller, Some("admin"));
    let (admin, rita, second) = (app.admin_token("admin"), app.admin_token("rita"), app.admin_token("rita"));
    let panel = app.panel_token("rita");
    let listed = app.see("/api/auth/sessions", &rita).await;
    let sessions = listed.data().as_array().unwrap();
    assert_eq!(sessions.len(), 3, "of both surfaces");
    assert!(sessions.windows(2).all(|pair| pair[0]["id"].as_i64() > pair[1]["id"].as_i64()), "newest first");
    let current: Vec<_> = sessions.iter().filter(|session| session["current"] == true).collect();
    assert_eq!(current.len(), 1);
    let mine = &current[0]["id"];
    assert_eq!(app.see(&format!("/api/auth/sessions/{mine}"), &rita).await.data(), current[0]);

    let of_admin = app.see("/api/auth/sessions", &admin).await.data()[0]["id"].clone();
    let before = app.footprint();
    for id in [of_admin.to_string(), "0".to_owned(), "-1".to_owned(), "x".to_owned(), "999".to_owned()] {
        let target = format!("/api/auth/sessions/{id}");
        assert_eq!(app.see(&target, &rita).await.admin(), (404, "Session not found"), "{id}");
        assert_eq!(app.ask("DELETE", &target, &rita, json!({})).await.admin(), (404, "Session not found"), "{id}");
        assert!(of_admin != id.parse::<i64>().unwrap_or_default() || app.see(&target, &admin).await.status == 200);
    }
    assert_eq!(app.footprint(), before);

    let of_second = app.see("/api/auth/sessions", &second).await;
    let own =
        of_second.data().as_array().unwrap().iter().find(|session| session["current"] == true).unwrap()["id"].clone();
    assert_eq!(app.ask("DELETE", &format!("/api/auth/sessions/{own}"), &rita, json!({})).await.status, 200);
    assert_eq!(app.last_audit()["action"], "sessions.delete");
    assert_eq!(app.see("/api/auth/me", &second).await.admin(), (401, "invalid token"));
    assert_eq!(
        app.ask("DELETE", &format!("/api/auth/sessions/{own}"), &rita, json!({})).await.status,
        404,
        "it is gone"
    );
    assert_eq!(app.ask("DELETE", "/api/auth/sessions", &rita, json!({})).await.status, 200);
    assert_eq!(app.see("/api/v1/auth/me", &panel).await.status, 401);
    assert_eq!(app.see("/api/auth/me", &rita).await.status, 200, "not the one that asks");
    assert_eq!(app.see("/api/auth/me", &admin).await.status, 200);
    let mine = app.see("/api/auth/sessions", &rita).await.data()[0]["id"].clone();
    assert_eq!(
        app.ask("DELETE", &format!("/api/auth/sessions/{mine}"), &rita, json!({})).await.status,
        200,
        "the own one too"
    );
    assert_eq!(app.see("/api/auth/me", &rita).await.status, 401);
}

#[tokio::test]
async fn a_demoted_admin_loses_this_surface_with_the_next_call() {
    let app = TestApp::spawn().await;
    app.user("anna", Role::Admin, Some("admin"));
    let anna = app.admin_token("anna");
    for (role, me, keys) in [("admin", 200, 200), ("reseller", 200, 403), ("user", 403, 403), ("admin", 200, 200)] {
        app.change("UPDATE users SET role = ?1 WHERE username = 'anna'", [role]);
        assert_eq!(app.see("/api/auth/me", &anna).await.status, me, "{role}");
        assert_eq!(app.see(API_KEYS, &anna).await.status, keys, "{role}");
    }
}
