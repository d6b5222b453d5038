//! `PUT`, `toggle` and `DELETE` of a user's key (panel.md, Keys of a user; keys.md).

use serde_json::{Value, json};

use super::{ME, keys_of, people};
use crate::support::{Key, Request, TestApp};

fn path(app: &TestApp, user: &str, key: &Key) -> String {
    format!("{}/{}", keys_of(user), app.panel_id(key))
}

#[tokio::test]
async fn each_field_changes_alone_and_holds_for_the_next_request() {
    let app = TestApp::at("2026-05-18T10:39:25Z").await;
    people(&app);
    let (ulla, key) = (app.panel_token("ulla"), app.panel_key("ulla", "read"));
    let target = path(&app, "ulla", &key);
    for (body, field, shown, status) in [
        (json!({"name": "Näme"}), "name", json!("Näme"), 200),
        (json!({"permissions": ["dns.read", "all"]}), "permissions", json!(["dns", "all"]), 200),
        (json!({"ip_whitelist": ["10.0.0.0/8"]}), "ip_whitelist", json!(["10.0.0.0/8"]), 403),
        (json!({"ip_whitelist": null}), "ip_whitelist", json!([]), 200),
        (json!({"ip_whitelist": ["127.0.0.1"]}), "ip_whitelist", json!(["127.0.0.1"]), 200),
        (json!({"ip_whitelist": []}), "ip_whitelist", json!([]), 200),
        (json!({"expires_in": 2}), "expires_at", json!("2026-05-20T10:39:25Z"), 200),
        (json!({"expires_in": null}), "expires_at", json!("0001-01-01T00:00:00Z"), 200),
        (json!({"expires_in": 3}), "expires_at", json!("2026-05-21T10:39:25Z"), 200),
        (json!({"expires_in": 0}), "expires_at", json!("0001-01-01T00:00:00Z"), 200),
        (json!({"rate_limit": 7}), "rate_limit", json!(7), 200),
        (json!({"rate_limit": null}), "rate_limit", json!(null), 200),
        (json!({"enabled": false}), "enabled", json!(false), 401),
        (json!({"enabled": true}), "enabled", json!(true), 200),
        (json!({"name": null, "permissions": null, "enabled": null, "unknown": 1}), "name", json!("Näme"), 200),
    ] {
        let rows = app.count("audit");
        let changed = app.ask("PUT", &target, &ulla, body.clone()).await;
        assert_eq!(changed.status, 200, "{body}: {}", changed.text);
        assert_eq!(changed.body["key"].get(field).unwrap_or(&Value::Null), &shown, "{body}");
        let listed = app.see(&keys_of("ulla"), &ulla).await.body["keys"][0].clone();
        assert_eq!(listed.get(field).unwrap_or(&Value::Null), &shown, "{body}");
        assert_eq!(app.see(ME, key.secret()).await.status, status, "{body}");
        let writes = i64::from(!body.as_object().unwrap().contains_key("unknown"));
        assert_eq!(app.count("audit"), rows + writes, "{body}");
    }
}

