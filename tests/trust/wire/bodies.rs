//! More than anybody means: heads and bodies without end, compressed ones, nested ones. Each is refused, and takes no memory.

use std::io::Write;
use std::time::{Duration, Instant};

use super::{Held, drain, exchange, held, serve, status};
use crate::home::{DEADLINE, Home, SUBSCRIBERS};
use crate::raw_http::connect;
use crate::server::Server;

const MIB: usize = 1024 * 1024;

/// What a request may take: a body and what is made of it, and what the socket holds.
const MEMORY: u64 = 24 * 1024;

#[track_caller]
fn is_bounded(server: &Server, before: Held, told: &str) {
    let grown = held(server.pid()).memory.saturating_sub(before.memory);
    assert!(grown < MEMORY, "{told}: {grown} kB");
}

/// Sends a beginning, then the same part again and again until the other side closes, and gives its status. Looks at the
/// server's memory meanwhile.
fn endless(server: &Server, beginning: &str, part: &str, told: &str) -> Option<u16> {
    let before = held(server.pid());
    let mut stream = connect(server.address);
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(beginning.as_bytes()).unwrap();
    let part = part.repeat(64 * 1024 / part.len());
    let until = Instant::now() + DEADLINE;
    let mut sent = 0;
    while stream.write_all(part.as_bytes()).is_ok() {
        sent += part.len();
        assert!(Instant::now() < until, "{told}: {sent} bytes are taken");
        is_bounded(server, before, told);
        // So fast that it would fill the memory, so slow that a test on the same processors can look.
        super::pause(Duration::from_millis(1));
    }
    status(&drain(&mut stream))
}

#[test]
fn a_head_without_measure_is_refused() {
    let home = Home::with_database();
    let server = serve(&home, &[]);
    let before = held(server.pid());
    let long = "x".repeat(MIB);
    let many: String = (0..10_000).map(|at| format!("X-{at}: 1\r\n")).collect();
    let ninety_seven: String = (0..97).map(|at| format!("X-{at}: 1\r\n")).collect();
    for (told, head, allowed) in [
        ("a header of 1 MiB", format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"), 431),
        ("a name of 1 MiB", format!("GET / HTTP/1.1\r\nHost: x\r\n{long}: 1\r\n\r\n"), 431),
        ("10 000 headers", format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        ("97 headers", format!("GET / HTTP/1.1\r\nHost: x\r\n{ninety_seven}\r\n"), 431),
        ("a target of 1 MiB", format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), 431),
        ("a target of 70 000", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", &long[..70_000]), 400),
        ("a method of 1 MiB", format!("{long} / HTTP/1.1\r\nHost: x\r\n\r\n"), 431),
        ("empty lines of 1 MiB", "\r\n".repeat(MIB / 2) + "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    ] {
        let said = exchange(server.address, head.as_bytes());
        // A close with bytes of ours unread resets the connection, which may overtake the answer.
        let told = format!("{told}: {:?}", String::from_utf8_lossy(&said));
        assert!(matches!(status(&said), None | Some(400 | 431)), "{told}");
        assert!(head.len() > 128 * 1024 || status(&said) == Some(allowed) || status(&said) == Some(400), "{told}");
        is_bounded(&server, before, &told);
    }
}

#[test]
fn a_body_without_end_is_refused_and_not_kept() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let server = serve(&home, &[("PANEL_SERVER__BODY_TIMEOUT_SECONDS", "1")]);
    let head = |key: &str, rest: &str| format!("POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n{rest}");
    for (key, refused) in [(key.as_str(), 413), ("pk_live_unknown", 401)] {
        for (told, rest, part, late) in [
            ("10 GiB", "Content-Length: 10737418240\r\n\r\n", "{", None),
            ("2^63", "Content-Length: 9223372036854775808\r\n\r\n", "{", None),
            ("chunks", "Transfer-Encoding: chunked\r\n\r\n", "1\r\n{\r\n", None),
            ("one chunk", "Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n", "{", None),
            ("an extension", "Transfer-Encoding: chunked\r\n\r\n1;", "x", Some(408)),
            ("trailers", "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n", Some(408)),
            ("one trailer", "Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", "y", Some(408)),
        ] {
            let refused = late.filter(|_| refused == 413).unwrap_or(refused);
            let status = endless(&server, &head(key, rest), part, told);
            assert!(status.is_none_or(|status| status == refused), "{told}: {status:?} instead of {refused}");
        }
    }
    assert_eq!(home.count("subscribers"), 0);
    assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
}

/// Zeros as gzip has them, so many that what comes out is a thousand times what went in.
fn bomb() -> Vec<u8> {
    // Dynamic blocks cannot be written down by hand: stored ones can, and nobody may look inside anyway.
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    for _ in 0..8 {
        bytes.extend([0, 0xff, 0xff, 0, 0]);
        bytes.resize(bytes.len() + 0xffff, 0);
    }
    bytes
}

#[test]
fn a_compressed_body_is_refused_on_every_surface_and_never_unpacked() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let server = serve(&home, &[]);
    let before = held(server.pid());
    for coding in ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "x-gzip", ""] {
        let body = bomb();
        for (path, key) in [(SUBSCRIBERS, Some(&key)), ("/api/v1/auth/login", None), ("/api/auth/login/json", None)] {
            // A stranger's body is read up to 8 KiB.
            let body = if key.is_some() { &body } else { &body[..4096] };
            let known = key.map(|key| format!("X-API-Key: {key}\r\n")).unwrap_or_default();
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{known}Content-Type: application/json\r\n\
                 Content-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let said = exchange(server.address, &[head.as_bytes(), body].concat());
            assert_eq!(status(&said), Some(415), "{coding} {path}: {:?}", String::from_utf8_lossy(&said));
        }
    }
    is_bounded(&server, before, "compressed bodies");
}

#[test]
fn a_body_nested_as_deeply_as_it_may_be_long_neither_overflows_nor_counts() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let server = serve(&home, &[]);
    let before = held(server.pid());
    let depth = 500_000;
    for (at, (open, close)) in [("[", "]"), ("{\"a\":", "}")].into_iter().enumerate() {
        let depth = depth / open.len();
        let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        for (field, status) in [("note", 400), ("unknown", 201)] {
            let body = format!(r#"{{"username": "deep{at}", "service_id": 1, "{field}": {deep}}}"#);
            let said = exchange(
                server.address,
                format!(
                    "POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: {key}\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .as_bytes(),
            );
            assert_eq!(super::status(&said), Some(status), "{field} {open}: {:?}", String::from_utf8_lossy(&said));
        }
    }
    is_bounded(&server, before, "nested bodies");
}
