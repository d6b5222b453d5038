//! Connections that do nothing: what one costs, how many there may be, and what happens beyond.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::{exchange, held, returns_to, serve, status, worked};
use crate::home::{DEADLINE, Home, SUBSCRIBERS};
use crate::raw_http::connect;
use crate::server::Server;
use crate::size;
use crate::traced;

const HEALTH: &[u8] = b"GET /api/v1/external/system/health HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection that was answered once and is kept.
fn answered(server: &Server) -> TcpStream {
    let mut stream = connect(server.address);
    stream.write_all(HEALTH).unwrap();
    let mut said = [0; 4096];
    let count = stream.read(&mut said).unwrap();
    assert_eq!(status(&said[..count]), Some(200));
    stream
}

#[test]
fn many_idle_connections_cost_little_and_keep_nobody_out() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let count = size::of(500, 10_000);
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let server = serve(&home, &[]);
    let warm: Vec<_> = (0..20).map(|_| answered(&server)).collect();
    let before = held(server.pid());
    let idle: Vec<_> = (0..count).map(|_| answered(&server)).collect();
    let with = held(server.pid());
    assert!(with.descriptors >= before.descriptors + count, "{before:?}, then {with:?}: they are not kept");
    let each = with.memory.saturating_sub(before.memory) * 1024 / u64::try_from(count).unwrap();
    let began = Instant::now();
    assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
    if size::is_long() {
        tell!("{count} idle connections: {each} bytes each; a new caller is answered in {:?}", began.elapsed());
    }
    assert!(each < 64 * 1024, "{each} bytes for each connection");
    drop((idle, warm));
    returns_to(server.pid(), before.descriptors);
}

/// A server that may have this many descriptors and cannot have more.
fn bounded(home: &Home, descriptors: u32) -> Server {
    let mut command = traced::limited(home, &format!("-n {descriptors}"));
    command.env("PANEL_SERVER__WORKERS", "2").envs(super::UNLIMITED);
    home.start(command)
}

#[test]
fn beyond_the_most_connections_new_callers_wait_and_are_served_and_the_database_has_its_descriptors() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let server = bounded(&home, 200);
    // Half of 200 are for connections. They say nothing, so each is told 408 after five seconds and goes.
    let silent: Vec<_> = (0..150).map(|_| connect(server.address)).collect();
    let before = worked(server.pid());
    let began = Instant::now();
    let made = server.create(&key, &serde_json::json!({"username": "ada", "service_id": 1}));
    let (waited, work) = (began.elapsed(), worked(server.pid()) - before);
    assert_eq!(made.status, 201, "{made:?}");
    assert!(waited > Duration::from_secs(2), "nobody had to wait: the bound was not reached");
    assert!(work < waited / 2, "{work:?} of work in {waited:?} of waiting");
    assert!(!server.said().contains("Too many open files"), "{}", server.said());
    drop(silent);
}

#[test]
fn when_descriptors_run_out_all_the_same_it_waits_without_spinning_and_goes_on_by_itself() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let server = serve(&home, &[]);
    assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
    let pid = server.pid();
    let was = getrlimit(Resource::Nofile);
    let few = u64::try_from(held(pid).descriptors).unwrap() + 4;
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(few), ..was }).unwrap();
    let silent: Vec<_> = (0..40).map(|_| connect(server.address)).collect();
    server.says("Too many open files", 1);
    let (before, began) = (worked(pid), Instant::now());
    server.says("Too many open files", 3);
    let work = worked(pid) - before;
    assert!(work < began.elapsed() / 2 + Duration::from_millis(100), "{work:?} of work in {:?}", began.elapsed());
    prlimit(Some(pid), Resource::Nofile, was).unwrap();
    drop(silent);
    let began = Instant::now();
    assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
    assert!(began.elapsed() < DEADLINE);
    assert_eq!(status(&exchange(server.address, b"x\r\n\r\n")), Some(400));
}
