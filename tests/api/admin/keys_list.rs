//! Lists, figures and logs of keys (seed: "List keys", stats, logs; admin.md).

use std::time::Duration;

use panel::domain::keys::{Grants, Level};
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::API_KEYS;
use crate::keys::mint;
use crate::support::{Request, SUBSCRIBERS, TestApp};

const SEEDS: [&str; 7] = ["id", "name", "key_prefix", "scopes", "last_used_at", "expires_at", "is_active"];

/// Of each style one of the admin's, an external one of rita's, one that is revoked and one that is disabled.
fn keys(app: &TestApp) -> i64 {
    app.user("Rita", Role::Reseller, Some("admin"));
    app.external_key("admin", "write");
    app.external_key("Rita", "read");
    let revoked = app.external_key("admin", "delete");
    app.revoke(&revoked);
    let disabled = app.panel_key("admin", "domains,read");
    app.change("UPDATE api_keys SET enabled = 0 WHERE id = ?1", [disabled.id]);
    mint(app, "admin", Grants::Billing { level: Level::Billing, scopes: Vec::new() });
    revoked.id
}

#[tokio::test]
async fn without_a_kind_the_list_is_the_seeds_and_with_one_it_tells_more() {
    let app = TestApp::spawn().await;
    keys(&app);
    let admin = app.admin_token("admin");
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let plain = app.see(API_KEYS, &admin).await;
    assert!(plain.data().as_array().unwrap().iter().all(|item| names(item) == SEEDS), "{}", plain.text);
    assert_eq!(app.see(&format!("{API_KEYS}?kind="), &admin).await.text, plain.text);
    for (query, count) in [
        ("", 3),
        ("?kind=external", 3),
        ("?kind=panel", 1),
        ("?kind=billing", 1),
        ("?kind=all", 5),
        ("?owner=rita", 1),
        ("?owner=RITA&kind=all", 1),
        ("?owner=nobody", 0),
        ("?active=true", 2),
        ("?active=0", 1),
        ("?kind=all&active=1", 3),
        ("?kind=all&active=false", 2),
        ("?kind=all&active=false&owner=admin", 2),
        ("?kind=panel&active=true", 0),
        ("?unknown=1", 3),
    ] {
        let list = app.see(&format!("{API_KEYS}{query}"), &admin).await;
        assert_eq!((list.status, list.data().as_array().unwrap().len()), (200, count), "{query}");
        assert!(!list.text.contains("secret"), "{query}");
    }
    let all = app.see(&format!("{API_KEYS}?kind=all"), &admin).await;
    for item in all.data().as_array().unwrap() {
        let (own, other) = match item["kind"].as_str().unwrap() {
            "panel" => (vec!["permissions"], vec!["scopes", "permission_level"]),
            "billing" => (vec!["scopes", "permission_level"], vec!["permissions"]),
            _ => (vec!["scopes"], vec!["permissions", "permission_level"]),
        };
        let known = names(item);
        assert!(
            known.contains(&"owner".to_owned()) && own.iter().all(|name| known.contains(&(*name).to_owned())),
            "{item}"
        );
        assert!(!other.iter().any(|name| known.contains(&(*name).to_owned())), "{item}");
    }
    for (query, field) in
        [("?kind=x", "kind"), ("?kind=all&kind=all", "kind"), ("?active=yes", "active"), ("?active=", "")]
    {
        let refused = app.see(&format!("{API_KEYS}{query}"), &admin).await;
        assert_eq!(refused.status, if field.is_empty() { 200 } else { 400 }, "{query}");
        assert!(refused.admin().1.starts_with(field), "{query}: {}", refused.text);
    }
}

