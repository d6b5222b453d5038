//! `POST /users/{username}/api-keys`: what a key may be, and what is refused (panel.md, Keys of a user).

use panel::domain::keys::hash_of;
use serde_json::{Value, json};

use super::{ME, keys_of, people};
use crate::support::{Request, TestApp, prefix};

const VOCABULARY: &str = "all, read, domains, dns, ssl, database, email, files, ftp, backup";

#[tokio::test]
async fn each_fields_bad_values_are_refused_by_name_and_nothing_is_minted() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let list = |words: &[&str]| json!(words);
    let before = app.footprint();
    for (field, bad, text) in [
        ("name", json!(""), "name must be 1-64 characters without control characters"),
        ("name", json!("x".repeat(65)), "name must be 1-64 characters without control characters"),
        ("name", json!("a\nb"), "name must be 1-64 characters without control characters"),
        ("name", json!("a\u{0}b"), "name must be 1-64 characters without control characters"),
        ("name", json!(null), "name is required"),
        ("name", json!(5), "name must be a string"),
        ("permissions", list(&[]), "permissions must not be empty"),
        ("permissions", json!("read"), "permissions must be a sequence"),
        ("permissions", list(&["read", "write"]), &format!("permissions 'write' is not one of {VOCABULARY}")),
        ("permissions", list(&["ALL"]), &format!("permissions 'ALL' is not one of {VOCABULARY}")),
        ("permissions", list(&[""]), &format!("permissions '' is not one of {VOCABULARY}")),
        ("permissions", list(&["domains.delete"]), &format!("permissions 'domains.delete' is not one of {VOCABULARY}")),
        ("permissions", list(&["users.read"]), "permissions 'users' has no permission of its own; use read or all"),
        ("permissions", list(&["system.write"]), "permissions 'system' has no permission of its own; use read or all"),
        (
            "permissions",
            list(&["security.read"]),
            "permissions 'security' has no permission of its own; use read or all",
        ),
        ("ip_whitelist", json!("10.0.0.1"), "ip_whitelist must be a sequence"),
        ("ip_whitelist", list(&["10.0.0.256"]), ""),
        ("ip_whitelist", list(&["10.0.0.0/33"]), ""),
        ("ip_whitelist", list(&["example.com"]), ""),
        ("ip_whitelist", list(&["10.0.0.1", ""]), ""),
        ("ip_whitelist", json!([1]), ""),
        ("expires_in", json!(-1), "expires_in must be days from now, 0 for never"),
        ("expires_in", json!(i64::MIN), "expires_in must be days from now, 0 for never"),
        ("expires_in", json!(3_000_000), "expires_in must be in the future and before the year 10000"),
        ("expires_in", json!(i64::MAX), "expires_in must be in the future and before the year 10000"),
        ("expires_in", json!(9_223_372_036_854_775_808_u64), "expires_in must be an integer"),
        ("expires_in", json!(1.5), "expires_in must be an integer"),
        ("expires_in", json!("30"), "expires_in must be an integer"),
        ("rate_limit", json!(-1), "rate_limit must be an integer"),
        ("rate_limit", json!(4_294_967_296_u64), "rate_limit must be an integer"),
        ("rate_limit", json!("60"), "rate_limit must be an integer"),
    ] {
        let mut body = json!({"name": "x"});
        body[field] = bad.clone();
        let refused = app.ask("POST", &keys_of("ulla"), &admin, body).await;
        let (status, code, said) = refused.panel();
        assert_eq!((status, code), (400, "VALIDATION_ERROR"), "{field} {bad}: {}", refused.text);
        assert!(said.starts_with(field), "{field} {bad}: {said}");
        assert!(text.is_empty() || said == text, "{field} {bad}: {said}");
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn only_the_name_is_needed_and_null_is_absent() {
    let app = TestApp::at("2026-05-18T10:39:25Z").await;
    people(&app);
    let ulla = app.panel_token("ulla");
    for body in [
        json!({"name": "x"}),
        json!({"name": "x", "permissions": null, "ip_whitelist": null, "expires_in": null, "rate_limit": null, "unknown": 1}),
        json!({"name": "x", "ip_whitelist": [], "expires_in": 0}),
    ] {
        let made = app.ask("POST", &keys_of("ulla"), &ulla, body.clone()).await;
        assert_eq!(made.status, 201, "{body}");
        let key = &made.body["key"];
        assert_eq!(
            (&key["permissions"], &key["ip_whitelist"], &key["expires_at"]),
            (&json!(["read"]), &json!([]), &json!("0001-01-01T00:00:00Z"))
        );
        assert!(made.body.get("warnings").is_none());
    }
}

#[tokio::test]
async fn the_secret_is_as_the_seed_draws_it_and_only_its_hash_is_stored() {
    let app = TestApp::spawn().await;
    people(&app);
    let ulla = app.panel_token("ulla");
    let made = app.ask("POST", &format!("{}/", keys_of("ulla")), &ulla, json!({"name": "x"})).await;
    assert_eq!(made.status, 201, "with a trailing slash");
    let (secret, key) = (made.body["secret_key"].as_str().unwrap(), &made.body["key"]);
    assert_eq!(made.body["api_key"], secret);
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    assert!(secret.strip_prefix("wsp_").is_some_and(|hex| is_hex(hex, 48)), "{secret}");
    assert!(is_hex(key["id"].as_str().unwrap(), 16), "{key}");
    assert_eq!(key["key_prefix"], prefix(secret));
    assert_eq!(app.blob("SELECT secret_hash FROM api_key_secrets"), hash_of(secret.as_bytes()));
    assert_eq!(app.see(ME, secret).await.status, 200);
    let listed = app.see(&keys_of("ulla"), &ulla).await;
    assert!(!listed.text.contains(secret) && listed.body["keys"][0].get("secret_key").is_none());
    let row = app.last_audit();
    assert_eq!((&row["action"], &row["object_kind"]), (&json!("keys.create"), &json!("key")));
    for (name, bytes) in app.files() {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{name} holds the secret");
    }
}

#[tokio::test]
async fn legacy_words_are_normalised_each_once_in_their_order() {
    let app = TestApp::spawn().await;
    people(&app);
    let ulla = app.panel_token("ulla");
    for (words, list, warned) in [
        (vec!["domains.read"], vec!["domains"], vec!["domains.read"]),
        (vec!["databases.write", "database"], vec!["database"], vec!["databases.write"]),
        (vec!["backups.read", "read", "backups.write"], vec!["backup", "read"], vec!["backups.read", "backups.write"]),
        (vec!["read", "dns.write", "read"], vec!["read", "dns"], vec!["dns.write"]),
        (
            vec!["subdomains.read", "ssl.read", "ftp.write", "files.read", "email.write"],
            vec!["domains", "ssl", "ftp", "files", "email"],
            vec!["subdomains.read", "ssl.read", "ftp.write", "files.read", "email.write"],
        ),
    ] {
        let made = app.ask("POST", &keys_of("ulla"), &ulla, json!({"name": "x", "permissions": words})).await;
        assert_eq!(made.body["key"]["permissions"], json!(list), "{words:?}");
        let warnings: Vec<_> =
            made.body["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        for (text, word) in warnings.iter().zip(&warned) {
            assert!(
                text.starts_with(&format!("'{word}' was normalised to '"))
                    && text.ends_with("', which includes writes"),
                "{text}"
            );
        }
        assert_eq!(warnings.len(), warned.len(), "{words:?}");
    }
}

#[tokio::test]
async fn days_count_from_now_and_end_on_the_second() {
    let app = TestApp::at("2026-05-18T10:39:25Z").await;
    people(&app);
    let ulla = app.panel_token("ulla");
    let made = app.ask("POST", &keys_of("ulla"), &ulla, json!({"name": "x", "expires_in": 1})).await;
    assert_eq!(made.body["key"]["expires_at"], "2026-05-19T10:39:25Z");
    let secret = made.body["secret_key"].as_str().unwrap();
    app.move_to("2026-05-19T10:39:24Z");
    assert_eq!(app.see(ME, secret).await.status, 200);
    app.move_to("2026-05-19T10:39:25Z");
    assert_eq!(app.see(ME, secret).await.panel(), (401, "UNAUTHORIZED", "API key has expired"));
    let far = app
        .ask("POST", &keys_of("ulla"), &app.panel_token("ulla"), json!({"name": "x", "expires_in": 2_900_000}))
        .await;
    assert!(far.body["key"]["expires_at"].as_str().unwrap().starts_with("99"), "{}", far.text);
}

#[tokio::test]
async fn the_list_of_addresses_and_the_limit_hold() {
    let app = TestApp::with(|config| {
        config.limits.per_key_per_minute = 60;
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    people(&app);
    let (admin, ulla) = (app.panel_token("admin"), app.panel_token("ulla"));
    let body = json!({"name": "x", "ip_whitelist": ["10.1.0.0/16", "2001:db8::7"], "rate_limit": 2});
    let made = app.ask("POST", &keys_of("ulla"), &ulla, body).await;
    assert_eq!(made.body["key"]["rate_limit"], 2);
    let secret = made.body["secret_key"].as_str().unwrap();
    let from = |ip: &'static str| app.call(Request::new("GET", ME).bearer(secret).header("x-forwarded-for", ip));
    let refused = from("10.2.0.1").await;
    assert_eq!(refused.panel().2, "IP address 10.2.0.1 is not allowed for this API key");
    assert!(!refused.text.contains("10.1.0.0"), "the list is nobody's business");
    assert_eq!(from("::ffff:10.1.2.3").await.header("x-ratelimit-limit"), Some("2"));
    assert_eq!(from("2001:db8::7").await.status, 200);
    assert_eq!(from("10.1.2.3").await.panel().1, "RATE_LIMITED");
    // Nobody but an admin gives more than the default.
    for (bearer, rate, status) in
        [(&ulla, 61, 403), (&ulla, 0, 403), (&ulla, 60, 201), (&admin, 61, 201), (&admin, 0, 201)]
    {
        let made = app.ask("POST", &keys_of("ulla"), bearer, json!({"name": "x", "rate_limit": rate})).await;
        assert_eq!(made.status, status, "{rate}: {}", made.text);
    }
}

#[tokio::test]
async fn a_user_has_fifty_living_keys_and_no_more() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, ulla) = (app.panel_token("admin"), app.panel_token("ulla"));
    let mut last = Value::Null;
    for _ in 0..50 {
        let made = app.ask("POST", &keys_of("ulla"), &ulla, json!({"name": "x"})).await;
        assert_eq!(made.status, 201);
        last = made.body["key"]["id"].clone();
    }
    let before = app.footprint();
    for bearer in [&ulla, &admin] {
        let full = app.ask("POST", &keys_of("ulla"), bearer, json!({"name": "x"})).await;
        assert_eq!(full.panel(), (409, "CONFLICT", "ulla has 50 living keys already; revoke one first"));
    }
    assert_eq!(app.footprint(), before);
    let key = format!("{}/{}", keys_of("ulla"), last.as_str().unwrap());
    assert_eq!(app.ask("DELETE", &key, &ulla, json!({})).await.status, 200);
    assert_eq!(app.ask("POST", &keys_of("ulla"), &ulla, json!({"name": "x"})).await.status, 201);
    assert_eq!(app.see(&keys_of("ulla"), &ulla).await.body["total"], 50);
}
