//! Credentials that are given more than once, or in several places: refused, never one of them picked.

use serde_json::json;

use super::{exchange, serve, status};
use crate::home::{Home, SUBSCRIBERS};
use crate::server::Server;

const PASSWORD: &str = "a-good-password-1";

/// A surface with a route that a valid credential opens, and the headers of one.
struct Door {
    path: &'static str,
    headers: Vec<(&'static str, String)>,
}

fn minted(home: &Home, style: &str, more: &[&str]) -> serde_json::Value {
    home.ok([&["--json", "key", "mint", "--user", "admin", "--style", style], more].concat()).json()
}

fn doors(home: &Home, server: &Server) -> Vec<Door> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let pair = minted(home, "billing", &["--level", "BILLING", "--allow-ip", "127.0.0.1"]);
    let body = json!({"username": "admin", "password": PASSWORD}).to_string();
    let opened = server.send("POST", "/api/auth/login/json", &[("Content-Type", "application/json")], &body);
    let bearer = |token: &serde_json::Value| format!("Bearer {}", text(token));
    let panel = minted(home, "panel", &["--permissions", "read"]);
    vec![
        Door { path: SUBSCRIBERS, headers: vec![("X-API-Key", home.mint("read").1)] },
        Door { path: "/api/v1/packages", headers: vec![("Authorization", bearer(&panel["key"]))] },
        Door {
            path: "/api/v1/billing/accounts",
            headers: vec![("X-API-Key", text(&pair["key"])), ("X-API-Secret", text(&pair["secret"]))],
        },
        Door { path: "/api/auth/me", headers: vec![("Authorization", bearer(&opened.json()["access_token"]))] },
    ]
}

fn ask(server: &Server, path: &str, headers: &[(&str, String)]) -> u16 {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let said = exchange(
        server.address,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n").as_bytes(),
    );
    status(&said).unwrap_or_else(|| panic!("{path} {headers:?}: no answer"))
}

