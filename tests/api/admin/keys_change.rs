//! `PUT /api/api-keys/{id}`, `DELETE` and `rotate`: each style's own fields, and that revocation is final (admin.md; keys.md).

use futures_util::future::join;
use panel::domain::keys::{BillingScope, Grants, Level};
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::API_KEYS;
use crate::keys::mint;
use crate::support::{Key, Request, SUBSCRIBERS, TestApp, prefix};

fn path(key: &Key) -> String {
    format!("{API_KEYS}/{}", key.id)
}

fn billing(app: &TestApp) -> i64 {
    mint(app, "admin", Grants::Billing { level: Level::Billing, scopes: vec![BillingScope::AccountCreation] }).id
}

#[tokio::test]
async fn each_field_changes_alone_and_null_clears_what_can_be_empty() {
    let app = TestApp::at("2026-05-12T10:30:00Z").await;
    let (admin, external, panel) =
        (app.admin_token("admin"), app.external_key("admin", "read"), app.panel_key("admin", "read"));
    let billing = billing(&app);
    let common = [
        ("name", json!("Other"), json!("Other")),
        ("description", json!("of ours"), json!("of ours")),
        ("description", json!(null), json!(null)),
        ("expires_at", json!("2026-12-31"), json!("2026-12-31T23:59:59Z")),
        ("expires_at", json!(null), json!(null)),
        ("allowed_ips", json!(["10.0.0.0/8"]), json!(["10.0.0.0/8"])),
        ("allowed_ips", json!(null), json!([])),
        ("rate_limit_per_minute", json!(5), json!(5)),
        ("rate_limit_per_minute", json!(null), json!(null)),
        ("rate_limit_per_hour", json!(0), json!(0)),
        ("rate_limit_per_day", json!(7), json!(7)),
        ("name", json!(null), json!("Other")),
        ("is_active", json!(true), json!(true)),
    ];
    let of_style = |style: usize| match style {
        0 => vec![("scopes", json!("delete"), json!("delete")), ("scopes", json!(null), json!("delete"))],
        1 => vec![
            ("permissions", json!(["dns.read", "all"]), json!(["dns", "all"])),
            ("is_active", json!(false), json!(false)),
            ("is_active", json!(true), json!(true)),
        ],
        _ => vec![
            ("permission_level", json!("user"), json!("USER")),
            ("permission_level", json!("BILLING"), json!("BILLING")),
            ("scopes", json!(["billing_operations"]), json!(["billing_operations"])),
            ("scopes", json!([]), json!([])),
            ("is_active", json!(false), json!(false)),
            ("is_active", json!(true), json!(true)),
        ],
    };
    for (style, id) in [external.id.to_string(), app.panel_id(&panel), billing.to_string()].iter().enumerate() {
        for (field, sent, shown) in common.iter().cloned().chain(of_style(style)) {
            let before = app.see(&format!("{API_KEYS}/{id}"), &admin).await.data().clone();
            let changed = app.ask("PUT", &format!("{API_KEYS}/{id}"), &admin, json!({field: sent})).await;
            assert_eq!(
                (changed.status, &changed.data()[field]),
                (200, &shown),
                "{id} {field} {sent}: {}",
                changed.text
            );
            let mut expected = before;
            expected[field] = shown.clone();
            if field == "is_active" {
                expected["enabled"] = shown;
            }
            assert_eq!(*app.see(&format!("{API_KEYS}/{id}"), &admin).await.data(), expected, "{id} {field}");
        }
        let before = app.footprint();
        assert_eq!(app.ask("PUT", &format!("{API_KEYS}/{id}"), &admin, json!({})).await.status, 200);
        assert_eq!(app.footprint(), before);
    }
}

