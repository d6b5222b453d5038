//! Propagation is zero: what the command line changes is in force for the next request, on a connection that is open
//! already (contract: keys.md).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http::connect;
use crate::server::Server;

const PANEL: &str = "/api/v1/domains";
const BILLING: &str = "/api/v1/billing/accounts";

/// One connection that is kept; the server closing it would be seen.
struct Kept(BufReader<TcpStream>);

impl Kept {
    fn open(server: &Server) -> Self {
        Self(BufReader::new(connect(server.address)))
    }

    /// Status and the first failing gate; a call that passed the gates has none.
    fn ask(&mut self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{headers}\r\n");
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {line:?}"));
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, body["denied"][0]["gate"].as_str().unwrap_or_default().to_owned())
    }
}

struct Key {
    id: String,
    headers: String,
    path: &'static str,
}

/// Mints a key that may do everything.
fn mint(home: &Home, style: &str, user: &str) -> Key {
    let given: &[&str] = match style {
        "external" => &["--scopes", "delete"],
        "panel" => &["--permissions", "all"],
        _ => &["--level", "BILLING"],
    };
    let made = home.ok([&["--json", "key", "mint", "--style", style, "--user", user, "--rate", "0"], given].concat());
    let made = made.json();
    let (id, key) = (made["id"].to_string().replace('"', ""), made["key"].as_str().unwrap());
    let (headers, path) = match style {
        "external" => (format!("X-API-Key: {key}\r\n"), SUBSCRIBERS),
        "panel" => (format!("Authorization: Bearer {key}\r\n"), PANEL),
        _ => (format!("X-API-Key: {key}\r\nX-API-Secret: {}\r\n", made["secret"].as_str().unwrap()), BILLING),
    };
    Key { id, headers, path }
}

/// The gate that the next request fails at, or nothing.
fn next(kept: &mut Kept, key: &Key) -> String {
    let (status, gate) = kept.ask("POST", key.path, &key.headers);
    let refused = matches!(status, 401 | 403 | 429);
    assert_eq!(refused, !gate.is_empty(), "{status} {gate}");
    gate
}

fn run(home: &Home, line: &str) {
    let words: Vec<_> = line.split(' ').collect();
    home.ok(words);
}

const STYLES: [&str; 3] = ["external", "panel", "billing"];

#[test]
fn every_change_of_a_key_holds_for_the_next_request_and_so_does_its_undoing() {
    let home = Home::new();
    let server = home.serve();
    let mut kept = Kept::open(&server);
    for style in STYLES {
        let key = mint(&home, style, "admin");
        assert_eq!(next(&mut kept, &key), "", "{style}");
        let (less, more, gate) = match style {
            "external" => ("--scopes read", "--scopes write", "scope"),
            "panel" => ("--permissions dns,read", "--permissions domains", "permission"),
            _ => ("--scopes user_management", "--scopes account_creation", "scope"),
        };
        let mut changes = vec![
            (less, more, gate),
            ("--add-ip 192.0.2.7", "--add-ip 127.0.0.0/8", "ip"),
            ("--remove-ip 127.0.0.0/8", "--remove-ip 192.0.2.7", "ip"),
        ];
        if style != "external" {
            changes.push(("--disable", "--enable", "enabled"));
        }
        if style == "billing" {
            changes.push(("--level READ_ONLY", "--level BILLING", "level"));
        }
        for (breaks, repairs, gate) in changes {
            run(&home, &format!("key update {} {breaks}", key.id));
            assert_eq!(next(&mut kept, &key), gate, "{style} {breaks}");
            run(&home, &format!("key update {} {repairs}", key.id));
            assert_eq!(next(&mut kept, &key), "", "{style} {repairs}");
        }
        // An expiry can only be set into the future, so the clock is moved by hand.
        home.open("panel.db").execute("UPDATE api_keys SET expires_at = 1", []).unwrap();
        assert_eq!(next(&mut kept, &key), "expired", "{style}");
        run(&home, &format!("key update {} --expires 30m", key.id));
        assert_eq!(next(&mut kept, &key), "", "{style}");
        home.open("panel.db").execute("UPDATE api_keys SET expires_at = 1", []).unwrap();
        run(&home, &format!("key update {} --expires never", key.id));
        assert_eq!(next(&mut kept, &key), "", "{style}");

        run(&home, &format!("key update {} --rate-day 1", key.id));
        assert_eq!((next(&mut kept, &key), next(&mut kept, &key)), (String::new(), "rate".to_owned()), "{style}");
        run(&home, &format!("key update {} --rate-day 0", key.id));
        assert_eq!(next(&mut kept, &key), "", "{style}");

        run(&home, &format!("key revoke {}", key.id));
        assert_eq!(next(&mut kept, &key), "revoked", "{style}");
        home.run(["key", "update", &key.id, "--name", "again"]).refused("is revoked for good", "Nothing was changed.");
        assert_eq!(next(&mut kept, &key), "revoked", "{style}");
    }
}

