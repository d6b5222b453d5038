//! A day on the panel and the admin surface: each route answers once as described, which every answer of the suite is
//! held to.

use std::cell::RefCell;
use std::collections::BTreeSet;

use panel::domain::routes::{self, Found, Method, Surface};
use serde_json::{Value, json};

use super::world::{PASSWORD, World};
use crate::support::{Answer, Request};

/// Calls, and remembers which rows answered well.
struct Day<'a> {
    world: &'a World,
    done: RefCell<BTreeSet<String>>,
}

impl Day<'_> {
    fn note(&self, method: &str, target: &str, answer: &Answer) {
        assert!(answer.status < 300, "{method} {target}: {} {}", answer.status, answer.text);
        let Found::Route(route, _) = routes::find(Method::parse(method), target) else { panic!("{target}") };
        self.done.borrow_mut().insert(route.to_string());
    }

    async fn panel(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let answer = self.world.on_panel(method, path, body).await;
        self.note(method, &format!("/api/v1{}", path.split('?').next().unwrap()), &answer);
        answer
    }

    async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let answer = self.world.on_admin(method, path, body).await;
        self.note(method, &format!("/api{}", path.split('?').next().unwrap()), &answer);
        answer
    }

    fn missed(&self, surface: Surface) -> Vec<String> {
        let served = surface.routes().iter().filter(|route| route.served).map(ToString::to_string);
        served.filter(|route| !self.done.borrow().contains(route)).collect()
    }
}

#[tokio::test]
async fn every_route_of_the_panel_answers_as_described() {
    let world = World::make().await;
    let day = Day { world: &world, done: RefCell::default() };
    let login = json!({"username": "admin", "password": PASSWORD});
    let answer = world.app.call(Request::new("POST", "/api/v1/auth/login").json(&login)).await;
    day.note("POST", "/api/v1/auth/login", &answer);
    day.panel("GET", "/auth/me", None).await;

    let eve = json!({"username": "eve", "email": "eve@example.com", "password": PASSWORD, "max_domains": 3});
    day.panel("POST", "/users", Some(eve)).await;
    day.panel("GET", "/users/", None).await;
    day.panel("GET", "/users/eve", None).await;
    day.panel("PUT", "/users/eve", Some(json!({"email": "eve@example.org", "max_domains": null}))).await;
    day.panel("POST", "/users/eve/suspend", Some(json!({"reason": "unpaid"}))).await;
    day.panel("POST", "/users/eve/unsuspend", None).await;
    day.panel("GET", "/users/eve/features", None).await;
    day.panel("PUT", "/users/eve/features", Some(json!({"ssh": false, "php": null}))).await;

    let key = json!({"name": "k", "permissions": ["domains.read"], "ip_whitelist": ["192.0.2.0/24"], "expires_in": 5, "rate_limit": 9});
    let key = day.panel("POST", "/users/eve/api-keys", Some(key)).await;
    assert!(key.body["warnings"].is_array());
    let key = format!("/users/eve/api-keys/{}", key.body["key"]["id"].as_str().unwrap());
    day.panel("GET", "/users/eve/api-keys", None).await;
    day.panel("PUT", &key, Some(json!({"permissions": ["read"], "expires_in": null}))).await;
    day.panel("POST", &format!("{key}/toggle"), None).await;
    day.panel("DELETE", &key, None).await;

    let rita = json!({"username": "rita", "email": "rita@example.com", "password": PASSWORD, "max_users": 5});
    day.panel("POST", "/resellers", Some(rita)).await;
    day.panel("GET", "/resellers", None).await;
    day.panel("GET", "/resellers/rita", None).await;
    day.panel("PUT", "/resellers/rita", Some(json!({"can_grant_api": false}))).await;
    day.panel("GET", "/resellers/rita/limits", None).await;
    day.panel("PUT", "/resellers/rita/limits", Some(json!({"max_users": null}))).await;
    day.panel("GET", "/resellers/rita/users", None).await;
    day.panel("DELETE", "/resellers/rita?transfer_to=admin", None).await;

    day.panel("POST", "/packages", Some(json!({"name": "small", "max_domains": 1, "api": true}))).await;
    day.panel("GET", "/packages", None).await;
    day.panel("GET", "/packages/small", None).await;
    day.panel("PUT", "/packages/small", Some(json!({"can_use_ssh": false}))).await;
    day.panel("DELETE", "/packages/small", None).await;
    day.panel("DELETE", "/users/eve", None).await;

    let fresh = day.panel("POST", "/auth/refresh", None).await;
    let token = format!("Bearer {}", fresh.body["token"].as_str().unwrap());
    let target = "/api/v1/auth/logout";
    day.note("POST", target, &world.app.call(Request::new("POST", target).header("authorization", token)).await);
    assert_eq!(day.missed(Surface::Panel), Vec::<String>::new(), "no call of this day reached them");
}

