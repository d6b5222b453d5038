//! `panel key`: what is refused, what is shown.

use panel::domain::time::Timestamp;
use serde_json::json;

use crate::home::{Home, Ran, SUBSCRIBERS};

fn mint(home: &Home, more: &[&str]) -> Ran {
    home.run([&["--json", "key", "mint", "--style", "external"], more].concat())
}

#[test]
fn a_key_for_nobody_or_for_a_user_is_refused() {
    let home = Home::with_database();
    home.add_user("ursula", "user");
    mint(&home, &["--user", "nobody"]).refused("user does not exist", "Give another value");
    mint(&home, &["--user", "ursula"]).refused("user must be an admin or a reseller", "Give another value");
    assert_eq!(home.count("api_keys"), 0);
}

#[test]
fn a_key_with_wrong_bounds_is_refused_and_nothing_is_made() {
    let home = Home::with_database();
    for (option, value, why) in [
        ("--allow-ip", "300.1.1.1", "allow-ip"),
        ("--allow-ip", "10.0.0.0/33", "allow-ip"),
        ("--allow-ip", "anywhere", "allow-ip"),
        ("--expires", "2020-01-01", "expires must be in the future"),
        ("--expires", "0m", "expires must be in the future"),
        ("--expires", "2026-02-30", "expires must be a date (YYYY-MM-DD) or a duration (30m, 24h, 7d)"),
        ("--expires", "1 week", "expires must be"),
        ("--expires", "-7d", "expires must be"),
        ("--expires", "", "expires must be"),
        ("--name", "", "name"),
    ] {
        let option = format!("{option}={value}");
        mint(&home, &["--user", "admin", &option]).refused(why, "Give another value");
    }
    assert_eq!((home.count("api_keys"), home.count("audit WHERE action = 'keys.create'")), (0, 0));
}

#[test]
fn a_key_that_cannot_be_meant_is_wrong_usage() {
    let home = Home::with_database();
    for wrong in [
        &["--user", "admin", "--scopes", "admin"][..],
        &["--user", "admin", "--scopes", "read,write"],
        &["--user", "admin", "--rate", "-1"],
        &["--user", "admin", "--rate", "many"],
        &[],
    ] {
        let ran = mint(&home, wrong);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{wrong:?} {ran:?}");
    }
    assert_eq!(home.run(["key", "mint", "--style", "secret", "--user", "admin"]).code, 2);
    assert_eq!(home.count("api_keys"), 0);
}

#[test]
fn an_expiry_is_the_last_second_of_its_day_in_the_zone_or_so_long_from_now() {
    let home = Home::with_database();
    let zone = [("PANEL_LOCALE__TIME_ZONE", "Asia/Beirut")];
    let minted = |expires: &str| {
        let ran = home.run_with(&zone, ["key", "mint", "--style", "external", "--user", "admin", "--expires", expires]);
        assert_eq!(ran.code, 0, "{ran:?}");
        home.value::<i64>("panel.db", "SELECT expires_at - created_at FROM api_keys ORDER BY id DESC LIMIT 1")
    };
    for (expires, millis) in [("30m", 1_800_000), ("24h", 86_400_000), ("7d", 7 * 86_400_000)] {
        let lasts = minted(expires);
        assert!((lasts - millis).abs() < 10_000, "{expires}: {lasts}");
    }
    minted("2999-01-31");
    let at: i64 = home.value("panel.db", "SELECT max(expires_at) FROM api_keys");
    assert_eq!(Timestamp(at).rfc3339(), "2999-01-31T21:59:59Z");
}

#[test]
fn a_list_shows_a_bare_array_without_any_secret() {
    let home = Home::with_database();
    let options = ["--name", "Stripe sync", "--scopes", "write", "--allow-ip", "192.0.2.7", "--allow-ip", "10.0.0.0/8"];
    let minted = mint(&home, &[&["--user", "admin", "--rate", "5", "--expires", "2999-01-01"], &options[..]].concat());
    let made = minted.json();
    let key = made["key"].as_str().unwrap();
    assert_eq!(made, json!({"id": 1, "key": key}), "the shape of a mint");

    let (listed, table) = (home.ok(["--json", "key", "list"]), home.ok(["key", "list"]));

    let rows = listed.json();
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(rows[0]["key_prefix"], key[..12]);
    assert_eq!(rows[0]["scopes"], "write");
    assert_eq!(rows[0]["name"], "Stripe sync");
    assert_eq!(rows[0]["owner"], "admin");
    assert_eq!(rows[0]["is_active"], true);
    assert_eq!(rows[0]["rate_limit_per_minute"], 5);
    assert_eq!(rows[0]["allowed_ips"].as_array().map(Vec::len), Some(2));
    assert_eq!(rows[0]["expires_at"], "2999-01-01T23:59:59Z");
    let hash: Vec<u8> = home.value("panel.db", "SELECT secret_hash FROM api_key_secrets");
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    for text in [&listed.stdout, &listed.stderr, &table.stdout, &table.stderr] {
        assert!(!text.contains(&key[12..]) && !text.contains(&hash), "{text}");
    }
    assert!(table.stdout.starts_with("ID ") && table.stdout.contains(&key[..12]), "{}", table.stdout);
}

#[test]
fn an_empty_list_is_an_empty_array() {
    let home = Home::with_database();
    assert_eq!(home.ok(["--json", "key", "list"]).json(), json!([]));
}

#[test]
fn a_key_is_bound_by_what_it_was_minted_with() {
    let home = Home::new();
    let server = home.serve();
    let body = json!({"username": "ada", "service_id": 1});
    let read = home.mint("read").1;
    let away = mint(&home, &["--user", "admin", "--scopes", "write", "--allow-ip", "192.0.2.7"]);
    let away = away.json()["key"].as_str().unwrap().to_owned();
    let slow = mint(&home, &["--user", "admin", "--rate", "1"]).json()["key"].as_str().unwrap().to_owned();

    assert_eq!(
        (server.create(&read, &body).status, server.create(&read, &body).code().as_str()),
        (403, "SCOPE_REQUIRED")
    );
    assert_eq!(
        (server.create(&away, &body).status, server.create(&away, &body).code().as_str()),
        (403, "IP_NOT_ALLOWED")
    );
    assert_eq!(server.get(SUBSCRIBERS, &slow).status, 200);
    // The minute may turn between two requests, but not between three.
    let statuses = [server.get(SUBSCRIBERS, &slow).status, server.get(SUBSCRIBERS, &slow).status];
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(home.count("subscribers"), 0);
}

#[test]
fn the_audit_names_the_login_that_minted_and_revoked() {
    let home = Home::with_database();
    let by = |name: &str, arguments: &[&str]| {
        let ran = home.run_with(&[("SUDO_USER", name)], arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    by("grace", &["key", "mint", "--style", "external", "--user", "admin"]);
    by("linus", &["key", "revoke", "1"]);
    let who = |action: &str| -> String {
        home.value("panel.db", &format!("SELECT actor_kind || ' ' || actor_name FROM audit WHERE action = '{action}'"))
    };
    assert_eq!(who("keys.create"), "operator grace");
    assert_eq!(who("keys.revoke"), "operator linus");
}