#[test]
fn a_rotation_without_grace_ends_the_old_secret_for_the_next_request() {
    let home = Home::new();
    let server = home.serve();
    let mut kept = Kept::open(&server);
    for style in STYLES {
        let key = mint(&home, style, "admin");
        assert_eq!(next(&mut kept, &key), "", "{style}");
        run(&home, &format!("key rotate {} --grace 1h", key.id));
        assert_eq!(next(&mut kept, &key), "", "{style}: in its grace");
        run(&home, &format!("key rotate {} --grace 0", key.id));
        assert_eq!(next(&mut kept, &key), "revoked", "{style}");
    }
}

#[test]
fn every_change_of_the_owner_holds_for_the_next_request_and_so_does_its_undoing() {
    let home = Home::new();
    home.add_user("rex", "reseller");
    let email = ["--email", "rita@example.com", "--creator", "rex"];
    home.ok([&["user", "add", "rita", "--role", "reseller"], &email[..]].concat());
    let server = home.serve();
    let mut kept = Kept::open(&server);
    for style in STYLES {
        let key = mint(&home, style, "rita");
        assert_eq!(next(&mut kept, &key), "", "{style}");
        // The hosting prefixes are for every role.
        let by_role = if style == "panel" { "" } else { "role" };
        for (breaks, repairs, gate) in [
            ("user suspend rita", "user unsuspend rita", "owner_active"),
            ("user suspend rex", "user unsuspend rex", "owner_active"),
            ("user update rita --role user", "user update rita --role reseller", by_role),
            ("user update rita --feature api=off", "user update rita --feature api=on", "api_access"),
            ("user update rita --feature api=off", "user update rita --feature api=inherit", "api_access"),
            ("package update default --feature api=off", "package update default --feature api=on", "api_access"),
            ("package update default --feature api=off", "user update rita --feature api=on", "api_access"),
        ] {
            run(&home, breaks);
            assert_eq!(next(&mut kept, &key), gate, "{style} {breaks}");
            run(&home, repairs);
            assert_eq!(next(&mut kept, &key), "", "{style} {repairs}");
        }
        run(&home, "package update default --feature api=on");
        run(&home, "user update rita --feature api=inherit");
    }
    let keys = STYLES.map(|style| mint(&home, style, "rita"));
    run(&home, "user delete rita");
    for key in &keys {
        assert_eq!(next(&mut kept, key), "owner");
    }
    home.ok([&["user", "add", "rita", "--role", "admin"], &email[..]].concat());
    for key in &keys {
        assert_eq!(next(&mut kept, key), "owner", "a new user of the name inherits no key");
    }
}

#[test]
fn the_role_a_route_needs_is_asked_of_the_owner_as_it_is_now() {
    let home = Home::new();
    home.add_user("anna", "admin");
    let server = home.serve();
    let mut kept = Kept::open(&server);
    let key = mint(&home, "panel", "anna");
    let key = Key { path: "/api/v1/packages", ..key };
    assert_eq!(next(&mut kept, &key), "");
    for (role, gate) in [("reseller", "role"), ("admin", ""), ("user", "role")] {
        run(&home, &format!("user update anna --role {role}"));
        assert_eq!(next(&mut kept, &key), gate, "{role}");
    }
}
