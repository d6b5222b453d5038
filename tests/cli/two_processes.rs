//! The command line beside a running server: what it changes is in force for the next request.

use serde_json::json;

use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http;

#[test]
fn a_reference_that_names_no_key_is_refused() {
    let home = Home::with_database();
    home.mint("read");
    for unknown in ["99", "pk_live_zzzz", "0123456789abcdef", "99999999999999999999", "%", "_", "pk_live_%"] {
        home.run(["key", "revoke", unknown]).refused("API key not found", "list");
    }
    assert_eq!(home.count("api_keys WHERE revoked_at IS NOT NULL"), 0);
}

#[test]
fn an_empty_reference_names_no_key_even_if_there_is_only_one() {
    let home = Home::with_database();
    home.mint("read");
    let ran = home.run(["key", "revoke", ""]);
    assert_ne!(ran.code, 0, "an unset variable of a script revoked a key: {ran:?}");
    assert_eq!(home.count("api_keys WHERE revoked_at IS NOT NULL"), 0);
}

#[test]
fn a_prefix_of_several_keys_revokes_none_and_lists_the_candidates() {
    let home = Home::with_database();
    let keys = [home.mint("read").1, home.mint("write").1, home.mint("delete").1];

    let ran = home.run(["key", "revoke", "pk_live_"]);

    ran.refused("pk_live_ may be any of these keys", "Nothing was changed.");
    for (id, key) in (1..).zip(&keys) {
        assert!(ran.stderr.contains(&format!("{id} ({} ", &key[..12])), "{ran:?}");
        assert!(!ran.stderr.contains(key.as_str()), "{ran:?}");
    }
    assert_eq!(home.count("api_keys WHERE revoked_at IS NOT NULL"), 0);
}

#[test]
fn a_key_revoked_by_the_command_line_is_dead_for_the_next_request() {
    let home = Home::new();
    let server = home.serve();
    let (id, by_id) = home.mint("read");
    let (_, by_prefix) = home.mint("read");
    let other = home.mint("read").1;
    for (key, reference) in [(&by_id, id.to_string()), (&by_prefix, by_prefix[..12].to_owned())] {
        assert_eq!(server.get(SUBSCRIBERS, key).status, 200);
        let ran = home.run(["key", "revoke", &reference]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
        let refused = server.get(SUBSCRIBERS, key);
        assert_eq!((refused.status, refused.code().as_str()), (401, "API_KEY_REVOKED"));

        let again = home.run(["key", "revoke", &reference]);
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.stderr.contains("revoked before"), "{again:?}");
    }
    assert_eq!(server.get(SUBSCRIBERS, &other).status, 200);
    assert_eq!(home.count("audit WHERE action = 'keys.revoke'"), 2, "a second revoke changes nothing");
    let active: Vec<_> = home
        .ok(["--json", "key", "list"])
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["is_active"].clone())
        .collect();
    assert_eq!(active, [json!(false), json!(false), json!(true)]);
}

#[test]
fn a_service_added_by_the_command_line_can_be_sold_at_once() {
    let home = Home::new();
    let server = home.serve();
    let key = home.mint("write").1;
    let body = json!({"username": "ada", "service_id": 2});
    assert_eq!(server.create(&key, &body).status, 400);
    home.ok(["service", "add", "Gold"]);
    assert_eq!(server.create(&key, &body).status, 201);
    home.run(["service", "add", "gold"]).refused("A service named gold exists already", "Nothing was changed.");
}

#[test]
fn the_command_line_and_the_server_write_at_the_same_time() {
    let home = Home::new();
    let made = home
        .ok(["--json", "key", "mint", "--style", "external", "--user", "admin", "--scopes", "write", "--rate", "0"]);
    let key = made.json()["key"].as_str().unwrap().to_owned();
    let server = home.serve();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (home, address, key) = (&home, server.address, &key);
            scope.spawn(move || {
                for turn in 0..25 {
                    let body = json!({"username": format!("s{half}-{turn}"), "service_id": 1});
                    let made = raw_http::create(address, key, &body);
                    assert_eq!(made.status, 201, "{made:?}");
                }
            });
            scope.spawn(move || {
                for turn in 0..5 {
                    home.ok(["service", "add", &format!("plan {half} {turn}")]);
                }
            });
        }
    });
    assert_eq!((home.count("subscribers"), home.count("services")), (50, 11));
}

#[test]
fn commands_that_start_at_once_in_an_empty_folder_make_one_panel() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(home.ok(["--json", "user", "list"]).json().as_array().map(Vec::len), Some(1)));
        }
    });
    assert_eq!((home.count("packages"), home.count("services"), home.count("users")), (1, 1, 1));
    home.ok(["user", "list"]);
}
