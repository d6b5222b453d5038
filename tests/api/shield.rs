//! What one address may ask without a valid key, and that a valid key beside it is never refused (contract: Neighbours).

use serde_json::json;

use crate::support::{Answer, Key, NewKey, Plan, Request, SUBSCRIBERS, TestApp};

fn assert_sent_away(answer: &Answer) {
    assert_eq!((answer.status, answer.code()), (429, "RATE_LIMIT_EXCEEDED"));
    assert_eq!(answer.body["denied"], json!([{"gate": "rate"}]), "a stranger is told no more");
}

#[tokio::test]
async fn strangers_beyond_the_limit_are_sent_away_and_a_valid_key_beside_them_is_not() {
    let app = TestApp::with(|config| config.limits.per_ip_per_minute = 5).await;
    let key = app.external_key("admin", "read");
    for _ in 0..5 {
        assert_eq!(app.get(SUBSCRIBERS, &Key::none()).await.status, 401);
    }
    for target in [SUBSCRIBERS, "/api/v1/external/nope"] {
        assert_sent_away(&app.get(target, &Key::none()).await);
    }
    for _ in 0..20 {
        assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
    }
    assert_sent_away(&app.get(SUBSCRIBERS, &Key::none()).await);
}

#[tokio::test]
async fn a_valid_key_takes_nothing_from_its_address() {
    let app = TestApp::with(|config| config.limits.per_ip_per_minute = 2).await;
    let key = app.external_key("admin", "read");
    for _ in 0..20 {
        assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
        assert_eq!(app.post(SUBSCRIBERS, &key, json!({})).await.status, 403);
    }
    assert_eq!(app.get(SUBSCRIBERS, &Key::none()).await.status, 401);
}

#[tokio::test]
async fn a_key_that_its_gates_refuse_counts_against_its_address() {
    let app = TestApp::with(|config| config.limits.per_ip_per_minute = 3).await;
    let elsewhere = app.key_with("admin", "read", NewKey { ips: &["10.0.0.1"], ..NewKey::default() });
    for _ in 0..3 {
        assert_eq!(app.get(SUBSCRIBERS, &elsewhere).await.code(), "IP_NOT_ALLOWED");
    }
    assert_eq!(app.get(SUBSCRIBERS, &elsewhere).await.status, 429);
}

#[tokio::test]
async fn failing_credentials_are_sent_away_for_a_minute_and_a_valid_one_is_not() {
    let plan = Plan::new().config(|config| config.limits.failures_per_minute = 3).at("2026-03-20T12:00:30Z");
    let app = plan.spawn().await;
    let key = app.external_key("admin", "read");
    for at in 0..3 {
        let answer = app.get(SUBSCRIBERS, &Key::of(&format!("pk_live_guess{at}"))).await;
        assert_eq!((answer.status, answer.code()), (401, "INVALID_API_KEY"));
    }
    let refused = app.get(SUBSCRIBERS, &Key::of("pk_live_guess3")).await;
    assert_sent_away(&refused);
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
    assert_eq!(app.get(SUBSCRIBERS, &Key::none()).await.status, 401, "no credential is not a failing one");
    app.move_to("2026-03-20T12:01:29Z");
    assert_eq!(app.get(SUBSCRIBERS, &Key::of("pk_live_guess4")).await.header("retry-after"), Some("1"));
    app.move_to("2026-03-20T12:01:30Z");
    assert_eq!(app.get(SUBSCRIBERS, &Key::of("pk_live_guess5")).await.status, 401);
}

#[tokio::test]
async fn an_address_counts_by_itself_and_ipv6_by_its_network() {
    let app = TestApp::with(|config| {
        config.limits.per_ip_per_minute = 1;
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let from = |ip: &str| Request::new("GET", SUBSCRIBERS).header("x-forwarded-for", ip);
    for (ip, status) in [
        ("198.51.100.1", 401),
        ("198.51.100.1", 429),
        ("198.51.100.2", 401),
        ("2001:db8:0:1::1", 401),
        ("2001:db8:0:1:ffff::9", 429),
        ("2001:db8:0:2::1", 401),
        ("::ffff:198.51.100.2", 429),
    ] {
        assert_eq!(app.call(from(ip)).await.status, status, "{ip}");
    }
}

#[tokio::test]
async fn zero_is_no_limit() {
    let app = TestApp::spawn().await;
    for _ in 0..400 {
        assert_eq!(app.get(SUBSCRIBERS, &Key::of("pk_live_unknown")).await.status, 401);
    }
}
