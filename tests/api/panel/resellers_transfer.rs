//! Deleting a reseller: who takes over what it owns (panel.md, resellers).

use panel::domain::users::Role;
use serde_json::json;

use super::{ME, RESELLERS, USERS, people};
use crate::support::{Key, Request, SUBSCRIBERS, TestApp};

const LEDGER: &str = "SELECT * FROM transactions ORDER BY id";

async fn subscriber(app: &TestApp, key: &Key, name: &str, external_id: Option<&str>) -> i64 {
    let body = json!({"username": name, "service_id": 1, "external_id": external_id});
    let made = app.post(SUBSCRIBERS, key, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.id()
}

#[tokio::test]
async fn a_reseller_that_owns_something_stays() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let target = format!("{RESELLERS}/rita");
    let before = app.footprint();
    assert_eq!(
        app.ask("DELETE", &target, &admin, json!({})).await.panel(),
        (409, "CONFLICT", "rita still owns users; transfer them to another account first")
    );
    assert_eq!(app.footprint(), before);
    assert_eq!(app.ask("DELETE", &format!("{USERS}/ulla"), &admin, json!({})).await.status, 200);
    subscriber(&app, &app.external_key("rita", "write"), "ada", None).await;
    let before = app.footprint();
    for target in [target.clone(), format!("{USERS}/rita")] {
        let kept = app.ask("DELETE", &target, &admin, json!({})).await;
        assert_eq!(
            kept.panel(),
            (409, "CONFLICT", "rita still owns subscribers; transfer them to another account first")
        );
        for (heir, text) in [
            ("nobody", "transfer_to does not exist"),
            ("vera", "transfer_to must be an admin or a reseller"),
            ("rita", "transfer_to must be another account, and not stand under this one"),
        ] {
            let refused = app.ask("DELETE", &format!("{target}?transfer_to={heir}"), &admin, json!({})).await;
            assert_eq!(refused.panel(), (400, "VALIDATION_ERROR", text));
        }
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn users_subscribers_and_counts_go_to_the_heir_and_the_ledger_stays() {
    for (heir, path) in [("rolf", "resellers"), ("rolf", "users"), ("admin", "resellers"), ("ROLF", "resellers")] {
        let app = TestApp::spawn().await;
        people(&app);
        let (admin, rita, ulla) = (app.panel_token("admin"), app.session("rita").await, app.panel_key("ulla", "all"));
        let (of_rita, of_rolf, of_admin) =
            (app.external_key("rita", "delete"), app.external_key("rolf", "read"), app.external_key("admin", "read"));
        let ids = [
            subscriber(&app, &of_rita, "ada", Some("e-1")).await,
            subscriber(&app, &of_rita, "bob", None).await,
            subscriber(&app, &of_rita, "cid", Some("e-3")).await,
        ];
        // The external id of one that is deleted stands in nobody's way.
        let deleter = app.external_key("rolf", "delete");
        let gone = subscriber(&app, &deleter, "dan", Some("e-1")).await;
        let target = format!("{SUBSCRIBERS}/{gone}");
        assert_eq!(app.call(Request::new("DELETE", &target).key(&deleter)).await.status, 200);
        let booked = app
            .post(
                "/api/v1/external/transactions",
                &of_rita,
                json!({"subscriber_id": ids[0], "type": "payment", "amount": 25}),
            )
            .await;
        assert!(booked.status < 300, "{}", booked.text);
        app.post(&format!("{SUBSCRIBERS}/{}/suspend", ids[1]), &of_rita, json!({})).await;
        let ids_before = (app.user_id("rita"), app.user_id("rolf"));
        let (ledger, log) = (app.rows(LEDGER), app.count("audit"));

        let done = app.ask("DELETE", &format!("/api/v1/{path}/rita?transfer_to={heir}"), &admin, json!({})).await;

        assert_eq!(done.status, 200, "{}", done.text);
        assert_eq!(app.count("audit"), log + 1);
        assert!(app.last_audit()["before"].as_str().unwrap().contains("transferred_to"), "{}", app.last_audit());
        let owner = if heir == "admin" { "IS NULL".to_owned() } else { format!("= {}", app.user_id("rolf")) };
        let moved = format!("SELECT count(*) FROM subscribers WHERE owner_id {owner} AND deleted_at IS NULL");
        assert_eq!(app.number(&moved), 3, "{heir}");
        // Whose it is changes with the subscriber; what was booked stays booked.
        let without_owner = |rows: Vec<serde_json::Value>| -> Vec<serde_json::Value> {
            let strip = |mut row: serde_json::Value| {
                row.as_object_mut().unwrap().remove("owner_id");
                row
            };
            rows.into_iter().map(strip).collect()
        };
        assert_eq!(without_owner(app.rows(LEDGER)), without_owner(ledger), "what was booked stays booked");
        let ledgers = format!("SELECT count(*) FROM transactions WHERE owner_id {owner}");
        assert_eq!(app.number(&ledgers), app.count("transactions"), "{heir} sees the ledger of its subscribers");
        let heirs_key = if heir == "admin" { &of_admin } else { &of_rolf };
        for id in ids {
            assert_eq!(app.get(&format!("{SUBSCRIBERS}/{id}"), heirs_key).await.status, 200);
        }
        let listed = app.get(&format!("{SUBSCRIBERS}?page=1"), heirs_key).await;
        assert_eq!(listed.data().as_array().unwrap().len(), 3, "{}", listed.text);
        let counted = |key: i64| {
            app.number(&format!("SELECT coalesce(sum(subscribers), 0) FROM counters WHERE owner_key = {key}"))
        };
        let (rita_id, heir_key) = (ids_before.0, if heir == "admin" { 0 } else { ids_before.1 });
        assert_eq!((counted(rita_id), counted(heir_key), counted(-1)), (0, 3, 3), "{heir}");
        assert_eq!(
            app.text("SELECT c.username FROM users u JOIN users c ON c.id = u.creator_id WHERE u.username = 'ulla'"),
            Some(heir.to_lowercase())
        );

        // Nobody is rita any more, and her user goes on.
        assert_eq!(app.see(ME, &rita).await.status, 401);
        assert_eq!(app.get(SUBSCRIBERS, &of_rita).await.code(), "INVALID_USER");
        assert_eq!(app.see(ME, ulla.secret()).await.status, 200);
        assert_eq!(app.see(&format!("{RESELLERS}/rita"), &admin).await.status, 404);
    }
}

#[tokio::test]
async fn one_external_id_of_two_owners_stands_in_the_way_and_nothing_moves() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let (of_rita, of_rolf, of_admin) =
        (app.external_key("rita", "write"), app.external_key("rolf", "write"), app.external_key("admin", "write"));
    for (key, name, id) in
        [(&of_rita, "ada", "e-1"), (&of_rita, "bob", "e-2"), (&of_rolf, "cid", "e-1"), (&of_admin, "dan", "e-2")]
    {
        subscriber(&app, key, name, Some(id)).await;
    }
    let before = app.footprint();
    for heir in ["rolf", "admin"] {
        let clash = app.ask("DELETE", &format!("{RESELLERS}/rita?transfer_to={heir}"), &admin, json!({})).await;
        let text = format!(
            "1 subscribers, transactions or renewals of rita have an external_id that {heir} uses too; change those first"
        );
        assert_eq!(clash.panel(), (409, "CONFLICT", text.as_str()));
        assert_eq!(app.footprint(), before);
    }
    assert_eq!(app.number("SELECT count(*) FROM subscribers WHERE owner_id IS NULL"), 1);
}

#[tokio::test]
async fn an_admins_suspended_reseller_passes_its_suspension_to_nobody_once_its_users_moved() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, ulla) = (app.panel_token("admin"), app.panel_key("ulla", "all"));
    assert_eq!(app.ask("POST", &format!("{USERS}/rita/suspend"), &admin, json!({})).await.status, 200);
    assert_eq!(app.see(ME, ulla.secret()).await.panel(), (403, "FORBIDDEN", "Account is suspended"));
    assert_eq!(app.ask("DELETE", &format!("{RESELLERS}/rita?transfer_to=rolf"), &admin, json!({})).await.status, 200);
    assert_eq!(app.see(ME, ulla.secret()).await.status, 200);
    app.user("anna", Role::Admin, Some("admin"));
    assert_eq!(app.ask("PUT", &format!("{USERS}/ulla"), &admin, json!({"creator": "anna"})).await.status, 200);
    assert_eq!(app.ask("POST", &format!("{USERS}/anna/suspend"), &admin, json!({})).await.status, 200);
    assert_eq!(app.see(ME, ulla.secret()).await.status, 200, "never from an admin");
}
