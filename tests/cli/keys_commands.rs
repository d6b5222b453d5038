//! `panel key update|rotate|can|logs|show` over all styles of keys: what is refused, what is printed.

use serde_json::{Value, json};

use crate::home::{Home, Ran, SUBSCRIBERS};

/// Mints one key of each style for the administrator: id and what its owner sends.
fn mint_all(home: &Home) -> [(String, Value); 3] {
    let mint = |style: &str, more: &[&str]| {
        let made = home.ok([&["--json", "key", "mint", "--style", style, "--user", "admin"], more].concat()).json();
        (made["id"].to_string().replace('"', ""), made)
    };
    [
        mint("external", &["--scopes", "write"]),
        mint("panel", &["--permissions", "domains,read"]),
        mint("billing", &["--level", "billing", "--scopes", "account_creation"]),
    ]
}

fn wrong_usage(ran: &Ran) {
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
}

fn rows(home: &Home) -> String {
    let select = "SELECT group_concat(id || coalesce(scope, '') || coalesce(permissions, '') || coalesce(level, '') ||
                  coalesce(scopes, '') || allowed_ips || enabled || coalesce(expires_at, '') || generation) FROM api_keys";
    home.value("panel.db", select)
}

#[test]
fn words_of_another_style_are_wrong_usage_and_change_nothing() {
    let home = Home::with_database();
    let [external, panel, billing] = mint_all(&home).map(|(id, _)| id);
    let before = rows(&home);
    for (id, options) in [
        (&external, &["--permissions", "all"][..]),
        (&external, &["--level", "ADMIN"]),
        (&external, &["--scopes", "all"]),
        (&external, &["--scopes", "read,write"]),
        (&external, &["--scopes", ""]),
        (&panel, &["--scopes", "write"]),
        (&panel, &["--level", "ADMIN"]),
        (&panel, &["--permissions", "everything"]),
        (&panel, &["--permissions", "users.read"]),
        (&panel, &["--permissions", ""]),
        (&billing, &["--permissions", "all"]),
        (&billing, &["--level", "ROOT"]),
        (&billing, &["--scopes", "write"]),
        (&billing, &["--enable", "--disable"]),
        (&billing, &["--rate", "-1"]),
        (&billing, &["--rate", "4294967296"]),
        (&billing, &["--frob"]),
    ] {
        wrong_usage(&home.run([&["key", "update", id], options].concat()));
    }
    for wrong in [
        &["key", "update"][..],
        &["key", "rotate", &external],
        &["key", "can", &external, "GET"],
        &["key", "show"],
        &["key", "logs"],
        &["key", "logs", &external, "--limit", "0"],
        &["key", "logs", &external, "--limit", "1001"],
        &["key", "can", &external, "GET", "/x", "--from", "nowhere"],
        &["key", "list", "--style", "secret"],
    ] {
        wrong_usage(&home.run(wrong));
    }
    assert_eq!(rows(&home), before);
}

#[test]
fn a_change_that_cannot_be_made_is_refused_and_changes_nothing() {
    let home = Home::with_database();
    let all = mint_all(&home);
    let before = rows(&home);
    for (id, _) in &all {
        for (options, why) in [
            (&["--add-ip", "300.1.1.1"][..], "add-ip"),
            (&["--add-ip", "10.0.0.0/33"], "add-ip"),
            (&["--remove-ip", "10.0.0.1"], "does not list 10.0.0.1"),
            (&["--expires", "2020-01-01"], "expires must be in the future"),
            (&["--expires", "0"], "expires must be in the future"),
            (&["--expires", "soon"], "expires must be"),
            (&["--name", ""], "name"),
        ] {
            home.run([&["key", "update", id], options].concat()).refused(why, "");
        }
        for grace in ["", "soon", "-1h", "1w"] {
            home.run(["key", "rotate", id, &format!("--grace={grace}")]).refused("grace must be", "");
        }
        home.run(["key", "can", id, "FETCH", SUBSCRIBERS]).refused("method must be", "");
        home.run(["key", "can", id, "GET", SUBSCRIBERS, "--at", "tomorrow"]).refused("at must be", "");
    }
    home.run(["key", "update", &all[0].0, "--disable"]).refused("enabled is not for external keys; revoke the key", "");
    assert_eq!(rows(&home), before);
    assert_eq!(home.count("audit WHERE action IN ('keys.update', 'keys.rotate')"), 0);
}

