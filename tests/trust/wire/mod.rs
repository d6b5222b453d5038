//! Abuse on the wire: framing, connections, headers and paths, byte by byte against the real binary.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::home::{DEADLINE, Home};
use crate::raw_http::connect;
use crate::server::Server;

mod bodies;
mod credentials;
mod fronts;
mod idle;
mod injection;
mod lenient;
mod paths;
mod patterns;
mod slow;
mod smuggling;
mod stderr;

/// Nobody is sent away for asking often; the log says what it says by itself.
const UNLIMITED: [(&str, &str); 5] = [
    ("PANEL_LIMITS__LOGIN_PER_MINUTE", "0"),
    ("PANEL_LIMITS__PER_IP_PER_MINUTE", "0"),
    ("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0"),
    ("PANEL_LIMITS__FAILURES_PER_MINUTE", "0"),
    ("PANEL_LOG__LEVEL", "info"),
];

/// A server without limits, with its metrics, and with these further settings.
fn serve(home: &Home, further: &[(&str, &str)]) -> Server {
    let mut settings = UNLIMITED.to_vec();
    settings.push(("PANEL_METRICS__LISTEN", "127.0.0.1:0"));
    settings.extend(further);
    home.serve_with(&settings)
}

/// Where its metrics are.
fn metrics(server: &Server) -> SocketAddr {
    let said = server.said();
    said.split_once("metrics on ").and_then(|(_, rest)| rest.lines().next()).unwrap().parse().unwrap()
}

/// What the kernel knows of a process.
#[derive(Debug, Clone, Copy)]
struct Held {
    descriptors: usize,
    /// Kilobytes of memory of its own.
    memory: u64,
}

fn held(pid: Pid) -> Held {
    let folder = format!("/proc/{}", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
    Held { descriptors: std::fs::read_dir(format!("{folder}/fd")).unwrap().count(), memory }
}

/// Processor time of a process so far.
fn worked(pid: Pid) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // The kernel gives them by hundredths, whatever its own clock is.
    Duration::from_millis(ticks * 10)
}

/// What a caller waits between two bytes of a trickle: its time is what these tests are about.
#[expect(clippy::disallowed_methods, reason = "no thread of the server's")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until the process has as few descriptors as that.
#[track_caller]
fn returns_to(pid: Pid, descriptors: usize) {
    let until = Instant::now() + DEADLINE;
    while held(pid).descriptors > descriptors {
        assert!(Instant::now() < until, "{:?} instead of {descriptors} descriptors", held(pid));
        std::thread::yield_now();
    }
}

/// Sends all of it, or as much as is taken, and gives what is said until the other side closes.
fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    // Whoever refuses early does not read the rest.
    drop(stream.write_all(bytes));
    drain(&mut stream)
}

/// What is said until the other side closes, by an end or by a reset.
fn drain(stream: &mut TcpStream) -> Vec<u8> {
    let (mut said, mut part) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return said,
            Ok(count) => said.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return said,
            Err(error) => panic!("it is not closed: {error}, after {:?}", String::from_utf8_lossy(&said)),
        }
    }
}

/// The status of the first answer in what was said; `None`: closed without one.
fn status(said: &[u8]) -> Option<u16> {
    String::from_utf8_lossy(said).strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// The statuses of all answers in what was said.
fn statuses(said: &[u8]) -> Vec<u16> {
    let said = String::from_utf8_lossy(said).into_owned();
    said.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)?.parse().ok()).collect()
}
