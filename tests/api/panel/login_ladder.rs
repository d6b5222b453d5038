//! Guessing passwords: the ladder of a name at an address, and the limit of an address (panel.md, Session; keys.md,
//! Neighbours).

use futures_util::future::join_all;
use panel::domain::time::Timestamp;
use serde_json::json;

use super::people;
use crate::support::{ADMIN_LOGIN, Answer, LOGIN, PASSWORD, Plan, Request, TestApp};

const NOON: &str = "2026-05-18T12:00:00Z";

async fn at_noon() -> TestApp {
    let proxy =
        |config: &mut panel::config::Config| config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let app = Plan::new().config(proxy).at(NOON).spawn().await;
    people(&app);
    app.give_password("ulla").await;
    app
}

async fn log_in(app: &TestApp, login: &str, name: &str, password: &str, ip: &str) -> Answer {
    let request = Request::new("POST", login).json(&json!({"username": name, "password": password}));
    app.call(request.header("x-forwarded-for", ip)).await
}

async fn guess(app: &TestApp, name: &str, ip: &str) -> (u16, Option<String>) {
    let answer = log_in(app, LOGIN, name, "wrong", ip).await;
    (answer.status, answer.header("retry-after").map(str::to_owned))
}

fn seconds_later(app: &TestApp, seconds: i64) {
    app.move_clock(app.now().plus_millis(seconds * Timestamp::SECOND));
}

#[tokio::test]
async fn five_failures_close_a_name_to_an_address_for_ever_longer_up_to_an_hour() {
    let app = at_noon().await;
    for _ in 0..5 {
        assert_eq!(guess(&app, "ulla", "192.0.2.1").await, (401, None));
    }
    for seconds in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        let closed = log_in(&app, LOGIN, "ulla", PASSWORD, "192.0.2.1").await;
        assert_eq!(
            (closed.status, closed.panel().1, closed.gates()),
            (429, "RATE_LIMITED", vec!["rate"]),
            "the right password too"
        );
        assert_eq!(closed.header("retry-after"), Some(seconds.to_string().as_str()));
        seconds_later(&app, seconds - 1);
        assert_eq!(guess(&app, "ulla", "192.0.2.1").await, (429, Some("1".to_owned())), "{seconds}");
        seconds_later(&app, 1);
        assert_eq!(guess(&app, "ulla", "192.0.2.1").await.0, 401, "one try after {seconds} s");
    }
    assert_eq!(app.count("sessions"), 0);
    // A day without a failure, and all is forgotten.
    seconds_later(&app, 86_400);
    for _ in 0..5 {
        assert_eq!(guess(&app, "ulla", "192.0.2.1").await.0, 401);
    }
    assert_eq!(guess(&app, "ulla", "192.0.2.1").await, (429, Some("60".to_owned())));
}

#[tokio::test]
async fn a_closed_name_is_open_to_other_addresses_and_other_names_to_the_address() {
    let app = at_noon().await;
    app.give_password("vera").await;
    for _ in 0..5 {
        guess(&app, "ulla", "192.0.2.1").await;
    }
    assert_eq!(log_in(&app, LOGIN, "ulla", PASSWORD, "192.0.2.1").await.status, 429);
    assert_eq!(log_in(&app, LOGIN, "ULLA", PASSWORD, "192.0.2.1").await.status, 429, "whatever the case");
    assert_eq!(log_in(&app, LOGIN, "ulla", PASSWORD, "192.0.2.2").await.status, 200);
    assert_eq!(log_in(&app, LOGIN, "ulla", PASSWORD, "192.0.2.1").await.status, 429, "that opened nothing here");
    assert_eq!(log_in(&app, LOGIN, "vera", PASSWORD, "192.0.2.1").await.status, 200);
    // IPv6 counts by its network.
    for end in 0..5 {
        assert_eq!(guess(&app, "vera", &format!("2001:db8::{end}")).await.0, 401);
    }
    assert_eq!(log_in(&app, LOGIN, "vera", PASSWORD, "2001:db8::ffff").await.status, 429);
    assert_eq!(log_in(&app, LOGIN, "vera", PASSWORD, "2001:db8:0:1::1").await.status, 200);
}

/// Whoever has one network of IPv6 often has the 65 536 beside it: each used to have a ladder of its own.
#[tokio::test]
async fn under_attack_all_networks_of_a_site_are_one_and_everybody_else_gets_in() {
    let app = at_noon().await;
    for network in 0..50 {
        assert_eq!(guess(&app, "ulla", &format!("2001:db8:1:{network:x}::1")).await.0, 401, "not yet an attack");
    }
    assert_eq!(guess(&app, "ulla", "2001:db8:1:ffff::1").await, (429, Some("60".to_owned())));
    assert_eq!(log_in(&app, LOGIN, "ulla", PASSWORD, "2001:db8:1:1::1").await.status, 429);
    for elsewhere in ["2001:db8:2::1", "192.0.2.1"] {
        assert_eq!(log_in(&app, LOGIN, "ulla", PASSWORD, elsewhere).await.status, 200, "{elsewhere}");
    }
    // A success forgets what was counted from there, as anywhere else.
    seconds_later(&app, 60);
    assert_eq!(log_in(&app, LOGIN, "ulla", PASSWORD, "2001:db8:1:1::1").await.status, 200);
    assert_eq!(guess(&app, "ulla", "2001:db8:1:2::1").await.0, 401);
}

