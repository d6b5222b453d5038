//! `/resellers`: ceilings and levers, each field (panel.md, resellers).

use serde_json::{Value, json};

use super::{FLAGS, ME, PACKAGES, QUOTAS, RESELLERS, USERS, people};
use crate::support::{PASSWORD, TestApp};

fn new(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD})
}

#[tokio::test]
async fn bad_values_are_refused_by_name_on_each_of_the_three_routes() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let before = app.footprint();
    let quotas = QUOTAS
        .iter()
        .flat_map(|name| [json!(-2), json!("5"), json!(0.5), json!(true)].map(|bad| ((*name).to_owned(), bad)));
    let levers = FLAGS.iter().flat_map(|name| [json!("on"), json!(1)].map(|bad| (format!("can_grant_{name}"), bad)));
    for (field, bad) in quotas.chain(levers) {
        let mut whole = new("nora");
        whole[&field] = bad.clone();
        for (method, target, body) in [
            ("POST", RESELLERS.to_owned(), whole),
            ("PUT", format!("{RESELLERS}/rita"), json!({field.as_str(): bad})),
            ("PUT", format!("{RESELLERS}/rita/limits"), json!({field.as_str(): bad})),
        ] {
            let refused = app.ask(method, &target, &admin, body).await;
            let (status, code, text) = refused.panel();
            assert_eq!((status, code), (400, "VALIDATION_ERROR"), "{method} {field} {bad}");
            assert!(text.starts_with(&format!("{field} must be ")), "{text}");
        }
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn every_field_is_its_own_until_null_gives_it_back_to_the_package() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let package: Value =
        QUOTAS.iter().map(|quota| ((*quota).to_owned(), json!(9))).collect::<serde_json::Map<_, _>>().into();
    assert_eq!(app.ask("PUT", &format!("{PACKAGES}/default"), &admin, package).await.status, 200);
    for target in [format!("{RESELLERS}/rita"), format!("{RESELLERS}/RITA/limits")] {
        for quota in QUOTAS {
            for (own, shown) in [(json!(4), 4), (json!(0), 0), (json!(-1), -1), (json!(null), 9)] {
                assert_eq!(app.ask("PUT", &target, &admin, json!({quota: own})).await.status, 200);
                assert_eq!(app.see(&format!("{RESELLERS}/rita"), &admin).await.body[quota], shown, "{quota} {own}");
                let stored =
                    app.rows("SELECT * FROM resellers WHERE user_id = (SELECT id FROM users WHERE username = 'rita')");
                assert_eq!(stored[0][quota], own, "{quota}");
            }
        }
        for lever in FLAGS.map(|lever| format!("can_grant_{lever}")) {
            for (own, shown) in [(json!(false), false), (json!(true), true), (json!(false), false), (json!(null), true)]
            {
                assert_eq!(app.ask("PUT", &target, &admin, json!({lever.as_str(): own})).await.status, 200);
                assert_eq!(app.see(&target, &admin).await.body[&lever], shown, "{lever} {own}");
            }
        }
    }
    let before = app.footprint();
    let shown = app.see(&format!("{RESELLERS}/rita"), &admin).await.body;
    assert_eq!(app.see(&format!("{RESELLERS}/rita/limits"), &admin).await.body, shown, "the same fields");
    assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, json!({})).await.status, 200);
    assert_eq!(app.footprint(), before, "nothing asked, nothing written");
}

