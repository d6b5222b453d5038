//! `panel key suggest`: what a key was seen to need, over calls that a real server answered and logged.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Instant;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::home::{DEADLINE, Home, Ran, SUBSCRIBERS};
use crate::server::Server;

const ACCOUNTS: &str = "/api/v1/billing/accounts";

/// A billing pair of a user, as the client sends it.
struct Pair {
    id: String,
    key: String,
    secret: String,
}

impl Pair {
    fn mint(home: &Home, user: &str, level: &str) -> Self {
        let made = home.ok(["--json", "key", "mint", "--style", "billing", "--user", user, "--level", level]).json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { id: made["id"].to_string(), key: text("key"), secret: text("secret") }
    }

    #[track_caller]
    fn call(&self, server: &Server, (method, path): (&str, &str), body: &Value, status: u16) -> Value {
        let headers =
            [("X-API-Key", &*self.key), ("X-API-Secret", &*self.secret), ("Content-Type", "application/json")];
        let answer = server.send(method, path, &headers, &body.to_string());
        assert_eq!(answer.status, status, "{answer:?}");
        answer.json()
    }

    fn create(&self, server: &Server, name: &str, is_admin: bool, status: u16) -> Value {
        let body = json!({
            "username": name, "email": format!("{name}@example.com"), "password": "Quiet-Heron-71", "is_admin": is_admin,
            "billing_id": format!("b-{name}"),
        });
        self.call(server, ("POST", ACCOUNTS), &body, status)
    }
}

/// Ends the server, which writes down all that was logged.
fn end(mut server: Server) {
    assert_eq!(server.stop(), Some(0));
}

fn suggestion(home: &Home, id: &str, more: &[&str]) -> Value {
    home.ok([&["--json", "key", "suggest", id], more].concat()).json()
}

fn updates(home: &Home) -> i64 {
    home.count("audit WHERE action = 'keys.update'")
}

/// Method, route, gate, address, and days of age.
type Row = (&'static str, &'static str, Option<&'static str>, Option<&'static str>, i64);

/// Writes rows of the log past the server.
fn log(home: &Home, key: i64, rows: &[Row]) {
    let database: Connection = home.open("panel-logs.db");
    for (method, route, gate, ip, days) in rows {
        let insert = "INSERT INTO api_key_logs (at, key_id, generation, method, route, path, status, gate, ip, latency_us, request_id)
                      VALUES ((unixepoch() - ?6 * 86400) * 1000, ?1, 1, ?2, ?3, ?3, 200, ?4, ?5, 1, 'r')";
        database.execute(insert, (key, method, route, gate, ip, days)).unwrap();
    }
}

/// With the file of the log, which the first server makes.
fn home_with_log() -> Home {
    let home = Home::new();
    end(home.serve());
    home
}

#[test]
fn a_key_that_nobody_uses_has_no_suggestion_and_a_way_to_end_it() {
    let home = Home::new();
    home.mint("delete");
    let pair = Pair::mint(&home, "admin", "BILLING");
    let told = |id: &str, why: &str, remedy: &str| {
        let ran = home.run(["key", "suggest", id]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains("The key was made"), "{ran:?}");
        let lines: Vec<_> = ran.stderr.lines().rev().collect();
        assert!(lines[1].contains(why) && lines[0].ends_with(remedy), "{ran:?}");
    };
    told("1", "no call of API key 1", "If nobody needs it: panel key revoke 1");
    told(&pair.id, "no call of API key 2", "panel key update 2 --disable, or for good: panel key revoke 2");

    end(home.serve());
    let route = "/api/v1/external/subscribers";
    log(&home, 1, &[("GET", route, Some("ip"), None, 0), ("GET", route, Some("scope"), None, 0)]);
    log(&home, 1, &[("GET", "(unknown)", None, Some("10.1.2.3"), 0), ("GET", route, None, Some("10.1.2.3"), 31)]);
    told("1", "counts (not counted: 2 refused (ip 1, scope 1), 1 of no known route)", "panel key revoke 1");
    assert_eq!(suggestion(&home, "1", &["--days", "32"])["calls"], 1, "one of a month ago");
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let home = Home::with_database();
    home.mint("read");
    home.ok(["key", "revoke", "1"]);
    home.run(["key", "suggest", "1"]).refused("API key 1 is revoked for good", "panel key list");
    home.run(["key", "suggest", "7"]).refused("not found", "");
    for wrong in
        [&["key", "suggest"][..], &["key", "suggest", "1", "--days", "0"], &["key", "suggest", "1", "--days", "x"]]
    {
        assert_eq!(home.run(wrong).code, 2);
    }
}

