//! A body that is held back buys nothing: what happened to the caller while it was on its way is in force for what it asks.

use serde_json::{Value, json};

use crate::support::{Answer, Connection, Key, Request, SUBSCRIBERS, TestApp};

/// Sends all but the end of a request, does something once the server asks for the body, and sends the end.
fn held(app: &TestApp, request: &Request, meanwhile: impl FnOnce()) -> Answer {
    let request = request.clone().header("expect", "100-continue");
    let wire = request.wire();
    let (beginning, end) = wire.split_at(wire.len() - 5);
    let mut connection: Connection = app.connect();
    assert!(connection.send(beginning));
    assert_eq!(connection.status(), Some(100));
    assert_eq!(connection.status(), None, "the end of the head");
    meanwhile();
    assert!(connection.send(end));
    connection.answer(&request).unwrap_or_else(|| panic!("{request}: no answer"))
}

fn create(key: &Key, username: &str) -> Request {
    Request::new("POST", SUBSCRIBERS).key(key).json(&json!({"username": username, "service_id": 1}))
}

#[tokio::test]
async fn what_befell_the_caller_while_its_body_was_on_its_way_is_in_force() {
    let app = TestApp::spawn().await;
    for (number, (sql, status, gate)) in [
        ("UPDATE api_keys SET revoked_at = 1 WHERE id = ?1", 401, "revoked"),
        ("UPDATE api_keys SET expires_at = 1 WHERE id = ?1", 401, "expired"),
        ("UPDATE api_keys SET scope = 'read' WHERE id = ?1", 403, "scope"),
        ("UPDATE api_keys SET allowed_ips = '192.0.2.1' WHERE id = ?1", 403, "ip"),
        (
            "UPDATE users SET status = 'suspended' WHERE id = (SELECT user_id FROM api_keys WHERE id = ?1)",
            403,
            "owner_active",
        ),
        ("UPDATE users SET role = 'user' WHERE id = (SELECT user_id FROM api_keys WHERE id = ?1)", 403, "role"),
        ("UPDATE users SET deleted_at = 1 WHERE id = (SELECT user_id FROM api_keys WHERE id = ?1)", 401, "owner"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("rita{number}");
        app.reseller(&name);
        let key = app.external_key(&name, "write");
        let answer = held(&app, &create(&key, &format!("late{number}")), || app.change(sql, [key.id]));
        assert_eq!((answer.status, answer.gates()), (status, vec![gate]), "{sql}: {}", answer.text);
    }
    assert_eq!(app.count("subscribers"), 0);
}

#[tokio::test]
async fn a_session_that_ended_while_its_body_was_on_its_way_makes_no_admin() {
    let app = TestApp::spawn().await;
    let admin = app.panel_token("admin");
    let body: Value = json!({"username": "late", "email": "l@x.lb", "password": "kettle-Bronze-41", "role": "admin"});
    let request = Request::new("POST", "/api/v1/users").bearer(&admin).json(&body);
    let end = || app.change("UPDATE sessions SET revoked_at = 1 WHERE user_id = ?1", [1]);
    let answer = held(&app, &request, end);
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(app.number("SELECT count(*) FROM users WHERE username = 'late'"), 0);
}
