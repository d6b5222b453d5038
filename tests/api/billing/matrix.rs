//! The contract's table of levels and scopes, against every level with every set of scopes.

use panel::domain::keys::{BillingScope, Level, join};
use panel::domain::routes::Surface;
use serde_json::json;

use super::calls::{ACCOUNTS, HEALTH, NOT_SUPER, account, key_of, send, told, whole};
use crate::support::TestApp;

use BillingScope::{AccountCreation, AccountManagement, BillingOperations, FullAccess, UserManagement};

struct Line {
    call: &'static str,
    level: Level,
    /// One of these sets, whole.
    scopes: &'static [&'static [BillingScope]],
    /// What a call that passes the gates comes to, on an account that is not there and with an empty body.
    status: u16,
}

const fn reads(call: &'static str, status: u16) -> Line {
    Line { call, level: Level::ReadOnly, scopes: &[], status }
}

const fn writes(call: &'static str, scopes: &'static [&'static [BillingScope]], status: u16) -> Line {
    Line { call, level: Level::Billing, scopes, status }
}

/// billing.md, Levels and scopes.
const TABLE: &[Line] = &[
    reads("GET /api/v1/billing/accounts", 200),
    reads("GET /api/v1/billing/accounts/{id}", 404),
    reads("GET /api/v1/billing/accounts/{id}/stats", 404),
    reads("GET /api/v1/billing/whoami", 200),
    writes("POST /api/v1/billing/accounts", &[&[AccountCreation], &[AccountManagement, UserManagement]], 400),
    writes("PUT /api/v1/billing/accounts/{id}", &[&[AccountManagement]], 404),
    writes("POST /api/v1/billing/accounts/{id}/suspend", &[&[AccountManagement], &[BillingOperations]], 404),
    writes("POST /api/v1/billing/accounts/{id}/unsuspend", &[&[AccountManagement], &[BillingOperations]], 404),
    writes("DELETE /api/v1/billing/accounts/{id}", &[&[AccountManagement]], 404),
    writes("GET /api/health", &[&[AccountCreation], &[AccountManagement, UserManagement]], 200),
];

const GIVEN: [&[BillingScope]; 7] = [
    &[],
    &[UserManagement],
    &[AccountCreation],
    &[AccountManagement],
    &[BillingOperations],
    &[AccountManagement, UserManagement],
    &[FullAccess],
];

#[test]
fn the_table_is_the_documented_one() {
    let mut rows: Vec<_> = Surface::Billing.routes().iter().map(ToString::to_string).collect();
    let mut documented: Vec<_> = TABLE.iter().map(|line| line.call.to_owned()).collect();
    rows.sort();
    documented.sort();
    assert_eq!(rows, documented);
    assert!(Surface::Billing.routes().iter().all(|route| route.served));
}

#[tokio::test]
async fn a_key_opens_what_its_level_and_scopes_say_and_nothing_else() {
    let app = TestApp::spawn().await;
    let maker = whole(&app);
    account(&app, &maker, "ada").await;
    for level in Level::ALL {
        for given in GIVEN {
            let key = key_of(&app, "admin", level, given);
            let before = (app.footprint(), app.rows("SELECT * FROM users"));
            for line in TABLE {
                let (method, path) = line.call.split_once(' ').unwrap();
                let answer = send(&app, &key, method, &path.replace("{id}", "999"), &json!({})).await;

                let case = format!("{} {given:?} {}: {}", level.as_str(), line.call, answer.text);
                let holds = |scope: &BillingScope| given.contains(scope) || given == [FullAccess];
                let scoped = line.scopes.is_empty() || line.scopes.iter().any(|set| set.iter().all(holds));
                let missing = line.scopes.first().map_or_else(String::new, |set| join(set, BillingScope::as_str));
                let mut gates = Vec::new();
                gates.extend((level < line.level).then_some("level"));
                gates.extend((!scoped).then_some("scope"));
                let expected = match gates.first() {
                    Some(&"level") => (403, NOT_SUPER.to_owned()),
                    Some(_) => (403, format!("Missing scope: {missing}")),
                    None => (line.status, told(&answer).1.to_owned()),
                };
                assert_eq!((answer.status, told(&answer).1), (expected.0, expected.1.as_str()), "{case}");
                assert_eq!(answer.gates(), gates, "{case}");
                for denied in answer.body["denied"].as_array().into_iter().flatten() {
                    let fix = denied["fix"].as_str().unwrap();
                    let wanted = match denied["gate"].as_str() {
                        Some("level") => format!("panel key update {} --level BILLING", key.id),
                        _ => format!("panel key update {} --scopes ", key.id),
                    };
                    assert!(fix.starts_with(&wanted), "{case}");
                }
            }
            assert_eq!((app.footprint(), app.rows("SELECT * FROM users")), before, "{} {given:?}", level.as_str());
        }
    }
}

#[tokio::test]
async fn what_a_route_accepts_is_said_with_every_success() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    for (target, accepted) in [
        (ACCOUNTS, "level=READ_ONLY"),
        (HEALTH, "level=BILLING; account_creation, account_management+user_management, full_access"),
    ] {
        let answer = super::calls::get(&app, &key, target).await;
        assert_eq!(answer.header("x-accepted-permissions"), Some(accepted), "{target}");
    }
}
