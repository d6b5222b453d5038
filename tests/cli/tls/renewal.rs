//! A certificate is renewed while connections go on.

use std::io::{Read, Write};

use serde_json::json;

use super::client::{Client, Stream, presented};
use super::made::{self, Made};
use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http::{head, receive};

const TAKEN_UP: &str = "another certificate is in force";
const KEPT: &str = "the certificate that was in force stays";

type Spoil = fn(&Home, &Made);

/// Asks on a connection that stays open and gives the answer's status line.
fn ask(stream: &mut Stream, path: &str) -> String {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    let mut read = Vec::new();
    let mut byte = [0; 1];
    while !read.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).unwrap();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).unwrap();
    head.lines().next().unwrap().to_owned()
}

#[test]
fn open_connections_and_running_requests_go_on_and_new_ones_get_the_new_certificate() {
    let (home, old, new) = (Home::new(), Made::new(), Made::new());
    let server = made::serve(&home, &old, &[]);
    let key = home.mint("write").1;
    let (knows_old, knows_new) = (Client::knowing(&old), Client::knowing(&new));
    let mut kept = knows_old.open(server.address).unwrap();
    assert_eq!(ask(&mut kept, "/api/v1/external/system/health"), "HTTP/1.1 200 OK");
    let body = json!({"username": "ada", "service_id": 1}).to_string();
    let headers = [("X-API-Key", key.as_str()), ("Content-Type", "application/json"), ("Expect", "100-continue")];
    let mut slow = knows_old.open(server.address).unwrap();
    slow.write_all(head("POST", SUBSCRIBERS, &headers, body.len()).as_bytes()).unwrap();
    let mut interim = [0; 25];
    slow.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    slow.write_all(&body.as_bytes()[..10]).unwrap();

    new.lay(&home);
    server.signal(rustix::process::Signal::HUP);
    server.says(TAKEN_UP, 1);

    assert_eq!(presented(&knows_new.open(server.address).unwrap()), new.leaf);
    assert!(knows_old.open(server.address).is_err(), "who knows the old root alone is not served with it");
    assert_eq!(ask(&mut kept, "/api/v1/external/system/health"), "HTTP/1.1 200 OK");
    slow.write_all(&body.as_bytes()[10..]).unwrap();
    assert_eq!(receive(&mut slow).status, 201);
    assert!(server.said().contains(", valid until 4096-01-01T00:00:00Z"), "{}", server.said());
}

#[test]
fn a_bad_renewal_keeps_the_old_one_with_one_line_and_the_next_good_one_is_taken_up() {
    let (home, old, new) = (Home::new(), Made::new(), Made::new());
    let mut server = made::serve(&home, &old, &[]);
    let spoilt: [(Spoil, &str); 4] = [
        (|home, new| home.write("cert.pem", &new.chain_pem), "does not belong to the first certificate"),
        (|home, new| home.write("cert.pem", &new.chain_pem[..200]), "is not valid PEM"),
        (|home, _| std::fs::remove_file(home.path("cert.pem")).unwrap(), "is not there"),
        (
            |home, new| {
                new.lay(home);
                home.set_mode("key.pem", 0o644);
            },
            "has mode 0644",
        ),
    ];
    for (at, (spoil, why)) in spoilt.iter().enumerate() {
        old.lay(&home);
        spoil(&home, &new);
        server.reload(at + 1);
        server.says(KEPT, at + 1);
        let said = server.said();
        let line = said.lines().rfind(|line| line.contains(KEPT)).unwrap().to_owned();
        assert!(line.contains("ERROR") && line.contains(why) && line.contains("server.tls_"), "{line}");
        assert_eq!(said.lines().filter(|line| line.contains("ERROR")).count(), at + 1, "{said}");
        assert_eq!(presented(&Client::knowing(&old).open(server.address).unwrap()), old.leaf, "{why}");
    }
    assert!(!server.said().contains(TAKEN_UP));
    new.lay(&home);
    server.reload(spoilt.len() + 1);
    assert_eq!(presented(&Client::knowing(&new).open(server.address).unwrap()), new.leaf);
    server.says(TAKEN_UP, 1);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_same_certificate_again_is_not_mentioned_and_one_that_expired_is_warned_of() {
    let (home, made) = (Home::new(), Made::new());
    let server = made::serve(&home, &made, &[]);
    server.reload(1);
    assert!(!server.said().contains("certificate"), "{}", server.said());
    let expired = Made::with(|parameters| parameters.not_after = rcgen::date_time_ymd(2021, 1, 1));
    expired.lay(&home);
    server.reload(2);
    server.says("expired at 2021-01-01", 1);
}

#[test]
fn files_that_the_settings_name_anew_are_taken_up_and_tls_is_not_switched_off() {
    let (home, old, new) = (Home::new(), Made::new(), Made::new());
    old.lay(&home);
    home.write("panel.toml", "[server]\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n");
    let server = home.serve();
    home.write("new.crt", &new.chain_pem);
    home.write("new.key", &new.key_pem);
    home.set_mode("new.key", 0o600);
    home.write("panel.toml", "[server]\ntls_cert = \"new.crt\"\ntls_key = \"new.key\"\n");
    server.reload(1);
    assert!(server.said().contains("reloaded: server.tls_cert, server.tls_key"), "{}", server.said());
    assert_eq!(presented(&Client::knowing(&new).open(server.address).unwrap()), new.leaf);

    home.write("panel.toml", "");
    server.reload(2);
    for key in ["server.tls_cert", "server.tls_key"] {
        assert!(server.said().contains(&format!("{key} changed: takes effect at the next start")), "{}", server.said());
    }
    assert_eq!(presented(&Client::knowing(&new).open(server.address).unwrap()), new.leaf);
}