#[tokio::test]
async fn the_figures_count_what_is_revoked_apart_and_the_calls_of_a_day() {
    let app = TestApp::at("2026-05-12T10:30:00Z").await;
    keys(&app);
    let (admin, key) = (app.admin_token("admin"), app.external_key("admin", "read"));
    for _ in 0..3 {
        app.get(SUBSCRIBERS, &key).await;
    }
    app.eventually("the calls are written down", Duration::from_secs(1), || app.logged().len() == 3).await;
    for (query, figures) in [
        ("", json!({"total": 4, "active": 3, "revoked": 1, "calls_24h": 3})),
        ("?kind=all", json!({"total": 6, "active": 5, "revoked": 1, "calls_24h": 3})),
        ("?kind=panel", json!({"total": 1, "active": 1, "revoked": 0, "calls_24h": 0})),
        ("?kind=billing", json!({"total": 1, "active": 1, "revoked": 0, "calls_24h": 0})),
    ] {
        assert_eq!(*app.see(&format!("{API_KEYS}/stats{query}"), &admin).await.data(), figures, "{query}");
    }
    assert_eq!(app.see(&format!("{API_KEYS}/stats?kind=x"), &admin).await.status, 400);
    app.move_to("2026-05-13T10:30:01Z");
    let later = app.admin_token("admin");
    assert_eq!(app.see(&format!("{API_KEYS}/stats"), &later).await.data()["calls_24h"], 0);
}

#[tokio::test]
async fn a_call_is_in_the_keys_log_within_a_second_newest_first_with_its_gate() {
    let app = TestApp::spawn().await;
    let (admin, key, other) =
        (app.admin_token("admin"), app.external_key("admin", "read"), app.external_key("admin", "read"));
    let target = format!("{API_KEYS}/{}/logs", key.id);
    assert_eq!(*app.see(&target, &admin).await.data(), json!([]));
    app.call(Request::new("GET", SUBSCRIBERS).key(&key).header("x-request-id", "first")).await;
    app.get(SUBSCRIBERS, &other).await;
    app.call(Request::new("POST", SUBSCRIBERS).key(&key).header("x-request-id", "second").json(&json!({}))).await;
    app.eventually("both are written down", Duration::from_secs(1), || app.logged().len() == 3).await;
    let rows = app.see(&target, &admin).await;
    let rows = rows.data().as_array().unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| (&row["request_id"], &row["method"], &row["status_code"], &row["gate"])).collect();
    assert_eq!(
        told,
        [
            (&json!("second"), &json!("POST"), &json!(403), &json!("scope")),
            (&json!("first"), &json!("GET"), &json!(200), &Value::Null),
        ]
    );
    let names: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["timestamp", "method", "path", "status_code", "ip", "latency_ms", "gate", "generation", "request_id"]
    );
    assert_eq!(
        (&rows[0]["path"], &rows[0]["ip"], &rows[0]["generation"]),
        (&json!(SUBSCRIBERS), &json!("127.0.0.1"), &json!(1))
    );
    assert_eq!(app.see(&format!("{target}?limit=1"), &admin).await.data().as_array().unwrap().len(), 1);
    for limit in ["0", "1001", "-1", "x", "1.5"] {
        let refused = app.see(&format!("{target}?limit={limit}"), &admin).await;
        assert_eq!(refused.admin(), (400, "limit must be an integer from 1 to 1000"), "{limit}");
    }
}

#[tokio::test]
async fn the_log_shows_two_hundred_calls_unless_asked_for_more() {
    let app = TestApp::spawn().await;
    let (admin, key) = (app.admin_token("admin"), app.external_key("admin", "read"));
    for _ in 0..205 {
        app.get("/api/v1/external/services", &key).await;
    }
    app.eventually("all are written down", Duration::from_secs(2), || app.logged().len() == 205).await;
    for (query, count) in [("", 200), ("?limit=1000", 205), ("?limit=3", 3)] {
        let rows = app.see(&format!("{API_KEYS}/{}/logs{query}", key.id), &admin).await;
        assert_eq!(rows.data().as_array().unwrap().len(), count, "{query}");
    }
}
