//! The load: wrk for peaks, hey for a constant rate, and clients of our own where neither can say what is asked.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Connection;

/// Of wrk.
const CONNECTIONS: u32 = 32;

/// Requests that each of its threads prepares.
const PREPARED: u32 = 50_000;

/// Clients of hey and of our own, each with a share of the rate.
const CLIENTS: u32 = 20;

/// How much of the rate that was asked for must have been reached.
const REACHED: f64 = 0.95;

/// What wrk measured.
pub struct Peak {
    pub requests: u64,
    pub per_second: f64,
    pub p99_ms: f64,
}

/// A server and what every request to it carries.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub address: SocketAddr,
    pub header: &'a str,
}

impl Target<'_> {
    pub fn request(&self, path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{}\r\n", self.address, self.header)
    }
}

const EVERY_SCRIPT: &str = r#"
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\n{"requests": %d, "micros": %d, "p99": %d, "errors": %d}\n', summary.requests, summary.duration,
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"#;

/// GETs of paths made from numbers drawn between 1 and `upto`. `path` is an expression of Lua over `id`.
pub fn gets(target: Target<'_>, path: &str, upto: u32, seed: u64) -> String {
    let (address, header) = (target.address, target.header);
    let prepared = PREPARED.min(upto);
    format!(
        r#"{EVERY_SCRIPT}
local prepared, turn = {{}}, 0
function init(args)
  math.randomseed({seed} * 64 + number)
  for i = 1, {prepared} do
    local id = math.random({upto})
    prepared[i] = "GET " .. {path} .. " HTTP/1.1\r\nHost: {address}\r\n" .. {header:?} .. "\r\n"
  end
end
function request()
  turn = turn % {prepared} + 1
  return prepared[turn]
end
"#
    )
}

/// POSTs of subscribers that are not there yet. NAME stands for the name in the body.
pub fn posts(target: Target<'_>, path: &str, body: &str, round: u32) -> String {
    let (address, header) = (target.address, target.header);
    let (before, after) = body.split_once("NAME").unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{header}Content-Type: application/json\r\n");
    format!(
        r#"{EVERY_SCRIPT}
local turn = 0
function request()
  turn = turn + 1
  local name = string.format("made%d-%d-%07d", {round}, number, turn)
  local body = '{before}' .. name .. '{after}'
  return {head:?} .. "Idempotency-Key: " .. name .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end
"#
    )
}

/// Runs wrk. One request that fails makes the run worthless.
pub fn wrk(address: SocketAddr, script: &str, file: &Path, seconds: u32) -> Peak {
    fs::write(file, script).unwrap();
    let mut command = Command::new("wrk");
    command.args(["-t2", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "--timeout", "30s", "-s"]);
    let output = command.arg(file).arg(format!("http://{address}/")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().rfind(|line| line.starts_with('{'));
    let told: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("wrk: {said}"))).unwrap();
    let figure = |name: &str| told[name].as_u64().unwrap();
    assert!(figure("errors") == 0 && figure("requests") > 0, "wrk against {address}: {said}");
    Peak {
        requests: figure("requests"),
        per_second: figure("requests") as f64 * 1e6 / figure("micros") as f64,
        p99_ms: figure("p99") as f64 / 1e3,
    }
}

/// Runs hey at a constant rate, one path again and again. The p99 in milliseconds; `None`: the rate was not reached.
pub fn hey(target: Target<'_>, path: &str, per_second: u32, seconds: u32) -> Option<f64> {
    let mut command = Command::new("hey");
    command.args(["-z", &format!("{seconds}s"), "-c", &CLIENTS.to_string(), "-q", &(per_second / CLIENTS).to_string()]);
    command.args(["-o", "csv", "-H", target.header.trim_end(), &format!("http://{}{path}", target.address)]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let mut times = Vec::new();
    for line in said.lines().skip(1) {
        let columns: Vec<_> = line.split(',').collect();
        assert_eq!(columns.get(6), Some(&"200"), "hey against {}: {line}", target.address);
        times.push(columns[0].parse::<f64>().unwrap() * 1e3);
    }
    let wanted = f64::from(per_second * seconds);
    (times.len() as f64 >= wanted * REACHED).then(|| p99(times))
}

/// Clients that send at a constant rate, whatever the server does.
#[derive(Clone, Copy)]
pub struct Rate {
    pub per_second: u32,
    pub lasting: Duration,
    pub status: u16,
}

/// The p99 in milliseconds, of requests made from their number. One that was sent late because the answer before it came
/// late counts from when it was due; how late the client itself wakes up counts for nobody.
pub fn constant(address: SocketAddr, rate: Rate, request: impl Fn(u64) -> String + Sync) -> f64 {
    let began = Instant::now();
    let work = |client: u32| {
        let mut connection = Connection::open(address).unwrap();
        let (mut times, mut turn) = (Vec::new(), 0);
        loop {
            let number = u64::from(client) + turn * u64::from(CLIENTS);
            let due = began + Duration::from_nanos(number * 1_000_000_000 / u64::from(rate.per_second));
            if due.duration_since(began) >= rate.lasting {
                return times;
            }
            let request = request(number);
            let is_late = Instant::now() > due;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let from = if is_late { due } else { Instant::now() };
            let status = connection.exchange(request.as_bytes()).unwrap();
            times.push(from.elapsed().as_secs_f64() * 1e3);
            assert_eq!(status, rate.status, "{}", String::from_utf8_lossy(&connection.answer));
            turn += 1;
        }
    };
    let times = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || work(client))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    p99(times)
}

fn p99(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * 99).div_ceil(100) - 1]
}
