//! The same call again: after a lost answer, at once, and under an `Idempotency-Key`.

use std::time::Duration;

use futures_util::future::join_all;
use panel::crypto::Standing;
use panel::domain::keys::Level;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::calls::{ACCOUNTS, account, audited, create, draft, get, made, of_level, one, row, send, told, whole, with};
use crate::keys::Minted;
use crate::support::{Answer, Request, TestApp};

const TAKEN: (u16, &str) = (400, "Username already exists");

fn ada() -> Value {
    with("ada", &json!({"billing_id": 42, "full_name": "Ada"}))
}

async fn shop() -> (TestApp, Minted, i64) {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = whole(&app);
    let id = made(&create(&app, &key, &ada()).await);
    (app, key, id)
}

/// Whether this is the password that the account has.
async fn opens(app: &TestApp, id: i64, password: &str) -> bool {
    let hash = row(app, id)["password_hash"].as_str().map(str::to_owned);
    app.panel.hasher.verify(Standing::Good, password.into(), hash).await.unwrap()
}

#[tokio::test]
async fn another_create_of_the_same_name_is_refused() {
    let (app, key, id) = shop().await;
    app.reseller("rex");
    let of_rex = of_level(&app, "rex", Level::Billing);
    app.user("boss", Role::Admin, None);
    let of_boss = of_level(&app, "boss", Level::SuperAdmin);
    let other = |fields: Value| {
        let mut body = ada();
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (name, key, body) in [
        ("another e-mail", &key, other(json!({"email": "new@example.com"}))),
        ("another billing_id", &key, other(json!({"billing_id": 43}))),
        ("no billing_id", &key, other(json!({"billing_id": null}))),
        ("an empty billing_id", &key, other(json!({"billing_id": ""}))),
        ("a reseller", &key, other(json!({"is_admin": true}))),
        ("another owner", &of_rex, ada()),
        ("another admin", &of_boss, ada()),
    ] {
        let before = (app.footprint(), row(&app, id));
        assert_eq!(told(&create(&app, key, &body).await), TAKEN, "{name}");
        assert_eq!((app.footprint(), row(&app, id)), before, "{name}");
    }
}

#[tokio::test]
async fn a_day_later_it_is_another_create() {
    let (app, key, id) = shop().await;
    app.move_to("2026-03-21T11:59:59Z");
    assert_eq!(made(&create(&app, &key, &ada()).await), id);
    app.move_to("2026-03-21T12:00:00Z");
    assert_eq!(told(&create(&app, &key, &ada()).await), TAKEN);
}

#[tokio::test]
async fn the_same_create_is_answered_with_the_original_account_and_writes_nothing() {
    let (app, key, id) = shop().await;
    app.move_to("2026-03-20T13:00:00Z");
    let before = (app.footprint(), row(&app, id));
    for (name, body) in [
        ("as it was", ada()),
        ("other letters", with("ADA", &json!({"email": "Ada@EXAMPLE.com", "billing_id": "42"}))),
        ("other details", with("ada", &json!({"billing_id": "42", "full_name": "Eve", "package_id": "nothing"}))),
    ] {
        let again = create(&app, &key, &body).await;
        assert_eq!(made(&again), id, "{name}");
        assert_eq!(again.body, get(&app, &key, &one(id)).await.body, "{name}");
        assert_eq!(
            (&again.body["full_name"], &again.body["created_at"]),
            (&json!("Ada"), &json!("2026-03-20T12:00:00Z"))
        );
        assert_eq!((app.footprint(), row(&app, id)), before, "{name}");
    }
}

/// A billing system that retries makes a new password each time, and mails the last one.
#[tokio::test]
async fn another_password_is_set_as_long_as_nobody_has_logged_in() {
    let (app, key, id) = shop().await;
    let mut other = ada();
    other["password"] = json!("SecondPass456!");
    assert_eq!(made(&create(&app, &key, &other).await), id);
    assert!(opens(&app, id, "SecondPass456!").await && !opens(&app, id, "TestPass123!").await);
    assert_eq!(audited(&app, id, &key), ["users.create", "users.password"]);

    app.change("UPDATE users SET last_login_at = 1 WHERE id = ?1", [id]);
    let before = (app.footprint(), row(&app, id));
    assert_eq!(told(&create(&app, &key, &ada()).await), TAKEN, "the password in use is not the one sent");
    assert_eq!(made(&create(&app, &key, &other).await), id);
    assert_eq!((app.footprint(), row(&app, id)), before);
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_answered_when_it_is_sent_again() {
    let app = TestApp::spawn().await;
    let key = of_level(&app, "admin", Level::Billing);
    let request = key.on(Request::new("POST", ACCOUNTS)).json(&ada());
    let mut connection = app.connect();
    assert!(connection.send(request.wire()));
    drop(connection);
    app.eventually("the account is made", Duration::from_secs(10), || app.count("users") == 2).await;

    let again = app.call(request).await;

    let id = made(&again);
    assert_eq!(app.number("SELECT max(id) FROM users"), id);
    assert_eq!((app.count("users"), audited(&app, id, &key)), (2, vec!["users.create".to_owned()]));
    assert!(opens(&app, id, "TestPass123!").await);
}

#[tokio::test]
async fn twins_make_one_account_and_are_both_told_of_it() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    for (name, fields) in
        [("ada", json!({"billing_id": "crm-1"})), ("rita", json!({"billing_id": 7, "is_admin": true}))]
    {
        let body = with(name, &fields);
        let answers = join_all((0..10).map(|_| create(&app, &key, &body))).await;
        let id = made(&answers[0]);
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (201, &answers[0].body), "{}", answer.text);
        }
        assert_eq!(app.number(&format!("SELECT count(*) FROM users WHERE username = '{name}'")), 1);
        let did = audited(&app, id, &key);
        assert_eq!(did.iter().filter(|action| *action == "users.create").count(), 1, "{did:?}");
        assert!(opens(&app, id, "TestPass123!").await);
    }
}

