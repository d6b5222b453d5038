//! What callers put into headers, paths and bodies makes no header of an answer and no line of a log.

use std::collections::BTreeSet;

use panel::domain::text::is_unseen;
use serde_json::{Value, json};

use super::{exchange, serve, status};
use crate::home::{Home, SUBSCRIBERS};

/// What must never begin a line.
const FORGED: &str = "2026-01-01T00:00:00.000Z ERROR forged";

/// Bytes that end a line somewhere, steer a terminal or pass for the end of a field.
fn evils() -> Vec<Vec<u8>> {
    let mut evils: Vec<Vec<u8>> = Vec::new();
    for end in [
        &b"\n"[..],
        b"\r",
        b"\r\n",
        b"\0",
        b"\x0b",
        b"\x0c",
        b"\x85",
        b"\xc2\x85",
        "\u{2028}".as_bytes(),
        "\u{2029}".as_bytes(),
        b"\x1b[2K\x1b[1A",
        "\u{202e}".as_bytes(),
        b"\x08\x08\x08",
        b"\x7f",
        b"\xff\xfe",
        b"\" status=200 x=\"",
        b"\",\"level\":\"",
        b"%0a",
        b"%0d%0a",
        b"%250a",
        b"\\n",
        b"\\u000a",
        b"&#10;",
        b"\t",
        b"=?utf-8?Q?=0a?=",
        b"%E2%80%A8",
        b"%00",
        b"%1b%5b2K",
    ] {
        evils.push([b"a", end, FORGED.as_bytes()].concat());
    }
    evils.push([&b"x".repeat(10 * 1024)[..], FORGED.as_bytes()].concat());
    evils
}

/// The header names of an answer.
fn names(said: &[u8]) -> BTreeSet<String> {
    let head = said.split(|byte| *byte == b'\n').skip(1).take_while(|line| *line != b"\r");
    head.map(|line| String::from_utf8_lossy(line).split(':').next().unwrap_or_default().to_ascii_lowercase()).collect()
}

/// What an answer may have at most.
const HEADERS: [&str; 14] = [
    "content-length",
    "content-type",
    "date",
    "connection",
    "x-request-id",
    "cache-control",
    "x-content-type-options",
    "allow",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-accepted-permissions",
    "idempotent-replayed",
];

