//! PUT, suspend, unsuspend, DELETE and stats.

use panel::crypto::Standing;
use serde_json::{Value, json};

use super::calls::{account, audited, create, fields, get, made, one, row, send, told, whole, with};
use crate::keys::Minted;
use crate::support::{Request, TestApp};

async fn shop() -> (TestApp, Minted, i64) {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = whole(&app);
    let extra = json!({"full_name": "Ada", "phone": "1", "company": "Co", "billing_id": 42, "metadata": {"a": 1}});
    let id = made(&create(&app, &key, &with("ada", &extra)).await);
    (app, key, id)
}

/// A session of the account, as a login leaves one.
fn log_in(app: &TestApp, id: i64) {
    app.change(
        "INSERT INTO sessions (user_id, audience, token_hash, created_at, last_used_at, expires_at)
         VALUES (?1, 'panel', randomblob(32), 0, 0, 9999999999999)",
        [id],
    );
}

fn open_sessions(app: &TestApp, id: i64) -> i64 {
    app.number(&format!("SELECT count(*) FROM sessions WHERE user_id = {id} AND revoked_at IS NULL"))
}

#[tokio::test]
async fn what_cannot_be_changed_is_named_and_the_current_value_is_accepted() {
    let (app, key, id) = shop().await;
    for (body, text) in [
        (json!({"username": "eve"}), "username: cannot be changed"),
        (json!({"is_admin": true}), "is_admin: cannot be changed"),
        (json!({"is_active": false}), "is_active: cannot be changed here; use suspend or unsuspend"),
        (json!({"package_id": 99}), "package_id: unknown package"),
        (json!({"package_id": "gold", "phone": "2"}), "package_id: unknown package"),
    ] {
        let before = (app.footprint(), row(&app, id));
        assert_eq!(told(&send(&app, &key, "PUT", &one(id), &body).await), (400, text));
        assert_eq!((app.footprint(), row(&app, id)), before, "{body}");
    }
    let shown = get(&app, &key, &one(id)).await;
    let before = (app.footprint(), row(&app, id));
    for body in [shown.body.clone(), json!({}), json!({"username": "Ada", "is_admin": false, "is_active": true})] {
        let same = send(&app, &key, "PUT", &one(id), &body).await;
        assert_eq!((same.status, &same.text), (200, &shown.text), "{body}");
    }
    assert_eq!((app.footprint(), row(&app, id)), before, "what changes nothing writes nothing");
}

#[tokio::test]
async fn each_field_is_changed_alone_and_cleared_where_it_can_be() {
    let (app, key, id) = shop().await;
    app.change("INSERT INTO packages (name, name_key, created_at, updated_at) VALUES ('gold', 'gold', 0, 0)", []);
    for (field, sent, shown) in [
        ("email", json!("new@example.com"), json!("new@example.com")),
        ("full_name", json!("Ada L"), json!("Ada L")),
        ("phone", json!("2"), json!("2")),
        ("company", json!("Engines"), json!("Engines")),
        ("package_id", json!("gold"), json!(2)),
        ("package_id", json!("1"), json!(1)),
        ("billing_id", json!(43), json!("43")),
        ("metadata", json!({"b": [2]}), json!({"b": [2]})),
        ("full_name", json!(null), json!(null)),
        ("phone", json!(""), json!(null)),
        ("company", json!(null), json!(null)),
        ("billing_id", json!(null), json!(null)),
        ("metadata", json!(null), json!(null)),
        // These cannot be empty, so null is as if they had not been sent.
        ("email", json!(null), json!("new@example.com")),
        ("package_id", json!(null), json!(1)),
        ("username", json!(null), json!("ada")),
        ("password", json!(null), json!(null)),
        ("is_admin", json!(null), json!(false)),
    ] {
        let mut expected = get(&app, &key, &one(id)).await.body;
        let before = row(&app, id);
        let answer = send(&app, &key, "PUT", &one(id), &json!({field: sent})).await;
        if field != "password" {
            expected[field] = shown;
        }
        assert_eq!((answer.status, &answer.body), (200, &expected), "{field} {sent}");
        assert_eq!(get(&app, &key, &one(id)).await.body, expected, "{field} {sent}");
        assert_eq!(row(&app, id)["password_hash"], before["password_hash"], "{field} {sent}");
    }
    let last = app.text("SELECT after FROM audit WHERE action = 'users.update' ORDER BY id DESC LIMIT 1").unwrap();
    assert_eq!(serde_json::from_str::<Value>(&last).unwrap(), json!({"metadata": null}));
}

#[tokio::test]
async fn the_email_of_another_account_is_refused() {
    let (app, key, id) = shop().await;
    account(&app, &key, "bob").await;
    for email in ["bob@example.com", "BOB@example.com"] {
        let refused = send(&app, &key, "PUT", &one(id), &json!({"email": email, "phone": "9"})).await;
        assert_eq!(told(&refused), (400, "Email already exists"));
    }
    assert_eq!(row(&app, id)["phone"], "1");
    let own = send(&app, &key, "PUT", &one(id), &json!({"email": "ADA@example.com"})).await;
    assert_eq!((own.status, &own.body["email"]), (200, &json!("ADA@example.com")));
}