#[test]
fn a_key_that_may_more_than_it_did_is_narrowed_on_request_and_works_on() {
    let home = Home::new();
    let server = home.serve();
    let (_, key) = home.mint("delete");
    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 201);
    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 409);
    for _ in 0..3 {
        assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
    }
    // The old secret is the key too.
    home.ok(["key", "rotate", "1", "--grace", "1h"]);
    assert_eq!(server.get(&format!("{SUBSCRIBERS}/7"), &key).status, 404);
    end(server);

    let line = "panel key update 1 --scopes write --add-ip 127.0.0.1";
    let shown = home.ok(["key", "suggest", "1"]);
    assert!(shown.stdout.ends_with(&format!("{line}\n")), "{shown:?}");
    assert!(shown.stdout.contains("POST /api/v1/external/subscribers (2, last 2"), "{shown:?}");
    assert!(shown.stderr.contains("6 calls since") && shown.stderr.contains("Nothing was changed"), "{shown:?}");
    let asked = suggestion(&home, "1", &[]);
    assert_eq!(asked["current"], json!({"scopes": "delete", "allowed_ips": []}));
    assert_eq!(asked["suggested"], json!({"scopes": "write", "allowed_ips": ["127.0.0.1"]}));
    assert_eq!((&asked["commands"], &asked["applied"], &asked["calls"]), (&json!([line]), &json!(false), &json!(6)));
    let reasons = asked["reasons"].as_array().unwrap();
    let words: Vec<_> =
        reasons.iter().map(|reason| json!([reason["setting"], reason["word"], reason["calls"]])).collect();
    assert_eq!(words, [json!(["scopes", "write", 2]), json!(["allowed_ips", "127.0.0.1", 6])]);
    assert_eq!(reasons[0]["route"], "POST /api/v1/external/subscribers");
    assert_eq!(updates(&home), 0, "asking changes nothing");

    let done = home.ok(["key", "suggest", "1", "--apply"]);
    assert!(done.stdout.ends_with("scopes: delete -> write\nallowed_ips: anywhere -> 127.0.0.1\n"), "{done:?}");
    let stored: String = home.value("panel.db", "SELECT scope || ' ' || allowed_ips FROM api_keys");
    assert_eq!(stored, "write 127.0.0.1");
    let trail = "SELECT group_concat(actor_kind || before || after) FROM audit WHERE action = 'keys.update'";
    let expected = r#"operator{"grants":["delete"],"allowed_ips":[]}{"grants":["write"],"allowed_ips":["127.0.0.1"]}"#;
    assert_eq!(home.value::<String>("panel.db", trail), expected);

    let server = home.serve();
    assert_eq!(server.create(&key, &json!({"username": "bob", "service_id": 1})).status, 201);
    let delete = server.send("DELETE", &format!("{SUBSCRIBERS}/1"), &[("X-API-Key", &key)], "");
    assert_eq!(delete.code(), "SCOPE_REQUIRED");
    end(server);
    let again = home.ok(["key", "suggest", "1", "--apply"]);
    assert!(again.stderr.contains("nothing to change") && again.stderr.contains("1 refused (scope 1)"), "{again:?}");
    let asked = suggestion(&home, "1", &["--apply"]);
    assert_eq!((&asked["commands"], &asked["changes"], &asked["applied"]), (&json!([]), &json!([]), &json!(false)));
    assert_eq!(updates(&home), 1);
}

