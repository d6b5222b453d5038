//! One request is one request: what a front end passes on as one is never carried out as two, and nobody gets another's answer.

use std::io::Write;
use std::net::Shutdown;

use super::fronts::{Front, KINDS, Kind};
use super::lenient::Lenient;
use super::patterns::{self, Pattern, Verdict};
use super::{drain, serve, statuses};
use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http::connect;
use crate::server::Server;
use crate::size;

/// The rows of the request log in which a mark occurs, once the server is over.
fn carried_out(home: &Home, mark: &str) -> usize {
    let statement = format!("SELECT count(*) FROM api_key_logs WHERE path LIKE '%/{mark}'");
    usize::try_from(home.value::<i64>("panel-logs.db", &statement)).unwrap()
}

/// Sends it on one connection, and then no more.
fn directly(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(server.address);
    drop(stream.write_all(bytes));
    drop(stream.shutdown(Shutdown::Write));
    drain(&mut stream)
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let mut server = serve(&home, &[]);
    let plain = patterns::hidden(0, &key);
    let said = directly(&server, plain.repeat(2).as_bytes());
    assert_eq!(statuses(&said), [404, 404], "two requests that are two");

    let patterns = patterns::all(&key);
    let mut wrong = Vec::new();
    for (number, Pattern { name, verdict, bytes }) in patterns.iter().enumerate().skip(1) {
        let said = match verdict {
            // It must be closed although more could come.
            Verdict::Refused => super::exchange(server.address, bytes),
            Verdict::Once => directly(&server, bytes),
        };
        let mut statuses = statuses(&said);
        statuses.retain(|status| *status != 100);
        let good = match verdict {
            // The parser may say it once more, after the handler did.
            Verdict::Refused => matches!(statuses.as_slice(), [400] | [400, 400]),
            Verdict::Once => statuses.len() <= 1,
        };
        if !good || String::from_utf8_lossy(&said).contains(&patterns::mark(number)) {
            wrong.push(format!("{verdict:?} {name} → {statuses:?}: {:?}", String::from_utf8_lossy(bytes)));
        }
    }
    assert_eq!(server.stop(), Some(0));
    assert_eq!(carried_out(&home, &patterns::mark(0)), 2, "the log shows what was carried out");
    for (number, pattern) in patterns.iter().enumerate().skip(1) {
        if carried_out(&home, &patterns::mark(number)) > 0 {
            wrong.push(format!("{} was carried out", pattern.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), patterns.len(), wrong.join("\n"));
}

/// A caller who has nothing to do with it, on the same connection behind the front end, and what it gets.
fn gets(front: &Front, name: &str, key: &str) -> String {
    let said = front.exchange(
        format!(
            "GET {SUBSCRIBERS}/by-username/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: {key}\r\n\
             X-Request-Id: {name}\r\n\r\n"
        )
        .as_bytes(),
    );
    String::from_utf8_lossy(&said).to_ascii_lowercase()
}

fn is_own(said: &str, name: &str) -> bool {
    said.contains(&format!("x-request-id: {name}\r\n"))
}

fn gets_its_own(front: &Front, name: &str, key: &str) -> bool {
    is_own(&gets(front, name, key), name)
}

fn through(kind: Kind) {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let socket = home.path("panel.sock");
    let listen = format!("127.0.0.1:0,unix:{}", socket.display());
    let mut server = serve(&home, &[("PANEL_SERVER__LISTEN", &listen), ("PANEL_SERVER__BODY_TIMEOUT_SECONDS", "1")]);
    let front = Front::start(kind, &socket);
    assert!(gets_its_own(&front, "first", &key), "{kind:?} does not pass anything on");
    let patterns = patterns::all(&key);
    let rounds = size::of(1, 20);
    let (mut wrong, mut unserved) = (Vec::new(), 0);
    for round in 0..rounds {
        for (number, pattern) in patterns.iter().enumerate() {
            drop(front.exchange(&pattern.bytes));
            for victim in ["victim", "second"] {
                let name = format!("{victim}-{round}-{number}");
                let mut said = gets(&front, &name, &key);
                // The connection that it was given may just have been closed: that is told, and no other's answer.
                if said.starts_with("http/1.1 502") {
                    unserved += 1;
                    said = gets(&front, &name, &key);
                }
                if !is_own(&said, &name) {
                    wrong.push(format!("{victim} after {} gets {said:.200?}", pattern.name));
                }
            }
        }
    }
    assert_eq!(server.stop(), Some(0));
    for (number, pattern) in patterns.iter().enumerate() {
        let mark = patterns::mark(number);
        let (saw, did) = (front.saw(&mark), carried_out(&home, &mark));
        if did > saw {
            wrong.push(format!("{}: seen {saw} times, carried out {did} times", pattern.name));
        }
    }
    assert!(front.saw("first") == 1 && carried_out(&home, "first") == 1, "both sides are counted");
    assert!(wrong.is_empty(), "{kind:?}:\n{}", wrong.join("\n"));
    if size::is_long() {
        tell!(
            "{kind:?}: {rounds} rounds of {} patterns, two other callers after each, {unserved} told 502",
            patterns.len()
        );
    }
}

#[test]
fn nothing_is_smuggled_past_nginx() {
    through(Kind::Nginx);
}

#[test]
fn nothing_is_smuggled_past_haproxy() {
    through(Kind::Haproxy);
}

/// The planted fault: behind the same front ends a server that takes a GET's body for the next request.
#[test]
fn these_tests_would_see_a_server_that_is_out_of_step() {
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("lenient.sock");
        let lenient = Lenient::listen(&socket);
        let front = Front::start(kind, &socket);
        assert!(gets_its_own(&front, "first", "none"));
        let (mut smuggled, mut mixed_up) = (0, 0);
        for (number, pattern) in patterns::all("none").iter().enumerate() {
            if !pattern.name.starts_with("a GET with a body") {
                continue;
            }
            drop(front.exchange(&pattern.bytes));
            mixed_up += usize::from(!gets_its_own(&front, &format!("victim-{number}"), "none"));
            let mark = patterns::mark(number);
            smuggled += usize::from(lenient.answered(&mark) > front.saw(&mark));
        }
        assert!(smuggled > 0, "{kind:?}: no request was carried out that it did not see");
        assert!(mixed_up > 0, "{kind:?}: nobody got another's answer");
    }
}