#[tokio::test]
async fn a_new_password_works_and_ends_every_session() {
    let (app, key, id) = shop().await;
    log_in(&app, id);
    let answer = send(&app, &key, "PUT", &one(id), &json!({"password": "SecondPass456!"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.text.contains("assword"), "{}", answer.text);
    assert_eq!(open_sessions(&app, id), 0);
    let hash = row(&app, id)["password_hash"].as_str().map(str::to_owned);
    assert!(app.panel.hasher.verify(Standing::Good, "SecondPass456!".into(), hash).await.unwrap());
    assert_eq!(audited(&app, id, &key), ["users.create", "users.update"]);
    let after = app.text("SELECT after FROM audit ORDER BY id DESC LIMIT 1");
    assert_eq!(after.as_deref(), Some(r#"{"password":"***"}"#));
}

#[tokio::test]
async fn a_suspension_keeps_its_reason_and_ends_every_session_and_both_may_be_repeated() {
    let (app, key, id) = shop().await;
    log_in(&app, id);
    let call = |what: &str| format!("{}/{what}", one(id));
    let already = send(&app, &key, "POST", &call("unsuspend"), &json!({})).await;
    assert_eq!((already.status, audited(&app, id, &key).len()), (200, 1));

    for _ in 0..2 {
        let answer = send(&app, &key, "POST", &call("suspend"), &json!({"reason": "unpaid\nsince May"})).await;
        assert_eq!(
            (answer.status, &answer.body["status"], &answer.body["is_active"]),
            (200, &json!("suspended"), &json!(false))
        );
        let kept = row(&app, id);
        assert_eq!((&kept["status"], &kept["suspend_reason"]), (&json!("suspended"), &json!("unpaid\nsince May")));
        assert_eq!(open_sessions(&app, id), 0);
    }
    let refused = send(&app, &key, "PUT", &one(id), &json!({"is_active": true})).await;
    assert_eq!(told(&refused), (400, "is_active: cannot be changed here; use suspend or unsuspend"));
    for _ in 0..2 {
        let answer = send(&app, &key, "POST", &call("unsuspend"), &json!({"reason": "paid"})).await;
        assert_eq!(
            (answer.status, &answer.body["status"], &answer.body["is_active"]),
            (200, &json!("active"), &json!(true))
        );
        let kept = row(&app, id);
        assert_eq!((&kept["status"], &kept["suspend_reason"]), (&json!("active"), &json!(null)));
    }
    assert_eq!(audited(&app, id, &key), ["users.create", "users.suspend", "users.unsuspend"]);
}

/// Clients in the field announce JSON and send nothing.
#[tokio::test]
async fn an_empty_body_is_an_object_whatever_it_is_announced_as() {
    let (app, key, id) = shop().await;
    for (method, target) in [
        ("POST", format!("{}/suspend", one(id))),
        ("POST", format!("{}/unsuspend", one(id))),
        ("PUT", one(id)),
        ("DELETE", one(id)),
    ] {
        for content_type in ["application/json", "text/plain", ""] {
            if method == "DELETE" && content_type != "text/plain" {
                continue;
            }
            let request = key.on(Request::new(method, &target)).header("content-type", content_type).body("");
            let answer = app.call(request).await;
            assert_eq!(answer.status, 200, "{method} {content_type}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_its_row_stays() {
    let (app, key, id) = shop().await;
    log_in(&app, id);
    let answer = send(&app, &key, "DELETE", &one(id), &json!({})).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"message": "Account deleted", "id": id})));
    assert_eq!(fields(&answer.body), ["message", "id"]);
    for (method, target) in
        [("GET", one(id)), ("GET", format!("{}/stats", one(id))), ("DELETE", one(id)), ("PUT", one(id))]
    {
        let gone = send(&app, &key, method, &target, &json!({})).await;
        assert_eq!(told(&gone), (404, "Account not found"), "{method} {target}");
    }
    let kept = row(&app, id);
    assert!(kept["deleted_at"].is_i64() && kept["username"] == "ada", "{kept}");
    assert_eq!(open_sessions(&app, id), 0);
    assert_eq!(audited(&app, id, &key), ["users.create", "users.delete"]);
}

#[tokio::test]
async fn stats_tell_the_age_and_the_last_login() {
    let (app, key, id) = shop().await;
    let stats = async || get(&app, &key, &format!("{}/stats", one(id))).await.body;
    let mut expected = json!({
        "user_id": id, "username": "ada", "email": "ada@example.com", "total_domains": 0, "total_databases": 0,
        "total_email_accounts": 0, "total_ssl_certificates": 0, "storage_used": 0, "last_login": null,
        "account_age_days": 0,
    });
    let first = stats().await;
    assert_eq!(first, expected);
    assert_eq!(fields(&first), fields(&expected));
    app.change("UPDATE users SET last_login_at = 1774008000999 WHERE id = ?1", [id]);
    app.move_to("2026-04-19T11:59:59Z");
    expected["last_login"] = json!("2026-03-20T12:00:00Z");
    expected["account_age_days"] = json!(29);
    assert_eq!(stats().await, expected);
    app.move_to("2026-04-19T12:00:00Z");
    assert_eq!(stats().await["account_age_days"], 30);
}