#[test]
fn the_line_that_is_printed_makes_the_key_what_was_suggested() {
    let home = home_with_log();
    home.ok(["key", "mint", "--style", "panel", "--user", "admin", "--permissions", "all", "--allow-ip", "10.0.0.0/8"]);
    let id: String = home.value("panel.db", "SELECT panel_id FROM api_keys");
    let rows = [("GET", "/api/v1/users", None, Some("10.1.2.3"), 0), ("PUT", "/api/v1/dns", None, Some("10.1.2.4"), 0)];
    log(&home, 1, &rows);
    let asked = suggestion(&home, &id, &[]);
    let line = asked["commands"][0].as_str().unwrap();
    home.ok(line.split(' ').skip(1));
    let stored: String = home.value("panel.db", "SELECT permissions || ' ' || allowed_ips FROM api_keys");
    assert_eq!(stored, "read,dns 10.1.2.3,10.1.2.4");
    assert_eq!(suggestion(&home, &id, &[])["commands"], json!([]));
}

#[test]
fn how_far_the_log_can_be_trusted_is_said() {
    let home = home_with_log();
    home.mint("read");
    home.open("panel.db").execute("UPDATE api_keys SET created_at = 0", []).unwrap();
    let dropped =
        "INSERT INTO dropped_logs (hour, rows) VALUES ((unixepoch() - 86400) / 3600 * 3600000, 40), (3600000, 2)";
    home.open("panel-logs.db").execute(dropped, []).unwrap();
    log(&home, 1, &[("GET", "/api/v1/external/nas", None, Some("127.0.0.1"), 20)]);
    let asked = suggestion(&home, "1", &[]);
    let notes = asked["notes"].to_string();
    for told in [
        "The log begins 20",
        "logs.retention_days = 90, logs.max_rows = 5000000",
        "40 rows of all keys could not be kept",
        "name it in server.trusted_proxies first",
    ] {
        assert!(notes.contains(told), "{told}: {notes}");
    }
    assert_eq!(asked["dropped_rows"], 40);
    let short = suggestion(&home, "1", &["--days", "21"]);
    assert!(short["notes"].to_string().contains("The log begins"), "{short}");
    log(&home, 1, &[("GET", "/api/v1/external/nas", None, Some("127.0.0.1"), 40)]);
    let whole = suggestion(&home, "1", &[]);
    assert!(!whole["notes"].to_string().contains("The log begins"), "{whole}");
}

#[test]
fn the_highest_level_goes_from_a_key_that_made_plain_accounts_only() {
    let home = Home::new();
    let server = home.serve();
    let pair = Pair::mint(&home, "admin", "SUPER_ADMIN");
    let made = pair.create(&server, "ada", false, 201);
    pair.call(&server, ("POST", &format!("{ACCOUNTS}/{}/suspend", made["id"])), &json!({}), 200);
    // Not its own, and no account at all: whatever it is, it was not found.
    pair.call(&server, ("PUT", &format!("{ACCOUNTS}/999")), &json!({"full_name": "A"}), 404);
    end(server);
    let asked = suggestion(&home, &pair.id, &[]);
    let expected = json!({
        "permission_level": "BILLING", "scopes": ["account_creation", "account_management"],
        "allowed_ips": ["127.0.0.1"],
    });
    assert_eq!(asked["suggested"], expected, "{asked}");
}

/// What keeps the highest level, and how sure that is.
#[track_caller]
fn kept(home: &Home, pair: &Pair, why: &str, told: bool) {
    let asked = suggestion(home, &pair.id, &[]);
    assert_eq!(asked["suggested"]["permission_level"], "SUPER_ADMIN", "{asked}");
    assert!(asked["reasons"][0]["besides"].as_str().unwrap().contains(why), "{asked}");
    let line = format!("panel key update {} --level BILLING", pair.id);
    assert_eq!(asked["notes"].to_string().contains(&line), told, "{asked}");
}

