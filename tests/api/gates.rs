//! The thirteen gates as the external surface shows them (contract: keys.md, The decision). Every change is made by a
//! connection beside the server's, as the command line makes it, and must be in force for the next request.

use panel::app::Clock;
use panel::domain::time::Timestamp;
use panel::domain::users::Role;
use serde_json::{Value, json};

use crate::support::{Key, NewKey, Plan, Request, SUBSCRIBERS, TestApp};

struct Case {
    name: &'static str,
    breaks: &'static str,
    repairs: &'static str,
    status: u16,
    code: &'static str,
    denied: Value,
}

fn cases() -> Vec<Case> {
    let case = |name, breaks, repairs, status, code, denied| Case { name, breaks, repairs, status, code, denied };
    vec![
        case(
            "expired",
            "UPDATE api_keys SET expires_at = 1000 WHERE id = 1",
            "UPDATE api_keys SET expires_at = NULL WHERE id = 1",
            401,
            "API_KEY_EXPIRED",
            json!({"gate": "expired", "need": "an expiry in the future", "have": "expired 1970-01-01T00:00:01Z",
                   "fix": format!("panel key update 1 --expires {}", in_a_year())}),
        ),
        case(
            "owner deleted",
            "UPDATE users SET deleted_at = 1 WHERE username = 'rex'",
            "UPDATE users SET deleted_at = NULL WHERE username = 'rex'",
            401,
            "INVALID_USER",
            json!({"gate": "owner", "need": "an existing owner", "have": "a deleted one"}),
        ),
        case(
            "owner suspended",
            "UPDATE users SET status = 'suspended' WHERE username = 'rex'",
            "UPDATE users SET status = 'active' WHERE username = 'rex'",
            403,
            "USER_SUSPENDED",
            json!({"gate": "owner_active", "need": "rex active", "have": "rex suspended",
                   "fix": "panel user unsuspend rex"}),
        ),
        case(
            "the owner's reseller suspended",
            "UPDATE users SET status = 'suspended' WHERE username = 'boss'",
            "UPDATE users SET status = 'active' WHERE username = 'boss'",
            403,
            "USER_SUSPENDED",
            json!({"gate": "owner_active", "need": "boss active", "have": "boss suspended",
                   "fix": "panel user unsuspend boss"}),
        ),
        case(
            "can_use_api off on the account",
            "UPDATE users SET can_use_api = 0 WHERE username = 'rex'",
            "UPDATE users SET can_use_api = NULL WHERE username = 'rex'",
            403,
            "API_ACCESS_DISABLED",
            json!({"gate": "api_access", "need": "can_use_api on", "have": "can_use_api off",
                   "fix": "panel user update rex --feature api=on"}),
        ),
        case(
            "can_use_api off on the package",
            "UPDATE packages SET can_use_api = 0",
            "UPDATE users SET can_use_api = 1 WHERE username = 'rex'",
            403,
            "API_ACCESS_DISABLED",
            json!({"gate": "api_access", "need": "can_use_api on", "have": "can_use_api off",
                   "fix": "panel user update rex --feature api=on"}),
        ),
        case(
            "address not listed",
            "UPDATE api_keys SET allowed_ips = '10.9.8.0/24,2001:db8::/32' WHERE id = 1",
            "UPDATE api_keys SET allowed_ips = '10.9.8.0/24,127.0.0.0/8' WHERE id = 1",
            403,
            "IP_NOT_ALLOWED",
            json!({"gate": "ip", "need": "a listed address", "have": "127.0.0.1",
                   "fix": "panel key update 1 --add-ip 127.0.0.1"}),
        ),
        case(
            "scope",
            "UPDATE api_keys SET scope = 'read' WHERE id = 1",
            "UPDATE api_keys SET scope = 'delete' WHERE id = 1",
            403,
            "SCOPE_REQUIRED",
            json!({"gate": "scope", "need": "write", "have": "read", "fix": "panel key update 1 --scopes write"}),
        ),
        case(
            "owner demoted",
            "UPDATE users SET role = 'user' WHERE username = 'rex'",
            "UPDATE users SET role = 'reseller' WHERE username = 'rex'",
            403,
            "FORBIDDEN",
            json!({"gate": "role", "need": "reseller", "have": "user", "fix": "panel user update rex --role reseller"}),
        ),
    ]
}

/// The date that a refusal of an expired key offers.
fn in_a_year() -> String {
    Clock::default().now().plus_millis(365 * Timestamp::DAY).date_in(chrono_tz::Tz::UTC).iso()
}

/// An app whose key 1 belongs to rex, a reseller under boss, a reseller.
async fn app_of_rex() -> (TestApp, Key) {
    let app = TestApp::spawn().await;
    app.reseller("boss");
    app.user("rex", Role::Reseller, Some("boss"));
    let key = app.external_key("rex", "write");
    (app, key)
}

