//! Sessions of the panel surface: what ends them, and which tokens open nothing (panel.md, Session).

use panel::crypto::KeyFile;
use panel::crypto::signer::{Signer, Token};
use panel::domain::encoding::{base64url, hex};
use panel::domain::sessions::Audience;
use panel::domain::time::Timestamp;
use panel::domain::users::{Role, UserId};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{ME, PACKAGES, USERS, people};
use crate::support::{Answer, PASSWORD, Plan, Request, TestApp};

const OVER: (u16, &str, &str) = (401, "UNAUTHORIZED", "Invalid or expired session");
const REFRESH: &str = "/api/v1/auth/refresh";

fn token_of(answer: &Answer) -> String {
    answer.body["token"].as_str().unwrap_or_else(|| panic!("no token in {}", answer.text)).to_owned()
}

#[tokio::test]
async fn logging_out_kills_this_token_at_once_and_no_other() {
    let app = TestApp::spawn().await;
    people(&app);
    let (one, two) = (app.session("ulla").await, app.session("ulla").await);
    let out = app.ask("POST", "/api/v1/auth/logout", &one, json!({})).await;
    assert_eq!(out.text, r#"{"message":"Logged out successfully"}"#);
    for target in [ME, USERS, "/api/v1/domains", "/api/v1/nothing"] {
        let refused = app.see(target, &one).await;
        assert_eq!((refused.panel(), refused.gates()), (OVER, vec!["key"]), "{target}");
    }
    assert_eq!(app.ask("POST", "/api/v1/auth/logout", &one, json!({})).await.panel(), OVER);
    assert_eq!(app.see(ME, &two).await.status, 200);
    let key = app.panel_key("ulla", "all");
    for target in [REFRESH, "/api/v1/auth/logout"] {
        let by_key = app.ask("POST", target, key.secret(), json!({})).await;
        assert_eq!(by_key.panel(), (403, "FORBIDDEN", "Session required"));
    }
}

#[tokio::test]
async fn a_token_lives_a_day_to_the_second() {
    let app = TestApp::at("2026-05-01T00:00:00Z").await;
    people(&app);
    let token = app.session("ulla").await;
    app.move_to("2026-05-01T23:59:59Z");
    assert_eq!(app.see(ME, &token).await.status, 200);
    app.move_to("2026-05-02T00:00:00Z");
    let over = app.see(ME, &token).await;
    assert_eq!((over.panel(), over.gates()), (OVER, vec!["expired"]));
    assert_eq!(app.ask("POST", REFRESH, &token, json!({})).await.panel(), OVER, "too late to renew");
}

#[tokio::test]
async fn a_session_is_renewed_for_thirty_days_and_each_renewal_kills_the_token_before_it() {
    let app = TestApp::at("2026-05-01T00:00:00Z").await;
    people(&app);
    let began = app.now();
    let at_hour = |hour: i64| app.move_clock(began.plus_millis(hour * Timestamp::HOUR));
    let mut token = app.session("ulla").await;
    for hour in (20..=700).step_by(20) {
        at_hour(hour);
        let renewed = app.ask("POST", REFRESH, &token, json!({})).await;
        let left = (720 - hour).min(24) * 3_600;
        assert_eq!((renewed.status, &renewed.body["expires_in"]), (200, &json!(left)), "{hour}");
        let next = token_of(&renewed);
        assert_ne!(next, token);
        assert_eq!(app.see(ME, &token).await.panel(), OVER, "{hour}: the old one is dead");
        assert_eq!(app.ask("POST", REFRESH, &token, json!({})).await.panel(), OVER);
        assert_eq!(app.see(ME, &next).await.status, 200, "{hour}");
        token = next;
    }
    app.move_to("2026-05-30T23:59:59Z");
    assert_eq!(app.see(ME, &token).await.status, 200);
    app.move_to("2026-05-31T00:00:00Z");
    assert_eq!(app.see(ME, &token).await.panel(), OVER);
    assert_eq!(app.ask("POST", REFRESH, &token, json!({})).await.panel(), OVER);
}

#[tokio::test]
async fn a_token_of_one_surface_opens_nothing_on_the_other() {
    let app = TestApp::spawn().await;
    let (panel, (admin, _)) = (app.session("admin").await, app.admin_session("admin").await);
    for target in [ME, USERS, PACKAGES] {
        assert_eq!(app.see(target, &admin).await.panel(), OVER, "{target}");
        assert_eq!(app.see(target, &panel).await.status, 200, "{target}");
    }
    for target in ["/api/auth/me", "/api/api-keys", "/api/auth/sessions"] {
        assert_eq!(app.see(target, &panel).await.admin(), (401, "invalid token"), "{target}");
        assert_eq!(app.see(target, &admin).await.status, 200, "{target}");
    }
    // Nor where keys stand.
    let external = Request::new("GET", "/api/v1/external/subscribers").bearer(&panel).header("x-api-key", &panel);
    assert_eq!(app.call(external).await.code(), "INVALID_API_KEY");
}

#[tokio::test]
async fn tokens_that_are_not_ours_open_nothing() {
    let app = TestApp::at("2026-05-18T10:39:25Z").await;
    let good = app.panel_token("admin");
    let parts: Vec<&str> = good.split('.').collect();
    let header = |alg: &str| base64url(format!(r#"{{"typ":"JWT","alg":"{alg}"}}"#).as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let stranger = Signer::new(&KeyFile::open_or_create(folder.path().join("panel.key")).unwrap());
    let sign = |signer: &Signer, session_id: &str, audience| {
        let token = Token {
            user: UserId(1),
            role: Role::Admin,
            audience,
            session_id: &session_id.to_owned().into(),
            issued_at: app.now(),
            expires_at: app.now().plus_millis(Timestamp::DAY),
        };
        signer.sign(token).unwrap().expose_secret().to_owned()
    };
    let mut flipped = parts[2].to_owned();
    flipped.replace_range(..1, if flipped.starts_with('A') { "B" } else { "A" });
    for (bad, why) in [
        (format!("{}.{}.", header("none"), parts[1]), "alg none"),
        (format!("{}.{}.{}", header("none"), parts[1], parts[2]), "alg none with a signature"),
        (format!("{}.{}.{}", header("HS512"), parts[1], parts[2]), "another hash"),
        (format!("{}.{}.{}", header("RS256"), parts[1], parts[2]), "another family"),
        (format!("{}.{}.{flipped}", parts[0], parts[1]), "another signature"),
        (
            format!("{}.{}.{}", parts[0], base64url(br#"{"sub":"1","aud":"panel","exp":9999999999}"#), parts[2]),
            "another content",
        ),
        (sign(&stranger, "any", Audience::Panel), "another key"),
        (sign(&app.panel.signer, "0123456789abcdef", Audience::Panel), "ours, and no session behind it"),
        (sign(&app.panel.signer, "", Audience::Panel), "ours, and empty"),
        (sign(&app.panel.signer, "' OR 1=1 --", Audience::Panel), "ours, and clever"),
        (format!("{good}x"), "longer"),
        (good.to_uppercase(), "shouted"),
        (format!("{}.{}", parts[0], parts[1]), "two parts"),
        ("x".repeat(5_000), "large"),
        ("wsp".to_owned(), "nearly a key"),
    ] {
        for request in [Request::new("GET", ME), Request::new("POST", PACKAGES).json(&json!({"name": "x"}))] {
            let refused = app.call(request.bearer(&bad)).await;
            assert_eq!((refused.panel(), refused.gates()), (OVER, vec!["key"]), "{why}");
        }
    }
    for scheme in
        [format!("Basic {good}"), format!("Bearer{good}"), good.clone(), "Bearer ".to_owned(), format!("Token {good}")]
    {
        let refused = app.call(Request::new("GET", ME).header("authorization", &scheme)).await;
        assert_eq!(refused.status, 401, "{scheme}");
    }
    assert_eq!(app.call(Request::new("GET", ME).header("authorization", format!("bearer {good}"))).await.status, 200);
    let twice = Request::new("GET", ME).bearer(&good).bearer(&good);
    assert_eq!(app.call(twice).await.status, 400);
    assert_eq!(app.call(Request::new("GET", &format!("{ME}?token={good}&access_token={good}"))).await.status, 401);
    assert_eq!(app.count("packages"), 1);
}

#[tokio::test]
async fn a_password_set_or_a_suspension_ends_every_session_of_the_user() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let set = json!({"password": "green-heron 4410"});
    for (method, target, body) in [
        ("PUT", format!("{USERS}/rita"), set.clone()),
        ("PUT", "/api/v1/resellers/rita".to_owned(), set),
        ("POST", format!("{USERS}/rita/suspend"), json!({})),
    ] {
        let tokens = [app.panel_token("rita"), app.panel_token("rita")];
        let (on_admin, other) = (app.admin_token("rita"), app.panel_token("ulla"));
        assert_eq!(app.see("/api/auth/me", &on_admin).await.status, 200);
        assert_eq!(app.ask(method, &target, &admin, body).await.status, 200);
        for token in &tokens {
            assert_eq!(app.see(ME, token).await.panel(), OVER, "{target}");
        }
        assert_eq!(app.see("/api/auth/me", &on_admin).await.admin(), (401, "invalid token"), "{target}");
        let status = if target.ends_with("suspend") { 403 } else { 200 };
        assert_eq!(app.see(ME, &other).await.status, status, "its user is refused, not logged out");
    }
    assert_eq!(app.ask("POST", &format!("{USERS}/rita/unsuspend"), &admin, json!({})).await.status, 200);
    assert_eq!(app.number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND user_id = (SELECT id FROM users WHERE username = 'rita')"), 0, "and they stay ended");
    let token = app.panel_token("vera");
    assert_eq!(app.ask("DELETE", &format!("{USERS}/vera"), &admin, json!({})).await.status, 200);
    assert_eq!(app.see(ME, &token).await.panel(), OVER, "a deleted one's");
}

#[tokio::test]
async fn the_own_password_ends_the_other_sessions() {
    let app = TestApp::spawn().await;
    people(&app);
    let (one, two) = (app.session("ulla").await, app.session("ulla").await);
    let body = json!({"password": "green-heron 4410", "current_password": PASSWORD});
    assert_eq!(app.ask("PUT", &format!("{USERS}/ulla"), &one, body).await.status, 200);
    assert_eq!(app.see(ME, &two).await.panel(), OVER);
}

/// "A password change or suspension ends all sessions of the user" (panel.md); only the admin surface's own route says
/// "the other sessions" (admin.md).
#[tokio::test]
async fn a_password_change_on_this_surface_ends_all_sessions_and_so_this_one() {
    let app = TestApp::spawn().await;
    people(&app);
    let one = app.session("ulla").await;
    let body = json!({"password": "green-heron 4410", "current_password": PASSWORD});
    assert_eq!(app.ask("PUT", &format!("{USERS}/ulla"), &one, body).await.status, 200);
    assert_eq!(app.see(ME, &one).await.panel(), OVER);
}

#[tokio::test]
async fn a_demoted_admins_session_loses_the_admin_routes_with_the_next_call() {
    let app = TestApp::spawn().await;
    people(&app);
    app.user("anna", Role::Admin, Some("admin"));
    let (anna, admin) = (app.panel_token("anna"), app.panel_token("admin"));
    assert_eq!(app.ask("POST", PACKAGES, &anna, json!({"name": "one"})).await.status, 201);
    for (role, resellers, users) in [("reseller", 200, 1), ("user", 403, 1), ("admin", 200, 7)] {
        assert_eq!(app.ask("PUT", &format!("{USERS}/anna"), &admin, json!({"role": role})).await.status, 200);
        let made = app.ask("POST", PACKAGES, &anna, json!({"name": role})).await;
        assert_eq!(made.status, if role == "admin" { 201 } else { 403 }, "{role}");
        assert_eq!(app.see("/api/v1/resellers", &anna).await.status, resellers, "{role}");
        assert_eq!(app.see(USERS, &anna).await.body.as_array().unwrap().len(), users, "{role}");
        assert_eq!(app.see(ME, &anna).await.body["role"], role);
    }
}

#[tokio::test]
async fn a_session_has_a_budget_of_its_own_beside_its_addresss() {
    let app = Plan::new().config(|config| config.limits.per_ip_per_minute = 3).spawn().await;
    people(&app);
    let (one, two) = (app.panel_token("ulla"), app.panel_token("ulla"));
    for _ in 0..3 {
        assert_eq!(app.see(ME, "").await.status, 401);
    }
    assert_eq!(app.see(ME, "").await.panel().1, "RATE_LIMITED", "strangers have used up the address");
    for _ in 0..3 {
        assert_eq!(app.see(ME, &one).await.status, 200, "a session is not a stranger");
    }
    let full = app.see(ME, &one).await;
    assert_eq!((full.status, full.panel().1, full.gates()), (429, "RATE_LIMITED", vec!["rate"]));
    assert_eq!(app.see(ME, &two).await.status, 200, "nor is it another session");

    let app = Plan::new().config(|config| config.limits.per_ip_per_minute = 3).spawn().await;
    people(&app);
    let token = app.panel_token("ulla");
    for _ in 0..3 {
        assert_eq!(app.see(ME, &token).await.status, 200);
    }
    assert_eq!(app.see(ME, &token).await.status, 429);
    for _ in 0..3 {
        assert_eq!(app.see(ME, "").await.status, 401, "the address pays nothing for a session");
    }
}

#[tokio::test]
async fn tokens_that_open_nothing_count_as_failures_of_their_address_and_shut_no_session_out() {
    let app = Plan::new().config(|config| config.limits.failures_per_minute = 2).spawn().await;
    let good = app.panel_token("admin");
    for _ in 0..2 {
        assert_eq!(app.see(ME, &hex(b"nonsense")).await.panel(), OVER);
    }
    assert_eq!(app.see(ME, "a.b.c").await.panel().1, "RATE_LIMITED");
    assert_eq!(app.see("/api/auth/me", "a.b.c").await.status, 429);
    assert_eq!(app.see(ME, &good).await.status, 200);
}
