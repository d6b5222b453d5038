//! Rotating the refresh token, and what becomes of one that comes back (admin.md).

use futures_util::future::join_all;
use panel::domain::users::Role;
use serde_json::json;

use super::REFRESH;
use crate::support::{Answer, Request, TestApp};

const DEAD: (u16, &str) = (401, "invalid token");

async fn refresh(app: &TestApp, cookie: &str) -> Answer {
    app.call(Request::new("POST", REFRESH).header("cookie", format!("refresh_token={cookie}"))).await
}

async fn works(app: &TestApp, token: &str) -> bool {
    app.see("/api/auth/me", token).await.status == 200
}

fn living(app: &TestApp) -> i64 {
    app.number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
}

#[tokio::test]
async fn each_refresh_gives_the_next_token_and_answers_like_a_login() {
    let app = TestApp::at("2026-05-18T10:00:00Z").await;
    app.user("rita", Role::Reseller, Some("admin"));
    let (token, mut cookie) = app.admin_session("rita").await;
    app.move_to("2026-05-18T10:15:00Z");
    assert_eq!(app.see("/api/auth/me", &token).await.admin(), (401, "token expired"), "after 15 minutes");
    for _ in 0..3 {
        let renewed = refresh(&app, &cookie).await;
        assert_eq!(renewed.status, 200);
        assert_eq!(renewed.body["user"]["username"], "rita");
        assert!(works(&app, renewed.body["token"].as_str().unwrap()).await);
        cookie = renewed.refresh_cookie();
        app.move_clock(app.now().plus_millis(86_400_000));
    }
    assert_eq!(app.number("SELECT count(*) FROM refresh_tokens WHERE rotated_at IS NULL"), 1);
    assert_eq!(living(&app), 1);
}

#[tokio::test]
async fn an_unused_one_ends_after_thirty_days() {
    let app = TestApp::at("2026-05-01T00:00:00Z").await;
    let (_, used) = app.admin_session("admin").await;
    let (_, unused) = app.admin_session("admin").await;
    app.move_to("2026-05-30T23:59:59Z");
    let next = refresh(&app, &used).await;
    assert_eq!(next.status, 200);
    app.move_to("2026-05-31T00:00:00Z");
    assert_eq!(refresh(&app, &unused).await.admin(), DEAD);
    app.move_to("2026-06-29T23:59:58Z");
    assert_eq!(refresh(&app, &next.refresh_cookie()).await.status, 200, "thirty days from its last use");
}

#[tokio::test]
async fn one_that_comes_back_at_once_is_refused_and_no_more() {
    let app = TestApp::at("2026-05-18T10:00:00Z").await;
    let (_, first) = app.admin_session("admin").await;
    let next = refresh(&app, &first).await;
    let before = app.footprint();
    for at in ["2026-05-18T10:00:00Z", "2026-05-18T10:00:09.999Z"] {
        app.move_to(at);
        let again = refresh(&app, &first).await;
        assert_eq!((again.admin(), again.header("set-cookie")), (DEAD, None), "{at}");
    }
    assert_eq!(app.footprint(), before);
    assert!(works(&app, next.body["token"].as_str().unwrap()).await);
    assert_eq!(refresh(&app, &next.refresh_cookie()).await.status, 200);
}

#[tokio::test]
async fn one_that_comes_back_late_was_stolen_and_every_session_of_the_user_ends() {
    let app = TestApp::at("2026-05-18T10:00:00Z").await;
    app.user("rita", Role::Reseller, Some("admin"));
    let (_, first) = app.admin_session("rita").await;
    let next = refresh(&app, &first).await;
    let (elsewhere, of_elsewhere) = app.admin_session("rita").await;
    let (panel, bystander) = (app.panel_token("rita"), app.admin_token("admin"));
    app.move_to("2026-05-18T10:00:10Z");

    let stolen = refresh(&app, &first).await;

    assert_eq!((stolen.admin(), stolen.header("set-cookie")), (DEAD, None));
    for token in [next.body["token"].as_str().unwrap(), &elsewhere] {
        assert!(!works(&app, token).await);
    }
    for cookie in [next.refresh_cookie(), of_elsewhere, first] {
        assert_eq!(refresh(&app, &cookie).await.admin(), DEAD);
    }
    assert_eq!(app.see("/api/v1/auth/me", &panel).await.status, 401, "on the other surface too");
    assert!(works(&app, &bystander).await);
    let rows = app.rows("SELECT action, after FROM audit WHERE action = 'sessions.revoke_all'");
    assert_eq!(rows.len(), 1);
    assert!(rows[0]["after"].as_str().unwrap().contains("used twice"), "{rows:?}");
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_refused_and_writes_nothing() {
    let app = TestApp::spawn().await;
    let (_, cookie) = app.admin_session("admin").await;
    let (session_id, secret) = cookie.split_once('.').unwrap();
    let before = app.footprint();
    for bad in [
        "",
        ".",
        "a.b",
        session_id,
        secret,
        &format!("{secret}.{session_id}"),
        &format!("{cookie}x"),
        &format!("x.{secret}"),
        &cookie.to_uppercase(),
    ] {
        assert_eq!(refresh(&app, bad).await.admin(), DEAD, "{bad}");
    }
    assert_eq!(app.call(Request::new("POST", REFRESH)).await.admin(), DEAD, "none at all");
    assert_eq!(app.call(Request::new("GET", REFRESH)).await.status, 405);
    assert_eq!(app.footprint(), before);
    assert_eq!(refresh(&app, &cookie).await.status, 200);
}

#[tokio::test]
async fn who_may_no_longer_log_in_may_no_longer_refresh() {
    for change in [
        "UPDATE users SET status = 'suspended' WHERE username = 'rita'",
        "UPDATE users SET role = 'user' WHERE username = 'rita'",
        "UPDATE users SET deleted_at = 1 WHERE username = 'rita'",
        "UPDATE sessions SET revoked_at = 1",
    ] {
        let app = TestApp::spawn().await;
        app.user("rita", Role::Reseller, Some("admin"));
        let (_, cookie) = app.admin_session("rita").await;
        app.change(change, []);
        let refused = refresh(&app, &cookie).await;
        assert_eq!((refused.admin(), refused.header("set-cookie")), (DEAD, None), "{change}");
        assert_eq!(app.number("SELECT count(*) FROM refresh_tokens WHERE rotated_at IS NOT NULL"), 0, "{change}");
    }
}

#[tokio::test]
async fn logging_out_kills_the_token_and_the_cookie_at_once() {
    let app = TestApp::at("2026-05-18T10:00:00Z").await;
    let (token, first) = app.admin_session("admin").await;
    let cookie = refresh(&app, &first).await.refresh_cookie();
    assert_eq!(app.ask("POST", "/api/auth/logout", &token, json!({})).await.status, 200);
    for cookie in [&cookie, &first] {
        assert_eq!(refresh(&app, cookie).await.admin(), DEAD);
    }
    assert!(!works(&app, &token).await);
    assert_eq!(app.last_audit()["action"], "auth.logout");
}

#[tokio::test]
async fn of_refreshes_at_once_one_gets_the_next_token_and_nobody_is_thrown_out() {
    let app = TestApp::spawn().await;
    let (_, cookie) = app.admin_session("admin").await;
    let answers = join_all((0..4).map(|_| refresh(&app, &cookie))).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1, "a second tab is told 401, no more");
    assert_eq!(living(&app), 1);
    assert_eq!(refresh(&app, &good[0].refresh_cookie()).await.status, 200);
}
