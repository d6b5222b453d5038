//! What a reseller may not: raise a role, exceed its package or its own limits, change its own levers (panel.md, Users).

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{PACKAGES, RESELLERS, USERS, features_of, people};
use crate::support::{Answer, PASSWORD, TestApp};

const QUOTAS: [&str; 4] = ["max_domains", "max_databases", "max_email_accounts", "max_ftp_accounts"];

fn new(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD})
}

fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

fn assert_field(answer: &Answer, field: &str) {
    let (status, code, text) = answer.panel();
    assert_eq!((status, code), (403, "FORBIDDEN"), "{}", answer.text);
    assert!(text.starts_with(&format!("{field} ")), "{field}: {text}");
}

#[tokio::test]
async fn a_reseller_makes_users_only_and_only_its_own() {
    let app = TestApp::spawn().await;
    people(&app);
    let rita = app.panel_token("rita");
    let before = app.footprint();
    for role in ["admin", "reseller"] {
        let made = app.ask("POST", USERS, &rita, with(new("nora"), "role", role)).await;
        assert_eq!(made.panel(), (403, "FORBIDDEN", "Admin access required"), "{role}");
        let raised = app.ask("PUT", &format!("{USERS}/ulla"), &rita, json!({"role": role})).await;
        assert_field(&raised, "role");
    }
    for creator in ["admin", "rolf", "nobody"] {
        assert_field(&app.ask("POST", USERS, &rita, with(new("nora"), "creator", creator)).await, "creator");
    }
    for quota in QUOTAS {
        assert_field(&app.ask("POST", USERS, &rita, with(new("nora"), quota, 5)).await, quota);
        assert_field(&app.ask("PUT", &format!("{USERS}/ulla"), &rita, json!({quota: 5})).await, quota);
    }
    assert_eq!(app.footprint(), before);

    assert_eq!(app.ask("POST", USERS, &rita, with(new("nora"), "creator", "RITA")).await.status, 201);
    let row = app.rows("SELECT role, creator_id FROM users WHERE username = 'nora'");
    assert_eq!(row, [json!({"role": "user", "creator_id": app.user_id("rita")})]);
}

/// A field that the caller may not set is refused by its name, whoever the value names (README.md, Every answer).
#[tokio::test]
async fn whom_a_user_stands_under_is_refused_by_name_whether_the_other_is_visible_or_not() {
    let app = TestApp::spawn().await;
    people(&app);
    let (rita, ulla) = (app.panel_token("rita"), app.panel_token("ulla"));
    for creator in ["rolf", "admin", "nobody"] {
        assert_field(&app.ask("PUT", &format!("{USERS}/ulla"), &rita, json!({"creator": creator})).await, "creator");
        assert_field(&app.ask("PUT", &format!("{USERS}/ulla"), &ulla, json!({"creator": creator})).await, "creator");
    }
    for (caller, creator) in [(&rita, "rita"), (&ulla, "rita"), (&rita, "RITA")] {
        let same = app.ask("PUT", &format!("{USERS}/ulla"), caller, json!({"creator": creator})).await;
        assert_eq!(same.status, 200, "the current value is accepted: {}", same.text);
    }
}

