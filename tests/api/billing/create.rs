//! `POST /accounts`, and the account in the database behind the answer.

use panel::domain::keys::{BillingScope, Level};
use serde_json::{Value, json};

use super::calls::{
    ACCOUNTS, account, audited, create, draft, fields, get, key_of, made, of_level, one, row, send, told, whole, with,
};
use crate::support::TestApp;

const FIELDS: [&str; 13] = [
    "id",
    "username",
    "email",
    "full_name",
    "phone",
    "company",
    "package_id",
    "is_admin",
    "is_active",
    "status",
    "billing_id",
    "metadata",
    "created_at",
];

#[tokio::test]
async fn a_refused_create_writes_nothing() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    account(&app, &key, "ada").await;
    for (name, body, text) in [
        ("the username", with("ada", &json!({"email": "new@example.com"})), "Username already exists"),
        ("the username in capitals", with("ADA", &json!({"email": "new@example.com"})), "Username already exists"),
        ("username and e-mail", draft("ada"), "Username already exists"),
        ("the e-mail", with("bob", &json!({"email": "ada@example.com"})), "Email already exists"),
        ("the e-mail in capitals", with("bob", &json!({"email": "ADA@Example.COM"})), "Email already exists"),
        ("an unknown package", with("bob", &json!({"package_id": 99})), "package_id: unknown package"),
        ("an unknown package name", with("bob", &json!({"package_id": "gold"})), "package_id: unknown package"),
        ("nothing", json!({}), "username: is required"),
    ] {
        let before = app.footprint();
        let refused = create(&app, &key, &body).await;
        assert_eq!(told(&refused), (400, text), "{name}");
        assert_eq!(app.footprint(), before, "{name}");
    }
}

#[tokio::test]
async fn an_account_is_answered_with_every_field_in_order_and_stored_as_sent() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = whole(&app);
    let body = json!({
        "username": "Ada.L", "email": "Ada@Example.com", "password": "TestPass123!", "full_name": "Ada Lovelace",
        "phone": "+961 1 234567", "company": "Engines & Co", "package_id": 1, "billing_id": 42,
        "metadata": {"plan": "gold", "n": 1.10, "nested": {"z": 1, "a": [true, null]}}, "unknown": ["ignored"],
    });
    let answer = create(&app, &key, &body).await;
    let id = made(&answer);
    assert_eq!(fields(&answer.body), FIELDS);
    let expected = json!({
        "id": id, "username": "Ada.L", "email": "Ada@Example.com", "full_name": "Ada Lovelace",
        "phone": "+961 1 234567", "company": "Engines & Co", "package_id": 1, "is_admin": false, "is_active": true,
        "status": "active", "billing_id": "42", "metadata": body["metadata"], "created_at": "2026-03-20T12:00:00Z",
    });
    assert_eq!(answer.body, expected);
    assert!(answer.text.contains(r#""nested":{"z":1,"a":[true,null]}"#), "the order is kept: {}", answer.text);
    assert_eq!(get(&app, &key, &one(id)).await.text, answer.text);

    let kept = row(&app, id);
    for (column, value) in [
        ("username_key", json!("ada.l")),
        ("email_key", json!("ada@example.com")),
        ("role", json!("user")),
        ("status", json!("active")),
        ("creator_id", json!(1)),
        ("billing_id", json!("42")),
        ("suspend_reason", json!(null)),
        ("last_login_at", json!(null)),
    ] {
        assert_eq!(kept[column], value, "{column}");
    }
    assert!(kept["password_hash"].as_str().unwrap().starts_with("$argon2id$"), "{kept}");
    assert_eq!(audited(&app, id, &key), ["users.create"]);
    let written: Vec<_> = app.files().into_iter().filter(|(_, bytes)| holds(bytes, b"TestPass123!")).collect();
    assert!(written.is_empty(), "the password is in {:?}", written.iter().map(|(name, _)| name).collect::<Vec<_>>());
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|part| part == needle)
}

