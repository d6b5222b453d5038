//! What a subscriber module is refused, and whether the sentence is enough to mend it.

use serde_json::{Value, json};

use super::{Whmcs, nobody};
use crate::home::{Home, SUBSCRIBERS};

const COMMANDS: [&str; 8] = [
    "CreateAccount",
    "SuspendAccount",
    "UnsuspendAccount",
    "TerminateAccount",
    "ChangePassword",
    "ChangePackage",
    "Renew",
    "TestConnection",
];

#[test]
fn what_is_not_set_up_is_named_and_nothing_is_sent() {
    let home = Home::with_database();
    let whmcs = Whmcs::install(&home, "panelsubscriber", nobody(), "pk_live_0123");
    for (name, value, why) in [
        ("serverhostname", json!(""), "has no hostname and no IP address"),
        ("serverhostname", json!("https://panel.example.com"), "bare name or address"),
        ("serverhostname", json!("panel.example.com:3082"), "bare name or address"),
        ("serverhostname", json!("panel.example.com/x?"), "bare name or address"),
        ("serverhostname", json!("key@panel.example.com"), "bare name or address"),
        ("serverport", json!("http"), "from 1 to 65535"),
        ("serverport", json!(70_000), "from 1 to 65535"),
        ("serverpassword", json!(""), "The server's Password (the pk_live_ key) is empty"),
        ("serverpassword", json!("pk_live_1\r\nX-Evil: 1"), "a line break"),
        ("configoption1", json!(""), "The product has no Service"),
        ("configoption1", json!("gold"), "The product has no Service"),
        ("configoption1", json!("0"), "The product has no Service"),
        ("username", json!(" "), "has no username"),
        ("password", json!(""), "has no password"),
        ("serviceid", json!(null), "serviceid"),
    ] {
        let called = whmcs.with(&[(name, value)]).call("CreateAccount");
        called.fails(&[why]);
        assert!(called.logged().is_empty(), "something was sent: {called:?}");
    }
    for periods in ["0", "25", "-1", "two"] {
        whmcs.with(&[("configoption2", json!(periods))]).call("Renew").fails(&["Periods", "1 to 24"]);
    }
    whmcs.with(&[("serverid", Value::Null)]).call("UsageUpdate").fails(&["serverid"]);
}

#[test]
fn a_wrong_and_a_revoked_key_are_told_apart() {
    let home = Home::with_database();
    let server = home.serve();
    let (id, key) = home.mint("delete");
    home.ok(["--yes", "key", "revoke", &id.to_string()]);
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    for command in COMMANDS {
        whmcs.call(command).fails(&["API key has been revoked (HTTP 401)"]);
        whmcs
            .with(&[("serverpassword", json!("pk_live_nobodys"))])
            .call(command)
            .fails(&["Invalid API key (HTTP 401)"]);
    }
    assert_eq!(home.count("subscribers"), 0);
}

#[test]
fn a_key_that_cannot_provision_is_red_and_the_command_in_the_text_mends_it() {
    let home = Home::with_database();
    let server = home.serve();
    let (id, key) = home.mint("read");
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    let fix = format!("On the panel's machine run: panel key update {id} --scopes write");
    for command in ["TestConnection", "CreateAccount"] {
        whmcs.call(command).fails(&["needs the scope write, the API key has read (HTTP 403)", &fix]);
    }
    assert_eq!(home.count("subscribers"), 0);
    home.ok(["key", "update", &id.to_string(), "--scopes", "write"]);
    whmcs.call("TestConnection").connects();
    whmcs.call("CreateAccount").succeeds();

    let fix = format!("panel key update {id} --scopes delete");
    whmcs.call("TerminateAccount").fails(&["needs the scope delete", &fix]);
    assert_eq!(home.value::<i64>("panel.db", "SELECT count(*) FROM subscribers WHERE deleted_at IS NULL"), 1);
    home.ok(["key", "update", &id.to_string(), "--scopes", "delete"]);
    whmcs.call("TerminateAccount").succeeds();
}

