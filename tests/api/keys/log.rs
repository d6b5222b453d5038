//! The request log of all surfaces: a refusal carries its gate, a stranger leaves nothing.

use std::time::Duration;

use panel::domain::keys::Style;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::{ACCOUNTS, Minted, USERS, everything, least, list_of, mint, revoke};
use crate::support::{Request, SUBSCRIBERS, TestApp};

async fn logged(app: &TestApp, rows: usize) -> Vec<Value> {
    app.eventually("the log is written", Duration::from_secs(2), || app.logged().len() >= rows).await;
    app.logged()
}

#[tokio::test]
async fn unknown_keys_leave_no_row_on_any_surface() {
    let app = TestApp::spawn().await;
    for target in [SUBSCRIBERS, USERS, ACCOUNTS, "/api/api-keys", "/api/health"] {
        for name in ["x-api-key", "x-api-secret", "authorization"] {
            for value in ["Bearer wsp_unknown", "pk_live_unknown", "npk_unknown", "nps_unknown"] {
                app.call(Request::new("GET", target).header(name, value)).await;
            }
        }
        app.call(Request::new("GET", target)).await;
    }
    let key = mint(&app, "admin", least(Style::Panel));
    app.call(key.get()).await;
    // The log keeps the order: with the last one's row there, the others' would be.
    let rows = logged(&app, 1).await;
    assert_eq!(rows.iter().map(|row| row["key_id"].clone()).collect::<Vec<_>>(), [json!(key.id)]);
}

#[tokio::test]
async fn a_refusal_is_logged_with_its_first_gate_on_every_surface() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    app.reseller("boss");
    app.user("rex", Role::Admin, Some("boss"));
    let mut expected = Vec::new();
    for style in Style::ALL {
        let key = mint(&app, "rex", everything(style));
        let word = ["scope = 'read'", "permissions = 'read'", "level = 'USER'"][style as usize];
        let gate = ["scope", "permission", "level"][style as usize];
        for (table, breaks, repairs, gate) in [
            ("api_keys", "expires_at = 1", "expires_at = NULL", "expired"),
            ("users", "deleted_at = 1", "deleted_at = NULL", "owner"),
            ("users", "status = 'suspended'", "status = 'active'", "owner_active"),
            ("users", "can_use_api = 0", "can_use_api = NULL", "api_access"),
            ("api_keys", "allowed_ips = '10.0.0.1'", "allowed_ips = ''", "ip"),
            ("api_keys", word, "name = 'x'", gate),
        ] {
            let only = if table == "users" { "username = 'rex'".to_owned() } else { format!("id = {}", key.id) };
            app.change(&format!("UPDATE {table} SET {breaks} WHERE {only}"), []);
            let answer = app.call(key.on(Request::new("POST", list_of(style)))).await;
            assert_eq!(answer.gates().first(), Some(&gate), "{}", answer.text);
            app.change(&format!("UPDATE {table} SET {repairs} WHERE {only}"), []);
            expected.push(json!([key.id, answer.status, gate]));
        }
        revoke(&app, &key);
        app.call(key.get()).await;
        expected.push(json!([key.id, 401, "revoked"]));
    }
    let rows = logged(&app, expected.len()).await;
    let seen: Vec<_> = rows.iter().map(|row| json!([row["key_id"], row["status"], row["gate"]])).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_known_identifier_with_a_wrong_secret_is_logged_against_its_key() {
    let app = TestApp::spawn().await;
    let pair = mint(&app, "admin", everything(Style::Billing));
    let wrong = Minted { secret: Some("nps_wrong".to_owned()), ..pair.clone() };
    app.call(wrong.get()).await;
    let rows = logged(&app, 1).await;
    assert_eq!(json!([rows[0]["key_id"], rows[0]["status"], rows[0]["gate"]]), json!([pair.id, 401, "secret"]));
}

#[tokio::test]
async fn a_template_is_logged_beside_the_path_and_never_the_query() {
    let app = TestApp::spawn().await;
    let mut expected = Vec::new();
    for (style, target, template) in [
        (Style::External, "/api/v1/external/subscribers/7?a=b", "/api/v1/external/subscribers/{id}"),
        (Style::Panel, "/api/v1/users/ada/features?a=b", "/api/v1/users/{username}/features"),
        (Style::Panel, "/api/v1/databases/7/x?a=b", "/api/v1/databases"),
        (Style::Billing, "/api/v1/billing/accounts/7?a=b", "/api/v1/billing/accounts/{id}"),
        (Style::Billing, "/api/v1/billing/nope?a=b", "(unknown)"),
    ] {
        let key = mint(&app, "admin", everything(style));
        app.call(key.on(Request::new("GET", target))).await;
        expected.push(json!([key.id, template, target.split('?').next()]));
    }
    let rows = logged(&app, expected.len()).await;
    assert_eq!(rows.iter().map(|row| json!([row["key_id"], row["route"], row["path"]])).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_refusal_that_the_body_or_the_target_decided_is_logged_with_its_gate_too() {
    let app = TestApp::spawn().await;
    app.reseller("rita");
    app.user("ulla", Role::User, Some("rita"));
    let (external, of_rita) = (app.external_key("admin", "write"), app.panel_key("rita", "all"));
    let body = json!({"username": "ada", "service_id": 1, "balance": 5});
    assert_eq!(app.post(SUBSCRIBERS, &external, body).await.status, 403);
    let mint = Request::new("POST", "/api/v1/users/ulla/api-keys").bearer(of_rita.secret()).json(&json!({"name": "k"}));
    assert_eq!(app.call(mint).await.status, 403);

    for (key, gate) in [(external.id, "field"), (of_rita.id, "role")] {
        let logged = || app.logged().into_iter().any(|row| row["key_id"] == key && row["gate"] == gate);
        app.eventually("the row is there", Duration::from_secs(5), logged).await;
    }
}