#[test]
fn a_credential_in_two_pieces_is_refused_on_every_surface_whichever_is_the_good_one() {
    let home = Home::with_database();
    home.run_typing(&format!("{PASSWORD}\n"), ["user", "passwd", "admin", "--password-stdin"]);
    let server = serve(&home, &[]);
    let doors = doors(&home, &server);
    for Door { path, headers } in &doors {
        assert_eq!(ask(&server, path, headers), 200, "{path}");
        for (at, (name, value)) in headers.iter().enumerate() {
            let with = |instead: &[(&'static str, String)]| {
                let mut all = headers.clone();
                all.splice(at..=at, instead.iter().cloned());
                ask(&server, path, &all)
            };
            let (lower, upper) = (name.to_ascii_lowercase().leak(), name.to_ascii_uppercase().leak());
            let bad = format!("{}x", &value[..value.len() - 1]);
            let good = (*name, value.clone());
            for (told, pieces) in [
                ("twice", [good.clone(), good.clone()]),
                ("good, then bad", [good.clone(), (&*lower, bad.clone())]),
                ("bad, then good", [(&*upper, bad.clone()), good.clone()]),
                ("good, then empty", [good.clone(), (&*lower, String::new())]),
                ("empty, then good", [(&*upper, String::new()), good.clone()]),
            ] {
                assert_eq!(with(&pieces), 400, "{path} {name} {told}");
            }
            for (told, value) in [
                ("joined by a comma", format!("{value}, {value}")),
                ("joined, bad", format!("{value},{bad}")),
                ("joined by a blank", format!("{value} {value}")),
                ("quoted", format!("\"{value}\"")),
                ("in capitals", value.to_ascii_uppercase()),
                ("cut off", value[..value.len() - 1].to_owned()),
                ("with more", format!("{value}0")),
                ("with a NUL encoded", format!("{value}%00")),
                ("empty", String::new()),
            ] {
                assert_eq!(with(&[(name, value)]), 401, "{path} {name} {told}");
            }
        }
    }
}

/// The other surfaces' headers are none of a surface's business: they open nothing, and close nothing.
#[test]
fn what_belongs_to_another_surface_changes_nothing() {
    let home = Home::with_database();
    home.run_typing(&format!("{PASSWORD}\n"), ["user", "passwd", "admin", "--password-stdin"]);
    let server = serve(&home, &[]);
    let doors = doors(&home, &server);
    for Door { path, headers } in &doors {
        for other in &doors {
            let names: Vec<_> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
            let foreign = other.headers.iter().filter(|(name, _)| !names.contains(&name.to_ascii_lowercase()));
            let foreign: Vec<_> = foreign.cloned().collect();
            let both = [headers.clone(), foreign.clone()].concat();
            assert_eq!(ask(&server, path, &both), 200, "{path} beside {}", other.path);
            let reversed: Vec<_> = both.into_iter().rev().collect();
            assert_eq!(ask(&server, path, &reversed), 200, "{path} behind {}", other.path);
            if !std::ptr::eq(*path, other.path) {
                assert_eq!(ask(&server, path, &other.headers), 401, "{path} with that of {} alone", other.path);
            }
        }
        for cookie in ["refresh_token=x", "X-API-Key=x; Authorization=x"] {
            let with = [headers.clone(), vec![("Cookie", cookie.to_owned())]].concat();
            assert_eq!(ask(&server, path, &with), 200, "{path} beside a cookie");
            assert_eq!(ask(&server, path, &[("Cookie", cookie.to_owned())]), 401, "{path} with a cookie alone");
        }
        for place in ["api_key", "X-API-Key", "key", "token", "access_token"] {
            let path = format!("{path}?{place}={}", headers[0].1.trim_start_matches("Bearer "));
            assert_eq!(ask(&server, &path, &[]), 401, "{place} in the query");
        }
    }
}

/// A key that works from one address is refused from here, whatever the caller says of itself: in names and forms that some proxy,
/// server or framework believes.
#[test]
fn nobody_is_believed_about_its_address() {
    let home = Home::with_database();
    let key = home.mint_from("read", "198.51.100.7");
    let server = serve(&home, &[]);
    let behind_home = Home::with_database();
    let behind_key = behind_home.mint_from("read", "198.51.100.7");
    let behind = serve(&behind_home, &[("PANEL_SERVER__TRUSTED_PROXIES", "127.0.0.1")]);
    for name in [
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "X-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Forwarded",
        "Forwarded-For",
        "X-Cluster-Client-IP",
        "X-Original-Forwarded-For",
        "X_Forwarded_For",
        "Client-IP",
        "Via",
        "X-Forwarded-Host",
        "Fastly-Client-IP",
        "X-ProxyUser-Ip",
        "WL-Proxy-Client-IP",
        "X-Remote-Addr",
    ] {
        for value in ["198.51.100.7", "for=198.51.100.7", "198.51.100.7:80", "127.0.0.1"] {
            let said = |key: &str| [("X-API-Key", key.to_owned()), (name, value.to_owned())];
            assert_eq!(ask(&server, SUBSCRIBERS, &said(&key)), 403, "{name}: {value}");
            // Behind a proxy that is believed the one header counts, in its own form.
            let counts = name == "X-Forwarded-For" && matches!(value, "198.51.100.7" | "198.51.100.7:80");
            let expected = if counts { 200 } else { 403 };
            assert_eq!(ask(&behind, SUBSCRIBERS, &said(&behind_key)), expected, "{name}: {value}, trusted");
        }
    }
    // What the client wrote stands to the left of what the proxy wrote, in the same line or in one before.
    let forwarded = |values: &[&str]| {
        let lines = values.iter().map(|value| ("X-Forwarded-For", (*value).to_owned()));
        let all: Vec<_> = lines.chain([("X-API-Key", behind_key.clone())]).collect();
        ask(&behind, SUBSCRIBERS, &all)
    };
    assert_eq!(forwarded(&["198.51.100.7", "203.0.113.9"]), 403);
    assert_eq!(forwarded(&["203.0.113.9", "198.51.100.7"]), 200);
    assert_eq!(forwarded(&["198.51.100.7,203.0.113.9"]), 403);
    assert_eq!(forwarded(&["203.0.113.9,198.51.100.7,127.0.0.1"]), 200);
    assert_eq!(forwarded(&["198.51.100.7", ""]), 200, "an empty line is no hop");
    assert_eq!(forwarded(&["198.51.100.7", "x"]), 403, "what cannot be read is nobody");
}