#[tokio::test]
async fn each_gate_refuses_the_next_request_and_its_repair_lets_the_one_after_in() {
    let (app, key) = app_of_rex().await;
    for (at, case) in cases().into_iter().enumerate() {
        let body = json!({"username": format!("ada-{at}"), "service_id": 1});

        app.change(case.breaks, []);
        let before = app.footprint();
        let refused = app.post(SUBSCRIBERS, &key, body.clone()).await;
        assert_eq!((refused.status, refused.code()), (case.status, case.code), "{}", case.name);
        assert_eq!(refused.body["denied"], json!([case.denied]), "{}", case.name);
        assert_eq!(app.footprint(), before, "{}: a refusal wrote", case.name);

        app.change(case.repairs, []);
        let served = app.post(SUBSCRIBERS, &key, body).await;
        assert_eq!(served.status, 201, "{}: {}", case.name, served.text);
    }
}

#[tokio::test]
async fn a_missing_key_is_refused_before_anything_is_read() {
    let app = TestApp::spawn().await;
    for key in [Key::none(), Key::of("")] {
        let answer = app.call(Request::new("POST", SUBSCRIBERS).key(&key).body("not json")).await;
        assert_eq!((answer.status, answer.code()), (401, "MISSING_API_KEY"));
        assert_eq!(answer.body["denied"], json!([{"gate": "credential"}]));
    }
}

#[tokio::test]
async fn what_is_no_key_of_this_surface_is_unknown() {
    let app = TestApp::spawn().await;
    let real = app.external_key("admin", "read");
    let secret = real.secret().to_owned();
    let panel = app.panel_key("admin", "all");

    for wrong in [
        "pk_live_a8f3kj92lkj3a8f3kj92lkj3a8f3kj92",
        "x",
        &secret.to_uppercase(),
        secret.strip_suffix(|_: char| true).unwrap(),
        &format!("{secret}0"),
        &format!("Bearer {secret}"),
        &"k".repeat(4000),
        "' OR 1=1 --",
        panel.secret(),
    ] {
        let answer = app.get(SUBSCRIBERS, &Key::of(wrong)).await;
        assert_eq!((answer.status, answer.code()), (401, "INVALID_API_KEY"), "{wrong}");
        assert_eq!(answer.message(), "Invalid API key");
        assert_eq!(answer.body["denied"], json!([{"gate": "key"}]), "{wrong}");
    }
    let bytes = app.call(Request::new("GET", SUBSCRIBERS).header("x-api-key", b"pk_live_\xff\xfe")).await;
    assert_eq!(bytes.code(), "INVALID_API_KEY");
    let bearer = Request::new("GET", SUBSCRIBERS).header("authorization", format!("Bearer {secret}"));
    assert_eq!(app.call(bearer).await.code(), "MISSING_API_KEY", "a key is not looked for where it does not belong");
    assert_eq!(app.get(SUBSCRIBERS, &real).await.status, 200);
}

#[tokio::test]
async fn a_revoked_key_says_that_and_nothing_more() {
    let (app, key) = app_of_rex().await;
    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);

    app.revoke(&key);
    app.change("UPDATE api_keys SET expires_at = 1, allowed_ips = '10.0.0.0/8' WHERE id = ?1", [key.id]);
    app.change("UPDATE users SET deleted_at = 1 WHERE username = 'rex'", []);

    let answer = app.get(SUBSCRIBERS, &key).await;
    assert_eq!((answer.status, answer.code()), (401, "API_KEY_REVOKED"));
    assert_eq!(answer.body["denied"], json!([{"gate": "revoked"}]));
    assert_eq!(app.number("SELECT count(*) FROM audit WHERE action = 'keys.revoke'"), 1);
}

#[tokio::test]
async fn a_dead_generation_answers_as_revoked_and_a_dying_one_works_until_its_end() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "read");
    let end = app.now().plus_millis(1000).millis();
    app.change("UPDATE api_key_secrets SET replaced_at = 0, ends_at = ?1 WHERE key_id = ?2", (end, key.id));

    let dying = app.get(SUBSCRIBERS, &key).await;
    assert_eq!((dying.status, dying.header("deprecation")), (200, Some("@0")));
    assert_eq!(dying.header("sunset"), Some("Fri, 20 Mar 2026 12:00:01 GMT"));
    app.move_to("2026-03-20T12:00:01Z");
    let answer = app.get(SUBSCRIBERS, &key).await;

    assert_eq!((answer.status, answer.code()), (401, "API_KEY_REVOKED"));
    assert_eq!(answer.body["denied"], json!([{"gate": "revoked"}]));
}