#[tokio::test]
async fn the_routes_of_the_admin_surface_answer_as_described() {
    let mut world = World::make().await;
    let login = json!({"username": "admin", "password": PASSWORD});
    let first = world.app.call(Request::new("POST", "/api/auth/login").json(&login)).await;
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let refreshed = world.app.call(Request::new("POST", "/api/auth/refresh").header("cookie", cookie)).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    assert_eq!(world.app.call(Request::new("POST", "/api/auth/refresh")).await.status, 401);
    let bearer = world.app.call(Request::new("POST", "/api/auth/login/json").json(&login)).await;
    world.admin = bearer.body["access_token"].as_str().unwrap().to_owned();
    let day = Day { world: &world, done: RefCell::default() };

    day.admin("GET", "/auth/me", None).await;
    let sessions = day.admin("GET", "/auth/sessions", None).await;
    let other = sessions.data().as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
    let other = format!("/auth/sessions/{}", other["id"]);
    day.admin("GET", &other, None).await;
    day.admin("DELETE", &other, None).await;
    day.admin("DELETE", "/auth/sessions", None).await;

    let key = day.admin("POST", "/api-keys", Some(json!({"scopes": "write", "expires_at": "2099-12-31"}))).await;
    let billing =
        json!({"name": "whmcs", "permission_level": "BILLING", "scopes": ["full_access"], "rate_limit_per_day": 9});
    let refused = world.on_admin("POST", "/api-keys", Some(billing)).await;
    assert!(matches!(refused.status, 201 | 400), "{}", refused.text);
    let billing = day.admin("POST", "/api-keys/", Some(json!({"name": "whmcs", "permission_level": "BILLING"}))).await;
    let ids = [key.id().to_string(), billing.id().to_string(), world.panel_key.clone()];
    for kind in ["", "?kind=panel", "?kind=billing", "?kind=all", "?active=1&owner=admin"] {
        day.admin("GET", &format!("/api-keys{kind}"), None).await;
        day.admin("GET", &format!("/api-keys/stats{kind}"), None).await;
    }
    world.app.get("/api/v1/external/nas", &crate::support::Key::of(key.body["key"].as_str().unwrap())).await;
    for id in ids {
        let key = format!("/api-keys/{id}");
        day.admin("GET", &key, None).await;
        day.admin("PUT", &key, Some(json!({"name": "other", "allowed_ips": ["192.0.2.1"], "description": "why"})))
            .await;
        day.admin("GET", &format!("{key}/logs?limit=5"), None).await;
        let asked = json!({"method": "POST", "path": "/api/v1/external/subscribers", "ip": "192.0.2.9"});
        day.admin("POST", &format!("{key}/can"), Some(asked)).await;
        day.admin("POST", &format!("{key}/rotate"), Some(json!({"grace_seconds": 60}))).await;
        day.admin("DELETE", &key, None).await;
        day.admin("GET", &key, None).await;
    }
    day.admin(
        "POST",
        "/auth/password",
        Some(json!({"current_password": PASSWORD, "new_password": "a better horse battery"})),
    )
    .await;
    day.admin("POST", "/auth/logout", None).await;
}
