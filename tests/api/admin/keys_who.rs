//! Who may manage keys here: an admin's session, and nobody else (seed: "Only admins can create or revoke them").

use panel::domain::keys::{Grants, Level};
use panel::domain::routes::Surface;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::API_KEYS;
use crate::keys::mint;
use crate::support::{Request, TestApp};

/// Every served row of this noun, with a body that would do.
const ROUTES: &[(&str, &str)] = &[
    ("GET /api/api-keys", ""),
    ("POST /api/api-keys", r#"{"name": "x"}"#),
    ("GET /api/api-keys/stats", ""),
    ("GET /api/api-keys/{id}", ""),
    ("PUT /api/api-keys/{id}", r#"{"name": "y"}"#),
    ("DELETE /api/api-keys/{id}", "{}"),
    ("GET /api/api-keys/{id}/logs", ""),
    ("POST /api/api-keys/{id}/rotate", r#"{"grace_seconds": 60}"#),
    ("POST /api/api-keys/{id}/can", r#"{"method": "GET", "path": "/api/v1/external/services"}"#),
];

fn request(route: &str, body: &str, id: &str) -> Request {
    let (method, path) = route.split_once(' ').unwrap();
    let request = Request::new(method, &path.replace("{id}", id));
    if body.is_empty() { request } else { request.header("content-type", "application/json").body(body) }
}

#[test]
fn the_routes_are_those_of_the_table() {
    let rows = Surface::Admin.routes().iter().filter(|route| route.path.starts_with(API_KEYS));
    let mut rows: Vec<_> = rows.map(ToString::to_string).collect();
    let mut known: Vec<_> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    rows.sort();
    known.sort();
    assert_eq!(rows, known);
}

#[tokio::test]
async fn only_an_admins_session_of_this_surface_opens_any_of_it_and_a_refusal_writes_nothing() {
    let app = TestApp::spawn().await;
    app.user("rita", Role::Reseller, Some("admin"));
    app.user("ulla", Role::User, Some("rita"));
    let billing = mint(&app, "admin", Grants::Billing { level: Level::SuperAdmin, scopes: Vec::new() });
    let (external, panel) = (app.external_key("admin", "delete"), app.panel_key("admin", "all"));
    let anonymous = (401, "Missing authorization");
    let (stranger, low) = ((401, "invalid token"), (403, "Admin access required"));
    let bearer = |token: String| vec![("authorization", format!("Bearer {token}"))];
    let callers = [
        ("nobody", Vec::new(), anonymous),
        ("a reseller", bearer(app.admin_token("rita")), low),
        ("a user", bearer(app.admin_token("ulla")), low),
        ("an admin's session of the panel", bearer(app.panel_token("admin")), stranger),
        ("an admin's panel key", bearer(panel.secret().to_owned()), stranger),
        ("an admin's external key", vec![("x-api-key", external.secret().to_owned())], anonymous),
        ("an external key as a token", bearer(external.secret().to_owned()), stranger),
        (
            "a billing pair",
            vec![("x-api-key", billing.key.clone()), ("x-api-secret", billing.shown().to_owned())],
            anonymous,
        ),
        ("another scheme", vec![("authorization", "Basic YWRtaW46eA==".to_owned())], stranger),
    ];
    for (route, body) in ROUTES {
        for (who, headers, expected) in &callers {
            for id in [external.id.to_string(), "999".to_owned()] {
                let before = app.footprint();
                let call =
                    headers.iter().fold(request(route, body, &id), |call, (name, value)| call.header(name, value));
                let refused = app.call(call).await;
                assert_eq!(refused.admin(), *expected, "{who}: {route}");
                assert_eq!(app.footprint(), before, "{who}: {route}");
            }
        }
        let key = app.external_key("admin", "read");
        let call = request(route, body, &key.id.to_string()).bearer(&app.admin_token("admin"));
        let done = app.call(call).await;
        assert!(matches!(done.status, 200 | 201), "{route}: {}", done.text);
    }
}

#[tokio::test]
async fn what_names_no_key_is_not_found_and_a_panel_key_goes_by_either_of_its_names() {
    let app = TestApp::spawn().await;
    let (admin, panel) = (app.admin_token("admin"), app.panel_key("admin", "read"));
    let before = app.footprint();
    for id in [
        "0",
        "-1",
        "01",
        "1.0",
        "x",
        "999",
        "9223372036854775808",
        "0123456789abcdef",
        "pk_live_",
        "%20",
        "wsp_",
        "test",
    ] {
        for (route, body) in ROUTES.iter().filter(|(route, _)| route.contains("{id}")) {
            let refused = app.call(request(route, body, id).bearer(&admin)).await;
            assert_eq!(refused.admin(), (404, "API key not found"), "{id}: {route}");
        }
    }
    assert_eq!(app.footprint(), before);
    let hex = app.panel_id(&panel);
    for id in [hex.clone(), panel.id.to_string()] {
        assert_eq!(app.see(&format!("{API_KEYS}/{id}"), &admin).await.data()["id"], hex, "{id}");
    }
    for root in [API_KEYS.to_owned(), format!("{API_KEYS}/")] {
        assert_eq!(app.see(&root, &admin).await.status, 200, "{root}");
        assert_eq!(app.ask("POST", &root, &admin, json!({})).await.status, 201, "{root}");
    }
    assert_eq!(app.see(&format!("{API_KEYS}/{hex}/"), &admin).await.status, 404);
    assert_eq!(
        app.call(Request::new("PUT", API_KEYS).bearer(&admin)).await.header("allow"),
        Some("GET, POST, HEAD, OPTIONS")
    );
}

#[tokio::test]
async fn each_change_is_in_the_audit_once_and_shows_no_secret() {
    let app = TestApp::spawn().await;
    let admin = app.admin_token("admin");
    let mut secrets: Vec<String> = Vec::new();
    for (method, path, body, action) in [
        ("POST", "", json!({"name": "x", "scopes": "write"}), "keys.create"),
        ("PUT", "/1", json!({"name": "y", "description": "of ours"}), "keys.update"),
        ("POST", "/1/rotate", json!({"grace_seconds": 0}), "keys.rotate"),
        ("DELETE", "/1", json!({}), "keys.revoke"),
        ("POST", "", json!({"permission_level": "BILLING"}), "keys.create"),
        ("POST", "/2/rotate", json!({"grace_seconds": 60}), "keys.rotate"),
        ("PUT", "/2", json!({"is_active": false}), "keys.update"),
    ] {
        let rows = app.count("audit");
        let done = app.ask(method, &format!("{API_KEYS}{path}"), &admin, body).await;
        assert!(done.status < 300, "{action}: {}", done.text);
        assert_eq!(app.count("audit"), rows + 1, "{action}");
        let row = app.last_audit();
        assert_eq!((&row["action"], &row["object_kind"]), (&json!(action), &json!("key")));
        assert_eq!(row["request_id"], done.header("x-request-id").unwrap());
        let shown = ["key", "key_secret"].into_iter().filter_map(|name| done.body[name].as_str().map(str::to_owned));
        secrets.extend(shown);
    }
    assert_eq!(secrets.len(), 4);
    for (name, bytes) in app.files() {
        for secret in &secrets {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{name} holds a secret");
        }
    }
    assert!(
        app.rows("SELECT * FROM audit")
            .iter()
            .all(|row| secrets.iter().all(|secret| !row.to_string().contains(secret)))
    );
    assert_ne!(Value::Null, app.last_audit());
}
