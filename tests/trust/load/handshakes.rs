//! TLS handshakes beyond what can be done: whole ones, half ones, and connections that say nothing.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::client::Client;
use super::figures::told;
use super::house::metrics_of;
use crate::home::Home;
use crate::size;
use crate::tls::client as tls;
use crate::tls::made::{self, Made};

const HEALTH: &str = "/api/v1/external/system/health";

#[test]
fn a_flood_of_handshakes_keeps_nobody_out() {
    let (home, made) = (Home::new(), Made::new());
    let settings = [("PANEL_METRICS__LISTEN", "127.0.0.1:0"), ("PANEL_LOG__LEVEL", "info")];
    let server = made::serve(&home, &made, &settings);
    let (address, metrics) = (server.address, metrics_of(&server));
    let (is_over, turn) = (AtomicBool::new(false), AtomicUsize::new(0));
    let whole = AtomicUsize::new(0);
    let length = size::of(Duration::from_secs(3), Duration::from_secs(30));
    let clients = size::of(24, 200);
    let stranger = || {
        let client = tls::Client::knowing(&made);
        let mut silent = std::collections::VecDeque::new();
        while !is_over.load(Ordering::Relaxed) {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            if turn % 3 == 0 {
                drop(client.open(address));
                whole.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let Ok(mut stream) = TcpStream::connect(address) else { continue };
            // The beginning of a first message, or nothing at all.
            drop(stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01][..turn % 3 * 3 - 3]));
            silent.push_back(stream);
            if silent.len() > 8 {
                silent.pop_front();
            }
        }
    };
    let (kept, fresh, beside) = std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(stranger);
        }
        let (mut kept, mut fresh, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        let good = tls::Client::knowing(&made);
        let mut monitoring = Client::new(metrics);
        let mut open = good.open(address).unwrap();
        let began = Instant::now();
        while began.elapsed() < length {
            let at = Instant::now();
            open.write_all(format!("GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
            let mut answer = [0; 4096];
            let read = std::io::Read::read(&mut open, &mut answer).unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
            kept.push(at.elapsed());
            let at = Instant::now();
            assert_eq!(good.send(address, "GET", HEALTH, &[], "").status, 200);
            fresh.push(at.elapsed());
            let got = monitoring.ask("GET", "/health", &[], "");
            assert_eq!(got.status, 200, "{got:?}");
            beside.push(got.took);
        }
        is_over.store(true, Ordering::Relaxed);
        (kept, fresh, beside)
    });
    let (all, whole) = (turn.load(Ordering::Relaxed), whole.load(Ordering::Relaxed));
    tell!("handshakes, {clients} clients: {all} connections in {length:?}, {whole} of them whole handshakes");
    for (what, times) in [("on an open connection", kept), ("with a handshake", fresh), ("health beside", beside)] {
        tell!("    {what}: {}", told(&times));
        let longest = times.iter().max().copied().unwrap_or_default();
        assert!(longest < size::of(Duration::from_secs(9), Duration::from_secs(5)), "{what}: {}", told(&times));
    }
    assert!(whole > 20, "that was no flood");
}
