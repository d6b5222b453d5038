//! Callers that trickle: they are given up at a time that no byte of theirs puts off, and nobody else waits for them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::{held, metrics, returns_to, serve, statuses};
use crate::home::{DEADLINE, Home, SUBSCRIBERS};
use crate::raw_http::connect;
use crate::server::Server;
use crate::size;
use crate::tls::client::Client;
use crate::tls::made::{self, Made};

/// What each byte of a trickle waits for the one before.
const DRIP: Duration = Duration::from_millis(100);

/// Seconds that a body may take in these tests, and half of what the taking of an answer may.
const SHORT: &str = "2";

/// Files that a server opens only when they are first needed: more readers of the database.
const LATER: usize = 32;

/// A valid key's reads and writes and everybody's health, again and again while others trickle; gives how many and the slowest.
struct Valid {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(usize, Duration)>,
}

impl Valid {
    fn begin(server: &Server, key: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, key, address, metrics) = (Arc::clone(&stop), key.to_owned(), server.address, metrics(server));
        let thread = std::thread::spawn(move || {
            let (mut count, mut slowest) = (0, Duration::ZERO);
            loop {
                let began = Instant::now();
                let health = "/api/v1/external/system/health";
                for (address, path) in [(address, SUBSCRIBERS), (address, health), (metrics, "/health")] {
                    let answer = crate::raw_http::send(address, "GET", path, &[("X-API-Key", &key)], "");
                    assert_eq!(answer.status, 200, "{path}: {answer:?}");
                }
                let body = serde_json::json!({"username": format!("valid{count}"), "service_id": 1});
                let made = crate::raw_http::create(address, &key, &body);
                assert_eq!(made.status, 201, "{made:?}");
                count += 1;
                slowest = slowest.max(began.elapsed());
                if stopped.load(Ordering::Relaxed) {
                    return (count, slowest);
                }
                super::pause(DRIP);
            }
        });
        Self { stop, thread }
    }

    fn end(self) -> (usize, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (count, slowest) = self.thread.join().unwrap();
        assert!(count > 0 && slowest < DEADLINE / 2, "{count} rounds, the slowest took {slowest:?}");
        (count, slowest)
    }
}

/// Sends each of them one byte more, round after round, until the other side has closed all; gives how long that took from
/// the beginning of the first.
fn trickle(mut streams: Vec<TcpStream>, bytes: &[u8], bound: Duration) -> Duration {
    let began = Instant::now();
    streams.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
    let mut drips = bytes.iter().cycle();
    while !streams.is_empty() {
        assert!(began.elapsed() < bound, "{} are still open after {bound:?}", streams.len());
        let drip = [*drips.next().unwrap()];
        streams.retain_mut(|stream| {
            let mut said = [0; 4096];
            let is_closed = match stream.read(&mut said) {
                // An answer may come before the end.
                Ok(count) => count == 0,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            };
            !is_closed && stream.write(&drip).is_ok()
        });
        super::pause(DRIP);
    }
    began.elapsed()
}

fn open(address: SocketAddr, count: usize, beginning: &str) -> Vec<TcpStream> {
    let streams = (0..count).map(|_| connect(address));
    streams.inspect(|mut stream| stream.write_all(beginning.as_bytes()).unwrap()).collect()
}

/// What it said and held before a flood, and that it holds no more after it.
#[track_caller]
fn leaves_nothing(server: &Server, before: super::Held, told: &str) {
    returns_to(server.pid(), before.descriptors + LATER);
    let after = held(server.pid());
    let grown = after.memory.saturating_sub(before.memory);
    if size::is_long() {
        tell!("{told}: {before:?} before, {after:?} after");
    }
    // The allocator keeps some of what a thousand answers took at once; a second flood does not add to it.
    assert!(grown < size::of(48, 160) * 1024, "{told}: {grown} kB more than before");
}

#[test]
fn slow_heads_and_slow_bodies_are_given_up_while_everybody_else_is_served() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let server = serve(&home, &[("PANEL_SERVER__BODY_TIMEOUT_SECONDS", SHORT)]);
    let before = held(server.pid());
    let valid = Valid::begin(&server, &key);
    let count = size::of(60, 1000);
    let known = format!("Host: x\r\nX-API-Key: {key}\r\n");
    let first = "GET /api/v1/external/system/health HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut kinds = Vec::new();
    for (kind, beginning, bytes, bound) in [
        ("heads", format!("GET {SUBSCRIBERS} HTTP/1.1\r\nX-Slow: "), "x", 5),
        ("nothing", String::new(), "\n", 5),
        // Those that actix waits for as long as they like.
        ("heads after an answer", format!("{first}GET / HTTP/1.1\r\nX-Slow: "), "x", 8),
        ("empty lines after an answer", first.to_owned(), "\r\n", 8),
        ("bodies", format!("POST {SUBSCRIBERS} HTTP/1.1\r\n{known}Content-Length: 900\r\n\r\n"), "{", 4),
        (
            "chunks",
            format!("POST {SUBSCRIBERS} HTTP/1.1\r\n{known}Transfer-Encoding: chunked\r\n\r\n"),
            "1\r\n{\r\n",
            4,
        ),
        (
            "chunk extensions",
            format!("POST {SUBSCRIBERS} HTTP/1.1\r\n{known}Transfer-Encoding: chunked\r\n\r\n1;"),
            "x",
            4,
        ),
        (
            "trailers",
            format!("POST {SUBSCRIBERS} HTTP/1.1\r\n{known}Transfer-Encoding: chunked\r\n\r\n0\r\nX: "),
            "x",
            4,
        ),
        (
            "bodies of strangers",
            format!("POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n"),
            "{",
            4,
        ),
    ] {
        let streams = open(server.address, count, &beginning);
        // Nine kinds run side by side, and the machine may be slow.
        let bound = Duration::from_secs(bound) + DEADLINE / 2;
        kinds.push((kind, std::thread::spawn(move || trickle(streams, bytes.as_bytes(), bound))));
    }
    for (kind, thread) in kinds {
        let lasted = thread.join().unwrap_or_else(|_| panic!("{kind} are waited for"));
        if size::is_long() {
            tell!("{count} slow {kind}: given up within {lasted:?}");
        }
    }
    let (rounds, slowest) = valid.end();
    if size::is_long() {
        tell!("a valid key meanwhile: {rounds} rounds of four requests, the slowest took {slowest:?}");
    }
    leaves_nothing(&server, before, "slow heads and bodies");
}

