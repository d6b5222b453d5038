//! `/users`: every field's bad values, what is seen, and what the audit says (panel.md, Users).

use panel::domain::audit::MASKED;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::{ME, USERS, people};
use crate::support::{LOGIN, PASSWORD, TestApp};

fn new(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test]
async fn bad_values_of_a_new_account_are_refused_by_name_and_nothing_is_made() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let long = "a".repeat(33);
    let before = app.footprint();
    for (field, values) in [
        (
            "username",
            vec![
                json!("a"),
                json!(long),
                json!("1ab"),
                json!("a b"),
                json!("a@b"),
                json!("ä-b"),
                json!(5),
                json!("a\u{0}b"),
                json!("_ab"),
            ],
        ),
        ("email", vec![json!("x"), json!("@x"), json!("x@"), json!("a b@c"), json!(5), json!("a@b@c"), json!("<a@b>")]),
        (
            "password",
            vec![
                json!("short12"),
                json!("p".repeat(129)),
                json!("password123"),
                json!("PASSWORD123"),
                json!(5),
                json!("with\u{0}nul-in-it"),
            ],
        ),
        ("role", vec![json!("root"), json!("Admin"), json!(1), json!("")]),
        ("package", vec![json!("none"), json!(1)]),
        ("creator", vec![json!("nobody"), json!("ulla"), json!(true)]),
        ("max_domains", vec![json!(-2), json!("5"), json!(1.5), json!(true), json!(9_223_372_036_854_775_808_u64)]),
        ("max_ftp_accounts", vec![json!(-2), json!([])]),
    ] {
        for value in values {
            let refused = app.ask("POST", USERS, &admin, with(new("nora"), field, value.clone())).await;
            let (status, code, text) = refused.panel();
            assert_eq!((status, code), (400, "VALIDATION_ERROR"), "{field} {value}: {}", refused.text);
            assert!(text.starts_with(&format!("{field} ")), "{field} {value}: {text}");
            assert!(!text.contains("nul-in-it") && !text.contains("PASSWORD123"), "a value is repeated: {text}");
        }
    }
    for missing in ["username", "email", "password"] {
        for value in [Value::Null, json!("")] {
            let refused = app.ask("POST", USERS, &admin, with(new("nora"), missing, value)).await;
            assert_eq!(refused.panel(), (400, "VALIDATION_ERROR", "Username, email, and password are required"));
        }
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn names_and_addresses_are_unique_whatever_their_case_and_free_again_after_a_deletion() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", USERS, &admin, new("Nora.B")).await.status, 201);
    assert_eq!(app.see(&format!("{USERS}/nORA.b"), &admin).await.body["username"], "Nora.B", "kept as sent");
    let before = app.footprint();
    for (body, text) in [
        (with(new("nora.b"), "email", json!("n@example.com")), "username nora.b is taken"),
        (with(new("nina"), "email", json!("NORA.b@Example.com")), "email NORA.b@Example.com is taken"),
    ] {
        assert_eq!(app.ask("POST", USERS, &admin, body).await.panel(), (409, "CONFLICT", text));
    }
    let taken = app.ask("PUT", &format!("{USERS}/ulla"), &admin, json!({"email": "nora.B@example.com"})).await;
    assert_eq!(taken.panel(), (409, "CONFLICT", "email nora.B@example.com is taken"));
    assert_eq!(app.footprint(), before);

    let (old, key) = (app.user_id("Nora.B"), app.panel_key("Nora.B", "all"));
    assert_eq!(app.ask("DELETE", &format!("{USERS}/NORA.B"), &admin, json!({})).await.status, 200);
    assert_eq!(app.see(ME, key.secret()).await.panel(), (401, "UNAUTHORIZED", "Invalid API key"));
    assert_eq!(app.ask("POST", USERS, &admin, new("nora.b")).await.status, 201);
    assert_ne!(app.user_id("nora.b"), old);
    assert_eq!(app.see(ME, key.secret()).await.status, 401, "the new one inherits nothing");
    assert_eq!(app.see(&format!("{USERS}/nora.b/api-keys"), &admin).await.body["total"], 0);
}

#[tokio::test]
async fn everybody_sees_whom_it_may_and_roles_fit() {
    let app = TestApp::spawn().await;
    people(&app);
    for (caller, seen) in [
        ("admin", vec!["admin", "rita", "rolf", "ulla", "uwe", "vera"]),
        ("rita", vec!["rita", "ulla"]),
        ("ulla", vec!["ulla"]),
    ] {
        for bearer in [app.panel_token(caller), app.panel_key(caller, "read").secret().to_owned()] {
            let list = app.see(USERS, &bearer).await.body;
            let names: Vec<_> =
                list.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
            assert_eq!(names, seen, "{caller}");
            assert_eq!(app.see(&format!("{USERS}/"), &bearer).await.body, list, "with a slash");
        }
    }
    let anna = app.user("anna", Role::Admin, Some("admin"));
    assert!(anna > 0);
    let key = app.panel_key("admin", "all");
    for body in [json!({"role": "admin"}), json!({"role": "admin", "email": "x@example.com"})] {
        let promoted = app.ask("PUT", &format!("{USERS}/vera"), key.secret(), body).await;
        assert_eq!(promoted.panel(), (403, "FORBIDDEN", "Session required"));
    }
    let made = app.ask("POST", USERS, key.secret(), with(new("nora"), "role", json!("admin"))).await;
    assert_eq!(made.panel(), (403, "FORBIDDEN", "Session required"), "no key makes an admin");
    let password = app.ask("PUT", &format!("{USERS}/anna"), key.secret(), json!({"password": "another-one 77"})).await;
    assert_eq!(password.panel(), (403, "FORBIDDEN", "Session required"), "nor sets one's password");
}