#[test]
fn a_key_for_other_addresses_says_which_one_is_missing() {
    let home = Home::with_database();
    let server = home.serve();
    let (id, key) = home.mint("delete");
    home.ok(["key", "update", &id.to_string(), "--add-ip", "192.0.2.7"]);
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    let fix = format!("panel key update {id} --add-ip 127.0.0.1");
    whmcs.call("TestConnection").fails(&["IP address 127.0.0.1 is not allowed for this API key (HTTP 403)", &fix]);
    whmcs.call("TerminateAccount").fails(&[&fix]);
}

#[test]
fn a_used_up_limit_says_how_long_to_wait() {
    let home = Home::with_database();
    let server = home.serve();
    let (id, key) = home.mint("delete");
    home.ok(["key", "update", &id.to_string(), "--rate", "1"]);
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    let outcomes = [whmcs.call("CreateAccount"), whmcs.call("SuspendAccount"), whmcs.call("SuspendAccount")];
    let refused = outcomes.iter().find(|called| *called.result() != "success").unwrap();
    refused.fails(&["Rate limit exceeded (HTTP 429). To do: wait "]);
}

#[test]
fn an_unknown_service_makes_nothing_and_changes_nothing() {
    let home = Home::with_database();
    let server = home.serve();
    let (_, key) = home.mint("delete");
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    let unknown = whmcs.with(&[("configoption1", json!("99"))]);
    unknown.call("CreateAccount").fails(&["service_id does not exist (HTTP 400)"]);
    assert_eq!(home.count("subscribers"), 0);
    whmcs.call("CreateAccount").succeeds();
    unknown.call("ChangePackage").fails(&["service_id does not exist (HTTP 400)"]);
    assert_eq!(home.value::<i64>("panel.db", "SELECT service_id FROM subscribers"), 1);
}

#[test]
fn a_username_that_somebody_else_has_stays_theirs() {
    let home = Home::with_database();
    let server = home.serve();
    let (_, key) = home.mint("delete");
    let body = json!({"username": "ADA@isp.example", "service_id": 1, "password": "their own"});
    assert_eq!(server.create(&key, &body).status, 201);
    let theirs = server.get(&format!("{SUBSCRIBERS}/1"), &key).json()["data"].take();
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);

    whmcs.call("CreateAccount").fails(&["(HTTP 409)"]);
    for command in ["SuspendAccount", "TerminateAccount", "ChangePassword", "ChangePackage", "Renew"] {
        whmcs.call(command).fails(&["is in the panel, but not linked to this service"]);
    }

    assert_eq!(server.get(&format!("{SUBSCRIBERS}/1"), &key).json()["data"], theirs);
    assert!(home.ok(["subscriber", "export", "--with-passwords"]).stdout.contains("their own"));
}

#[test]
fn what_is_not_there_cannot_be_changed_but_counts_as_terminated() {
    let home = Home::with_database();
    let server = home.serve();
    let (_, key) = home.mint("delete");
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    for command in ["SuspendAccount", "UnsuspendAccount", "ChangePassword", "ChangePackage", "Renew", "Link"] {
        whmcs.call(command).fails(&["has no subscriber ada@isp.example"]);
    }
    whmcs.call("TerminateAccount").succeeds();
    whmcs.with(&[("username", json!(""))]).call("TerminateAccount").succeeds();
}

#[test]
fn a_client_sees_no_keys_and_no_commands() {
    let home = Home::with_database();
    let server = home.serve();
    let (id, key) = home.mint("delete");
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    whmcs.call("CreateAccount").succeeds();
    let long = whmcs.with(&[("password", json!("x".repeat(129)))]);
    long.call_as_client("ChangePassword").fails(&["password must be 1-128 bytes"]);
    home.ok(["key", "update", &id.to_string(), "--scopes", "read"]);
    let called = whmcs.call_as_client("ChangePassword");
    assert_eq!(*called.result(), "This cannot be done at the moment. Please contact us.");
    assert!(called.activity().contains("panel key update"), "{called:?}");
    whmcs.call("ChangePassword").fails(&["panel key update"]);
}