#[test]
fn the_metrics_give_up_slow_callers_too() {
    let home = Home::with_database();
    let server = serve(&home, &[]);
    let before = held(server.pid());
    let first = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    for beginning in ["GET /metrics HTTP/1.1\r\nX-Slow: ".to_owned(), format!("{first}GET /metrics HTTP/1.1\r\nX: ")] {
        let streams = open(metrics(&server), 100, &beginning);
        trickle(streams, b"x", Duration::from_secs(8) + DEADLINE / 2);
    }
    leaves_nothing(&server, before, "slow callers of the metrics");
}

/// A connection whose receiver takes little at a time.
fn narrow(address: SocketAddr) -> TcpStream {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    sockopt::set_socket_recv_buffer_size(&socket, 2048).unwrap();
    rustix::net::connect(&socket, &address).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[test]
fn who_does_not_take_its_answer_is_hung_up_on_however_it_trickles() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let server = serve(&home, &[("PANEL_SERVER__REQUEST_TIMEOUT_SECONDS", SHORT)]);
    let before = held(server.pid());
    let valid = Valid::begin(&server, &key);
    let asked = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(12);
    let count = size::of(60, 1000);
    let mut streams: Vec<_> = (0..count).map(|_| narrow(server.address)).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(asked.as_bytes()).unwrap());
    let began = Instant::now();
    while held(server.pid()).descriptors < before.descriptors + count {
        assert!(began.elapsed() < DEADLINE, "they are not accepted: {:?}", held(server.pid()));
        std::thread::yield_now();
    }
    let most = held(server.pid());
    // Half of them read nothing, the others some bytes of each answer again and again.
    let began = Instant::now();
    let mut still = streams.split_off(count / 2);
    while held(server.pid()).descriptors > before.descriptors + LATER {
        assert!(began.elapsed() < DEADLINE, "they are waited for: {:?}", held(server.pid()));
        still.retain_mut(|stream| stream.read(&mut [0; 8]).is_ok_and(|count| count > 0));
        super::pause(DRIP);
    }
    if size::is_long() {
        tell!("{count} slow readers: hung up on within {:?}, {most:?} meanwhile", began.elapsed());
    }
    valid.end();
    drop(streams);
    leaves_nothing(&server, before, "slow readers");
}

/// The positive of the test above: who takes it slowly, but takes it, gets all of it.
#[test]
fn who_takes_its_answer_in_time_gets_all_of_it_and_the_next_request_is_not_counted_against_it() {
    let home = Home::with_database();
    let server = serve(&home, &[]);
    let mut stream = narrow(server.address);
    // Longer than a head may take, with the next request there all the while.
    let asked = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all((asked.repeat(3) + last).as_bytes()).unwrap();
    super::pause(Duration::from_secs(9));
    assert_eq!(statuses(&super::drain(&mut stream)), [200; 4]);
}

#[test]
fn handshakes_that_never_finish_are_dropped_and_nobody_waits_for_them() {
    let home = Home::with_database();
    let made = Made::new();
    let mut settings = super::UNLIMITED.to_vec();
    settings.push(("PANEL_METRICS__LISTEN", "127.0.0.1:0"));
    let server = made::serve(&home, &made, &settings);
    let client = Client::knowing(&made);
    let health = || {
        let answer = client.send(server.address, "GET", "/api/v1/external/system/health", &[], "");
        assert_eq!(answer.status, 200);
    };
    health();
    let before = held(server.pid());
    let count = size::of(60, 1000);
    // A record of a hello that is announced as longer than it ever gets.
    let streams = open(server.address, count, "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0");
    let most = held(server.pid());
    let began = Instant::now();
    let lasts = std::thread::spawn(move || trickle(streams, b"\0", Duration::from_secs(5) + DEADLINE / 2));
    for _ in 0..20 {
        health();
    }
    let served = began.elapsed();
    let lasted = lasts.join().unwrap();
    if size::is_long() {
        tell!("{count} handshakes: dropped within {lasted:?}; 20 healths meanwhile in {served:?}; {most:?}");
    }
    leaves_nothing(&server, before, "handshakes");
}