#[test]
fn the_highest_level_stays_with_a_key_whose_bodies_and_targets_needed_it() {
    let home = Home::new();
    let server = home.serve();
    let [making, changing, deleting] = [0; 3].map(|_| Pair::mint(&home, "admin", "SUPER_ADMIN"));
    let reseller = making.create(&server, "rita", true, 201)["id"].clone();
    let account = format!("{ACCOUNTS}/{reseller}");
    changing.call(&server, ("PUT", &account), &json!({"full_name": "Rita"}), 200);
    deleting.call(&server, ("DELETE", &account), &json!({}), 200);
    end(server);
    kept(&home, &making, "it made 1 reseller accounts", false);
    kept(&home, &changing, "it changed or deleted 1 accounts of resellers", false);
    kept(&home, &deleting, "it changed or deleted 1 accounts of resellers", false);
}

#[test]
fn the_highest_level_stays_where_nobody_can_tell_and_that_is_said() {
    let home = Home::new();
    let server = home.serve();
    let [making, repeating, failing] = [0; 3].map(|_| Pair::mint(&home, "admin", "SUPER_ADMIN"));
    making.create(&server, "rita", true, 201);
    // The same owner's other key is answered with the first one's account.
    repeating.create(&server, "rita", true, 201);
    failing.create(&server, "rita", false, 400);
    end(server);
    kept(&home, &repeating, "may have been a reseller's", true);
    kept(&home, &failing, "1 creates failed, and the log does not say", true);
}

#[test]
fn an_account_that_was_a_resellers_when_it_was_changed_keeps_the_level_too() {
    let home = Home::new();
    let server = home.serve();
    let pair = Pair::mint(&home, "admin", "SUPER_ADMIN");
    home.add_user("rita", "reseller");
    let id: i64 = home.value("panel.db", "SELECT id FROM users WHERE username = 'rita'");
    pair.call(&server, ("PUT", &format!("{ACCOUNTS}/{id}")), &json!({"full_name": "Rita"}), 200);
    home.ok(["user", "update", "rita", "--role", "user"]);
    end(server);
    kept(&home, &pair, "it changed or deleted 1 accounts of resellers", false);
}

/// Runs it on a terminal and types an answer once it is asked.
fn run_on_terminal(home: &Home, arguments: &[&str], typed: &str) -> Ran {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let other_end = std::fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut command = home.command(arguments);
    let mut child = command.stdin(other_end).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = String::new();
    let (mut asked, began) = ([0; 1], Instant::now());
    let mut pipe = child.stderr.take().unwrap();
    while !stderr.ends_with("[y/N]") && pipe.read(&mut asked).unwrap() == 1 {
        stderr.push(char::from(asked[0]));
        assert!(began.elapsed() < DEADLINE, "never asks: {stderr}");
    }
    std::fs::File::from(terminal).write_all(typed.as_bytes()).unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran { code: output.status.code().unwrap(), stdout: String::from_utf8(output.stdout).unwrap(), stderr }
}

#[test]
fn on_a_terminal_nothing_is_changed_before_somebody_agreed() {
    let home = home_with_log();
    home.mint("delete");
    log(&home, 1, &[("GET", "/api/v1/external/nas", None, Some("10.1.2.3"), 0)]);
    let apply = ["key", "suggest", "1", "--apply"];
    let no = run_on_terminal(&home, &apply, "n\n");
    assert!(no.code == 1 && no.stderr.contains("not confirmed"), "{no:?}");
    assert_eq!(updates(&home), 0);
    let yes = run_on_terminal(&home, &apply, "y\n");
    assert!(yes.code == 0 && yes.stdout.contains("scopes: delete -> read"), "{yes:?}");
    assert_eq!(updates(&home), 1);
}
