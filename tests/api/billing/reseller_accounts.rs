//! `is_admin: true` makes a reseller, which only the highest level makes, changes and deletes.

use panel::domain::keys::Level;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::calls::{
    NOT_SUPER, account, audited, create, get, made, of_level, one, row, send, told, typed, whole, with,
};
use crate::support::{Answer, TestApp};

fn denied_level(answer: &Answer, have: &str, id: i64) {
    let fix = format!("panel key update {id} --level SUPER_ADMIN");
    let entry = json!({"gate": "level", "need": "SUPER_ADMIN", "have": have, "fix": fix});
    assert_eq!(answer.body["denied"], json!([entry]), "{}", answer.text);
    assert_eq!(told(answer), (403, NOT_SUPER));
}

fn rita() -> Value {
    with("rita", &json!({"is_admin": true}))
}

#[tokio::test]
async fn a_lower_level_makes_no_reseller_until_it_is_raised() {
    let app = TestApp::spawn().await;
    for level in [Level::Billing, Level::Admin] {
        let key = of_level(&app, "admin", level);
        let before = app.footprint();
        denied_level(&create(&app, &key, &rita()).await, level.as_str(), key.id);
        assert_eq!(app.footprint(), before);

        typed(&app, &format!("panel key update {} --level SUPER_ADMIN", key.id));
        let answer = create(&app, &key, &rita()).await;
        let id = made(&answer);
        assert_eq!((&answer.body["is_admin"], &row(&app, id)["role"]), (&json!(true), &json!("reseller")));
        assert_eq!(row(&app, id)["creator_id"], 1);
        assert_eq!(send(&app, &key, "DELETE", &one(id), &json!({})).await.status, 200);
    }
}

/// Its key could not be raised: the owner is in the way first, and the fixes work in the order in which they are told.
#[tokio::test]
async fn a_resellers_key_is_told_of_its_owner_and_then_of_its_level() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    let key = of_level(&app, "rex", Level::Billing);
    let refused = create(&app, &key, &rita()).await;
    let fixes =
        ["panel user update rex --role admin".to_owned(), format!("panel key update {} --level SUPER_ADMIN", key.id)];
    let entries = json!([
        {"gate": "role", "need": "admin", "have": "reseller", "fix": fixes[0]},
        {"gate": "level", "need": "SUPER_ADMIN", "have": "BILLING", "fix": fixes[1]},
    ]);
    assert_eq!((told(&refused), &refused.body["denied"]), ((403, NOT_SUPER), &entries));

    typed(&app, &fixes[0]);
    denied_level(&create(&app, &key, &rita()).await, "BILLING", key.id);
    typed(&app, &fixes[1]);
    made(&create(&app, &key, &rita()).await);
}

#[tokio::test]
async fn a_lower_level_suspends_a_reseller_but_neither_changes_nor_deletes_it() {
    let app = TestApp::spawn().await;
    let rex = app.user("rex", Role::Reseller, Some("admin"));
    let (low, high) = (of_level(&app, "admin", Level::Billing), whole(&app));
    for (method, body) in [("PUT", json!({"phone": "1"})), ("PUT", json!({})), ("DELETE", json!({}))] {
        let before = (app.footprint(), row(&app, rex));
        denied_level(&send(&app, &low, method, &one(rex), &body).await, "BILLING", low.id);
        assert_eq!((app.footprint(), row(&app, rex)), before, "{method}");
    }
    for (call, status) in [("suspend", "suspended"), ("unsuspend", "active")] {
        let answer = send(&app, &low, "POST", &format!("{}/{call}", one(rex)), &json!({})).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!(status)));
    }
    let changed = send(&app, &high, "PUT", &one(rex), &json!({"phone": "1", "is_admin": true})).await;
    assert_eq!((changed.status, &changed.body["phone"]), (200, &json!("1")), "{}", changed.text);

    let of_rex = of_level(&app, "rex", Level::Billing);
    let ada = account(&app, &of_rex, "ada").await;
    let before = app.footprint();
    let refused = send(&app, &high, "DELETE", &one(rex), &json!({})).await;
    assert_eq!(told(&refused), (409, "rex still owns users; transfer them to another account first"));
    assert_eq!(app.footprint(), before);
    assert_eq!(send(&app, &high, "DELETE", &one(ada), &json!({})).await.status, 200);
    app.change(
        "INSERT INTO subscribers (uid, owner_id, username, username_key, password_sealed, created_values, service_id,
                                  expiry_date, created_at, updated_at)
         VALUES (zeroblob(16), ?1, 'pat', 'pat', x'00', '{}', 1, 20000, 0, 0)",
        [rex],
    );
    let refused = send(&app, &high, "DELETE", &one(rex), &json!({})).await;
    assert_eq!(told(&refused), (409, "rex still owns subscribers; transfer them to another account first"));
    app.change("UPDATE subscribers SET deleted_at = 1", []);
    assert_eq!(send(&app, &high, "DELETE", &one(rex), &json!({})).await.status, 200);
    assert_eq!(get(&app, &high, &one(rex)).await.status, 404);
}

/// Suspension passes from a reseller to what it owns: its key is refused with it.
#[tokio::test]
async fn the_key_of_a_suspended_reseller_is_refused_at_once() {
    let app = TestApp::spawn().await;
    let high = whole(&app);
    let rita_id = made(&create(&app, &high, &rita()).await);
    let key = of_level(&app, "rita", Level::Billing);
    account(&app, &key, "ada").await;
    let target = format!("{}/suspend", one(rita_id));
    assert_eq!(send(&app, &high, "POST", &target, &json!({"reason": "unpaid"})).await.status, 200);
    let refused = create(&app, &key, &super::calls::draft("bob")).await;
    assert_eq!(told(&refused), (403, "Account is suspended"));
    typed(&app, refused.body["denied"][0]["fix"].as_str().unwrap());
    account(&app, &key, "bob").await;
    assert_eq!(audited(&app, rita_id, &high), ["users.create", "users.suspend"]);
}