#[tokio::test]
async fn bad_values_are_refused_by_name_and_nothing_changes() {
    let app = TestApp::spawn().await;
    people(&app);
    let (ulla, key) = (app.panel_token("ulla"), app.panel_key("ulla", "read"));
    let target = path(&app, "ulla", &key);
    let before = app.footprint();
    for (field, bad) in [
        ("name", json!("")),
        ("name", json!(5)),
        ("permissions", json!([])),
        ("permissions", json!(["root"])),
        ("permissions", json!("all")),
        ("ip_whitelist", json!(["x"])),
        ("ip_whitelist", json!("10.0.0.1")),
        ("expires_in", json!(-1)),
        ("expires_in", json!(i64::MAX)),
        ("expires_in", json!(0.5)),
        ("enabled", json!("yes")),
        ("enabled", json!(1)),
        ("rate_limit", json!(-5)),
        ("rate_limit", json!(5_000_000_000_u64)),
    ] {
        let refused = app.ask("PUT", &target, &ulla, json!({"name": "new", field: bad})).await;
        let (status, code, text) = refused.panel();
        assert_eq!((status, code), (400, "VALIDATION_ERROR"), "{field} {bad}: {}", refused.text);
        assert!(text.starts_with(field), "{field} {bad}: {text}");
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn what_an_admin_disabled_only_an_admin_enables() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, ulla, key) = (app.panel_token("admin"), app.panel_token("ulla"), app.panel_key("ulla", "all"));
    let (target, toggle) = (path(&app, "ulla", &key), format!("{}/toggle", path(&app, "ulla", &key)));
    let other = app.panel_key("ulla", "all");
    for disable in [json!({"enabled": false}), json!({"enabled": false, "name": "x"})] {
        assert_eq!(app.ask("PUT", &target, &admin, disable).await.status, 200);
        assert_eq!(app.see(ME, key.secret()).await.panel(), (401, "UNAUTHORIZED", "API key has been disabled"));
        for bearer in [ulla.as_str(), other.secret()] {
            let before = app.footprint();
            for (method, target, body) in [("PUT", &target, json!({"enabled": true})), ("POST", &toggle, json!({}))] {
                let refused = app.ask(method, target, bearer, body).await;
                assert_eq!((refused.status, refused.gates()), (403, vec!["field"]), "{}", refused.text);
                assert!(refused.panel().2.starts_with("enabled "), "{}", refused.text);
            }
            assert_eq!(app.footprint(), before);
        }
        // The rest of it is still its owner's, and naming the current value is no offence.
        assert_eq!(app.ask("PUT", &target, &ulla, json!({"name": "mine", "enabled": false})).await.status, 200);
        assert_eq!(app.see(ME, key.secret()).await.status, 401);
        assert_eq!(app.ask("POST", &toggle, &admin, json!({})).await.body["enabled"], true);
        assert_eq!(app.see(ME, key.secret()).await.status, 200);
    }
    // What its owner disabled, it enables.
    assert_eq!(app.ask("POST", &toggle, &ulla, json!({})).await.body["message"], "API key disabled");
    assert_eq!(app.ask("POST", &toggle, &ulla, json!({})).await.body["message"], "API key enabled");
}

/// What an admin disabled only an admin enables (keys.md): also where its owner had switched it off before.
#[tokio::test]
async fn an_admins_disabling_holds_though_the_owner_had_disabled_the_key_before() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, ulla, key) = (app.panel_token("admin"), app.panel_token("ulla"), app.panel_key("ulla", "all"));
    let target = path(&app, "ulla", &key);
    assert_eq!(app.ask("PUT", &target, &ulla, json!({"enabled": false})).await.status, 200);
    assert_eq!(app.ask("PUT", &target, &admin, json!({"enabled": false})).await.status, 200);
    assert_eq!(app.ask("PUT", &target, &ulla, json!({"enabled": true})).await.status, 403);
}

