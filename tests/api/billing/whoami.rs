//! `GET /whoami`: what a key is told of itself.

use panel::domain::addresses::AllowList;
use panel::domain::keys::{BillingScope, Grants, KeyDraft, Level};
use panel::domain::routes::Surface;
use serde_json::{Value, json};

use super::calls::{ACCOUNTS, HEALTH, WHOAMI, fields, get, key_of, send, told, whole};
use crate::keys::mint_draft;
use crate::support::{Request, TestApp, instant_of};

const UPDATE: &str = "/api/v1/billing/accounts/{id}";
const FIELDS: [&str; 8] = ["name", "level", "scopes", "allowed_ips", "ip", "expires_at", "limits", "routes"];

#[tokio::test]
async fn a_key_is_told_what_it_is_and_never_what_it_is_called() {
    let app = TestApp::at("2026-03-20T12:00:37Z").await;
    let grants = Grants::Billing { level: Level::Billing, scopes: vec![BillingScope::AccountCreation] };
    let mut draft = KeyDraft::new("admin", "Billing System", grants, app.now());
    draft.allowed_ips = Some(AllowList::parse("ips", ["127.0.0.1", "192.168.10.203"]).unwrap());
    draft.expires_at = Some(Some(instant_of("2027-01-01T00:00:00Z")));
    (draft.rate_per_minute, draft.rate_per_day) = (Some(5), Some(100));
    let key = mint_draft(&app, draft);
    assert_eq!(get(&app, &key, ACCOUNTS).await.status, 200);

    let answer = get(&app, &key, WHOAMI).await;

    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(fields(&answer.body), FIELDS);
    let mut told = answer.body.clone();
    told["routes"] = json!(null);
    let expected = json!({
        "name": "Billing System", "level": "BILLING", "scopes": ["account_creation"],
        "allowed_ips": ["127.0.0.1", "192.168.10.203"], "ip": "127.0.0.1", "expires_at": "2027-01-01T00:00:00Z",
        "limits": {
            "minute": {"limit": 5, "used": 2, "left": 3, "resets_at": "2026-03-20T12:01:00Z"},
            "hour": null,
            "day": {"limit": 100, "used": 2, "left": 98, "resets_at": "2026-03-21T00:00:00Z"},
        },
        "routes": null,
    });
    assert_eq!(told, expected);
    assert!(!answer.text.contains(key.shown()) && !answer.text.contains(&key.key));
    // Judged from the address that asks, which is listed.
    for (method, path, allowed) in [("GET", ACCOUNTS, true), ("POST", ACCOUNTS, true), ("PUT", UPDATE, false)] {
        assert_eq!(verdict(&answer.body, method, path)["allowed"], allowed, "{method} {path}");
    }
    // Asking for 10 verdicts took one request of the limit: its own.
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("3"));
    assert_eq!(get(&app, &key, WHOAMI).await.body["limits"]["minute"]["used"], 3);
}

#[tokio::test]
async fn a_key_without_bounds_is_told_of_none() {
    let app = TestApp::spawn().await;
    let told = get(&app, &whole(&app), WHOAMI).await.body;
    assert_eq!((&told["allowed_ips"], &told["expires_at"]), (&json!([]), &json!(null)));
    assert_eq!(told["limits"], json!({"minute": null, "hour": null, "day": null}));
    for verdict in told["routes"].as_array().unwrap() {
        assert_eq!((&verdict["allowed"], &verdict["denied"]), (&json!(true), &json!([])), "{verdict}");
    }
}

fn verdict<'a>(told: &'a Value, method: &str, path: &str) -> &'a Value {
    let all = told["routes"].as_array().unwrap();
    all.iter().find(|verdict| verdict["method"] == method && verdict["path"] == path).unwrap()
}

/// What it says of a call is what the call says.
#[tokio::test]
async fn each_verdict_is_the_doors_own() {
    let app = TestApp::spawn().await;
    let given: [&[BillingScope]; 4] =
        [&[], &[BillingScope::BillingOperations], &[BillingScope::AccountManagement], &[BillingScope::FullAccess]];
    for level in [Level::ReadOnly, Level::Developer, Level::Billing, Level::SuperAdmin] {
        for scopes in given {
            let key = key_of(&app, "admin", level, scopes);
            let told = get(&app, &key, WHOAMI).await.body;
            assert_eq!(told["routes"].as_array().unwrap().len(), Surface::Billing.routes().len());
            for route in Surface::Billing.routes() {
                let target = route.path.replace("{id}", "999");
                let answer = send(&app, &key, route.method.as_str(), &target, &json!({})).await;
                let said = verdict(&told, route.method.as_str(), route.path);
                assert_eq!(fields(said), ["method", "path", "allowed", "denied"]);
                assert_eq!(said["allowed"], answer.status != 403, "{route}: {}", answer.text);
                let denied = answer.body.get("denied").cloned().unwrap_or_else(|| json!([]));
                assert_eq!(said["denied"], denied, "{route}");
            }
        }
    }
}

/// Who took the last request with this question learns that the next call is refused, and health is not.
#[tokio::test]
async fn the_last_request_of_a_window_sees_it_full() {
    let app = TestApp::at("2026-03-20T12:00:37Z").await;
    let key = whole(&app);
    app.change("UPDATE api_keys SET rate_per_minute = 1 WHERE id = ?1", [key.id]);
    let told_of = get(&app, &key, WHOAMI).await.body;
    let denied = json!([{"gate": "rate", "need": "a request left", "have": "1 of 1 this minute", "fix": "wait 23 s"}]);
    assert_eq!(verdict(&told_of, "POST", ACCOUNTS)["denied"], denied);
    assert_eq!(verdict(&told_of, "GET", HEALTH)["allowed"], true);
    let refused = get(&app, &key, WHOAMI).await;
    assert_eq!((told(&refused), &refused.body["denied"]), ((429, "Rate limit exceeded"), &denied));
}

#[tokio::test]
async fn a_stranger_is_told_nothing() {
    let app = TestApp::spawn().await;
    let refused = app.call(Request::new("GET", WHOAMI)).await;
    assert_eq!(told(&refused), (401, "Invalid API key or secret"));
    assert_eq!(refused.body["denied"], json!([{"gate": "credential"}]));
}
