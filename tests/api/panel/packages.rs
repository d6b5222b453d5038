//! `/packages`: what accounts inherit, and which package cannot go (panel.md, packages).

use serde_json::{Value, json};

use super::{FLAGS, PACKAGES, QUOTAS, USERS, people};
use crate::support::TestApp;

#[tokio::test]
async fn bad_values_are_refused_by_name_and_nothing_is_stored() {
    let app = TestApp::spawn().await;
    let admin = app.panel_token("admin");
    let before = app.footprint();
    let mut cases: Vec<(String, Value)> = Vec::new();
    cases.extend(
        QUOTAS
            .iter()
            .flat_map(|quota| [json!(-2), json!("5"), json!(1.5), json!(false)].map(|bad| ((*quota).to_owned(), bad))),
    );
    for flag in FLAGS {
        for name in [flag.to_owned(), format!("can_use_{flag}"), format!("can_grant_{flag}")] {
            cases.extend([json!("on"), json!(1)].map(|bad| (name.clone(), bad)));
        }
    }
    cases.extend(
        [json!(""), json!(" a"), json!("a/b"), json!(".."), json!(5), json!("x".repeat(65)), json!("a\u{0}")]
            .map(|bad| ("name".to_owned(), bad)),
    );
    for (field, bad) in cases {
        let mut body = json!({"name": "gold"});
        body[&field] = bad.clone();
        for (method, target) in [("POST", PACKAGES.to_owned()), ("PUT", format!("{PACKAGES}/default"))] {
            if method == "PUT" && field != "name" {
                body.as_object_mut().unwrap().remove("name");
            }
            let refused = app.ask(method, &target, &admin, body.clone()).await;
            let (status, code, text) = refused.panel();
            assert_eq!((status, code), (400, "VALIDATION_ERROR"), "{method} {field} {bad}: {}", refused.text);
            assert!(text.starts_with(&format!("{field} ")), "{text}");
        }
    }
    let nameless = app.ask("POST", PACKAGES, &admin, json!({"max_users": 1})).await;
    assert_eq!(nameless.panel(), (400, "VALIDATION_ERROR", "name is required"));
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn every_field_is_stored_shown_and_kept_by_null() {
    let app = TestApp::spawn().await;
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": "Gold 100"})).await.status, 201);
    let target = format!("{PACKAGES}/gold%20100");
    for quota in QUOTAS {
        for value in [json!(0), json!(12), json!(null), json!(-1)] {
            assert_eq!(app.ask("PUT", &target, &admin, json!({quota: value})).await.status, 200, "{quota} {value}");
            let expected = if value.is_null() { json!(12) } else { value };
            assert_eq!(app.see(&target, &admin).await.body[quota], expected, "{quota}");
        }
    }
    for flag in FLAGS {
        for (name, short) in
            [(flag.to_owned(), true), (format!("can_use_{flag}"), true), (format!("can_grant_{flag}"), false)]
        {
            for value in [false, true] {
                let rows = app.count("audit");
                assert_eq!(app.ask("PUT", &target, &admin, json!({name.as_str(): value})).await.status, 200);
                let shown = app.see(&target, &admin).await.body;
                assert_eq!(shown[&name], value, "{name}");
                assert!(!short || shown[flag] == shown[format!("can_use_{flag}")], "{name}");
                assert_eq!(app.count("audit"), rows + 1, "{name}");
            }
        }
    }
    let before = app.footprint();
    let shown = app.see(&target, &admin).await.body;
    assert_eq!(app.ask("PUT", &target, &admin, shown).await.status, 200, "what it shows may be sent back");
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn names_are_found_in_any_case_unique_and_the_default_keeps_its_own() {
    let app = TestApp::spawn().await;
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": "Größe"})).await.status, 201);
    let before = app.footprint();
    for (method, target, body, text) in [
        ("POST", PACKAGES, json!({"name": "GRÖßE"}), "A package GRÖßE exists already"),
        ("POST", PACKAGES, json!({"name": "Default"}), "A package Default exists already"),
        ("PUT", "/api/v1/packages/Gr%C3%B6%C3%9Fe", json!({"name": "DEFAULT"}), "A package DEFAULT exists already"),
        ("PUT", "/api/v1/packages/default", json!({"name": "other"}), "The package default keeps its name"),
        (
            "PUT",
            "/api/v1/packages/DEFAULT",
            json!({"name": "other", "max_users": 1}),
            "The package default keeps its name",
        ),
        ("DELETE", "/api/v1/packages/default", json!({}), "The package default always exists"),
        ("DELETE", "/api/v1/packages/DEFAULT", json!({}), "The package default always exists"),
    ] {
        assert_eq!(app.ask(method, target, &admin, body).await.panel(), (409, "CONFLICT", text));
    }
    assert_eq!(app.footprint(), before);
    let renamed = app.ask("PUT", "/api/v1/packages/gr%C3%B6%C3%9Fe", &admin, json!({"name": "gold"})).await;
    assert_eq!(renamed.status, 200);
    assert_eq!(app.see(&format!("{PACKAGES}/GOLD"), &admin).await.body["id"], 2);
}

#[tokio::test]
async fn a_package_in_use_stays_until_nobody_has_it() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": "gold", "max_domains": 5})).await.status, 201);
    for user in ["ulla", "rita"] {
        assert_eq!(app.ask("PUT", &format!("{USERS}/{user}"), &admin, json!({"package": "GOLD"})).await.status, 200);
        let shown = app.see(&format!("{USERS}/{user}"), &admin).await.body;
        assert_eq!((&shown["package"], &shown["max_domains"]), (&json!("gold"), &json!(5)));
        let before = app.footprint();
        let kept = app.ask("DELETE", &format!("{PACKAGES}/gold"), &admin, json!({})).await;
        assert_eq!((kept.status, kept.panel().1), (409, "CONFLICT"), "{user}");
        assert_eq!(app.footprint(), before);
        assert_eq!(app.ask("PUT", &format!("{USERS}/{user}"), &admin, json!({"package": "default"})).await.status, 200);
    }
    assert_eq!(app.ask("DELETE", &format!("{PACKAGES}/gold"), &admin, json!({})).await.status, 200);
    let row = app.last_audit();
    assert_eq!(
        (&row["action"], &row["object_kind"], &row["after"]),
        (&json!("packages.delete"), &json!("package"), &Value::Null)
    );
    assert_eq!(app.see(&format!("{PACKAGES}/gold"), &admin).await.status, 404);
}

/// Whoever was deleted with a package still names it, and a package may go all the same.
#[tokio::test]
async fn a_package_that_only_a_deleted_account_had_can_go() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": "gold"})).await.status, 201);
    assert_eq!(app.ask("PUT", &format!("{USERS}/vera"), &admin, json!({"package": "gold"})).await.status, 200);
    assert_eq!(app.ask("DELETE", &format!("{USERS}/vera"), &admin, json!({})).await.status, 200);
    let gone = app.ask("DELETE", &format!("{PACKAGES}/gold"), &admin, json!({})).await;
    assert!(matches!(gone.status, 200 | 409), "an answer of ours: {}", gone.text);
}

#[tokio::test]
async fn null_of_an_account_goes_back_to_the_packages_quota() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    for quota in ["max_domains", "max_databases", "max_email_accounts", "max_ftp_accounts"] {
        assert_eq!(app.ask("PUT", &format!("{PACKAGES}/default"), &admin, json!({quota: 9})).await.status, 200);
        for (own, shown) in [(json!(4), 4), (json!(0), 0), (json!(-1), -1), (json!(null), 9)] {
            assert_eq!(app.ask("PUT", &format!("{USERS}/ulla"), &admin, json!({quota: own})).await.status, 200);
            assert_eq!(app.see(&format!("{USERS}/ulla"), &admin).await.body[quota], shown, "{quota} {own}");
        }
    }
}
