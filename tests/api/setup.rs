//! `/setup/{token}`: the one-time link that sets a password.

use panel::actions;
use panel::domain::policy::operator;
use serde_json::json;

use crate::support::{Answer, Request, TestApp};

const TOKEN: &str = "dG9rZW4tb2YtYS10ZXN0LXdpdGgtZW5vdWdoLWJ5dGVz";
const GOOD: &str = "a-password-nobody-else-has";

fn offer(app: &TestApp, token: &'static str) {
    let now = app.now();
    let make = move |tx: &panel::store::WriteTx<'_>| {
        let permit = operator("test");
        let admin = actions::users::get(tx, &permit, "admin")?;
        actions::setup::make_link(tx, &permit, &admin, token, now)
    };
    app.write(make).unwrap();
}

async fn open(app: &TestApp, token: &str) -> Answer {
    app.call(Request::new("GET", &format!("/setup/{token}"))).await
}

async fn send(app: &TestApp, token: &str, password: &str, again: &str) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("password", password)
        .append_pair("again", again)
        .finish();
    let request = Request::new("POST", &format!("/setup/{token}"));
    app.call(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await
}

fn hash(app: &TestApp) -> Option<String> {
    app.text("SELECT password_hash FROM users WHERE username = 'admin'")
}

fn assert_is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!answer.text.contains(TOKEN) && !answer.text.contains("<script"), "{}", answer.text);
}

#[tokio::test]
async fn a_dead_token_opens_nothing_and_sets_nothing() {
    let app = TestApp::spawn().await;
    let before = app.footprint();
    for token in ["x", TOKEN, "%27%20OR%201=1", &"x".repeat(3000)] {
        let page = open(&app, token).await;
        assert_is_page(&page, 404);
        assert!(page.text.contains("panel admin reset"), "it says how to get another");
        assert_is_page(&send(&app, token, GOOD, GOOD).await, 404);
    }
    assert_eq!(app.footprint(), before);
    assert_eq!(hash(&app), None);
}

#[tokio::test]
async fn the_form_names_the_user_and_is_sent_nowhere_else() {
    let app = TestApp::spawn().await;
    offer(&app, TOKEN);
    let page = open(&app, TOKEN).await;
    assert_is_page(&page, 200);
    assert!(page.text.contains("<b>admin</b>") && page.text.contains("<form method=\"post\">"), "{}", page.text);
    assert_eq!(open(&app, TOKEN).await.status, 200, "looking does not use it up");
    assert_eq!(app.number("SELECT count(*) FROM setup_links WHERE used_at IS NOT NULL"), 0);
}

#[tokio::test]
async fn a_password_that_cannot_be_set_leaves_the_link_alive() {
    let app = TestApp::spawn().await;
    offer(&app, TOKEN);
    let before = app.footprint();
    for (password, again, reason) in [
        ("", "", "at least 8 characters"),
        ("short-1", "short-1", "at least 8 characters"),
        ("password123", "password123", "commonest"),
        ("PassWord123", "PassWord123", "commonest"),
        ("nul\0-in-the-middle", "nul\0-in-the-middle", "U+0000"),
        (GOOD, "", "not the same"),
        (GOOD, "a-password-nobody-else-haS", "not the same"),
        (&"x".repeat(129), &"x".repeat(129), "at most 128 characters"),
    ] {
        let page = send(&app, TOKEN, password, again).await;
        assert_is_page(&page, 400);
        assert!(page.text.contains(reason), "{password:?}: {}", page.text);
        assert!(password.is_empty() || !page.text.contains(password), "it repeats what was typed");
    }
    assert_eq!((app.footprint(), hash(&app)), (before, None));
    assert_eq!(send(&app, TOKEN, GOOD, GOOD).await.status, 200);
}

#[tokio::test]
async fn a_good_password_is_hashed_and_the_link_dies_with_its_use() {
    let app = TestApp::spawn().await;
    offer(&app, TOKEN);
    let request = Request::new("POST", &format!("/setup/{TOKEN}")).header("x-request-id", "set-1");
    let done = app.call(request.body(format!("password={GOOD}&again={GOOD}"))).await;

    assert_is_page(&done, 200);
    let hash_after = hash(&app).unwrap();
    assert!(hash_after.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash_after}");
    let rows = app.rows("SELECT actor_kind, actor_user_id, object_kind, object_id, after, ip, request_id FROM audit WHERE action = 'users.password'");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["actor_kind"], &rows[0]["ip"], &rows[0]["request_id"]),
        (&json!("setup"), &json!("127.0.0.1"), &json!("set-1"))
    );
    let written = app.rows("SELECT * FROM audit").iter().map(ToString::to_string).collect::<String>();
    for secret in [GOOD, TOKEN, "argon2"] {
        assert!(!written.contains(secret), "the audit holds {secret}");
    }
    let stored = app.rows("SELECT * FROM setup_links");
    assert!(!stored[0].to_string().contains(TOKEN) && !stored[0]["used_at"].is_null());

    assert_is_page(&open(&app, TOKEN).await, 404);
    assert_is_page(&send(&app, TOKEN, "another-password-1", "another-password-1").await, 404);
    assert_eq!(hash(&app), Some(hash_after));
}

#[tokio::test]
async fn a_link_lives_for_thirty_minutes() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    offer(&app, TOKEN);
    app.move_to("2026-03-20T12:29:59Z");
    assert_eq!(open(&app, TOKEN).await.status, 200);
    app.move_to("2026-03-20T12:30:00Z");
    assert_eq!(open(&app, TOKEN).await.status, 404);
    assert_eq!(send(&app, TOKEN, GOOD, GOOD).await.status, 404);
    assert_eq!(hash(&app), None);
}

#[tokio::test]
async fn a_new_link_ends_the_one_before_and_a_deleted_user_has_none() {
    let app = TestApp::spawn().await;
    offer(&app, TOKEN);
    offer(&app, "the-second-token");
    assert_eq!(open(&app, TOKEN).await.status, 404);
    assert_eq!(open(&app, "the-second-token").await.status, 200);
    app.change("UPDATE users SET deleted_at = 1", []);
    assert_eq!(open(&app, "the-second-token").await.status, 404);
}

#[tokio::test]
async fn of_many_that_use_a_link_at_once_one_succeeds() {
    let app = TestApp::spawn().await;
    offer(&app, TOKEN);
    let answers = futures_util::future::join_all((0..4).map(|_| send(&app, TOKEN, GOOD, GOOD))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(app.number("SELECT count(*) FROM audit WHERE action = 'users.password'"), 1);
}
