//! The seed's troubleshooting page, replayed: each setting of its checklist is wrong once. The `detail` alone tells which,
//! `panel key can` prints the same gates, and once its `fix` is typed the very next call is a 201.

use std::net::IpAddr;

use panel::actions::keys::{Question, can};
use panel::domain::keys::{BillingScope, KeyId, Level};
use panel::domain::routes::Method;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::calls::{ACCOUNTS, HEALTH, NOT_SUPER, draft, key_of, made, of_level, told, typed, whole};
use crate::keys::{Minted, revoke, rotate};
use crate::support::{Answer, Plan, Request, TestApp};

const BILLING_SYSTEM: &str = "192.168.10.203";

/// Behind a proxy that is trusted, so that a call can come from the seed's address.
async fn served() -> TestApp {
    let trusts = |config: &mut panel::config::Config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    };
    Plan::new().config(trusts).spawn().await
}

/// The seed's own test command.
async fn provision(app: &TestApp, key: &Minted, name: &str) -> Answer {
    let request = key.on(Request::new("POST", ACCOUNTS)).header("x-forwarded-for", BILLING_SYSTEM);
    app.call(request.json(&draft(name))).await
}

async fn test_connection(app: &TestApp, key: &Minted) -> Answer {
    let request = key.on(Request::new("GET", HEALTH)).header("x-forwarded-for", BILLING_SYSTEM);
    app.call(request.header("content-type", "application/json")).await
}

/// What `panel key can ID POST /api/v1/billing/accounts --from IP` judges.
fn asked(app: &TestApp, key: &Minted) -> Vec<&'static str> {
    let ip: Option<IpAddr> = BILLING_SYSTEM.parse().ok();
    let question =
        Question { key: KeyId(key.id), method: Method::Post, path: ACCOUNTS, ip, at: app.now(), limits: &[] };
    let answered = app.panel.db.read(|tx| can(tx, &question)).unwrap();
    answered.denial.iter().flat_map(panel::domain::policy::Denial::failing).map(|denied| denied.gate.as_str()).collect()
}

fn fixes(answer: &Answer) -> Vec<String> {
    let list = answer.body["denied"].as_array().unwrap();
    list.iter().map(|denied| denied["fix"].as_str().unwrap_or_else(|| panic!("no fix: {denied}")).to_owned()).collect()
}

#[tokio::test]
async fn each_wrong_setting_is_told_in_the_detail_and_its_fix_is_in_force_at_once() {
    let app = served().await;
    app.reseller("rex");
    // What is wrong with the key, what the detail says, the gates that fail.
    let list: [(&str, &str, u16, &str, &[&str]); 12] = [
        ("level", "api_keys SET level = 'READ_ONLY'", 403, NOT_SUPER, &["level"]),
        ("level", "api_keys SET level = 'USER'", 403, NOT_SUPER, &["level"]),
        ("level", "api_keys SET level = 'DEVELOPER'", 403, NOT_SUPER, &["level"]),
        ("status", "api_keys SET enabled = 0", 401, "API key is inactive", &["enabled"]),
        ("ip", "api_keys SET allowed_ips = '127.0.0.1'", 403, "IP address not allowed: 192.168.10.203", &["ip"]),
        ("scope", "api_keys SET scopes = 'user_management'", 403, "Missing scope: account_creation", &["scope"]),
        ("scope", "api_keys SET scopes = ''", 403, "Missing scope: account_creation", &["scope"]),
        ("expiry", "api_keys SET expires_at = 1000", 401, "API key has expired", &["expired"]),
        (
            "owner",
            "users SET status = 'suspended' WHERE username = 'rex'",
            403,
            "Account is suspended",
            &["owner_active"],
        ),
        (
            "api",
            "users SET can_use_api = 0 WHERE username = 'rex'",
            403,
            "API access is disabled for this account",
            &["api_access"],
        ),
        ("role", "users SET role = 'user' WHERE username = 'rex'", 403, NOT_SUPER, &["role"]),
        (
            "all at once",
            "api_keys SET enabled = 0, expires_at = 1000, level = 'READ_ONLY', scopes = '', allowed_ips = '10.0.0.1'",
            401,
            "API key is inactive",
            &["enabled", "expired", "ip", "level", "scope"],
        ),
    ];
    for (at, (name, wrong, status, text, gates)) in list.into_iter().enumerate() {
        let key = of_level(&app, "rex", Level::Billing);
        assert_eq!(test_connection(&app, &key).await.status, 200);
        app.change(&format!("UPDATE {wrong}"), []);

        let user = format!("cust{at}");
        let refused = provision(&app, &key, &user).await;
        assert_eq!(told(&refused), (status, text), "{name}: {wrong}");
        assert_eq!(refused.gates(), gates, "{name}");
        assert_eq!(asked(&app, &key), gates, "{name}");
        assert_eq!(told(&test_connection(&app, &key).await), (status, text), "{name}: the connection test is red");
        assert_eq!(provision(&app, &key, &user).await.status, status, "waiting helps nothing");

        fixes(&refused).iter().for_each(|fix| typed(&app, fix));

        assert_eq!(asked(&app, &key), Vec::<&str>::new(), "{name}");
        typed(&app, &format!("panel key can {} POST {ACCOUNTS} --from {BILLING_SYSTEM}", key.id));
        made(&provision(&app, &key, &user).await);
        assert_eq!(test_connection(&app, &key).await.status, 200, "{name}");
        revoke(&app, &key);
    }
}