#[tokio::test]
async fn a_reseller_is_made_with_its_ceilings_and_the_audit_has_them_without_the_password() {
    let app = TestApp::spawn().await;
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": "gold"})).await.status, 201);
    let mut body = new("Nora");
    for (name, value) in
        [("package", json!("GOLD")), ("max_users", json!(3)), ("can_grant_ssh", json!(false)), ("role", json!("admin"))]
    {
        body[name] = value;
    }
    let made = app.ask("POST", RESELLERS, &admin, body).await;
    assert_eq!(made.status, 201);
    assert_eq!(
        made.body,
        json!({"success": true, "message": "Reseller created successfully", "username": "Nora", "package": "gold"})
    );
    let shown = app.see(&format!("{RESELLERS}/nora"), &admin).await.body;
    assert_eq!(
        (&shown["max_users"], &shown["can_grant_ssh"], &shown["can_grant_api"]),
        (&json!(3), &json!(false), &json!(true))
    );
    assert_eq!(app.see(&format!("{USERS}/nora"), &admin).await.body["role"], "reseller", "whatever role was sent");
    let row = app.last_audit();
    assert_eq!(row["action"], "users.create");
    assert!(row["after"].as_str().unwrap().contains("\"reseller_max_users\":3"), "{row}");
    assert!(!row.to_string().contains(PASSWORD), "{row}");

    let before = app.footprint();
    for (body, status) in [(new("nora"), 409), (json!({"username": "x"}), 400), (json!({}), 400)] {
        assert_eq!(app.ask("POST", RESELLERS, &admin, body).await.status, status);
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn an_update_writes_down_what_was_and_what_is_and_a_password_ends_its_sessions() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita) = (app.panel_token("admin"), app.session("rita").await);
    let target = format!("{RESELLERS}/rita");
    assert_eq!(app.ask("PUT", &target, &admin, json!({"max_users": 5, "can_grant_api": false})).await.status, 200);
    let row = app.last_audit();
    let read = |name: &str| serde_json::from_str::<Value>(row[name].as_str().unwrap()).unwrap();
    assert_eq!(row["action"], "resellers.update");
    assert_eq!(read("before"), json!({"reseller_max_users": null, "can_grant_api": null}));
    assert_eq!(read("after"), json!({"reseller_max_users": 5, "can_grant_api": false}));

    assert_eq!(app.see(ME, &rita).await.status, 200);
    let body = json!({"password": "some-secret 99", "email": "new@example.com", "max_users": 6});
    assert_eq!(app.ask("PUT", &target, &admin, body).await.status, 200);
    assert_eq!(app.see(ME, &rita).await.panel(), (401, "UNAUTHORIZED", "Invalid or expired session"));
    assert!(!app.rows("SELECT * FROM audit").iter().any(|row| row.to_string().contains("some-secret")));
    for (body, text) in [
        (json!({"password": "short"}), "password must have at least 8 characters"),
        (json!({"package": "none"}), "package does not exist"),
        (json!({"creator": "nobody"}), "creator does not exist"),
        (json!({"creator": "rita"}), "creator must not be the account itself, or stand under it"),
        (json!({"creator": "ulla"}), "creator must be an admin or a reseller"),
        (json!({"email": "x"}), "email must be an e-mail address such as name@example.com, at most 254 bytes"),
    ] {
        let before = app.footprint();
        assert_eq!(app.ask("PUT", &target, &admin, body).await.panel(), (400, "VALIDATION_ERROR", text));
        assert_eq!(app.footprint(), before);
    }
}

#[tokio::test]
async fn a_reseller_reads_its_own_row_and_its_own_users_and_nobody_elses() {
    let app = TestApp::spawn().await;
    people(&app);
    let names = |answer: crate::support::Answer| -> Vec<String> {
        let rows = answer.body.as_array().unwrap().clone();
        rows.iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect()
    };
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    assert_eq!(names(app.see(RESELLERS, &admin).await), ["rita", "rolf"]);
    assert_eq!(names(app.see(RESELLERS, &rita).await), ["rita"]);
    assert_eq!(names(app.see(&format!("{RESELLERS}/"), &rita).await), ["rita"]);
    for caller in [&admin, &rita] {
        assert_eq!(names(app.see(&format!("{RESELLERS}/rita/users"), caller).await), ["ulla"]);
    }
    assert_eq!(app.see(&format!("{RESELLERS}/rolf/users"), &rita).await.panel().2, "Reseller not found");
    assert_eq!(app.see(&format!("{RESELLERS}/transfer-user"), &admin).await.status, 405, "its name is taken");
    let later = app.ask("POST", &format!("{RESELLERS}/transfer-user"), &admin, json!({})).await;
    assert_eq!(later.panel().1, "NOT_IMPLEMENTED");
    let later = app.ask("POST", &format!("{RESELLERS}/transfer-user"), &rita, json!({})).await;
    assert_eq!(later.panel().2, "Admin access required");
}
