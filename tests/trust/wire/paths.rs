//! Paths that some server tidies up: none of them reaches another route, another's rights or a file.

use serde_json::json;

use super::{exchange, serve, status};
use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http::receive;

/// Ways to say "one up", or to stand for a slash, which the panel must not understand.
const STEPS: [&str; 26] = [
    "..",
    ".",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "%2e.",
    "%252e%252e",
    "..;",
    "..;a=b",
    ";",
    "..%2f",
    "%2e%2e%2f",
    "..%5c",
    "..\\",
    "..%00",
    "%00",
    "%c0%ae%c0%ae",
    "%e0%80%ae%e0%80%ae",
    "%c0%af",
    "..%c0%af",
    "%uff0e%uff0e",
    "..%09",
    "..%20",
    "....",
    "%2f",
    "%5c",
];

/// Served paths, with what lies beside them.
const BASES: [&str; 10] = [
    "/api/v1/external/system/health",
    "/api/v1/external/subscribers/1",
    "/api/v1/external",
    "/api/v1/billing/whoami",
    "/api/v1/users",
    "/api/health",
    "/api/auth/login",
    "/docs",
    "/openapi.json",
    "/setup/x",
];

/// What must not come out: names and contents of the folder that the panel runs in, and of the machine.
const CONTENTS: [&str; 4] = ["SQLite format 3", "panel-key-v1", "root:x:", "[server]"];

#[test]
fn no_detour_reaches_a_route_or_a_file() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    home.write("panel.toml.txt", "[server]\n");
    let server = serve(&home, &[]);
    let made = server.create(&key, &json!({"username": "ada", "service_id": 1}));
    assert_eq!(made.status, 201);
    let mut wrong = Vec::new();
    let mut asked = 0;
    let mut ask = |target: &str| {
        // Some detours leave some bases as they are.
        if BASES.contains(&target) {
            return;
        }
        asked += 1;
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: {key}\r\n\r\n");
        let said = exchange(server.address, request.as_bytes());
        let text = String::from_utf8_lossy(&said);
        // 401: another surface, which does not know this key. 400: no target at all.
        let good =
            matches!(status(&said), Some(400 | 401 | 404 | 405)) && !CONTENTS.iter().any(|part| text.contains(part));
        if !good {
            wrong.push(format!("{target} → {text:.200}"));
        }
    };
    for base in BASES {
        for step in STEPS {
            for target in ["/api/v1/external/subscribers", "/panel.db", "/panel.key", "/etc/passwd", "/docs"] {
                ask(&format!("{base}/{step}{target}"));
            }
            ask(&format!("{base}/{step}/{step}/{step}/{step}/{step}/{step}/etc/passwd"));
            ask(&format!("{base}/{step}/subscribers"));
            ask(&format!("{base}{step}"));
        }
        for tail in ["/", "//", ";x", ".json", "%20", "/%20", "\\", "%3f", "%23", "/..", "%00.html", "*"] {
            // A name may hold a dot or a star, and one that does is of nobody here.
            ask(&format!("{base}{tail}"));
        }
        ask(&format!("/{base}"));
        ask(&format!("/.{base}"));
        ask(&base.to_ascii_uppercase());
        ask(&base.replace('/', "//"));
        ask(&base.replace('/', "\\"));
        ask(&base.replacen('/', "/%2f", 2));
        ask(&base.replace('a', "%2561"));
    }
    for file in
        ["panel.db", "panel.key", "panel-logs.db", "panel.db-wal", "panel.toml.txt", "etc/passwd", "proc/self/environ"]
    {
        for before in
            ["/", "//", "/./", "/docs/", "/openapi.json/", "/setup/", "/static/", "file:///", "/%2f", "/..%2f"]
        {
            ask(&format!("{before}{file}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}

/// The whole target may name a host: the route is that of its path, and the rights those of the route.
#[test]
fn an_absolute_target_is_its_path() {
    let home = Home::with_database();
    let (_, key) = home.mint("read");
    let server = serve(&home, &[]);
    for (target, with, without) in [
        (format!("http://other.example{SUBSCRIBERS}"), 200, 401),
        (format!("https://user:secret@other.example:1{SUBSCRIBERS}"), 200, 401),
        (format!("http://127.0.0.1{SUBSCRIBERS}?x=http://y/api/v1/external/system/health"), 200, 401),
        ("http://other.example/api/v1/external/system/health/../../subscribers".to_owned(), 404, 404),
        ("http:///api/v1/external/subscribers".to_owned(), 400, 400),
        ("other.example:80".to_owned(), 404, 404),
        ("*".to_owned(), 404, 404),
        ("?x".to_owned(), 400, 400),
        (String::new(), 400, 400),
        ("api/v1/external/subscribers".to_owned(), 400, 400),
    ] {
        for (header, expected) in [(format!("X-API-Key: {key}\r\n"), with), (String::new(), without)] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
            let said = exchange(server.address, request.as_bytes());
            assert_eq!(status(&said), Some(expected), "{target} {header}: {:?}", String::from_utf8_lossy(&said));
        }
    }
    // A path may be followed by what is no part of it.
    let request =
        format!("GET {SUBSCRIBERS}#/../x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: {key}\r\n\r\n");
    let mut stream = crate::raw_http::connect(server.address);
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    assert!(matches!(receive(&mut stream).status, 200 | 400 | 404));
}