#[test]
fn a_key_is_named_by_its_id_by_its_beginning_or_by_the_whole_of_it() {
    let home = Home::with_database();
    let all = mint_all(&home);
    for (id, made) in &all {
        let key = made["key"].as_str().unwrap();
        for reference in [id.as_str(), key, &key[..12]] {
            let shown = home.ok(["--json", "key", "show", reference]).json();
            assert_eq!(shown["id"].to_string().replace('"', ""), *id, "{reference}");
        }
        let listed = home.ok(["--json", "key", "show", id]).stdout;
        assert!(!listed.contains(&key[16..]) || key.starts_with("npk_"), "{listed}");
    }
    let panel = &all[1].0;
    assert!(panel.len() == 16 && panel.bytes().all(|b| b.is_ascii_hexdigit()), "{panel}");
    for (wrong, why) in [
        ("ffffffffffffffff", "API key not found"),
        ("99", "API key not found"),
        ("wsp_zz", "API key not found"),
        ("", "API key not found"),
    ] {
        for command in ["show", "logs", "revoke"] {
            home.run(["key", command, wrong]).refused(why, "list");
        }
        home.run(["key", "update", wrong, "--name", "x"]).refused(why, "list");
        home.run(["key", "rotate", wrong, "--grace", "0"]).refused(why, "list");
        home.run(["key", "can", wrong, "GET", SUBSCRIBERS]).refused(why, "list");
    }
    mint_all(&home);
    for prefix in ["pk_live_", "wsp_", "npk_"] {
        let ran = home.run(["key", "show", prefix]);
        ran.refused(&format!("{prefix} may be any of these keys"), "Nothing was changed.");
    }
}

#[test]
fn the_secret_half_of_a_pair_names_no_key() {
    let home = Home::with_database();
    let [_, _, (_, billing)] = mint_all(&home);
    let secret = billing["secret"].as_str().unwrap();
    let ran = home.run(["key", "show", secret]);
    ran.refused("API key not found", "list");
    assert!(!ran.stderr.contains(secret), "a secret pasted by mistake is not repeated");
}

#[test]
fn can_exits_with_its_verdict_and_shows_every_gate_of_the_style() {
    let home = Home::with_database();
    let [external, panel, billing] = mint_all(&home).map(|(id, _)| id);
    for (id, method, path, verdict, gates) in [
        (
            &external,
            "post",
            SUBSCRIBERS,
            "allowed",
            "credential key revoked expired owner owner_active api_access ip rate scope role",
        ),
        (&external, "DELETE", "/api/v1/external/subscribers/7", "refused by scope", ""),
        (&external, "GET", "/api/v1/external/nope", "no such route", ""),
        (&external, "GET", "/api/v1/billing/accounts", "refused by key", ""),
        (
            &panel,
            "GET",
            "/api/v1/users?page=1",
            "allowed",
            "credential key revoked enabled expired owner owner_active api_access ip rate permission role",
        ),
        (&panel, "POST", "/api/v1/packages", "refused by permission", ""),
        (&panel, "POST", "/api/v1/auth/logout", "refused by permission", ""),
        (
            &billing,
            "POST",
            "/api/v1/billing/accounts",
            "allowed",
            "credential key secret revoked enabled expired owner owner_active api_access ip rate level scope role",
        ),
        (&billing, "DELETE", "/api/v1/billing/accounts/7", "refused by scope", ""),
    ] {
        let ran = home.run(["--json", "key", "can", id, method, path]);
        let allowed = verdict == "allowed";
        assert_eq!(ran.code, i32::from(!allowed), "{ran:?}");
        let said = ran.json();
        assert_eq!((&said["allowed"], &said["verdict"]), (&json!(allowed), &json!(verdict)), "{ran:?}");
        let names: Vec<_> =
            said["gates"].as_array().unwrap().iter().map(|gate| gate["gate"].as_str().unwrap()).collect();
        if !gates.is_empty() {
            assert_eq!(names.join(" "), gates, "{ran:?}");
        }
        for gate in said["gates"].as_array().unwrap() {
            assert!(["pass", "FAIL", "not judged"].contains(&gate["result"].as_str().unwrap()), "{gate}");
            assert!(gate.get("need").is_none() || gate["result"] == "FAIL", "{gate}");
        }
        let table = home.run(["key", "can", id, method, path]);
        assert!(table.code == ran.code && table.stdout.starts_with(&format!("{verdict}: ")), "{table:?}");
        assert!(table.stdout.contains("GATE") && !table.stdout.contains("null"), "{table:?}");
    }
    assert_eq!(home.count("key_usage"), 0, "asking consumes nothing");
}

