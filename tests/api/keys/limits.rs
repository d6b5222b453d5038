//! Limits: fixed windows of a minute, an hour and a day, counted once for each request (contract: keys.md).

use panel::domain::keys::{KeyId, Style};
use panel::domain::time::Timestamp;
use panel::limits::KeyLimits;

use super::{Minted, everything, least, mint};
use crate::support::{Answer, HEALTH, Plan, Request, SUBSCRIBERS, TestApp, instant_of};

fn headers(answer: &Answer) -> [Option<&str>; 3] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(|name| answer.header(name))
}

fn set(app: &TestApp, key: &Minted, rates: [Option<u32>; 3]) {
    let update = "UPDATE api_keys SET rate_per_minute = ?2, rate_per_hour = ?3, rate_per_day = ?4 WHERE id = ?1";
    app.change(update, (key.id, rates[0], rates[1], rates[2]));
}

fn is_through(answer: &Answer) -> bool {
    answer.status != 429
}

#[tokio::test]
async fn a_key_has_its_own_limit_else_its_styles_default_and_zero_is_none() {
    let plan = Plan::new().at("2026-03-20T12:00:00Z").config(|config| config.limits.per_key_per_minute = 3);
    let app = plan.spawn().await;
    for style in Style::ALL {
        let default = if style == Style::Billing { None } else { Some(3) };
        for (own, limit) in [(None, default), (Some(1), Some(1)), (Some(5), Some(5)), (Some(0), None)] {
            let key = mint(&app, "admin", everything(style));
            set(&app, &key, [own, None, None]);
            let mut passed = 0;
            for _ in 0..8 {
                let answer = app.call(key.get()).await;
                passed += u32::from(is_through(&answer));
                let shown = answer.header("x-ratelimit-limit").map(|text| text.parse::<u32>().unwrap());
                assert_eq!(shown, limit, "{} {own:?}", style.as_str());
            }
            assert_eq!(passed, limit.unwrap_or(8), "{} {own:?}", style.as_str());
        }
    }
}

#[tokio::test]
async fn the_headers_are_of_the_window_with_the_least_left() {
    let app = TestApp::at("2026-03-20T22:58:10Z").await;
    let key = mint(&app, "admin", everything(Style::External));
    set(&app, &key, [Some(3), Some(4), Some(100)]);
    // Ends: 22:59:00, 23:00:00, 24:00:00.
    let (minute, hour) = (Some("1774047540"), Some("1774047600"));
    assert_eq!(headers(&app.call(key.get()).await), [Some("3"), Some("2"), minute]);
    app.move_to("2026-03-20T22:59:00Z");
    let answer = app.call(key.get()).await;
    assert_eq!(headers(&answer)[..2], [Some("3"), Some("2")], "of two windows with as much left, the shorter");
    assert_eq!(headers(&app.call(key.get()).await)[..2], [Some("3"), Some("1")]);
    assert_eq!(headers(&app.call(key.get()).await), [Some("3"), Some("0"), hour]);
    let full = app.call(key.get()).await;
    assert_eq!((full.status, full.header("retry-after")), (429, Some("60")));
    assert_eq!(full.body["denied"][0]["have"], "3 of 3 this minute, 4 of 4 this hour");

    app.move_to("2026-03-20T23:00:00Z");
    assert_eq!(headers(&app.call(key.get()).await), [Some("3"), Some("2"), Some("1774047660")]);
}

#[tokio::test]
async fn the_wait_is_to_the_end_of_the_longest_full_window() {
    for (at, rates, wait) in [
        ("2026-03-20T12:00:37Z", [Some(1), None, None], "23"),
        ("2026-03-20T12:00:37.001Z", [Some(1), None, None], "23"),
        ("2026-03-20T12:00:59.999Z", [Some(1), None, None], "1"),
        ("2026-03-20T12:00:37Z", [Some(1), Some(1), None], "3563"),
        ("2026-03-20T12:00:37Z", [Some(1), Some(2), Some(1)], "43163"),
        ("2026-12-31T23:59:30Z", [None, Some(1), Some(1)], "30"),
    ] {
        let app = TestApp::at(at).await;
        let key = mint(&app, "admin", everything(Style::Panel));
        set(&app, &key, rates);
        assert!(is_through(&app.call(key.get()).await), "{at}");
        let full = app.call(key.get()).await;
        assert_eq!((full.status, full.header("retry-after")), (429, Some(wait)), "{at} {rates:?}");
        assert_eq!(full.body["denied"][0]["fix"], format!("wait {wait} s"));
        // A refusal by the limit is not counted: the window ends when it ends.
        let seconds: i64 = wait.parse().unwrap();
        app.move_clock(instant_of(at).plus_millis(seconds * Timestamp::SECOND));
        assert!(is_through(&app.call(key.get()).await), "{at} {rates:?} after the wait");
    }
}

