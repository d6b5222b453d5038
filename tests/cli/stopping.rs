//! SIGTERM and SIGINT: what runs is finished, what is held is stored, exit 0.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http::{connect, head, receive};

/// A create whose body is sent but for its last byte.
fn all_but_the_last_byte(address: SocketAddr, key: &str, username: &str) -> (TcpStream, String) {
    let body = json!({"username": username, "service_id": 1}).to_string();
    let headers = [("X-API-Key", key), ("Content-Type", "application/json"), ("Expect", "100-continue")];
    let mut stream = connect(address);
    stream.write_all(head("POST", SUBSCRIBERS, &headers, body.len()).as_bytes()).unwrap();
    // The interim answer shows that the request is being worked on.
    let mut interim = [0; 25];
    std::io::Read::read_exact(&mut stream, &mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let (most, last) = body.split_at(body.len() - 1);
    stream.write_all(most.as_bytes()).unwrap();
    (stream, last.to_owned())
}

#[test]
fn a_request_that_runs_is_finished_and_logged_and_the_exit_is_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let mut server = home.serve();
        let (id, key) = home.mint("write");
        let (mut stream, last) = all_but_the_last_byte(server.address, &key, "ada");
        server.signal(signal);
        // Once it refuses connections it is stopping.
        let until = Instant::now() + crate::home::DEADLINE;
        while TcpStream::connect(server.address).is_ok() {
            assert!(Instant::now() < until, "still accepts");
            std::thread::yield_now();
        }
        stream.write_all(last.as_bytes()).unwrap();

        let answer = receive(&mut stream);

        assert_eq!(answer.status, 201, "{signal:?} {answer:?}");
        assert_eq!(server.wait(), Some(0), "{}", server.said());
        assert_eq!(home.count("subscribers"), 1);
        let logged = format!("SELECT count(*) FROM api_key_logs WHERE key_id = {id} AND status = 201");
        assert_eq!(home.value::<i64>("panel-logs.db", &logged), 1);
        let used = "api_keys WHERE last_used_at IS NOT NULL AND last_used_ip = '127.0.0.1'";
        assert_eq!(home.count(used), 1, "the last use is stored");
    }
}

#[test]
fn every_logged_request_is_in_the_file_after_the_end() {
    let home = Home::new();
    let mut server = home.serve();
    let key = home.mint("read").1;
    for _ in 0..20 {
        assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
    }
    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 403);
    assert_eq!(server.stop(), Some(0));
    let rows = |condition: &str| {
        home.value::<i64>("panel-logs.db", &format!("SELECT count(*) FROM api_key_logs WHERE {condition}"))
    };
    assert_eq!(rows("status = 200 AND gate IS NULL AND method = 'GET'"), 20);
    assert_eq!(rows("status = 403 AND gate = 'scope' AND method = 'POST' AND generation = 1"), 1);
    assert_eq!(
        rows(&format!("path = '{SUBSCRIBERS}' AND latency_us >= 0 AND ip = '127.0.0.1' AND request_id <> ''")),
        21
    );
}

#[test]
fn the_write_ahead_log_is_folded_in_and_a_restart_finds_everything() {
    let home = Home::new();
    let mut server = home.serve();
    let key = home.mint("write").1;
    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 201);
    assert_eq!(server.stop(), Some(0));
    for name in ["panel.db-wal", "panel-logs.db-wal"] {
        assert_eq!(std::fs::metadata(home.path(name)).map_or(0, |file| file.len()), 0, "{name}");
    }
    let server = home.serve();
    assert_eq!(server.get(&format!("{SUBSCRIBERS}/1"), &key).status, 200);
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let home = Home::new();
    let mut server = home.serve();
    let mut idle = connect(server.address);
    idle.write_all(b"GET /api/v1/external/system/health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 15];
    std::io::Read::read_exact(&mut idle, &mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let began = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(8), "took {:?} although nothing ran", began.elapsed());
}

#[test]
fn a_request_that_never_ends_is_given_up_after_ten_seconds() {
    let home = Home::new();
    let mut server = home.serve_with(&[("PANEL_SERVER__BODY_TIMEOUT_SECONDS", "3600")]);
    let key = home.mint("write").1;
    let (_stream, _) = all_but_the_last_byte(server.address, &key, "ada");
    let began = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(home.count("subscribers"), 0);
}

#[test]
fn a_hangup_does_not_end_the_server() {
    let home = Home::new();
    let mut server = home.serve();
    server.reload(1);
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &server.address.to_string())], ["healthcheck"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(server.stop(), Some(0));
}
