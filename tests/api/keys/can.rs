//! `panel key can` and the door are one decision: what the one says, the other does.

use std::net::IpAddr;

use panel::actions::keys::{Question, can};
use panel::domain::keys::{KeyId, Style};
use panel::domain::policy::Denial;
use panel::domain::routes::{Found, Method, Need, Surface, find};
use panel::domain::time::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::world::{self, ADDRESSES};
use crate::support::{Plan, Request, TestApp, instant_of};

const KEYS: i64 = 400;

fn listed(denial: &Denial) -> Value {
    let entry = |denied: &panel::domain::policy::Denied| {
        let mut entry = Map::from_iter([("gate".to_owned(), json!(denied.gate.as_str()))]);
        for (name, text) in [("need", &denied.need), ("have", &denied.have), ("fix", &denied.fix)] {
            entry.extend(text.iter().map(|text| (name.to_owned(), json!(text))));
        }
        Value::Object(entry)
    };
    denial.failing().map(entry).collect()
}

/// Paths that the table has, that it nearly has, and that it does not have.
fn any_path() -> impl Strategy<Value = String> {
    let known: Vec<_> = Surface::ALL.iter().flat_map(|surface| surface.routes()).map(world::path_of).collect();
    let later = [
        "domains",
        "domains/ada.example/records",
        "databases",
        "ssl/7",
        "backups",
        "backup-schedules",
        "email/x/y",
        "ftp",
        "files/a%20b",
        "restore",
        "webhooks",
        "auth/sso/google",
        "dnsx",
    ];
    let later = prop::sample::select(later.to_vec()).prop_map(|tail| format!("/api/v1/{tail}"));
    let strange = [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/external",
        "/api/v1/billing/",
        "/api/v1/external/x",
        "/api/v1/billing/x/y",
        "/api/v1/x",
        "/api/healthy",
        "/api/health/x",
        "/api/v1/external/%zz",
        "/API/v1/users",
        "/favicon.ico",
    ];
    let tails = prop::sample::select(vec!["", "", "", "", "/", "/x", "//", "/..", "?page=1", "%2F"]);
    let known = prop::sample::select(known);
    let table = (known, tails).prop_map(|(path, tail)| path + tail);
    prop_oneof![6 => table, 2 => later, 1 => prop::sample::select(strange.to_vec()).prop_map(str::to_owned)]
}

type Case = (i64, &'static str, String, Option<&'static str>, i64);

fn any_case() -> impl Strategy<Value = Case> {
    let methods = prop::sample::select(vec!["GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD"]);
    let address = prop::option::weighted(0.9, prop::sample::select(&ADDRESSES[..]));
    let moved = prop::sample::select(vec![-Timestamp::DAY, -1, 0, 1, 39 * Timestamp::DAY, 41 * Timestamp::DAY]);
    (1..=KEYS, methods, any_path(), address, moved)
}

/// The request with the key where the path's surface looks for one.
fn showing(style: Style, number: i64, method: &str, target: &str) -> Request {
    let (key, secret) = world::credential(style, number);
    let request = Request::new(method, target);
    match Surface::of(target.split('?').next().unwrap_or_default()) {
        // Of a pair, the secret would be the better thing to try.
        Surface::External => request.header("x-api-key", secret),
        Surface::Panel | Surface::Admin => request.header("authorization", format!("Bearer {secret}")),
        Surface::Billing => request.header("x-api-key", key).header("x-api-secret", secret),
    }
}

async fn app_with_keys(now: Timestamp, runner: &mut TestRunner) -> (TestApp, Vec<Style>) {
    let plan = Plan::new().at("2026-03-20T12:00:00Z").without_jobs();
    let app = plan.config(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).spawn().await;
    let mut database = app.beside();
    let all = database.transaction().unwrap();
    world::write_packages(&all);
    let mut styles = Vec::new();
    for number in 1..=KEYS {
        let mut setup = world::any_setup().new_tree(runner).unwrap().current();
        // Limits have their own tests; here each call must be judged by the other gates.
        (setup.rates, setup.used) = ([None; 3], [0; 3]);
        assert_eq!(world::write(&all, number, &setup, now), number);
        styles.push(setup.grants.style());
    }
    all.commit().unwrap();
    (app, styles)
}

/// 10 000 cases, or `PANEL_CASES`.
#[tokio::test]
async fn what_can_says_is_what_the_door_does() {
    let now = instant_of("2026-03-20T12:00:00Z");
    let mut runner = TestRunner::default();
    let (app, styles) = app_with_keys(now, &mut runner).await;
    let (mut connection, cases) = (app.connect(), any_case());
    let (mut refused, mut passed) = (0_u32, 0_u32);
    for _ in 0..world::cases(10_000) {
        let (number, method, target, address, moved) = cases.new_tree(&mut runner).unwrap().current();
        let path = target.split('?').next().unwrap_or_default();
        let known = Method::parse(method).unwrap();
        if matches!(find(Some(known), path), Found::Route(route, _) if route.need == Need::Nobody) {
            continue; // A login looks at no key.
        }
        let style = styles[usize::try_from(number - 1).unwrap()];
        let mut request = showing(style, number, method, &target);
        if let Some(address) = address {
            request = request.header("x-forwarded-for", address);
        }
        let ip: Option<IpAddr> = address.map(|address| address.parse().unwrap());
        let at = now.plus_millis(moved);
        app.move_clock(at);
        let question = Question { key: KeyId(number), method: known, path, ip, at, limits: &[] };
        let said = app.panel.db.read(|tx| can(tx, &question)).unwrap();

        let answer = connection.call(&request);

        let told = format!("{request} key {number} {} from {address:?} at {moved}: {}", style.as_str(), answer.text);
        match said.denial {
            Some(denial) => {
                let status = if denial.gate().number() <= 7 { 401 } else { 403 };
                assert_eq!(answer.status, status, "{told}");
                assert!(method == "HEAD" || answer.body["denied"] == listed(&denial), "{told} but {denial:?}");
                refused += 1;
            }
            None => {
                assert!(answer.body.get("denied").is_none() && answer.status != 401, "{told}");
                passed += 1;
            }
        }
    }
    assert!(passed > refused / 50 && refused > passed / 50, "both verdicts are tried: {passed} and {refused}");
}

#[tokio::test]
async fn asking_consumes_nothing() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.key_with("admin", "read", crate::support::NewKey { rate: Some(1), ..Default::default() });
    app.change("UPDATE api_keys SET rate_per_hour = 1 WHERE id = ?1", [key.id]);
    for _ in 0..5 {
        let question = Question {
            key: KeyId(key.id),
            method: Method::Get,
            path: crate::support::SUBSCRIBERS,
            ip: None,
            at: app.now(),
            limits: &[],
        };
        assert!(app.panel.db.read(|tx| can(tx, &question)).unwrap().denial.is_none());
    }
    assert_eq!(app.get(crate::support::SUBSCRIBERS, &key).await.status, 200);
    assert_eq!(app.count("api_key_secrets"), 1);
}
