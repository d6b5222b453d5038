//! The gate table of keys.md, column by column: what each surface says of each failing gate, word by word.

use panel::domain::keys::{Grants, Permission, Style};
use panel::domain::users::Role;

use super::styles::words;
use super::{ACCOUNTS, Minted, everything, mint};
use crate::support::{Answer, Plan, Request, SUBSCRIBERS, TestApp};

/// Gate, what breaks it (`?1` is the key), status, and the words of the external, panel and billing surface.
type Line = (&'static str, &'static str, u16, [Option<&'static str>; 3]);

const TABLE: &[Line] = &[
    (
        "revoked",
        "UPDATE api_keys SET revoked_at = 1 WHERE id = ?1",
        401,
        [Some("API_KEY_REVOKED"), Some("Invalid API key"), Some("API key is revoked")],
    ),
    (
        "enabled",
        "UPDATE api_keys SET enabled = 0 WHERE id = ?1",
        401,
        [None, Some("API key has been disabled"), Some("API key is inactive")],
    ),
    (
        "expired",
        "UPDATE api_keys SET expires_at = 1000 WHERE id = ?1",
        401,
        [Some("API_KEY_EXPIRED"), Some("API key has expired"), Some("API key has expired")],
    ),
    (
        "owner",
        "UPDATE users SET deleted_at = 1 WHERE id = (SELECT user_id FROM api_keys WHERE id = ?1)",
        401,
        [Some("INVALID_USER"), Some("Invalid API key"), Some("Invalid API key or secret")],
    ),
    (
        "owner_active",
        "UPDATE users SET status = 'suspended' WHERE id = (SELECT user_id FROM api_keys WHERE id = ?1)",
        403,
        [Some("USER_SUSPENDED"), Some("Account is suspended"), Some("Account is suspended")],
    ),
    (
        "owner_active",
        "UPDATE users SET status = 'suspended' WHERE username = 'boss' AND ?1 > 0",
        403,
        [Some("USER_SUSPENDED"), Some("Account is suspended"), Some("Account is suspended")],
    ),
    (
        "api_access",
        "UPDATE users SET can_use_api = 0 WHERE id = (SELECT user_id FROM api_keys WHERE id = ?1)",
        403,
        [
            Some("API_ACCESS_DISABLED"),
            Some("API access is disabled for this account"),
            Some("API access is disabled for this account"),
        ],
    ),
    (
        "api_access",
        "UPDATE packages SET can_use_api = 0 WHERE ?1 > 0",
        403,
        [
            Some("API_ACCESS_DISABLED"),
            Some("API access is disabled for this account"),
            Some("API access is disabled for this account"),
        ],
    ),
    (
        "ip",
        "UPDATE api_keys SET allowed_ips = '10.0.0.0/8,2001:db8::/32' WHERE id = ?1",
        403,
        [
            Some("IP_NOT_ALLOWED"),
            Some("IP address 127.0.0.1 is not allowed for this API key"),
            Some("IP address not allowed: 127.0.0.1"),
        ],
    ),
    (
        "level",
        "UPDATE api_keys SET level = 'DEVELOPER' WHERE id = ?1",
        403,
        [None, None, Some("The user doesn't have super admin privileges")],
    ),
    ("scope", "UPDATE api_keys SET scope = 'read' WHERE id = ?1", 403, [Some("SCOPE_REQUIRED"), None, None]),
    (
        "scope",
        "UPDATE api_keys SET scopes = 'user_management,billing_operations' WHERE id = ?1",
        403,
        [None, None, Some("Missing scope: account_creation")],
    ),
    (
        "permission",
        "UPDATE api_keys SET permissions = 'read,dns' WHERE id = ?1",
        403,
        [None, Some("API key is not scoped for 'resellers' on this request"), None],
    ),
    (
        "role",
        "UPDATE users SET role = 'user' WHERE id = (SELECT user_id FROM api_keys WHERE id = ?1)",
        403,
        [Some("FORBIDDEN"), Some("Admin access required"), Some("The user doesn't have super admin privileges")],
    ),
];

fn call(key: &Minted) -> Request {
    let target = match key.style {
        Style::External => SUBSCRIBERS,
        Style::Panel => "/api/v1/resellers",
        Style::Billing => ACCOUNTS,
    };
    key.on(Request::new("POST", target)).header("content-type", "application/json").body("{}")
}

fn passed(answer: &Answer) -> bool {
    !matches!(answer.status, 401 | 403 | 429) && answer.gates().is_empty()
}

#[tokio::test]
async fn each_gate_is_told_in_the_words_of_its_surface() {
    for (at, style) in Style::ALL.into_iter().enumerate() {
        for (gate, breaks, status, texts) in TABLE {
            let Some(text) = texts[at] else { continue };
            let app = TestApp::spawn().await;
            app.reseller("boss");
            app.user("rex", Role::Admin, Some("boss"));
            let key = mint(&app, "rex", everything(style));
            let before = app.call(call(&key)).await;
            assert!(passed(&before), "{gate}: {}", before.text);
            app.change(breaks, [key.id]);

            let answer = app.call(call(&key)).await;

            let told = format!("{} {breaks}: {}", style.as_str(), answer.text);
            assert_eq!((answer.status, words(style, &answer).as_str()), (*status, text), "{told}");
            assert_eq!(answer.gates().first(), Some(gate), "{told}");
            if style == Style::Panel {
                let code = if *status == 401 { "UNAUTHORIZED" } else { "FORBIDDEN" };
                assert_eq!(answer.body["code"], code, "{told}");
            }
            if *gate == "revoked" {
                assert_eq!(answer.body["denied"], serde_json::json!([{"gate": "revoked"}]), "{told}");
            }
            assert!(
                !told.contains("10.0.0.0") || breaks.contains("10.0.0.0") && !answer.text.contains("10.0.0.0"),
                "{told}"
            );
            assert_eq!((app.count("subscribers"), app.count("users")), (0, 3), "{told}");
        }
    }
}

#[tokio::test]
async fn a_full_window_is_told_in_the_words_of_each_surface() {
    let app = Plan::new().at("2026-03-20T12:00:37Z").spawn().await;
    for (style, text, code) in [
        (Style::External, "RATE_LIMIT_EXCEEDED", None),
        (Style::Panel, "Rate limit exceeded", Some("RATE_LIMITED")),
        (Style::Billing, "Rate limit exceeded", None),
    ] {
        let key = mint(&app, "admin", everything(style));
        app.change("UPDATE api_keys SET rate_per_minute = 1 WHERE id = ?1", [key.id]);
        assert!(passed(&app.call(call(&key)).await));
        let answer = app.call(call(&key)).await;
        assert_eq!((answer.status, words(style, &answer).as_str()), (429, text), "{}", answer.text);
        assert_eq!(answer.body["code"].as_str(), code);
        assert_eq!((answer.gates(), answer.header("retry-after")), (vec!["rate"], Some("23")));
    }
}

/// The first word of each prefix that has its own permission, or none.
const HOSTING: [(&str, Option<Permission>); 12] = [
    ("domains", Some(Permission::Domains)),
    ("subdomains", Some(Permission::Domains)),
    ("dns", Some(Permission::Dns)),
    ("ssl", Some(Permission::Ssl)),
    ("databases", Some(Permission::Database)),
    ("email", Some(Permission::Email)),
    ("files", Some(Permission::Files)),
    ("ftp", Some(Permission::Ftp)),
    ("backups", Some(Permission::Backup)),
    ("restore", Some(Permission::Backup)),
    ("backup-schedules", Some(Permission::Backup)),
    ("webhooks", None),
];

#[tokio::test]
async fn a_hosting_prefix_is_gated_before_it_says_that_it_is_not_built() {
    let app = TestApp::spawn().await;
    app.user("ursula", Role::User, Some("admin"));
    for (segment, token) in HOSTING {
        let other = if token == Some(Permission::Dns) { Permission::Ftp } else { Permission::Dns };
        for (permission, reads, writes) in [
            (other, false, false),
            (Permission::Read, true, false),
            (token.unwrap_or(Permission::All), true, true),
            (Permission::All, true, true),
        ] {
            let key = mint(&app, "ursula", Grants::Panel(vec![permission]));
            for (method, allowed) in [("GET", reads), ("POST", writes), ("PUT", writes), ("DELETE", writes)] {
                for target in [format!("/api/v1/{segment}"), format!("/api/v1/{segment}/7/x")] {
                    let answer = app.call(key.on(Request::new(method, &target))).await;
                    let told = format!("{method} {target} with {permission:?}: {}", answer.text);
                    let seen = (answer.status, answer.body["code"].as_str().unwrap_or_default());
                    if allowed {
                        assert_eq!(seen, (501, "NOT_IMPLEMENTED"), "{told}");
                    } else {
                        assert_eq!(seen, (403, "FORBIDDEN"), "{told}");
                        assert_eq!(
                            words(Style::Panel, &answer),
                            format!("API key is not scoped for '{segment}' on this request"),
                            "{told}"
                        );
                    }
                }
            }
            app.change("UPDATE api_keys SET revoked_at = 1", []);
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_told_only_to_a_key_that_could_have_used_it() {
    let app = TestApp::spawn().await;
    let read = mint(&app, "admin", Grants::Panel(vec![Permission::Read, Permission::Domains]));
    let all = mint(&app, "admin", everything(Style::Panel));
    for (key, method, status) in [(&read, "POST", 403), (&read, "GET", 404), (&all, "POST", 404), (&all, "DELETE", 404)]
    {
        let answer = app.call(key.on(Request::new(method, "/api/v1/nothing-of-ours"))).await;
        assert_eq!(answer.status, status, "{method}: {}", answer.text);
    }
    let wrong = app.call(read.on(Request::new("PUT", "/api/v1/users"))).await;
    assert_eq!(wrong.status, 403, "a method that is not there is gated like one that is: {}", wrong.text);
    let session = app.call(all.on(Request::new("POST", "/api/v1/auth/logout"))).await;
    assert_eq!((session.status, words(Style::Panel, &session).as_str()), (403, "Session required"));
}

#[tokio::test]
async fn the_health_of_billing_answers_strangers_and_judges_every_credential() {
    const HEALTH: &str = "/api/health";
    let app = TestApp::spawn().await;
    let key = mint(&app, "admin", everything(Style::Billing));
    let bare = || Request::new("GET", HEALTH);

    for (name, request) in [
        ("a half pair", bare().header("x-api-key", &key.key)),
        ("a secret alone", bare().header("x-api-secret", key.shown())),
        ("a wrong secret", bare().header("x-api-key", &key.key).header("x-api-secret", "nps_wrong")),
        ("an unknown key", bare().header("x-api-key", "npk_unknown").header("x-api-secret", key.shown())),
    ] {
        let answer = app.call(request).await;
        assert_eq!(
            (answer.status, words(Style::Billing, &answer).as_str()),
            (401, "Invalid API key or secret"),
            "{name}"
        );
    }
    for (breaks, repairs, status, text) in [
        ("enabled = 0", "enabled = 1", 401, "API key is inactive"),
        ("expires_at = 1", "expires_at = NULL", 401, "API key has expired"),
        ("allowed_ips = '10.0.0.1'", "allowed_ips = ''", 403, "IP address not allowed: 127.0.0.1"),
        ("level = 'DEVELOPER'", "level = 'BILLING'", 403, "The user doesn't have super admin privileges"),
        ("scopes = 'user_management'", "scopes = 'account_creation'", 403, "Missing scope: account_creation"),
    ] {
        app.change(&format!("UPDATE api_keys SET {breaks}"), []);
        let answer = app.call(key.on(bare())).await;
        assert_eq!((answer.status, words(Style::Billing, &answer).as_str()), (status, text), "{breaks}");
        app.change(&format!("UPDATE api_keys SET {repairs}"), []);
    }
    assert_eq!(app.call(bare()).await.status, 200);
    assert_eq!(app.call(key.on(bare())).await.status, 200);
    app.change("UPDATE api_keys SET rate_per_minute = 1", []);
    for _ in 0..4 {
        let answer = app.call(key.on(bare())).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, None), "health counts nowhere");
    }
}