#[test]
fn nothing_that_is_sent_becomes_a_header_or_a_line_of_the_log() {
    for format in ["text", "json"] {
        let home = Home::with_database();
        let (_, key) = home.mint("write");
        let settings = [("PANEL_LOG__FORMAT", format), ("PANEL_LOG__LEVEL", "debug")];
        let mut server = serve(&home, &settings);
        let known = format!("Host: x\r\nConnection: close\r\nX-API-Key: {key}\r\n");
        let mut count = 0;
        for evil in evils() {
            // A blank would end the target, and a long part of a path is not told.
            let tight = String::from_utf8_lossy(&evil).replace(FORGED, "forged").replace(' ', "-").into_bytes();
            let path = [SUBSCRIBERS.as_bytes(), b"/by-username/", &tight].concat();
            let heads = [
                ("X-Request-Id", [b"GET /api/v1/external/nope HTTP/1.1\r\nX-Request-Id: ", &evil[..]].concat()),
                ("User-Agent", [b"POST /api/auth/login HTTP/1.1\r\nUser-Agent: ", &evil[..]].concat()),
                (
                    "Idempotency-Key",
                    [b"DELETE /api/v1/external/subscribers/1 HTTP/1.1\r\nIdempotency-Key: ", &evil[..]].concat(),
                ),
                ("X-Forwarded-For", [b"GET /api/v1/external/nope HTTP/1.1\r\nX-Forwarded-For: ", &evil[..]].concat()),
                (
                    "Content-Type",
                    [b"DELETE /api/v1/external/subscribers/1 HTTP/1.1\r\nContent-Type: ", &evil[..]].concat(),
                ),
                ("a path", [b"GET ", &path[..], b" HTTP/1.1"].concat()),
                ("an unknown path", [b"GET /", &tight[..], b" HTTP/1.1"].concat()),
                ("a query", [b"GET /api/v1/external/subscribers?page=", &tight[..], b" HTTP/1.1"].concat()),
                ("a method", [&evil[..], b" /api/v1/external/subscribers HTTP/1.1"].concat()),
                ("a name", [b"GET /api/v1/external/nope HTTP/1.1\r\n", &evil[..], b": x"].concat()),
            ];
            for (place, head) in heads {
                let said = exchange(server.address, &[&head[..], b"\r\n", known.as_bytes(), b"\r\n"].concat());
                let told =
                    format!("{place} {:?} → {:?}", String::from_utf8_lossy(&evil), String::from_utf8_lossy(&said));
                // Many of them end a request early, and what follows is the next.
                assert!(matches!(status(&said), Some(200 | 400..=499)), "{told}");
                let names = names(&said);
                let strange: Vec<_> = names.iter().filter(|name| !HEADERS.contains(&name.as_str())).collect();
                assert!(strange.is_empty(), "{strange:?}: {told}");
                let id = String::from_utf8_lossy(&said)
                    .lines()
                    .find_map(|line| line.strip_prefix("x-request-id: ").map(str::to_owned));
                assert!(id.is_none_or(|id| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic())), "{told}");
                count += 1;
            }
            // A body may hold what no header may.
            let text = String::from_utf8_lossy(&evil);
            for body in [
                json!({"username": text, "service_id": 1}),
                json!({"username": "ada", "service_id": 1, text.as_ref(): 1, "note": 7}),
                json!({"username": "ada", "service_id": text}),
            ] {
                let headers = [("X-API-Key", key.as_str()), ("Content-Type", "application/json")];
                let answer = server.send("POST", SUBSCRIBERS, &headers, &body.to_string());
                assert_eq!(answer.status, 400, "{body} → {answer:?}");
            }
            let login = json!({"username": text, "password": text}).to_string();
            let answer = server.send("POST", "/api/auth/login/json", &[("Content-Type", "application/json")], &login);
            assert!(matches!(answer.status, 400 | 401 | 413 | 429), "{login:.300} → {answer:?}");
        }
        assert_eq!(server.stop(), Some(0));
        let said = server.said();
        assert!(said.contains("forged"), "nothing of it comes as far as the log");
        assert!(said.lines().count() > count / 4, "{} lines after {count} requests", said.lines().count());
        for line in said.lines().filter(|line| !line.contains("/setup/")) {
            assert!(line.len() < 8 * 1024 && !line.contains(is_unseen), "{format}: {line:?}");
            if format == "json" {
                let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
                assert!(object["timestamp"].is_string() && object["level"] != "ERROR", "{line:?}");
            } else {
                let is_start = line.starts_with("Set the password") || line.starts_with("http");
                let (time, rest) = line.split_at_checked(24).unwrap_or_default();
                assert!(is_start || (time.ends_with('Z') && !line.starts_with(FORGED)), "{line:?}");
                assert!(is_start || rest.trim_start().starts_with(['I', 'W', 'D']), "{line:?}");
            }
        }
    }
}

/// A key that strays into a path is kept nowhere, however it is written.
#[test]
fn a_key_in_a_path_is_kept_nowhere_however_it_is_written() {
    let home = Home::with_database();
    let (_, key) = home.mint("read");
    let mut server = serve(&home, &[("PANEL_LOG__LEVEL", "debug")]);
    let secret = key.strip_prefix("pk_live_").unwrap();
    let encoded: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let twice = encoded.replace('%', "%25");
    let part = key.replace('_', "%5F");
    let upper = key.to_ascii_uppercase();
    for written in [&key, &upper, &encoded, &encoded.to_ascii_uppercase(), &twice, &part, &part.to_ascii_uppercase()] {
        for path in [
            format!("/api/v1/external/{written}"),
            format!("{SUBSCRIBERS}/by-username/a%2f{written}"),
            format!("/x/{written}/y"),
        ] {
            let said = exchange(
                server.address,
                format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: {key}\r\n\r\n").as_bytes(),
            );
            assert_eq!(status(&said), Some(404), "{path}");
        }
    }
    assert_eq!(server.stop(), Some(0));
    let paths: String = home.value("panel-logs.db", "SELECT group_concat(path, char(10)) FROM api_key_logs");
    assert!(paths.lines().count() >= 14 && paths.contains("pk_live_***") && paths.contains("/***"), "{paths}");
    for kept in [paths, server.said()] {
        let kept = kept.to_ascii_lowercase();
        for written in [secret.to_owned(), encoded.clone(), twice.clone()] {
            assert!(!kept.contains(&written.to_ascii_lowercase()), "{written} in {kept}");
        }
    }
}