#[tokio::test]
async fn what_is_not_sent_is_null() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let nulls = json!({"full_name": null, "phone": null, "company": null, "package_id": null, "is_admin": null,
        "billing_id": null, "metadata": null});
    let empty = json!({"full_name": "", "phone": "", "company": "", "billing_id": ""});
    for (name, extra) in [("ada", json!({})), ("bob", nulls), ("cleo", empty)] {
        let answer = create(&app, &key, &with(name, &extra)).await;
        let id = made(&answer);
        assert_eq!(fields(&answer.body), FIELDS, "{name}");
        for field in ["full_name", "phone", "company", "billing_id", "metadata"] {
            assert_eq!(answer.body[field], json!(null), "{name}: {field}");
            assert_eq!(row(&app, id)[field], json!(null), "{name}: {field}");
        }
        assert_eq!((&answer.body["package_id"], &answer.body["is_admin"]), (&json!(1), &json!(false)), "{name}");
    }
}

#[tokio::test]
async fn a_billing_id_comes_as_text_or_number_and_metadata_as_any_object() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    for (at, (billing_id, shown)) in
        [(json!(7), "7"), (json!("007"), "007"), (json!(-1), "-1"), (json!(u64::MAX), "18446744073709551615")]
            .into_iter()
            .enumerate()
    {
        let body = with(&format!("user{at}"), &json!({"billing_id": billing_id, "metadata": {}}));
        let answer = create(&app, &key, &body).await;
        assert_eq!((answer.status, &answer.body["billing_id"]), (201, &json!(shown)), "{}", answer.text);
        assert_eq!(answer.body["metadata"], json!({}));
        let found = get(&app, &key, &format!("{ACCOUNTS}?billing_id={shown}")).await;
        assert_eq!(found.body, json!([answer.body]), "{shown}");
    }
}

#[tokio::test]
async fn a_package_is_found_by_id_by_digits_and_by_name() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    for name in ["gold", "2024"] {
        app.change("INSERT INTO packages (name, name_key, created_at, updated_at) VALUES (?1, ?1, 0, 0)", [name]);
    }
    let cases: [(Value, i64); 7] = [
        (json!(2), 2),
        (json!("2"), 2),
        (json!("gold"), 2),
        (json!("GOLD"), 2),
        (json!("default"), 1),
        // No package has this id, so it is a name.
        (json!("2024"), 3),
        (json!(2024), 3),
    ];
    for (at, (package, id)) in cases.into_iter().enumerate() {
        let answer = create(&app, &key, &with(&format!("user{at}"), &json!({"package_id": package}))).await;
        assert_eq!((answer.status, &answer.body["package_id"]), (201, &json!(id)), "{package}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_seeds_own_create_works_with_the_least_key_that_may() {
    let app = TestApp::spawn().await;
    let body = json!({"username": "testuser123", "email": "test@example.com", "password": "TestPass123!",
        "full_name": "Test User"});
    for scopes in [
        &[BillingScope::AccountCreation][..],
        &[BillingScope::AccountManagement, BillingScope::UserManagement],
        &[BillingScope::FullAccess],
    ] {
        let key = key_of(&app, "admin", Level::Billing, scopes);
        let id = made(&create(&app, &key, &body).await);
        let again = create(&app, &key, &body).await;
        assert_eq!(told(&again), (400, "Username already exists"), "without a billing_id it is another create");
        let high = whole(&app);
        assert_eq!(send(&app, &high, "DELETE", &one(id), &json!({})).await.status, 200);
    }
}

#[tokio::test]
async fn a_name_is_free_again_after_its_account_is_deleted() {
    let app = TestApp::spawn().await;
    let key = of_level(&app, "admin", Level::Billing);
    let body = with("ada", &json!({"billing_id": "7"}));
    let first = made(&create(&app, &key, &body).await);
    assert_eq!(send(&app, &key, "DELETE", &one(first), &json!({})).await.status, 200);
    let second = made(&create(&app, &key, &body).await);
    assert_ne!(first, second, "what is gone is not answered with");
    assert_eq!(told(&get(&app, &key, &one(first)).await), (404, "Account not found"));
}