#[tokio::test]
async fn both_surfaces_climb_one_ladder_and_a_success_begins_it_anew() {
    let app = at_noon().await;
    app.give_password("rita").await;
    for turn in 0..4 {
        let login = if turn % 2 == 0 { LOGIN } else { ADMIN_LOGIN };
        assert_eq!(log_in(&app, login, "rita", "wrong", "192.0.2.1").await.status, 401);
    }
    assert_eq!(log_in(&app, ADMIN_LOGIN, "rita", PASSWORD, "192.0.2.1").await.status, 200);
    for login in [LOGIN, ADMIN_LOGIN, "/api/auth/login/json", LOGIN, LOGIN] {
        assert_eq!(log_in(&app, login, "rita", "wrong", "192.0.2.1").await.status, 401, "{login}");
    }
    for login in [LOGIN, ADMIN_LOGIN, "/api/auth/login/json"] {
        assert_eq!(log_in(&app, login, "rita", PASSWORD, "192.0.2.1").await.status, 429, "{login}");
    }
}

#[tokio::test]
async fn an_unknown_name_answers_and_closes_exactly_as_a_known_one() {
    let app = at_noon().await;
    for turn in 0..8 {
        let known = log_in(&app, LOGIN, "ulla", "wrong", "192.0.2.1").await;
        let unknown = log_in(&app, LOGIN, "nobody", "wrong", "192.0.2.1").await;
        assert_eq!((known.status, &known.text), (unknown.status, &unknown.text), "{turn}");
        assert_eq!(known.header("retry-after"), unknown.header("retry-after"), "{turn}");
        let names = |answer: &Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&known), names(&unknown), "{turn}");
    }
    let rows =
        app.rows("SELECT ip, failures, locked_until FROM login_attempts WHERE username_key = 'ulla' ORDER BY ip");
    assert_eq!(
        rows,
        app.rows("SELECT ip, failures, locked_until FROM login_attempts WHERE username_key = 'nobody' ORDER BY ip")
    );
}

#[tokio::test]
async fn a_restart_does_not_open_what_was_closed() {
    let app = at_noon().await;
    for _ in 0..5 {
        guess(&app, "ulla", "192.0.2.1").await;
    }
    let app = app.restart().await;
    assert_eq!(guess(&app, "ulla", "192.0.2.1").await, (429, Some("60".to_owned())));
}

/// Of guesses sent all at once no more are looked at than of guesses sent one after another.
#[tokio::test]
async fn guesses_at_once_get_no_more_tries_than_one_after_another() {
    let app = at_noon().await;
    let answers = join_all((0..20).map(|_| guess(&app, "ulla", "192.0.2.1"))).await;
    let tried = answers.iter().filter(|(status, _)| *status == 401).count();
    assert!(tried <= 5, "{tried} passwords were tried before the name was closed");
}

/// An account that may not log in here says so only to whoever may still try: else the ladder would let guesses be judged.
#[tokio::test]
async fn a_right_password_that_came_too_late_does_not_learn_that_it_was_right() {
    let app = at_noon().await;
    let wrong = (0..15).map(|_| log_in(&app, ADMIN_LOGIN, "ulla", "wrong", "192.0.2.1"));
    let right = (0..1).map(|_| log_in(&app, ADMIN_LOGIN, "ulla", PASSWORD, "192.0.2.1"));
    let answers = join_all(wrong.chain(right)).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    let alone = log_in(&app, ADMIN_LOGIN, "ulla", PASSWORD, "192.0.2.2").await;
    assert_eq!((alone.status, alone.gates()), (403, vec!["role"]), "in time it is told: {}", alone.text);
}

#[tokio::test]
async fn the_check_of_the_current_password_stands_on_the_same_ladder() {
    let app = at_noon().await;
    let token = app.panel_token("ulla");
    let change = |password: &'static str| {
        let body = json!({"password": "green-heron 4410", "current_password": password});
        let request = Request::new("PUT", "/api/v1/users/ulla").bearer(&token).json(&body);
        app.call(request.header("x-forwarded-for", "192.0.2.1"))
    };
    for _ in 0..5 {
        assert_eq!(change("wrong").await.status, 400);
    }
    assert_eq!(change(PASSWORD).await.status, 429, "a found session must not guess on");
    seconds_later(&app, 60);
    assert_eq!(change(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_address_has_so_many_logins_a_minute_whoever_it_names_and_however_they_end() {
    let app = TestApp::with(|config| {
        config.limits.login_per_minute = 3;
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    app.give_password("admin").await;
    for (login, name, password, status) in [
        (LOGIN, "admin", PASSWORD, 200),
        (ADMIN_LOGIN, "nobody", "wrong", 401),
        (LOGIN, "", "", 400),
        (LOGIN, "admin", PASSWORD, 429),
        (ADMIN_LOGIN, "admin", PASSWORD, 429),
        ("/api/auth/login/json", "admin", PASSWORD, 429),
    ] {
        assert_eq!(log_in(&app, login, name, password, "192.0.2.1").await.status, status, "{login} {name}");
    }
    let full = log_in(&app, LOGIN, "admin", PASSWORD, "192.0.2.1").await;
    assert!(full.header("retry-after").unwrap().parse::<u32>().unwrap() <= 60);
    assert_eq!(log_in(&app, LOGIN, "admin", PASSWORD, "192.0.2.2").await.status, 200);
}
