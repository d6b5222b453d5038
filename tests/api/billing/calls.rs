//! What the tests of this surface ask again and again.

use panel::cli::carry_out;
use panel::domain::keys::{BillingScope, Grants, Level};
use serde_json::{Value, json};

pub use crate::keys::ACCOUNTS;
use crate::keys::{Minted, mint};
use crate::support::{Answer, Request, TestApp};

pub const HEALTH: &str = "/api/health";
pub const WHOAMI: &str = "/api/v1/billing/whoami";

/// What the seed calls not being allowed.
pub const NOT_SUPER: &str = "The user doesn't have super admin privileges";

pub fn key_of(app: &TestApp, owner: &str, level: Level, scopes: &[BillingScope]) -> Minted {
    mint(app, owner, Grants::Billing { level, scopes: scopes.to_vec() })
}

/// A key that may do everything, of the first admin.
pub fn whole(app: &TestApp) -> Minted {
    key_of(app, "admin", Level::SuperAdmin, &[BillingScope::FullAccess])
}

/// A key with all that its level is given when nobody says.
pub fn of_level(app: &TestApp, owner: &str, level: Level) -> Minted {
    key_of(app, owner, level, &level.default_scopes())
}

pub fn draft(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password": "TestPass123!"})
}

/// The draft with these fields over it.
pub fn with(name: &str, fields: &Value) -> Value {
    let mut body = draft(name);
    for (field, value) in fields.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

pub fn one(id: i64) -> String {
    format!("{ACCOUNTS}/{id}")
}

pub async fn send(app: &TestApp, key: &Minted, method: &str, target: &str, body: &Value) -> Answer {
    app.call(key.on(Request::new(method, target)).json(body)).await
}

pub async fn get(app: &TestApp, key: &Minted, target: &str) -> Answer {
    app.call(key.on(Request::new("GET", target))).await
}

pub async fn create(app: &TestApp, key: &Minted, body: &Value) -> Answer {
    send(app, key, "POST", ACCOUNTS, body).await
}

/// A new account; its id.
pub async fn account(app: &TestApp, key: &Minted, name: &str) -> i64 {
    made(&create(app, key, &draft(name)).await)
}

/// The id in the answer of a create that was made.
pub fn made(answer: &Answer) -> i64 {
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.body["id"].as_i64().unwrap()
}

pub fn detail(answer: &Answer) -> &str {
    answer.body["detail"].as_str().unwrap_or_default()
}

/// Status and detail, as a test compares them.
pub fn told(answer: &Answer) -> (u16, &str) {
    (answer.status, detail(answer))
}

/// The names of an object's fields, in the order of the answer.
pub fn fields(of: &Value) -> Vec<&str> {
    of.as_object().unwrap_or_else(|| panic!("no object: {of}")).keys().map(String::as_str).collect()
}

/// Types a line, such as a refusal's `fix`, on the server's own database.
pub fn typed(app: &TestApp, line: &str) {
    // The command line hashes and waits, which a test's runtime does not allow.
    let done = std::thread::scope(|scope| scope.spawn(|| carry_out(&app.panel, line)).join()).unwrap();
    assert!(done.is_ok(), "{line}: {done:?}");
}

/// Everything of an account that the database keeps.
pub fn row(app: &TestApp, id: i64) -> Value {
    app.rows(&format!("SELECT * FROM users WHERE id = {id}")).remove(0)
}

/// What was audited of an account on this surface, in order, by this key and no other.
pub fn audited(app: &TestApp, id: i64, key: &Minted) -> Vec<String> {
    let rows = app.rows(&format!(
        "SELECT * FROM audit WHERE object_kind = 'user' AND object_id = {id} AND surface = 'billing' ORDER BY id"
    ));
    for row in &rows {
        assert_eq!((&row["actor_kind"], &row["actor_key_id"]), (&json!("key"), &json!(key.id)), "{row}");
        assert!(!row.to_string().contains("TestPass"), "{row}");
    }
    rows.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect()
}