#[test]
fn can_answers_for_another_address_and_another_time() {
    let home = Home::with_database();
    let options = ["--allow-ip", "192.0.2.0/24", "--expires", "2999-01-01"];
    home.ok([&["key", "mint", "--style", "external", "--user", "admin"], &options[..]].concat());
    for (more, verdict) in [
        (&["--from", "192.0.2.7"][..], "allowed"),
        (&["--from", "::ffff:192.0.2.7"], "allowed"),
        (&["--from", "192.0.3.7"], "refused by ip"),
        (&[], "refused by ip"),
        (&["--from", "192.0.2.7", "--at", "2999-01-01"], "allowed"),
        (&["--from", "192.0.2.7", "--at", "2999-01-02"], "refused by expired"),
        (&["--from", "192.0.2.7", "--at", "2999-01-01T23:59:58Z"], "allowed"),
        (&["--from", "192.0.2.7", "--at", "2999-01-02T01:00:00+02:00"], "allowed"),
    ] {
        let ran = home.run([&["--json", "key", "can", "1", "GET", SUBSCRIBERS], more].concat());
        assert_eq!(ran.json()["verdict"], verdict, "{more:?}: {ran:?}");
    }
}

#[test]
fn a_rotation_prints_the_new_secret_once_and_keeps_the_identifier_of_a_pair() {
    let home = Home::with_database();
    let mut secrets = Vec::new();
    for (id, made) in mint_all(&home) {
        let rotated = home.ok(["--json", "key", "rotate", &id, "--grace", "24h"]);
        let (now, was) = (rotated.json(), &made);
        assert_eq!(now["id"], was["id"]);
        let billing = was.get("secret").is_some();
        let fields: Vec<_> = now.as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, if billing { vec!["id", "key", "secret"] } else { vec!["id", "key"] });
        assert_eq!(now["key"] == was["key"], billing);
        let half = if billing { "secret" } else { "key" };
        assert_ne!(now[half], was[half]);
        secrets.extend([now[half].as_str().unwrap().to_owned(), was[half].as_str().unwrap().to_owned()]);
        let secret = now[half].as_str().unwrap();
        for command in
            [&["--json", "key", "show", &id][..], &["--json", "key", "list"], &["--json", "key", "logs", &id]]
        {
            let ran = home.ok(command);
            assert!(!(ran.stdout + &ran.stderr).contains(&secret[12..]), "{command:?}");
        }
    }
    for secret in secrets {
        assert_eq!(home.files_with(&secret[12..]), Vec::<String>::new());
    }
}

#[test]
fn an_update_prints_the_key_as_it_is_now_and_says_what_may_surprise() {
    let home = Home::with_database();
    let [(external, _), (panel, _), (billing, _)] = mint_all(&home);
    let update = |id: &str, options: &[&str]| home.ok([&["--json", "key", "update", id], options].concat());
    assert_eq!(update(&external, &["--scopes", "delete"]).json()["scopes"], "delete");
    assert_eq!(
        update(&panel, &["--permissions", "databases.read,dns"]).json()["permissions"],
        json!(["database", "dns"])
    );
    assert_eq!(update(&billing, &["--level", "viewer", "--scopes", ""]).json()["permission_level"], "READ_ONLY");
    for id in [&external, &panel, &billing] {
        let listed = update(id, &["--add-ip", "10.0.0.7/8", "--add-ip", "::1"]).json();
        assert_eq!(listed["allowed_ips"], json!(["10.0.0.0/8", "::1"]));
        let ran = update(id, &["--remove-ip", "10.0.0.0/8", "--remove-ip", "::1"]);
        assert!(ran.stderr.contains("may be used from anywhere"), "{ran:?}");
        assert_eq!(update(id, &["--name", "Stripe", "--rate", "7"]).json()["rate_limit_per_minute"], 7);
    }
    let before = home.count("audit");
    assert_eq!(update(&external, &["--scopes", "delete"]).json()["scopes"], "delete");
    assert_eq!(home.count("audit"), before, "nothing was changed, nothing is audited");
    home.add_user("ursula", "user");
    home.ok(["key", "mint", "--style", "billing", "--user", "ursula", "--level", "USER"]);
    let id: i64 = home.value("panel.db", "SELECT max(id) FROM api_keys");
    let raised = update(&id.to_string(), &["--level", "SUPER_ADMIN"]);
    assert!(raised.stderr.contains("above the role of ursula"), "{raised:?}");
}