#[tokio::test]
async fn a_deleted_key_is_dead_unlisted_and_stays_so() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, ulla, key) = (app.panel_token("admin"), app.panel_token("ulla"), app.panel_key("ulla", "all"));
    let target = path(&app, "ulla", &key);
    assert_eq!(
        app.ask("DELETE", &target, &ulla, json!({})).await.body,
        json!({"success": true, "message": "API key deleted"})
    );
    assert_eq!(app.see(ME, key.secret()).await.panel(), (401, "UNAUTHORIZED", "Invalid API key"));
    assert_eq!(app.see(&keys_of("ulla"), &admin).await.body["total"], 0);
    assert_eq!(app.count("api_keys"), 1, "the row stays");
    assert_eq!(app.last_audit()["action"], "keys.revoke");
    let before = app.footprint();
    for bearer in [&ulla, &admin] {
        let again =
            app.call(Request::new("DELETE", &target).bearer(bearer).header("content-type", "application/json")).await;
        assert_eq!((again.status, again.text.as_str()), (200, r#"{"success":true,"message":"API key deleted"}"#));
        for (method, target, body) in [
            ("PUT", target.clone(), json!({"enabled": true})),
            ("PUT", target.clone(), json!({})),
            ("POST", format!("{target}/toggle"), json!({})),
        ] {
            assert_eq!(app.ask(method, &target, bearer, body).await.panel().1, "CONFLICT", "{method} {target}");
        }
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn another_users_key_is_not_found_under_a_name_that_is_not_its_owners() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, ulla) = (app.panel_token("admin"), app.panel_token("ulla"));
    let (foreign, external) = (app.panel_key("vera", "read"), app.external_key("admin", "read"));
    let before = app.footprint();
    for id in [
        app.panel_id(&foreign),
        app.panel_id(&foreign).to_uppercase(),
        foreign.id.to_string(),
        external.id.to_string(),
        "0".to_owned(),
        "-1".to_owned(),
        "x".to_owned(),
        "0123456789abcdef".to_owned(),
        "%20".to_owned(),
    ] {
        for (bearer, user) in [(&admin, "ulla"), (&ulla, "ulla"), (&admin, "rita")] {
            let target = format!("{}/{id}", keys_of(user));
            for (method, target) in [("PUT", target.clone()), ("POST", format!("{target}/toggle")), ("DELETE", target)]
            {
                let refused = app.ask(method, &target, bearer, json!({"name": "x"})).await;
                assert_eq!(refused.panel(), (404, "NOT_FOUND", "API key not found"), "{method} {target}");
            }
        }
    }
    assert_eq!(app.footprint(), before);
    let slash = app.ask("DELETE", &format!("{}/", path(&app, "vera", &foreign)), &admin, json!({})).await;
    assert_eq!(slash.status, 404, "only roots of collections answer with a slash");
}

#[tokio::test]
async fn a_key_changes_itself_only_within_its_own_bounds() {
    let app = TestApp::spawn().await;
    people(&app);
    let key = app.panel_key("ulla", "all");
    let target = path(&app, "ulla", &key);
    app.change(
        "UPDATE api_keys SET allowed_ips = '127.0.0.0/8', rate_per_minute = 50, expires_at = ?2 WHERE id = ?1",
        (key.id, app.now().plus_millis(9 * 86_400_000).millis()),
    );
    let before = app.footprint();
    for (body, field) in [
        (json!({"ip_whitelist": []}), "ip_whitelist"),
        (json!({"ip_whitelist": null}), "ip_whitelist"),
        (json!({"ip_whitelist": ["127.0.0.1", "10.0.0.1"]}), "ip_whitelist"),
        (json!({"expires_in": 0}), "expires_in"),
        (json!({"expires_in": 10}), "expires_in"),
        (json!({"rate_limit": 51}), "rate_limit"),
        (json!({"rate_limit": null}), "rate_limit"),
        (json!({"rate_limit": 0}), "rate_limit"),
    ] {
        let refused = app.ask("PUT", &target, key.secret(), body.clone()).await;
        let (status, code, text) = refused.panel();
        assert_eq!((status, code), (403, "FORBIDDEN"), "{body}: {}", refused.text);
        assert!(text.starts_with(&format!("{field} ")), "{body}: {text}");
    }
    assert_eq!(app.footprint(), before);
    let narrower = json!({"ip_whitelist": ["127.0.0.1"], "expires_in": 1, "rate_limit": 10, "permissions": ["read"]});
    assert_eq!(app.ask("PUT", &target, key.secret(), narrower).await.status, 200);
    assert_eq!(
        app.ask("PUT", &target, key.secret(), json!({"permissions": ["all"]})).await.panel().2,
        "API key is not scoped for 'users' on this request"
    );
}

#[tokio::test]
async fn a_bounded_key_ends_no_key_that_may_more_and_may_end_one_within_its_bounds() {
    let app = TestApp::spawn().await;
    people(&app);
    let (bounded, free) = (app.panel_key("ulla", "all"), app.panel_key("ulla", "read"));
    app.change("UPDATE api_keys SET allowed_ips = '127.0.0.1' WHERE id = ?1", [bounded.id]);
    let target = path(&app, "ulla", &free);

    let refused = app.call(Request::new("DELETE", &target).bearer(bounded.secret())).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("ip_whitelist"), "{}", refused.text);
    assert_eq!(app.number(&format!("SELECT revoked_at IS NULL FROM api_keys WHERE id = {}", free.id)), 1);

    app.change("UPDATE api_keys SET allowed_ips = '127.0.0.1' WHERE id = ?1", [free.id]);
    assert_eq!(app.call(Request::new("DELETE", &target).bearer(bounded.secret())).await.status, 200);
}
