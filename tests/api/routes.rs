//! Every row of the route table against every caller: what opens, what is refused, and that a refusal writes nothing.

use panel::domain::routes::{Method, Route, Surface};
use serde_json::json;

use crate::support::{Key, Request, SUBSCRIBERS, TestApp};

/// The seed's two tables and the contract's one addition. The method alone decides the scope.
const DOCUMENTED: &[&str] = &[
    "GET /api/v1/external/nas",
    "GET /api/v1/external/nas/{id}",
    "GET /api/v1/external/services",
    "GET /api/v1/external/services/{id}",
    "GET /api/v1/external/subscribers",
    "POST /api/v1/external/subscribers",
    "GET /api/v1/external/subscribers/by-username/{username}",
    "DELETE /api/v1/external/subscribers/{id}",
    "GET /api/v1/external/subscribers/{id}",
    "PUT /api/v1/external/subscribers/{id}",
    "POST /api/v1/external/subscribers/{id}/activate",
    "POST /api/v1/external/subscribers/{id}/renew",
    "POST /api/v1/external/subscribers/{id}/suspend",
    "GET /api/v1/external/subscribers/{id}/usage",
    "GET /api/v1/external/system/health",
    "GET /api/v1/external/system/stats",
    "GET /api/v1/external/transactions",
    "POST /api/v1/external/transactions",
];

const SCOPES: [&str; 3] = ["read", "write", "delete"];

fn needed(route: &Route) -> &'static str {
    match route.method {
        Method::Get => "read",
        Method::Post | Method::Put => "write",
        Method::Delete => "delete",
    }
}

fn is_health(route: &Route) -> bool {
    route.path.ends_with("/system/health")
}

fn request(route: &Route, key: &Key) -> Request {
    let target = route.path.replace("{id}", "1").replace("{username}", "ada");
    let request = Request::new(route.method.as_str(), &target).key(key);
    match route.method {
        Method::Get => request,
        Method::Post | Method::Put | Method::Delete => {
            request.json(&json!({"username": format!("new-{}", key.id), "service_id": 1}))
        }
    }
}

#[test]
fn the_table_is_the_documented_one() {
    let mut rows: Vec<_> = Surface::External.routes().iter().map(ToString::to_string).collect();
    rows.sort_by_key(|row| row.split(' ').rev().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(rows, DOCUMENTED);
}

#[tokio::test]
async fn no_route_but_health_opens_without_a_known_key() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "delete");
    app.post(SUBSCRIBERS, &key, json!({"username": "ada", "service_id": 1})).await;
    let before = app.footprint();

    for route in Surface::External.routes() {
        let anonymous = app.call(request(route, &Key::none())).await;
        let unknown = app.call(request(route, &Key::of("pk_live_00000000000000000000000000000000"))).await;

        if is_health(route) {
            assert_eq!(anonymous.status, 200, "{route}");
        } else {
            assert_eq!((anonymous.status, anonymous.code()), (401, "MISSING_API_KEY"), "{route}");
            assert_eq!(anonymous.body["denied"], json!([{"gate": "credential"}]), "{route}");
        }
        assert_eq!((unknown.status, unknown.code()), (401, "INVALID_API_KEY"), "{route}");
        assert_eq!(unknown.body["denied"], json!([{"gate": "key"}]), "{route}");
        assert_eq!(unknown.header("x-accepted-permissions"), None, "{route}");
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn a_key_opens_what_its_scope_includes_and_nothing_else() {
    let app = TestApp::spawn().await;
    let maker = app.external_key("admin", "write");
    app.post(SUBSCRIBERS, &maker, json!({"username": "ada", "service_id": 1})).await;

    for have in SCOPES {
        let key = app.external_key("admin", have);
        for route in Surface::External.routes() {
            let before = app.footprint();
            let need = needed(route);
            let answer = app.call(request(route, &key)).await;

            if is_health(route) {
                assert_eq!(answer.status, 200, "{have}: {route}");
            } else if rank(have) < rank(need) {
                assert_eq!((answer.status, answer.code()), (403, "SCOPE_REQUIRED"), "{have}: {route}");
                let fix = format!("panel key update {} --scopes {need}", key.id);
                let denied = json!([{"gate": "scope", "need": need, "have": have, "fix": fix}]);
                assert_eq!(answer.body["denied"], denied, "{have}: {route}");
                assert_eq!(app.footprint(), before, "{have}: {route}");
            } else if route.served {
                // What it then comes to is for the tests of each route.
                assert!(matches!(answer.status, 200 | 201 | 400 | 404), "{have}: {route} {}", answer.text);
                if answer.status < 300 {
                    let accepted = SCOPES[rank(need)..].join(", ");
                    assert_eq!(answer.header("x-accepted-permissions"), Some(accepted.as_str()), "{have}: {route}");
                }
            } else {
                assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND"), "{have}: {route}");
                assert_eq!(app.footprint(), before, "{have}: {route}");
            }
        }
    }
}

fn rank(scope: &str) -> usize {
    SCOPES.iter().position(|known| *known == scope).unwrap()
}

#[tokio::test]
async fn what_is_not_built_answers_only_after_the_gates() {
    let app = TestApp::spawn().await;
    let read = app.external_key("admin", "read");
    let target = format!("{SUBSCRIBERS}/1/suspend");

    let refused = app.post(&target, &read, json!({})).await;
    let stranger = app.post(&target, &Key::none(), json!({})).await;

    assert_eq!(refused.code(), "SCOPE_REQUIRED");
    assert_eq!(stranger.code(), "MISSING_API_KEY");
}

#[tokio::test]
async fn the_other_surfaces_refuse_strangers_in_their_own_words() {
    let app = TestApp::spawn().await;
    let external = app.external_key("admin", "delete");
    let open = ["/setup/{token}", "/openapi.json", "/docs"];

    for surface in [Surface::Panel, Surface::Billing, Surface::Admin] {
        for route in surface.routes() {
            if open.contains(&route.path) || route.path.contains("/auth/") || route.path == "/api/health" {
                continue;
            }
            let target = route.path.replace("{username}", "admin").replace("{name}", "default");
            let target = target.replace("{id}", "1");
            let stranger = app.call(Request::new(route.method.as_str(), &target)).await;
            assert_eq!(stranger.status, 401, "{route}");
            // An external key is no key of another surface's, whichever header it comes in.
            let bearer = format!("Bearer {}", external.secret());
            let request = Request::new(route.method.as_str(), &target).key(&external).header("authorization", bearer);
            let foreign = app.call(request).await;
            assert_eq!(foreign.status, 401, "{route}");
        }
    }
}
