//! The seed's samples and the contract's table of codes, byte for byte (seed: WisPanel; panel.md, Envelope).

use panel::domain::users::Role;
use serde_json::json;

use super::{ME, PACKAGES, USERS, features_of, keys_of, people};
use crate::support::{Answer, LOGIN, Plan, Request, TestApp, golden, prefix};

/// A refusal is the seed's body, whole and in its order, and `denied` behind it.
fn refusal(name: &str, answer: &Answer, seed: &str, masked: &[(&str, &str)]) {
    let open = seed.strip_suffix('}').unwrap();
    assert!(answer.text.starts_with(&format!("{open},\"denied\":[{{")), "{name}: {}", answer.text);
    golden(name, answer, masked);
}

const NOT_SCOPED: &str = r#"{"success":false,"code":"FORBIDDEN","error":"API key is not scoped for 'databases' on this request","message":"API key is not scoped for 'databases' on this request","status":403}"#;
const NO_API: &str = r#"{"success":false,"code":"FORBIDDEN","error":"API access is disabled for this account","message":"API access is disabled for this account","status":403}"#;
const NO_GRANT: &str = r#"{"success":false,"code":"FORBIDDEN","error":"Permission denied: cannot grant API (not allowed by your reseller package)","message":"Permission denied: cannot grant API (not allowed by your reseller package)","status":403}"#;
const BAD_LOGIN: &str = r#"{"success":false,"code":"UNAUTHORIZED","error":"Invalid credentials","message":"Invalid credentials","status":401}"#;

/// The seed's day and its zone.
async fn seeds_day() -> TestApp {
    let zone = "Asia/Jakarta".parse().unwrap();
    Plan::new().config(|config| config.locale.time_zone = zone).at("2026-05-18T10:39:25Z").spawn().await
}

#[tokio::test]
async fn the_life_of_a_key_is_the_seeds() {
    let app = seeds_day().await;
    let admin = app.panel_token("admin");

    let body =
        json!({"name": "WHMCS Provisioning", "permissions": ["domains", "read"], "ip_whitelist": [], "expires_in": 0});
    let made = app.ask("POST", &keys_of("admin"), &admin, body).await;
    let secret = made.body["secret_key"].as_str().unwrap().to_owned();
    let (id, prefix) = (made.body["key"]["id"].as_str().unwrap().to_owned(), prefix(&secret).to_owned());
    let masked = [(secret.as_str(), "<secret>"), (id.as_str(), "<id>"), (prefix.as_str(), "<prefix>")];
    golden("key_create", &made, &masked);

    let own = format!("{}/{id}", keys_of("admin"));
    let change = json!({"name": "Billing", "permissions": ["dns"], "ip_whitelist": ["10.0.0.0/8", "127.0.0.1"], "expires_in": 30});
    golden("key_update", &app.ask("PUT", &own, &admin, change).await, &masked[1..]);
    let toggle = format!("{own}/toggle");
    golden("key_toggle_off", &app.ask("POST", &toggle, &admin, json!({})).await, &masked[1..]);
    golden("key_toggle_on", &app.ask("POST", &toggle, &admin, json!({})).await, &masked[1..]);
    golden("key_delete", &app.ask("DELETE", &own, &admin, json!({})).await, &[]);
}

#[tokio::test]
async fn the_list_of_keys_has_its_fields_in_the_contracts_order() {
    let app = seeds_day().await;
    let key = app.panel_key("admin", "domains,read");
    let (id, prefix) = (app.panel_id(&key), prefix(key.secret()));
    let list = app.see(&keys_of("admin"), &app.panel_token("admin")).await;
    golden("key_list", &list, &[(&id, "<id>"), (prefix, "<prefix>")]);
}

#[tokio::test]
async fn a_key_made_of_legacy_words_and_a_limit_says_so() {
    let app = seeds_day().await;
    let admin = app.panel_token("admin");
    let body =
        json!({"name": "Old", "permissions": ["domains.read", "databases.write", "backups.read"], "rate_limit": 5});

    let made = app.ask("POST", &keys_of("admin"), &admin, body).await;

    let secret = made.body["secret_key"].as_str().unwrap().to_owned();
    let id = made.body["key"]["id"].as_str().unwrap().to_owned();
    golden("key_create_legacy", &made, &[(&secret, "<secret>"), (&id, "<id>"), (prefix(&secret), "<prefix>")]);
}

#[tokio::test]
async fn who_am_i_is_the_seeds() {
    let app = seeds_day().await;
    app.change("UPDATE users SET email = 'admin@example.com', email_key = 'admin@example.com' WHERE id = 1", []);
    let key = app.panel_key("admin", "dns");
    golden("me", &app.see(ME, key.secret()).await, &[]);
    golden("me", &app.see(ME, &app.session("admin").await).await, &[]);
}