#[tokio::test]
async fn a_user_changes_its_own_password_only_with_the_current_one() {
    let app = TestApp::spawn().await;
    people(&app);
    let ulla = app.session("ulla").await;
    let (target, new_one) = (format!("{USERS}/ulla"), "green-heron 4410");
    let before = app.footprint();
    for (current, text) in [
        (None, "current_password is required"),
        (Some("wrong"), "current_password is not the current password"),
        (Some(""), "current_password is not the current password"),
    ] {
        let body = json!({"password": new_one, "current_password": current});
        assert_eq!(app.ask("PUT", &target, &ulla, body).await.panel(), (400, "VALIDATION_ERROR", text));
    }
    assert_eq!(app.footprint(), before);
    let key = app.panel_key("ulla", "all");
    for body in [json!({"password": new_one, "current_password": PASSWORD}), json!({"email": "u2@example.com"})] {
        let by_key = app.ask("PUT", &target, key.secret(), body).await;
        assert_eq!(by_key.panel(), (403, "FORBIDDEN", "Session required"));
    }
    let body = json!({"password": new_one, "current_password": PASSWORD, "email": "u2@example.com"});
    assert_eq!(app.ask("PUT", &target, &ulla, body).await.status, 200);

    let log_in = |password: &'static str| {
        app.ask("POST", LOGIN, "", json!({"username": "u2@EXAMPLE.com", "password": password}))
    };
    assert_eq!(log_in(PASSWORD).await.status, 401);
    assert_eq!(log_in("green-heron 4410").await.status, 200);
}

#[tokio::test]
async fn each_change_is_in_the_audit_with_its_actor_and_no_password_in_clear() {
    let app = TestApp::spawn().await;
    people(&app);
    let (token, key) = (app.panel_token("admin"), app.panel_key("admin", "all"));
    let ulla = format!("{USERS}/ulla");
    for (method, target, body, action, after) in [
        ("POST", USERS.to_owned(), new("nora"), "users.create", json!({"username": "nora", "password": MASKED})),
        ("PUT", ulla.clone(), json!({"password": "some-secret 99"}), "users.update", json!({"password": MASKED})),
        (
            "PUT",
            ulla.clone(),
            json!({"max_domains": 3, "role": "reseller"}),
            "users.update",
            json!({"role": "reseller", "max_domains": 3}),
        ),
        (
            "POST",
            format!("{ulla}/suspend"),
            json!({"reason": "unpaid"}),
            "users.suspend",
            json!({"status": "suspended", "reason": "unpaid"}),
        ),
        ("POST", format!("{ulla}/unsuspend"), json!({}), "users.unsuspend", json!({"status": "active"})),
        ("DELETE", ulla.clone(), json!({}), "users.delete", json!(null)),
    ] {
        let by_key = action == "users.unsuspend";
        let bearer = if by_key { key.secret() } else { token.as_str() };
        let rows = app.count("audit");
        let answer = app.ask(method, &target, bearer, body).await;
        assert!(answer.status < 300, "{action}: {}", answer.text);
        assert_eq!(app.count("audit"), rows + 1, "{action}");
        let row = app.last_audit();
        assert_eq!(row["action"], action);
        assert_eq!(row["request_id"], answer.header("x-request-id").unwrap(), "{row}");
        assert_eq!(row["ip"], "127.0.0.1", "{row}");
        let is: Value = row["after"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        for (name, value) in after.as_object().into_iter().flatten() {
            assert_eq!(is[name], *value, "{action} {name}: {is}");
        }
        assert!(!row.to_string().contains("some-secret") && !row.to_string().contains(PASSWORD), "{row}");
    }
    for (name, bytes) in app.files() {
        for secret in ["some-secret 99", PASSWORD] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{name} holds a password");
        }
    }
}

#[tokio::test]
async fn already_so_is_done_too_and_a_demoted_reseller_must_own_nothing() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    for (action, times) in [("suspend", 2), ("unsuspend", 2)] {
        for _ in 0..times {
            let done = app.ask("POST", &format!("{USERS}/ulla/{action}"), &admin, json!({})).await;
            assert_eq!(done.status, 200, "{action}");
        }
    }
    let rows = |action: &str| app.number(&format!("SELECT count(*) FROM audit WHERE action = 'users.{action}'"));
    assert_eq!((rows("suspend"), rows("unsuspend")), (1, 1));
    let before = app.footprint();
    let demoted = app.ask("PUT", &format!("{USERS}/rita"), &admin, json!({"role": "user"})).await;
    assert_eq!(demoted.panel(), (409, "CONFLICT", "rita still owns users; transfer them to another account first"));
    assert_eq!(app.footprint(), before);
    for name in ["ulla", "rita"] {
        assert_eq!(
            app.ask("PUT", &format!("{USERS}/ulla"), &admin, json!({"creator": name})).await.status,
            if name == "ulla" { 400 } else { 200 }
        );
    }
    assert_eq!(app.ask("PUT", &format!("{USERS}/ulla"), &admin, json!({"creator": "ROLF"})).await.status, 200);
    assert_eq!(app.ask("PUT", &format!("{USERS}/rita"), &admin, json!({"role": "user"})).await.status, 200);
}