#[tokio::test]
async fn a_field_of_another_style_or_a_bad_value_is_refused_by_name_and_nothing_changes() {
    let app = TestApp::at("2026-05-12T10:30:00Z").await;
    let (admin, external, panel) =
        (app.admin_token("admin"), app.external_key("admin", "read"), app.panel_key("admin", "read"));
    let (external, panel, billing) = (external.id.to_string(), app.panel_id(&panel), billing(&app).to_string());
    let before = app.footprint();
    for (id, body, text) in [
        (&external, json!({"permissions": ["all"]}), "permissions is not for a key of style external"),
        (&external, json!({"permission_level": "BILLING"}), "permission_level is not for a key of style external"),
        (&panel, json!({"scopes": "write"}), "scopes is not for a key of style panel"),
        (&panel, json!({"permission_level": "BILLING"}), "permission_level is not for a key of style panel"),
        (&billing, json!({"permissions": ["all"]}), "permissions is not for a key of style billing"),
        (&external, json!({"scopes": "admin"}), "scopes must be read, write or delete"),
        (&external, json!({"scopes": ["read"]}), "scopes must be read, write or delete"),
        (&panel, json!({"permissions": []}), "permissions must not be empty"),
        (&billing, json!({"scopes": "account_creation"}), ""),
        (&billing, json!({"permission_level": "ROOT"}), ""),
        (&external, json!({"name": ""}), ""),
        (
            &external,
            json!({"name": "new", "expires_at": "2020-01-01"}),
            "expires_at must be in the future and before the year 10000",
        ),
        (&external, json!({"allowed_ips": ["x"]}), ""),
        (&external, json!({"rate_limit_per_minute": -1}), ""),
        (&external, json!({"is_active": "no"}), "is_active must be a boolean"),
        (&billing, json!({"rate_limit_per_day": 4_294_967_296_u64}), ""),
        (&external, json!({"description": "x".repeat(501)}), ""),
    ] {
        let refused = app.ask("PUT", &format!("{API_KEYS}/{id}"), &admin, body.clone()).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
        let field = body.as_object().unwrap().keys().next_back().unwrap().clone();
        let said = refused.admin().1;
        assert!(said.starts_with(&field) && (text.is_empty() || said == text), "{body}: {said}");
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn a_level_stays_within_its_owners_role() {
    let app = TestApp::spawn().await;
    app.user("rita", Role::Reseller, Some("admin"));
    let admin = app.admin_token("admin");
    let id = mint(&app, "rita", Grants::Billing { level: Level::User, scopes: Vec::new() }).id;
    for (level, status) in [("BILLING", 200), ("ADMIN", 400), ("SUPER_ADMIN", 400)] {
        let changed = app.ask("PUT", &format!("{API_KEYS}/{id}"), &admin, json!({"permission_level": level})).await;
        assert_eq!(changed.status, status, "{level}: {}", changed.text);
    }
}

#[tokio::test]
async fn an_external_key_is_not_switched_off_but_revoked_and_for_good_however_it_came_about() {
    let app = TestApp::spawn().await;
    let admin = app.admin_token("admin");
    for by_delete in [true, false] {
        let key = app.external_key("admin", "read");
        assert_eq!(app.get(SUBSCRIBERS, &key).await.status, 200);
        let answer = match by_delete {
            true => app.ask("DELETE", &path(&key), &admin, json!({})).await,
            false => app.ask("PUT", &path(&key), &admin, json!({"is_active": false, "name": "dead"})).await,
        };
        assert_eq!(answer.status, 200);
        let refused = app.get(SUBSCRIBERS, &key).await;
        assert_eq!((refused.code(), refused.body["denied"].clone()), ("API_KEY_REVOKED", json!([{"gate": "revoked"}])));
        let shown = app.see(&path(&key), &admin).await;
        assert_eq!(shown.data()["is_active"], false);
        assert!(shown.data()["revoked_at"].is_string(), "{}", shown.text);
        let before = app.footprint();
        let again = app.ask("DELETE", &path(&key), &admin, json!({})).await;
        assert_eq!((again.status, again.text.as_str()), (200, r#"{"success":true,"message":"API key revoked"}"#));
        for (method, target, body) in [
            ("PUT", path(&key), json!({"is_active": true})),
            ("PUT", path(&key), json!({"is_active": false})),
            ("PUT", path(&key), json!({"name": "x"})),
            ("PUT", path(&key), json!({})),
            ("POST", format!("{}/rotate", path(&key)), json!({"grace_seconds": 0})),
        ] {
            assert_eq!(app.ask(method, &target, &admin, body.clone()).await.status, 409, "{method} {body}");
        }
        assert_eq!(app.footprint(), before);
    }
}

#[tokio::test]
async fn the_others_are_switched_off_and_on_and_revoked_by_delete_alone() {
    let app = TestApp::spawn().await;
    app.user("ulla", Role::User, Some("admin"));
    let (admin, panel) = (app.admin_token("admin"), app.panel_key("ulla", "all"));
    let me = "/api/v1/auth/me";
    assert_eq!(app.ask("PUT", &path(&panel), &admin, json!({"is_active": false})).await.status, 200);
    assert_eq!(app.see(me, panel.secret()).await.panel().2, "API key has been disabled");
    let toggle = format!("/api/v1/users/ulla/api-keys/{}/toggle", app.panel_id(&panel));
    assert_eq!(app.ask("POST", &toggle, &app.panel_token("ulla"), json!({})).await.status, 403, "an admin's doing");
    assert_eq!(app.ask("PUT", &path(&panel), &admin, json!({"is_active": true})).await.status, 200);
    assert_eq!(app.see(me, panel.secret()).await.status, 200);
    assert_eq!(app.ask("DELETE", &path(&panel), &admin, json!({})).await.status, 200);
    assert_eq!(app.see(me, panel.secret()).await.panel().2, "Invalid API key");
    assert_eq!(app.ask("PUT", &path(&panel), &admin, json!({"is_active": true})).await.status, 409);
    assert_eq!(app.see("/api/v1/users/ulla/api-keys", &app.panel_token("ulla")).await.body["total"], 0);
}

#[tokio::test]
async fn two_changes_at_once_are_both_kept_and_a_disabled_key_stays_disabled() {
    let app = TestApp::spawn().await;
    let admin = app.admin_token("admin");
    for round in 0..40 {
        let key = app.panel_key("admin", "all");
        let name = format!("n{round}");
        let (named, disabled) = join(
            app.ask("PUT", &path(&key), &admin, json!({"name": name})),
            app.ask("PUT", &path(&key), &admin, json!({"is_active": false})),
        )
        .await;
        assert_eq!((named.status, disabled.status), (200, 200));
        let row = app.rows(&format!("SELECT name, enabled FROM api_keys WHERE id = {}", key.id));
        assert_eq!(row, [json!({"name": name, "enabled": 0})], "round {round}");
        assert_eq!(app.ask("DELETE", &path(&key), &admin, json!({})).await.status, 200);
    }
}

#[tokio::test]
async fn a_rotation_keeps_all_but_the_secret_and_the_old_one_works_until_its_grace_is_over() {
    let app = TestApp::at("2026-05-12T10:30:00Z").await;
    let (admin, key) = (app.admin_token("admin"), app.external_key("admin", "write"));
    let before = app.see(&path(&key), &admin).await.data().clone();
    for (body, text) in [
        (json!({}), "grace_seconds is required"),
        (json!({"grace_seconds": -1}), "grace_seconds must be 0 or more, and end before the year 10000"),
        (json!({"grace_seconds": i64::MAX}), "grace_seconds must be 0 or more, and end before the year 10000"),
        (json!({"grace_seconds": "1h"}), "grace_seconds must be an integer"),
        (json!({"grace_seconds": 1.5}), "grace_seconds must be an integer"),
    ] {
        assert_eq!(app.ask("POST", &format!("{}/rotate", path(&key)), &admin, body).await.admin(), (400, text));
    }
    let rotated = app.ask("POST", &format!("{}/rotate", path(&key)), &admin, json!({"grace_seconds": 60})).await;
    let new = Key::of(rotated.body["key"].as_str().unwrap());
    let mut expected = before;
    expected["generation"] = json!(2);
    expected["key_prefix"] = json!(prefix(new.secret()));
    assert_eq!((rotated.status, rotated.data()), (200, &expected));
    let old = app.get(SUBSCRIBERS, &key).await;
    assert_eq!(
        (old.status, old.header("deprecation").is_some(), old.header("sunset")),
        (200, true, Some("Tue, 12 May 2026 10:31:00 GMT"))
    );
    assert_eq!(app.get(SUBSCRIBERS, &new).await.header("deprecation"), None);
    app.move_to("2026-05-12T10:31:00Z");
    assert_eq!(app.get(SUBSCRIBERS, &key).await.code(), "API_KEY_REVOKED");
    assert_eq!(app.get(SUBSCRIBERS, &new).await.status, 200);
    let at_once = app.ask("POST", &format!("{}/rotate", path(&key)), &admin, json!({"grace_seconds": 0})).await;
    assert_eq!(at_once.status, 200);
    assert_eq!(app.get(SUBSCRIBERS, &new).await.code(), "API_KEY_REVOKED", "grace 0 ends all but the new one");
    assert_eq!(app.get(SUBSCRIBERS, &Key::of(at_once.body["key"].as_str().unwrap())).await.status, 200);
}

/// A grace that only its end makes too long is refused in the name of the field that was sent.
#[tokio::test]
async fn a_grace_beyond_the_year_9999_is_refused_in_the_name_of_its_field() {
    let app = TestApp::spawn().await;
    let (admin, key) = (app.admin_token("admin"), app.external_key("admin", "write"));
    let refused = app
        .call(
            Request::new("POST", &format!("{}/rotate", path(&key)))
                .bearer(&admin)
                .json(&json!({"grace_seconds": 300_000_000_000_i64})),
        )
        .await;
    assert_eq!(refused.admin(), (400, "grace_seconds must end before the year 10000"));
    assert_ne!(refused.body, Value::Null);
}
