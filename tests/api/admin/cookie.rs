//! The refresh cookie: its attributes, and that it opens nothing but the refresh (admin.md).

use serde_json::json;

use super::{API_KEYS, REFRESH};
use crate::support::{ADMIN_LOGIN, Answer, PASSWORD, Request, TestApp};

/// The attributes, sorted, without the value.
fn attributes(answer: &Answer) -> Vec<String> {
    let cookie = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {}", answer.text));
    let mut parts: Vec<_> = cookie.split("; ").skip(1).map(str::to_owned).collect();
    parts.sort();
    parts
}

const PLAIN: [&str; 4] = ["HttpOnly", "Max-Age=2592000", "Path=/api/auth", "SameSite=Strict"];

fn with_cookie(method: &str, target: &str, cookie: &str) -> Request {
    Request::new(method, target).header("cookie", format!("refresh_token={cookie}"))
}

#[tokio::test]
async fn it_is_for_this_path_this_site_and_no_script_for_thirty_days() {
    let app = TestApp::spawn().await;
    app.give_password("admin").await;
    let body = json!({"username": "admin", "password": PASSWORD});
    let opened = app.ask("POST", ADMIN_LOGIN, "", body.clone()).await;
    assert_eq!(attributes(&opened), PLAIN);
    assert!(!opened.text.contains(&opened.refresh_cookie()), "it is in no body");
    let renewed = app.call(with_cookie("POST", REFRESH, &opened.refresh_cookie())).await;
    assert_eq!(attributes(&renewed), PLAIN);
    assert_ne!(renewed.refresh_cookie(), opened.refresh_cookie());
    let token = renewed.body["token"].as_str().unwrap();
    let out = app.ask("POST", "/api/auth/logout", token, json!({})).await;
    assert_eq!(attributes(&out), ["HttpOnly", "Max-Age=0", "Path=/api/auth", "SameSite=Strict"]);
    assert_eq!(out.refresh_cookie(), "");
    for login in ["/api/auth/login/json", "/api/v1/auth/login"] {
        assert_eq!(app.ask("POST", login, "", body.clone()).await.header("set-cookie"), None, "{login}");
    }
    assert_eq!(app.see("/api/auth/me", &app.admin_token("admin")).await.header("set-cookie"), None);
}

#[tokio::test]
async fn it_travels_in_clear_only_where_a_trusted_proxy_says_so_or_nothing_leaves_the_machine() {
    let strangers = TestApp::spawn().await;
    let behind = TestApp::with(|config| config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]).await;
    for (app, trusted) in [(&strangers, false), (&behind, true)] {
        app.give_password("admin").await;
        for (proto, secure) in [
            (None, false),
            (Some("https"), trusted),
            (Some("HTTPS"), trusted),
            (Some("http"), false),
            (Some("HTTP"), false),
        ] {
            let mut request =
                Request::new("POST", ADMIN_LOGIN).json(&json!({"username": "admin", "password": PASSWORD}));
            if let Some(proto) = proto {
                request = request.header("x-forwarded-proto", proto);
            }
            let opened = app.call(request).await;
            let is = attributes(&opened).contains(&"Secure".to_owned());
            assert_eq!(is, secure, "{proto:?}, trusted: {trusted}");
            let mut refresh = with_cookie("POST", REFRESH, &opened.refresh_cookie());
            if let Some(proto) = proto {
                refresh = refresh.header("x-forwarded-proto", proto);
            }
            assert_eq!(
                attributes(&app.call(refresh).await).contains(&"Secure".to_owned()),
                secure,
                "{proto:?}: refresh"
            );
        }
    }
}

#[tokio::test]
async fn alone_it_opens_nothing_but_the_refresh() {
    let app = TestApp::spawn().await;
    let (_, cookie) = app.admin_session("admin").await;
    let before = app.footprint();
    for (method, target) in [
        ("GET", "/api/auth/me"),
        ("GET", "/api/auth/sessions"),
        ("DELETE", "/api/auth/sessions"),
        ("POST", "/api/auth/logout"),
        ("POST", "/api/auth/password"),
        ("GET", API_KEYS),
        ("POST", API_KEYS),
        ("GET", "/api/v1/auth/me"),
        ("POST", "/api/v1/auth/refresh"),
    ] {
        let refused = app.call(with_cookie(method, target, &cookie)).await;
        assert_eq!(
            (refused.status, refused.body["message"].as_str()),
            (401, Some("Missing authorization")),
            "{method} {target}"
        );
        assert_eq!(refused.header("set-cookie"), None, "{method} {target}");
    }
    // Nor is it a token, whole or in halves.
    for bearer in [cookie.as_str(), cookie.split('.').next().unwrap(), cookie.split('.').nth(1).unwrap()] {
        assert_eq!(app.see("/api/auth/me", bearer).await.admin(), (401, "invalid token"));
    }
    assert_eq!(app.footprint(), before);
    assert_eq!(app.call(with_cookie("POST", REFRESH, &cookie)).await.status, 200);
}

#[tokio::test]
async fn a_cookie_that_is_given_twice_renews_nothing_and_ends_nothing() {
    let app = TestApp::spawn().await;
    app.give_password("admin").await;
    let body = json!({"username": "admin", "password": PASSWORD});
    let (ours, other) =
        (app.ask("POST", ADMIN_LOGIN, "", body.clone()).await, app.ask("POST", ADMIN_LOGIN, "", body).await);
    let (ours, other) = (ours.refresh_cookie(), other.refresh_cookie());
    for (first, second) in [(&ours, &other), (&other, &ours), (&ours, &ours), (&ours, &"x".to_owned())] {
        let in_one = with_cookie("POST", REFRESH, &format!("{first}; refresh_token={second}"));
        let in_two = with_cookie("POST", REFRESH, first).header("cookie", format!("refresh_token={second}"));
        for request in [in_one, in_two] {
            assert_eq!(app.call(request).await.status, 401);
        }
    }
    assert_eq!(app.call(with_cookie("POST", REFRESH, &ours)).await.status, 200);
}