#[tokio::test]
async fn max_users_holds_from_the_own_row_and_from_the_package_and_also_at_once() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    let set = |target: String, limit: Value| {
        let (app, admin) = (&app, &admin);
        async move { assert_eq!(app.ask("PUT", &target, admin, json!({"max_users": limit})).await.status, 200) }
    };
    set(format!("{PACKAGES}/default"), json!(1)).await;
    let full = app.ask("POST", USERS, &rita, new("nora")).await;
    assert_eq!(full.panel(), (403, "FORBIDDEN", "Account limit reached (1)"));
    assert_eq!(full.body["denied"], json!([{"gate": "limit", "need": "room for one more", "have": "1"}]));

    set(format!("{RESELLERS}/rita/limits"), json!(4)).await;
    let names = ["n1", "n2", "n3", "n4", "n5", "n6"];
    let answers = join_all(names.map(|name| app.ask("POST", USERS, &rita, new(name)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3, "one was there");
    let owned = format!("SELECT count(*) FROM users WHERE creator_id = {} AND deleted_at IS NULL", app.user_id("rita"));
    assert_eq!(app.number(&owned), 4);

    set(format!("{RESELLERS}/rita"), json!(0)).await;
    assert_eq!(app.ask("POST", USERS, &rita, new("nina")).await.status, 403, "fewer than it has");
    set(format!("{RESELLERS}/rita"), json!(-1)).await;
    assert_eq!(app.ask("POST", USERS, &rita, new("nina")).await.status, 201, "unlimited");
    set(format!("{RESELLERS}/rita"), json!(null)).await;
    assert_eq!(app.ask("POST", USERS, &rita, new("nele")).await.status, 403, "the package's again");
    // An admin is bound by none of it, and who was deleted takes no room.
    assert_eq!(app.ask("POST", USERS, &admin, with(new("nele"), "creator", "rita")).await.status, 201);
}

#[tokio::test]
async fn a_package_beyond_the_resellers_ceilings_is_bounded_at_creation_and_refused_later() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    for quota in QUOTAS {
        let (large, small) = (format!("large-{quota}"), format!("small-{quota}"));
        assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": large, quota: 11})).await.status, 201);
        assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": small, quota: 10})).await.status, 201);
        assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, json!({quota: 10})).await.status, 200);
        assert_eq!(app.ask("PUT", &format!("{USERS}/ulla"), &admin, json!({"package": small})).await.status, 200);

        let before = app.footprint();
        for package in [large.as_str(), "default"] {
            let refused = app.ask("PUT", &format!("{USERS}/ulla"), &rita, json!({"package": package})).await;
            assert_field(&refused, "package");
        }
        assert_eq!(app.footprint(), before, "{quota}");

        let name = format!("n-{}", quota.replace('_', "-"));
        let made = app.ask("POST", USERS, &rita, with(new(&name), "package", large.as_str())).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(app.see(&format!("{USERS}/{name}"), &rita).await.body[quota], 10, "its own ceiling");
        assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, json!({quota: null})).await.status, 200);
    }
    let unknown = app.ask("PUT", &format!("{USERS}/ulla"), &rita, json!({"package": "none"})).await;
    assert_eq!(unknown.panel(), (400, "VALIDATION_ERROR", "package does not exist"));
}

#[tokio::test]
async fn a_reseller_does_not_move_its_own_levers_by_any_door() {
    let app = TestApp::spawn().await;
    people(&app);
    let (rita, key) = (app.panel_token("rita"), app.panel_key("rita", "all"));
    assert_eq!(app.ask("POST", PACKAGES, &app.panel_token("admin"), json!({"name": "gold"})).await.status, 201);
    for bearer in [rita.as_str(), key.secret()] {
        let before = app.footprint();
        for target in ["resellers/rita", "resellers/rita/limits", "resellers/RITA", "resellers/rolf", "resellers/none"]
        {
            for body in [json!({"can_grant_api": true}), json!({"max_users": -1}), json!({})] {
                let refused = app.ask("PUT", &format!("/api/v1/{target}"), bearer, body).await;
                assert_eq!(refused.panel(), (403, "FORBIDDEN", "Admin access required"), "{target}");
            }
        }
        let own = app.ask("PUT", &features_of("rita"), bearer, json!({"api": false})).await;
        assert_eq!(own.panel(), (403, "FORBIDDEN", "Admin access required"), "its own flags");
        assert_field(&app.ask("PUT", &format!("{USERS}/rita"), bearer, json!({"package": "gold"})).await, "package");
        assert_eq!(app.footprint(), before);
    }
}

/// What GET shows may be sent back: every value in it is the current one (README.md, Every answer).
#[tokio::test]
async fn what_an_account_shows_may_be_sent_back_by_whoever_may_change_it() {
    let app = TestApp::spawn().await;
    people(&app);
    app.change("UPDATE packages SET max_domains = 7", []);
    for (caller, target) in
        [("ulla", "ulla"), ("rita", "ulla"), ("rita", "rita"), ("admin", "ulla"), ("admin", "admin")]
    {
        let token = app.panel_token(caller);
        let shown = app.see(&format!("{USERS}/{target}"), &token).await.body;
        let back = app.ask("PUT", &format!("{USERS}/{target}"), &token, shown.clone()).await;
        assert_eq!(back.status, 200, "{caller} sends {target} back: {}", back.text);
        assert_eq!(app.see(&format!("{USERS}/{target}"), &token).await.body, shown, "{caller}: {target}");
    }
}