#[tokio::test]
async fn of_twins_without_a_billing_id_one_is_made() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let body = draft("ada");
    let answers = join_all((0..10).map(|_| create(&app, &key, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| told(answer) == TAKEN).count(), 9);
}

async fn guarded(app: &TestApp, key: &Minted, method: &str, target: &str, body: &Value) -> Answer {
    app.call(key.on(Request::new(method, target)).json(body).header("idempotency-key", "once")).await
}

#[tokio::test]
async fn every_change_is_replayed_under_its_key_and_refused_with_another_body() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = whole(&app);
    let id = account(&app, &key, "ada").await;
    for (method, target, body, other) in [
        ("POST", ACCOUNTS.to_owned(), draft("bob"), draft("cleo")),
        ("PUT", one(id), json!({"phone": "1", "password": "SecondPass456!"}), json!({"phone": "2"})),
        ("POST", format!("{}/suspend", one(id)), json!({"reason": "unpaid"}), json!({})),
        ("POST", format!("{}/unsuspend", one(id)), json!({}), json!({"reason": "paid"})),
        ("DELETE", one(id), json!({}), json!({"a": 1})),
    ] {
        let first = guarded(&app, &key, method, &target, &body).await;
        assert!(first.status < 300, "{method} {target}: {}", first.text);
        let before = (app.footprint(), app.rows("SELECT * FROM users"));
        app.move_clock(app.now().plus_millis(60_000));
        let again = guarded(&app, &key, method, &target, &body).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{method} {target}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{method} {target}");
        let refused = guarded(&app, &key, method, &target, &other).await;
        assert_eq!(refused.status, 409, "{method} {target}: {}", refused.text);
        assert_eq!(told(&refused).1, "this Idempotency-Key was used with another body; use a new one");
        assert_eq!((app.footprint(), app.rows("SELECT * FROM users")), before, "{method} {target}");
    }
    assert!(!app.text("SELECT group_concat(CAST(answer AS TEXT)) FROM idempotency").unwrap().contains("Pass"));
}

/// What is not made under a key is tried again under it.
#[tokio::test]
async fn a_refusal_is_not_kept() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let body = with("ada", &json!({"package_id": "gold"}));
    assert_eq!(guarded(&app, &key, "POST", ACCOUNTS, &body).await.status, 400);
    app.change("INSERT INTO packages (name, name_key, created_at, updated_at) VALUES ('gold', 'gold', 0, 0)", []);
    assert_eq!(guarded(&app, &key, "POST", ACCOUNTS, &body).await.status, 201);
    let id = app.number("SELECT max(id) FROM users");
    assert_eq!(send(&app, &key, "DELETE", &one(id), &json!({})).await.status, 200);
    assert_eq!(send(&app, &key, "DELETE", &one(id), &json!({})).await.status, 404, "without a key it is gone");
}
