//! Two requests at once: both changes are kept, and one of two rivals wins.

use futures_util::future::{join, join_all};
use serde_json::json;

use super::{FLAGS, ME, USERS, features_of, keys_of, people};
use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn two_changes_of_one_key_at_once_are_both_kept() {
    let app = TestApp::spawn().await;
    people(&app);
    let ulla = app.panel_token("ulla");
    for round in 0..20 {
        let key = app.panel_key("ulla", "all");
        let target = format!("{}/{}", keys_of("ulla"), app.panel_id(&key));
        let name = format!("n{round}");
        let (named, disabled) = join(
            app.ask("PUT", &target, &ulla, json!({"name": name})),
            app.ask("PUT", &target, &ulla, json!({"enabled": false})),
        )
        .await;
        assert_eq!((named.status, disabled.status), (200, 200));
        let row = app.rows(&format!("SELECT name, enabled FROM api_keys WHERE id = {}", key.id));
        assert_eq!(row, [json!({"name": name, "enabled": 0})]);
        assert_eq!(app.see(ME, key.secret()).await.status, 401);
        assert_eq!(app.ask("DELETE", &target, &ulla, json!({})).await.status, 200);
    }
}

#[tokio::test]
async fn two_changes_of_one_accounts_flags_at_once_are_both_kept() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let bodies = FLAGS.map(|flag| app.ask("PUT", "/api/v1/users/ulla/features", &admin, json!({flag: false})));
    assert!(join_all(bodies).await.iter().all(|answer| answer.status == 200));
    let shown = app.see(&features_of("ulla"), &admin).await;
    assert!(FLAGS.iter().all(|flag| shown.body["features"][flag] == false), "{}", shown.text);
}

#[tokio::test]
async fn one_of_two_accounts_of_one_name_is_made() {
    let app = TestApp::spawn().await;
    let admin = app.panel_token("admin");
    let names = ["nora", "NORA", "Nora", "noRa"];
    let answers = join_all(names.map(|name| {
        let body = json!({"username": name, "email": format!("{name}-x@example.com"), "password": PASSWORD});
        app.ask("POST", USERS, &admin, body)
    }))
    .await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 3));
    assert_eq!(app.number("SELECT count(*) FROM users WHERE username_key = 'nora'"), 1);
}

#[tokio::test]
async fn a_users_last_free_place_for_a_key_is_given_once() {
    let app = TestApp::spawn().await;
    people(&app);
    for _ in 0..48 {
        app.panel_key("ulla", "read");
    }
    let ulla = app.panel_token("ulla");
    let target = keys_of("ulla");
    let answers = join_all((0..6).map(|_| app.ask("POST", &target, &ulla, json!({"name": "x"})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    assert_eq!(app.count("api_keys"), 50);
}

#[tokio::test]
async fn of_two_renewals_of_one_token_at_once_one_token_lives() {
    let app = TestApp::spawn().await;
    people(&app);
    let token = app.session("ulla").await;
    let renew = || app.ask("POST", "/api/v1/auth/refresh", &token, json!({}));
    let answers = join_all([renew(), renew(), renew()]).await;
    let mut living = 0;
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        living += usize::from(app.see(ME, answer.body["token"].as_str().unwrap()).await.status == 200);
    }
    assert_eq!(living, 1);
    assert_eq!(app.see(ME, &token).await.status, 401);
}