#[tokio::test]
async fn a_key_works_before_its_expiry_and_not_at_it() {
    let app = TestApp::at("2026-03-20T11:59:59Z").await;
    let new = NewKey { expires: Some("2026-03-20T12:00:00Z"), ..NewKey::default() };
    let key = app.key_with("admin", "read", new);

    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
    app.move_to("2026-03-20T12:00:00Z");
    assert_eq!(app.get(SUBSCRIBERS, &key).await.code(), "API_KEY_EXPIRED");
}

#[tokio::test]
async fn the_first_failing_gate_decides_and_all_failing_ones_are_listed() {
    let (app, key) = app_of_rex().await;
    app.change("UPDATE api_keys SET expires_at = 1, allowed_ips = '10.0.0.0/8', scope = 'read' WHERE id = 1", []);
    app.change("UPDATE users SET role = 'user', status = 'suspended', can_use_api = 0 WHERE username = 'rex'", []);
    let body = json!({"username": "ada", "service_id": 1});

    let mut order = vec!["expired", "owner_active", "api_access", "ip", "scope", "role"];
    for (repair, code) in [
        ("UPDATE api_keys SET expires_at = NULL", "API_KEY_EXPIRED"),
        ("UPDATE users SET status = 'active'", "USER_SUSPENDED"),
        ("UPDATE users SET can_use_api = NULL", "API_ACCESS_DISABLED"),
        ("UPDATE api_keys SET allowed_ips = ''", "IP_NOT_ALLOWED"),
        ("UPDATE api_keys SET scope = 'write'", "SCOPE_REQUIRED"),
        ("UPDATE users SET role = 'reseller' WHERE username = 'rex'", "FORBIDDEN"),
    ] {
        let answer = app.post(SUBSCRIBERS, &key, body.clone()).await;
        assert_eq!(answer.code(), code);
        assert_eq!(answer.gates(), order, "{code}");
        app.change(repair, []);
        order.remove(0);
    }
    assert_eq!(app.count("subscribers"), 0);
    assert_eq!(app.post(SUBSCRIBERS, &key, body).await.status, 201);
}

#[tokio::test]
async fn the_suspension_of_an_admin_does_not_pass_down() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    let key = app.external_key("rex", "read");
    app.change("UPDATE users SET status = 'suspended' WHERE username = 'admin'", []);
    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
}

#[tokio::test]
async fn a_new_user_of_an_old_name_inherits_no_key() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    let key = app.external_key("rex", "read");
    app.change("UPDATE users SET deleted_at = 1 WHERE username = 'rex'", []);
    app.reseller("rex");
    assert_eq!(app.get(SUBSCRIBERS, &key).await.code(), "INVALID_USER");
}

#[tokio::test]
async fn a_refusal_by_scope_is_exactly_this() {
    let app = TestApp::at("2026-03-20T12:00:00.987Z").await;
    let key = app.external_key("admin", "read");

    let answer = app.post(SUBSCRIBERS, &key, json!({"username": "ada", "service_id": 1})).await;

    assert_eq!(answer.status, 403);
    let body = json!({
        "success": false,
        "error": {"code": "SCOPE_REQUIRED", "message": "This call needs the scope write, the API key has read"},
        "timestamp": "2026-03-20T12:00:00Z",
        "denied": [{"gate": "scope", "need": "write", "have": "read", "fix": "panel key update 1 --scopes write"}],
    });
    assert_eq!(answer.body, body);
    assert_eq!(app.count("subscribers"), 0);
}

#[tokio::test]
async fn the_request_after_the_last_of_a_minute_waits_for_the_next() {
    let app = TestApp::at("2026-03-20T12:00:37Z").await;
    let key = app.key_with("admin", "read", NewKey { rate: Some(2), ..NewKey::default() });
    let other = app.key_with("admin", "read", NewKey { rate: Some(2), ..NewKey::default() });

    for left in ["1", "0"] {
        let served = app.get(SUBSCRIBERS, &key).await;
        assert_eq!(served.status, 200);
        assert_eq!(served.header("x-ratelimit-limit"), Some("2"));
        assert_eq!(served.header("x-ratelimit-remaining"), Some(left));
        assert_eq!(served.header("x-ratelimit-reset"), Some("1774008060"), "12:01:00");
    }
    let full = app.get(SUBSCRIBERS, &key).await;

    assert_eq!((full.status, full.code()), (429, "RATE_LIMIT_EXCEEDED"));
    assert_eq!(full.header("retry-after"), Some("23"));
    assert_eq!(full.header("x-ratelimit-remaining"), Some("0"));
    let denied = json!([{"gate": "rate", "need": "a request left", "have": "2 of 2 this minute", "fix": "wait 23 s"}]);
    assert_eq!(full.body["denied"], denied);
    assert_eq!(app.get(SUBSCRIBERS, &other).await.status, 200, "each key has its own window");

    app.move_to("2026-03-20T12:01:00Z");
    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
}