#[tokio::test]
async fn each_request_counts_once_whatever_it_is_answered_and_health_never() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let counted = |key: &Minted| {
        app.number(&format!(
            "SELECT coalesce(sum(requests), 0) FROM key_usage WHERE period = 'hour' AND key_id = {}",
            key.id
        ))
    };
    for style in Style::ALL {
        let key = mint(&app, "admin", least(style));
        set(&app, &key, [Some(50), Some(100), Some(100)]);
        let prefix = ["/api/v1/external", "/api/v1", "/api/v1/billing"][style as usize];
        let calls = [
            ("GET", super::list_of(style).to_owned(), 0),
            ("POST", super::list_of(style).to_owned(), 403),
            ("GET", format!("{prefix}/nothing-of-ours"), 404),
            ("GET", format!("{prefix}/%zz"), 404),
            ("HEAD", super::list_of(style).to_owned(), 0),
        ];
        for (turn, (method, target, status)) in (1..).zip(&calls) {
            let answer = app.call(key.on(Request::new(method, target))).await;
            assert!(*status == 0 || answer.status == *status, "{method} {target}: {}", answer.text);
            let left = format!("{}", 50 - turn);
            assert_eq!(answer.header("x-ratelimit-remaining"), Some(left.as_str()), "{method} {target}");
        }
        for health in [HEALTH, "/api/health"] {
            assert_eq!(app.call(key.on(Request::new("GET", health))).await.header("x-ratelimit-limit"), None);
        }
        let after = app.call(key.get()).await;
        assert_eq!(after.header("x-ratelimit-remaining"), Some("44"), "{}", style.as_str());
        app.eventually("the counts are stored", std::time::Duration::from_secs(5), || counted(&key) == 6).await;
    }
}

#[tokio::test]
async fn what_fails_before_the_limit_takes_nothing_from_it() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    for style in Style::ALL {
        let key = mint(&app, "admin", everything(style));
        set(&app, &key, [Some(1), None, None]);
        for (breaks, repairs) in
            [("allowed_ips = '10.0.0.1'", "allowed_ips = ''"), ("expires_at = 1", "expires_at = NULL")]
        {
            app.change(&format!("UPDATE api_keys SET {breaks} WHERE id = ?1"), [key.id]);
            for _ in 0..3 {
                assert!(matches!(app.call(key.get()).await.status, 401 | 403));
            }
            app.change(&format!("UPDATE api_keys SET {repairs} WHERE id = ?1"), [key.id]);
        }
        assert!(is_through(&app.call(key.get()).await));
        assert!(!is_through(&app.call(key.get()).await));
    }
}

#[tokio::test]
async fn hours_and_days_survive_a_restart_and_minutes_need_not() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let keys = Style::ALL.map(|style| mint(&app, "admin", everything(style)));
    for key in &keys {
        set(&app, key, [Some(100), Some(3), Some(4)]);
        for _ in 0..2 {
            assert!(is_through(&app.call(key.get()).await));
        }
    }

    let app = app.restart().await;

    for key in &keys {
        assert!(is_through(&app.call(key.get()).await), "the third of this hour");
        let full = app.call(key.get()).await;
        assert_eq!((full.status, &full.body["denied"][0]["have"]), (429, &"3 of 3 this hour".into()));
    }
    app.move_to("2026-03-20T13:00:00Z");
    let app = app.restart().await;
    for key in &keys {
        assert!(is_through(&app.call(key.get()).await), "the fourth of this day");
        let full = app.call(key.get()).await;
        assert_eq!(full.body["denied"][0]["have"], "4 of 4 this day");
    }
    app.move_to("2026-03-21T00:00:00Z");
    let app = app.restart().await;
    for key in &keys {
        assert!(is_through(&app.call(key.get()).await), "a new day");
    }
}

#[tokio::test]
async fn of_200_requests_at_once_exactly_the_limit_passes() {
    let plan = Plan::new().at("2026-03-20T12:00:00Z").config(|config| config.limits.per_key_per_minute = 60);
    let app = plan.spawn().await;
    for style in Style::ALL {
        let key = mint(&app, "admin", everything(style));
        if style == Style::Billing {
            set(&app, &key, [Some(60), None, None]);
        }
        let answers = futures_util::future::join_all((0..200).map(|_| app.call(key.get()))).await;
        let passed = answers.iter().filter(|answer| is_through(answer)).count();
        assert_eq!((passed, answers.len() - passed), (60, 140), "{}", style.as_str());
    }
}

#[tokio::test]
async fn the_old_and_the_new_secret_share_one_limit() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let old = mint(&app, "admin", everything(Style::Billing));
    set(&app, &old, [Some(3), None, None]);
    let new = super::rotate(&app, &old, Timestamp::DAY);
    for key in [&old, &new, &old] {
        assert!(is_through(&app.call(key.get()).await));
    }
    for key in [&old, &new] {
        assert!(!is_through(&app.call(key.get()).await));
    }
}

/// How many keys it remembers, by what it would print of itself.
fn remembered(limits: &KeyLimits) -> usize {
    format!("{limits:?}").matches("KeyId(").count()
}

#[tokio::test]
async fn a_million_keys_are_forgotten_when_their_day_is_over() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "read");
    let mut facts = app.panel.db.read(|tx| panel::store::keys::find_newest_facts(tx, KeyId(key.id))).unwrap().unwrap();
    let (limits, noon) = (KeyLimits::new(60), instant_of("2026-03-20T12:00:00Z"));
    for id in 0..1_000_000 {
        facts.id = KeyId(id);
        limits.take(&facts, noon).unwrap();
    }
    assert_eq!(remembered(&limits), 1_000_000);
    limits.forget_idle(instant_of("2026-03-20T23:59:59.999Z"));
    assert_eq!(remembered(&limits), 1_000_000, "their day is not over");
    facts.id = KeyId(7);
    limits.take(&facts, instant_of("2026-03-21T00:00:00Z")).unwrap();
    limits.forget_idle(instant_of("2026-03-21T00:00:00Z"));
    assert_eq!(remembered(&limits), 1, "only the one used today");
    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
}