#[tokio::test]
async fn logging_in_and_out_is_as_the_contract_draws_it() {
    let app = seeds_day().await;
    app.change("UPDATE users SET email = 'admin@example.com', email_key = 'admin@example.com' WHERE id = 1", []);
    app.give_password("admin").await;
    let body = json!({"username": "admin", "password": crate::support::PASSWORD});

    let opened = app.ask("POST", LOGIN, "", body).await;
    let token = opened.body["token"].as_str().unwrap().to_owned();
    golden("login", &opened, &[(&token, "<token>")]);
    let renewed = app.ask("POST", "/api/v1/auth/refresh", &token, json!({})).await;
    let next = renewed.body["token"].as_str().unwrap().to_owned();
    golden("refresh", &renewed, &[(&next, "<token>")]);
    golden("logout", &app.ask("POST", "/api/v1/auth/logout", &next, json!({})).await, &[]);
}

#[tokio::test]
async fn the_seeds_refusals_are_its_own_words() {
    let app = seeds_day().await;
    people(&app);
    let narrow = app.panel_key("admin", "domains");
    refusal(
        "not_scoped",
        &app.see("/api/v1/databases", narrow.secret()).await,
        NOT_SCOPED,
        &[(&app.panel_id(&narrow), "<id>")],
    );

    let (admin, key) = (app.panel_token("admin"), app.panel_key("ulla", "all"));
    let off = app.ask("PUT", &features_of("ulla"), &admin, json!({"api": false})).await;
    golden("features_update", &off, &[]);
    golden("features", &app.see(&features_of("ulla"), &admin).await, &[]);
    let create = app.ask("POST", &keys_of("ulla"), &admin, json!({"name": "x"})).await;
    refusal("api_disabled_create", &create, NO_API, &[]);
    refusal("api_disabled_use", &app.see(USERS, key.secret()).await, NO_API, &[]);

    app.change("INSERT INTO resellers (user_id, can_grant_api, updated_at) VALUES ((SELECT id FROM users WHERE username = 'rita'), 0, 0)", []);
    let grant = app.ask("PUT", &features_of("ulla"), &app.panel_token("rita"), json!({"api": true})).await;
    refusal("cannot_grant", &grant, NO_GRANT, &[]);

    app.give_password("vera").await;
    for body in
        [json!({}), json!({"username": "vera"}), json!({"username": "vera", "password": ""}), json!({"password": "x"})]
    {
        golden("login_incomplete", &app.ask("POST", LOGIN, "", body).await, &[]);
    }
    for name in ["vera", "nobody"] {
        let body = json!({"username": name, "password": "wrong"});
        refusal("login_wrong", &app.ask("POST", LOGIN, "", body).await, BAD_LOGIN, &[]);
    }
}

#[tokio::test]
async fn every_code_of_the_contract_has_its_face() {
    let app = seeds_day().await;
    people(&app);
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    let user = json!({"username": "ulla", "email": "new@example.com", "password": crate::support::PASSWORD});

    golden("code_400", &app.ask("POST", &keys_of("admin"), &admin, json!({"name": 5})).await, &[]);
    golden("code_400_create", &app.ask("POST", USERS, &admin, json!({"username": "x"})).await, &[]);
    golden("code_401", &app.see(USERS, "").await, &[]);
    golden("code_401_key", &app.see(USERS, "wsp_unknown").await, &[]);
    golden("code_401_session", &app.see(USERS, "a.b.c").await, &[]);
    golden("code_403_role", &app.ask("POST", PACKAGES, &rita, json!({"name": "gold"})).await, &[]);
    let key = app.panel_key("admin", "all");
    golden("code_403_session", &app.ask("POST", "/api/v1/auth/logout", key.secret(), json!({})).await, &[]);
    golden("code_403_field", &app.ask("PUT", &format!("{USERS}/ulla"), &rita, json!({"max_domains": 5})).await, &[]);
    for (name, target) in
        [("user", "users/nobody"), ("reseller", "resellers/vera"), ("package", "packages/none"), ("route", "nothing")]
    {
        golden(&format!("code_404_{name}"), &app.see(&format!("/api/v1/{target}"), &admin).await, &[]);
    }
    let missing = format!("{}/0123456789abcdef", keys_of("admin"));
    golden("code_404_key", &app.ask("PUT", &missing, &admin, json!({})).await, &[]);
    golden("code_405", &app.ask("DELETE", USERS, &admin, json!({})).await, &[]);
    golden("code_409", &app.ask("POST", USERS, &admin, user).await, &[]);
    for (name, status) in [("one", 201), ("two", 409)] {
        let request = Request::new("POST", PACKAGES).bearer(&admin).json(&json!({"name": name}));
        let answer = app.call(request.header("idempotency-key", "k")).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 409 {
            golden("code_409_idempotency", &answer, &[]);
        }
    }
    let large =
        Request::new("POST", PACKAGES).bearer(&admin).body(vec![b' '; app.panel.config().server.max_body_bytes + 1]);
    golden("code_413", &app.call(large).await, &[]);
    let plain = Request::new("POST", PACKAGES).bearer(&admin).header("content-type", "text/plain").body("name=x");
    golden("code_415", &app.call(plain).await, &[]);
    golden("code_501", &app.see("/api/v1/domains", &admin).await, &[]);
    // A stored hash that is none is a fault of ours.
    golden("code_500", &app.ask("POST", LOGIN, "", json!({"username": "ulla", "password": "x"})).await, &[]);
}