/// "Changes not saved properly": until they are, the answer is the same; once they are, the next one is another.
#[tokio::test]
async fn what_is_not_saved_changes_nothing_and_what_is_saved_needs_no_waiting() {
    let app = served().await;
    let key = key_of(&app, "admin", Level::Developer, &[]);
    let mut typing = app.beside();
    let unsaved = typing.transaction().unwrap();
    unsaved
        .execute("UPDATE api_keys SET level = 'SUPER_ADMIN', scopes = 'full_access' WHERE id = ?1", [key.id])
        .unwrap();
    assert_eq!(told(&provision(&app, &key, "ada").await), (403, NOT_SUPER));
    unsaved.rollback().unwrap();
    assert_eq!(told(&provision(&app, &key, "ada").await), (403, NOT_SUPER));

    typed(&app, &format!("panel key update {} --level SUPER_ADMIN --scopes full_access", key.id));
    made(&provision(&app, &key, "ada").await);
    typed(&app, &format!("panel key update {} --disable", key.id));
    assert_eq!(told(&provision(&app, &key, "bob").await), (401, "API key is inactive"));
}

/// "Wrong API key being used": nothing is told but that.
#[tokio::test]
async fn a_wrong_key_is_told_apart_from_a_key_without_rights() {
    let app = served().await;
    let (key, other) = (whole(&app), whole(&app));
    let mixed = Minted { secret: other.secret.clone(), ..key.clone() };
    let unknown = Minted { key: "npk_xxxxxxxxxxxxxxxxxxxxx".to_owned(), ..key.clone() };
    let exchanged = Minted { key: key.shown().to_owned(), secret: Some(key.key.clone()), ..key.clone() };
    for (name, wrong) in [("another's secret", &mixed), ("an unknown key", &unknown), ("exchanged", &exchanged)] {
        let refused = provision(&app, wrong, "ada").await;
        assert_eq!(told(&refused), (401, "Invalid API key or secret"), "{name}");
        let denied: Vec<&Value> = refused.body["denied"].as_array().unwrap().iter().collect();
        assert!(denied.len() == 1 && denied[0].get("fix").is_none(), "{name}: {}", refused.text);
    }
    // "Delete old key, create new one": the old one says what became of it, the new one works.
    let new = rotate(&app, &key, 0);
    assert_eq!(told(&provision(&app, &key, "ada").await), (401, "API key is revoked"));
    made(&provision(&app, &new, "ada").await);
    let missing = app.call(Request::new("POST", ACCOUNTS).json(&json!({}))).await;
    assert_eq!(told(&missing), (401, "Invalid API key or secret"));
}

/// "API key works for read but not write": the seed's Issue 3.
#[tokio::test]
async fn a_key_that_reads_is_told_what_it_needs_to_write() {
    let app = served().await;
    let key = key_of(&app, "admin", Level::Billing, &[BillingScope::BillingOperations]);
    assert_eq!(app.call(key.on(Request::new("GET", ACCOUNTS))).await.status, 200);
    let refused = provision(&app, &key, "ada").await;
    assert_eq!(told(&refused), (403, "Missing scope: account_creation"));
    let fix = format!("panel key update {} --scopes billing_operations,account_creation", key.id);
    let denied = json!([{"gate": "scope", "need": "account_creation", "have": "billing_operations", "fix": fix}]);
    assert_eq!(refused.body["denied"], denied);
    typed(&app, &fix);
    made(&provision(&app, &key, "ada").await);
}

/// The seed's last remedy: a new key of the highest level, for the seed's addresses.
#[tokio::test]
async fn the_seeds_fastest_solution_works_in_one_line() {
    let app = served().await;
    app.user("boss", Role::Admin, None);
    typed(
        &app,
        "panel key mint --style billing --user boss --name nextpanel-bill --level SUPER_ADMIN --allow-ip 192.168.10.203 --allow-ip 127.0.0.1",
    );
    let kept = app.rows("SELECT level, scopes, allowed_ips FROM api_keys ORDER BY id DESC LIMIT 1");
    assert_eq!(kept[0]["level"], "SUPER_ADMIN");
    assert!(kept[0]["scopes"].as_str().unwrap().contains("account_creation"), "{kept:?}");
    assert!(kept[0]["allowed_ips"].as_str().unwrap().contains(BILLING_SYSTEM), "{kept:?}");
}