#[tokio::test]
async fn hours_and_days_are_windows_too() {
    let app = TestApp::at("2026-03-20T22:59:50Z").await;
    let key = app.external_key("admin", "read");
    app.change("UPDATE api_keys SET rate_per_hour = 1, rate_per_day = 2 WHERE id = ?1", [key.id]);

    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
    let hour = app.get(SUBSCRIBERS, &key).await;
    assert_eq!((hour.status, hour.header("retry-after")), (429, Some("10")));
    app.move_to("2026-03-20T23:00:00Z");
    assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
    let day = app.get(SUBSCRIBERS, &key).await;
    assert_eq!((day.status, day.header("retry-after")), (429, Some("3600")));
    assert_eq!(day.body["denied"][0]["have"], "1 of 1 this hour, 2 of 2 this day");
}

#[tokio::test]
async fn every_request_past_gate_ten_counts_and_none_before_it() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.key_with("admin", "read", NewKey { rate: Some(4), ..NewKey::default() });

    app.change("UPDATE api_keys SET allowed_ips = '10.0.0.0/8'", []);
    for _ in 0..5 {
        let refused = app.get(SUBSCRIBERS, &key).await;
        assert_eq!(refused.code(), "IP_NOT_ALLOWED");
        assert_eq!(refused.header("x-ratelimit-limit"), None);
    }
    app.change("UPDATE api_keys SET allowed_ips = ''", []);
    assert_eq!(app.post(SUBSCRIBERS, &key, json!({})).await.code(), "SCOPE_REQUIRED");
    assert_eq!(app.get(&format!("{SUBSCRIBERS}/999"), &key).await.status, 404);
    assert_eq!(app.get(&format!("{SUBSCRIBERS}?page=x"), &key).await.status, 400);
    assert_eq!(app.get("/api/v1/external/nope", &key).await.status, 404);

    let full = app.post(SUBSCRIBERS, &key, json!({})).await;
    assert_eq!((full.status, full.code()), (429, "RATE_LIMIT_EXCEEDED"));
    assert_eq!(full.gates(), ["rate", "scope"]);
}

#[tokio::test]
async fn a_key_without_a_rate_has_the_default_and_zero_is_no_limit() {
    let plan = Plan::new().config(|config| config.limits.per_key_per_minute = 1).at("2026-03-20T12:00:00Z");
    let app = plan.spawn().await;
    let default = app.external_key("admin", "read");
    let unlimited = app.key_with("admin", "read", NewKey { rate: Some(0), ..NewKey::default() });

    assert_eq!(app.get(SUBSCRIBERS, &default).await.status, 200);
    assert_eq!(app.get(SUBSCRIBERS, &default).await.status, 429);
    for _ in 0..5 {
        let answer = app.get(SUBSCRIBERS, &unlimited).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, None));
    }
}

#[tokio::test]
async fn parallel_requests_never_get_more_than_the_limit() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.key_with("admin", "read", NewKey { rate: Some(10), ..NewKey::default() });

    let calls = (0..60).map(|_| app.get(SUBSCRIBERS, &key));
    let answers = futures_util::future::join_all(calls).await;

    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 50);
}

#[tokio::test]
async fn the_address_is_the_peers_unless_a_trusted_proxy_says_another() {
    let listed = NewKey { ips: &["198.51.100.7"], ..NewKey::default() };
    let forwarded = |key: &Key, value: &str| Request::new("GET", SUBSCRIBERS).key(key).header("x-forwarded-for", value);

    let direct = TestApp::spawn().await;
    let key = direct.key_with("admin", "read", listed);
    let refused = direct.call(forwarded(&key, "198.51.100.7")).await;
    assert_eq!(refused.body["denied"][0]["have"], "127.0.0.1", "a stranger's header is not believed");

    let behind = TestApp::with(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let key = behind.key_with("admin", "read", listed);
    for (header, have) in [
        ("198.51.100.8", "198.51.100.8"),
        ("198.51.100.7, 198.51.100.8", "198.51.100.8"),
        ("198.51.100.7, nonsense", "unknown"),
        ("::ffff:198.51.100.8", "198.51.100.8"),
    ] {
        let refused = behind.call(forwarded(&key, header)).await;
        assert_eq!(refused.code(), "IP_NOT_ALLOWED", "{header}");
        assert_eq!(refused.body["denied"][0]["have"], have, "{header}");
    }
    assert_eq!(behind.get(SUBSCRIBERS, &key).await.code(), "IP_NOT_ALLOWED", "a proxy that says nothing");
    for header in ["198.51.100.7", "203.0.113.9, 198.51.100.7, 127.0.0.2", "::ffff:198.51.100.7"] {
        assert_eq!(behind.call(forwarded(&key, header)).await.status, 200, "{header}");
    }
}
