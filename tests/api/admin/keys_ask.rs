//! `POST /api/api-keys/{id}/can`: what the answer says, the door does, and asking consumes nothing (keys.md, A refusal
//! explains itself).

use panel::domain::keys::{BillingScope, Grants, Level};
use panel::domain::routes::Surface;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::API_KEYS;
use crate::keys::{Minted, mint};
use crate::support::{Answer, Plan, Request, TestApp};

async fn ask(app: &TestApp, id: i64, body: Value) -> Answer {
    app.ask("POST", &format!("{API_KEYS}/{id}/can"), &app.admin_token("admin"), body).await
}

/// Whose key, and what it was given.
fn keys(app: &TestApp) -> Vec<Minted> {
    use panel::domain::keys::{Permission, Scope};
    app.user("rita", Role::Reseller, Some("admin"));
    app.user("ulla", Role::User, Some("rita"));
    let pair = |level, scopes: &[BillingScope]| Grants::Billing { level, scopes: scopes.to_vec() };
    vec![
        mint(app, "admin", Grants::External(Scope::Delete)),
        mint(app, "rita", Grants::External(Scope::Read)),
        mint(app, "admin", Grants::Panel(vec![Permission::All])),
        mint(app, "rita", Grants::Panel(vec![Permission::All])),
        mint(app, "ulla", Grants::Panel(vec![Permission::Read, Permission::Dns])),
        mint(app, "admin", pair(Level::SuperAdmin, &[BillingScope::FullAccess])),
        mint(app, "rita", pair(Level::Billing, &[BillingScope::AccountCreation])),
    ]
}

/// Reading routes, writing ones with nothing to do, ones that are not built, and none.
fn paths() -> Vec<(String, String)> {
    let routes = Surface::ALL.iter().flat_map(|surface| surface.routes());
    let routes = routes.filter(|route| !route.path.contains("/auth/") && !route.path.starts_with("/setup"));
    let mut paths: Vec<_> = routes
        .map(|route| {
            let path = route.path.replace("{username}", "nobody").replace("{name}", "none").replace("{id}", "999");
            (route.method.as_str().to_owned(), path)
        })
        .collect();
    for (method, path) in [
        ("GET", "/api/v1/domains"),
        ("POST", "/api/v1/dns/x"),
        ("GET", "/api/v1/nothing"),
        ("POST", "/api/v1/nothing"),
        ("GET", "/nothing"),
    ] {
        paths.push((method.to_owned(), path.to_owned()));
    }
    paths
}

#[tokio::test]
async fn the_verdict_is_the_doors_for_every_style_and_route() {
    let app = TestApp::spawn().await;
    for key in keys(&app) {
        for (method, path) in paths() {
            let asked = ask(&app, key.id, json!({"method": method, "path": path, "ip": "127.0.0.1"})).await;
            assert_eq!(asked.status, 200, "{}", asked.text);
            let mut call = Request::new(&method, &path);
            call = if path.starts_with("/api/v1/external")
                || path.starts_with("/api/v1/billing")
                || path.starts_with("/api/health")
                || !path.starts_with("/api/v1")
            {
                call.header("x-api-key", &key.key)
            } else {
                call.header("authorization", format!("Bearer {}", key.key))
            };
            if let Some(secret) = &key.secret {
                call = call.header("x-api-secret", secret);
            }
            // A body that no route takes for good, so that nothing is done.
            let done =
                app.call(call.header("content-type", "text/plain").body(if method == "GET" { "" } else { "x" })).await;
            let told = format!(
                "{} of {} on {method} {path}: {} / {}",
                key.reference,
                key.style.as_str(),
                asked.text,
                done.text
            );
            let failing: Vec<_> =
                asked.data()["gates"].as_array().unwrap().iter().filter(|line| line["result"] == "FAIL").collect();
            let gates: Vec<_> = failing.iter().map(|line| line["gate"].as_str().unwrap()).collect();
            if path.starts_with("/api/v1") || path == "/api/health" {
                let refused = matches!(done.status, 401 | 403 | 429);
                assert_eq!(!gates.is_empty(), refused, "{told}");
                assert!(!refused || gates == done.gates(), "{told}");
                assert!(asked.data()["allowed"] != true || !refused, "{told}");
            } else {
                assert!(asked.data()["allowed"] == false || done.status < 500, "{told}");
            }
        }
    }
}