#[tokio::test]
async fn more_logins_than_may_wait_are_sent_away_with_their_own_face() {
    let app = TestApp::spawn().await;
    let log_in = |_| app.ask("POST", LOGIN, "", json!({"username": "nobody", "password": "x"}));
    let answers = futures_util::future::join_all((0..60).map(log_in)).await;
    let sent_away = answers.iter().find(|answer| answer.status == 503).expect("60 logins found a place");
    assert_eq!(sent_away.header("retry-after"), Some("1"));
    golden("code_503", sent_away, &[]);
}

#[tokio::test]
async fn a_slow_body_and_too_many_requests_have_their_face_too() {
    let plan = Plan::new().config(|config| {
        config.server.body_timeout_seconds = 1;
        config.limits.per_key_per_minute = 1;
    });
    let app = plan.at("2026-05-18T10:39:25Z").spawn().await;
    let key = app.panel_key("admin", "all");
    app.see(ME, key.secret()).await;
    golden("code_429", &app.see(ME, key.secret()).await, &[]);

    let request = Request::new("POST", PACKAGES);
    let mut slow = app.connect();
    let token = app.panel_token("admin");
    slow.send(format!(
        "POST {PACKAGES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n\r\n{{"
    ));
    golden("code_408", &slow.answer(&request).unwrap(), &[]);
}

#[tokio::test]
async fn users_resellers_and_packages_look_as_the_contract_says() {
    let app = seeds_day().await;
    app.change("UPDATE users SET email = 'admin@example.com', email_key = 'admin@example.com' WHERE id = 1", []);
    let admin = app.panel_token("admin");
    let reseller = json!({"username": "Rita", "email": "rita@example.com", "password": crate::support::PASSWORD});
    golden("reseller_create", &app.ask("POST", "/api/v1/resellers", &admin, reseller).await, &[]);
    let user = json!({"username": "ulla", "email": "ulla@example.com", "password": crate::support::PASSWORD, "creator": "rita"});
    golden("user_create", &app.ask("POST", USERS, &admin, user).await, &[]);
    app.user("odd", Role::User, None);

    for (name, target) in [
        ("users", "users"),
        ("user", "users/ulla"),
        ("resellers", "resellers"),
        ("reseller", "resellers/rita"),
        ("reseller", "resellers/rita/limits"),
        ("reseller_users", "resellers/rita/users"),
        ("packages", "packages"),
        ("package", "packages/default"),
    ] {
        golden(name, &app.see(&format!("/api/v1/{target}"), &admin).await, &[]);
    }
    for (name, method, target, body) in [
        ("package_create", "POST", "packages", json!({"name": "gold"})),
        ("package_update", "PUT", "packages/gold", json!({"max_users": 5})),
        ("package_delete", "DELETE", "packages/gold", json!({})),
        ("user_update", "PUT", "users/ulla", json!({"email": "u@example.com"})),
        ("user_suspend", "POST", "users/ulla/suspend", json!({})),
        ("user_unsuspend", "POST", "users/ulla/unsuspend", json!({})),
        ("reseller_in_use", "DELETE", "resellers/rita", json!({})),
        ("user_delete", "DELETE", "users/ulla", json!({})),
        ("reseller_update", "PUT", "resellers/rita", json!({"can_grant_api": false})),
        ("reseller_limits_update", "PUT", "resellers/rita/limits", json!({"max_users": 3})),
        ("reseller_delete", "DELETE", "resellers/rita", json!({})),
    ] {
        golden(name, &app.ask(method, &format!("/api/v1/{target}"), &admin, body).await, &[]);
    }
}