#[tokio::test]
async fn an_address_and_a_time_are_part_of_the_question() {
    let app = TestApp::at("2026-05-12T10:30:00Z").await;
    let key = app.external_key("admin", "read");
    app.change(
        "UPDATE api_keys SET allowed_ips = '10.0.0.0/8', expires_at = ?2 WHERE id = ?1",
        (key.id, 1_798_761_599_000_i64),
    );
    let path = "/api/v1/external/services";
    for (ip, at, verdict) in [
        (Some("10.1.2.3"), None, "allowed"),
        (Some("::ffff:10.1.2.3"), None, "allowed"),
        (Some("192.0.2.1"), None, "refused by ip"),
        (None, None, "refused by ip"),
        (Some("10.1.2.3"), Some("2026-12-31T23:59:58Z"), "allowed"),
        (Some("10.1.2.3"), Some("2027-01-01"), "refused by expired"),
        (Some("10.1.2.3"), Some("2027-01-01T00:00:00Z"), "refused by expired"),
        (Some("192.0.2.1"), Some("2027-01-01"), "refused by expired"),
    ] {
        let asked = ask(&app, key.id, json!({"method": "get", "path": path, "ip": ip, "at": at})).await;
        let data = asked.data();
        assert_eq!(
            (&data["verdict"], &data["allowed"]),
            (&json!(verdict), &json!(verdict == "allowed")),
            "{ip:?} {at:?}"
        );
        assert_eq!(data["route"], path);
        assert!(!asked.text.contains("10.0.0.0/8"), "the list is nobody's business: {}", asked.text);
    }
    let none = ask(&app, key.id, json!({"method": "GET", "path": "/api/v1/external/nothing", "ip": "10.1.2.3"})).await;
    assert_eq!(
        (&none.data()["verdict"], &none.data()["route"], &none.data()["allowed"]),
        (&json!("no such route"), &json!("none"), &json!(false))
    );
}

#[tokio::test]
async fn asking_consumes_nothing_and_sees_what_is_used_up() {
    let app = Plan::new().at("2026-05-12T10:30:30Z").spawn().await;
    let key = app.external_key("admin", "read");
    app.change("UPDATE api_keys SET rate_per_minute = 1 WHERE id = ?1", [key.id]);
    let (path, before) = ("/api/v1/external/services", app.footprint());
    let question = json!({"method": "GET", "path": path});
    let token = app.admin_token("admin");
    for _ in 0..5 {
        let asked = app.ask("POST", &format!("{API_KEYS}/{}/can", key.id), &token, question.clone()).await;
        assert_eq!(asked.data()["allowed"], true, "{}", asked.text);
    }
    assert_eq!(app.footprint().0[1], before.0[1], "no audit");
    assert_eq!(app.get(path, &key).await.status, 200);
    let asked = app.ask("POST", &format!("{API_KEYS}/{}/can", key.id), &token, question.clone()).await;
    assert_eq!(asked.data()["verdict"], "refused by rate");
    let door = app.get(path, &key).await;
    let line = asked.data()["gates"].as_array().unwrap().iter().find(|line| line["gate"] == "rate").unwrap().clone();
    for name in ["need", "have", "fix"] {
        assert_eq!(line[name], door.body["denied"][0][name], "{name}");
    }
}

#[tokio::test]
async fn a_question_that_is_none_is_refused_by_its_field() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "read");
    for (body, field) in [
        (json!({}), "method is required"),
        (json!({"method": "GET"}), "path is required"),
        (json!({"method": "PATCH", "path": "/"}), "method must be GET, HEAD, POST, PUT or DELETE"),
        (json!({"method": 5, "path": "/"}), "method must be a string"),
        (json!({"method": "GET", "path": 5}), "path must be a string"),
        (json!({"method": "GET", "path": "/", "ip": "x"}), "ip must be an IP address"),
        (json!({"method": "GET", "path": "/", "at": "soon"}), "at "),
    ] {
        let refused = ask(&app, key.id, body.clone()).await;
        assert!(refused.status == 400 && refused.admin().1.starts_with(field), "{body}: {}", refused.text);
    }
}
