//! `panel bench`: what this box does, measured through the whole panel in a scratch folder on the database's own disk.
//!
//! Reads and creates go over HTTP to a server of this process, so they cost what they cost a client: the gates, the audit
//! row, the request log and the commit. The clients take processor time from the panel, so the report says how much.

mod figures;
mod house;
mod load;
mod scratch;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use self::figures::Times;
use self::house::House;
use self::load::Effort;
use self::scratch::Scratch;
use super::output::{Failure, Outcome, Output, say};
use super::owner;
use crate::config::{self, Config};
use crate::store::{Db, Options, Synchronous};

const MIB: u64 = 1024 * 1024;

/// Room for the database itself and its write-ahead logs.
const BASE_BYTES: u64 = 256 * MIB;
/// More than a second of creates or of logged reads writes on a fast disk.
const BYTES_A_SECOND: u64 = 64 * MIB;
/// More than a subscriber with its indexes and its audit row takes.
const BYTES_A_SUBSCRIBER: u64 = 4 * 1024;

#[derive(Debug, Args)]
pub struct Bench {
    /// Where the scratch folder is made; without it: beside the database, on the same disk.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// How long each of the three is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Clients that ask at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=400))]
    connections: u32,
    /// Subscribers that are there before.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    subscribers: u32,
}

pub fn run(config: Config, output: Output, bench: Bench) -> Outcome {
    owner::become_owner(&config.database.path)?;
    let measured = actix_web::rt::System::new().block_on(until_done(config, bench))?;
    measured.print(output)
}

fn interrupted() -> Failure {
    Failure::new("interrupted", "Nothing of it is left.")
}

/// Measures on a thread of its own, so that a signal can end it in order: the scratch folder must not stay.
async fn until_done(config: Config, bench: Bench) -> Result<Measured, Failure> {
    let failed = |error: io::Error| Failure::sentences(&error.to_string());
    let [mut interrupt, mut term, mut hangup] = signals().map_err(failed)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (done, mut outcome) = oneshot::channel();
    let asked = Arc::clone(&stop);
    let work = move || drop(done.send(measure(&config, &bench, &asked)));
    std::thread::Builder::new().name("bench".to_owned()).spawn(work).map_err(failed)?;
    loop {
        tokio::select! {
            measured = &mut outcome => {
                return measured.unwrap_or_else(|_| Err(Failure::new("the measuring panicked", "Please report it.")));
            }
            _ = interrupt.recv() => {}
            _ = term.recv() => {}
            _ = hangup.recv() => {}
        }
        stop.store(true, Ordering::Relaxed);
    }
}

fn signals() -> io::Result<[Signal; 3]> {
    Ok([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?])
}

fn measure(config: &Config, bench: &Bench, stop: &AtomicBool) -> Result<Measured, Failure> {
    let below = bench.dir.clone().unwrap_or_else(|| config.database_folder());
    let scratch = Scratch::make(&below, bench.needed_bytes())?;
    say(&format!(
        "Measuring in {} for about {} s; an interrupt ends it and leaves nothing.",
        scratch.path().display(),
        u64::from(bench.seconds) * 3
    ));
    let lasting = Duration::from_secs(bench.seconds.into());
    let commits = commits(&scratch, lasting, stop)?;
    let house = House::open(config, scratch.path(), bench.subscribers, stop)?;
    let effort = Effort { address: house.address, connections: bench.connections, lasting, stop };
    let header = house::header(&house.key);
    let count = u64::from(bench.subscribers);
    let reads = load::run(effort, 200, |client, turn| {
        // Far from each other, as customers are.
        let id = (u64::from(client) + 1).wrapping_add(turn).wrapping_mul(0x9e37_79b9_7f4a_7c15) % count + 1;
        format!("GET /api/v1/external/subscribers/{id} HTTP/1.1\r\n{header}\r\n")
    })?;
    let creates = load::run(effort, 201, |client, turn| {
        let body = format!(
            r#"{{"username":"bench{client}-{turn}@example.net","service_id":1,"full_name":"Bench Customer","phone":"+961 1 234567"}}"#
        );
        let length = body.len();
        format!(
            "POST /api/v1/external/subscribers HTTP/1.1\r\n{header}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    })?;
    drop(house);
    Ok(Measured {
        folder: below.display().to_string(),
        synchronous: config.database.synchronous,
        workers: config.server.workers(),
        cores: std::thread::available_parallelism().map_or(1, Into::into),
        connections: bench.connections,
        subscribers: bench.subscribers,
        seconds: bench.seconds,
        lines: [Line::of_commits(commits, lasting), Line::of("reads", reads), Line::of("creates", creates)],
    })
}

/// What the disk itself takes for one row after another, through the panel's own writer.
fn commits(scratch: &Scratch, lasting: Duration, stop: &AtomicBool) -> Result<Times, Failure> {
    let options = Options {
        path: scratch.path().join("commits.db"),
        synchronous: Synchronous::Full,
        fast_readers: 1,
        slow_readers: 1,
        queue: 1,
        backup_to: None,
    };
    let db = Db::open(&options).map_err(|error| Failure::sentences(&error.to_string()))?;
    let (mut times, until) = (Times::none(), Instant::now() + lasting);
    while Instant::now() < until {
        if stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        let began = Instant::now();
        db.check_writing()?;
        times.add(began.elapsed());
    }
    Ok(times)
}

impl Bench {
    /// Room that the scratch folder may come to take.
    fn needed_bytes(&self) -> u64 {
        BASE_BYTES + u64::from(self.subscribers) * BYTES_A_SUBSCRIBER + u64::from(self.seconds) * 2 * BYTES_A_SECOND
    }
}

/// One of the three.
#[derive(Debug)]
struct Line {
    what: &'static str,
    times: Times,
    took: Duration,
    /// Processor time of the clients, and of the rest of the process; the commits have no client.
    cpu: Option<(Duration, Duration)>,
}

impl Line {
    fn of_commits(times: Times, took: Duration) -> Self {
        Self { what: "commits", times, took, cpu: None }
    }

    fn of(what: &'static str, outcome: load::Outcome) -> Self {
        let panel = outcome.cpu.saturating_sub(outcome.load_cpu);
        Self { what, times: outcome.times, took: outcome.took, cpu: Some((outcome.load_cpu, panel)) }
    }

    fn per_second(&self) -> u128 {
        u128::from(self.times.count()) * 1_000_000_000 / self.took.as_nanos().max(1)
    }
}

#[derive(Debug)]
struct Measured {
    folder: String,
    synchronous: config::Synchronous,
    workers: usize,
    cores: usize,
    connections: u32,
    subscribers: u32,
    seconds: u32,
    lines: [Line; 3],
}

impl Measured {
    fn print(&self, output: Output) -> Outcome {
        if output.json {
            let mut shown = json!({
                "folder": self.folder,
                "synchronous": self.synchronous,
                "cores": self.cores,
                "workers": self.workers,
                "connections": self.connections,
                "subscribers": self.subscribers,
                "seconds": self.seconds,
            });
            for line in &self.lines {
                shown[line.what] = self.figures(line);
            }
            return output.one(&shown);
        }
        let columns = ["what", "per_second", "p50_ms", "p99_ms", "max_ms", "count", "clients_cpu", "panel_cpu"];
        output.many(&columns, &self.lines.iter().map(|line| self.row(line)).collect::<Vec<_>>())?;
        self.explain();
        Ok(())
    }

    fn figures(&self, line: &Line) -> Value {
        let micros = |time: Duration| json!(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let mut figures = json!({
            "count": line.times.count(),
            "per_second": u64::try_from(line.per_second()).unwrap_or(u64::MAX),
            "p50_us": micros(line.times.percentile(50)),
            "p99_us": micros(line.times.percentile(99)),
            "max_us": micros(line.times.longest()),
        });
        if let Some((load, panel)) = line.cpu {
            figures["clients_cpu_percent"] = json!(self.percent(load, line.took));
            figures["panel_cpu_percent"] = json!(self.percent(panel, line.took));
        }
        figures
    }

    fn row(&self, line: &Line) -> Value {
        let millis = |time: Duration| format!("{}.{:03}", time.as_millis(), time.as_micros() % 1000);
        let cpu = |cpu: Option<Duration>| cpu.map(|cpu| format!("{} %", self.percent(cpu, line.took)));
        json!({
            "what": line.what,
            "per_second": line.per_second().to_string(),
            "p50_ms": millis(line.times.percentile(50)),
            "p99_ms": millis(line.times.percentile(99)),
            "max_ms": millis(line.times.longest()),
            "count": line.times.count(),
            "clients_cpu": cpu(line.cpu.map(|(load, _)| load)),
            "panel_cpu": cpu(line.cpu.map(|(_, panel)| panel)),
        })
    }

    /// Of all cores together.
    fn percent(&self, cpu: Duration, took: Duration) -> u64 {
        let all = took.as_nanos().max(1) * u128::try_from(self.cores).unwrap_or(1);
        u64::try_from(cpu.as_nanos() * 100 / all).unwrap_or(u64::MAX)
    }

    fn explain(&self) {
        let (clients, cores) = (self.connections, self.cores);
        say("commits: one row of 8 KiB after another with synchronous=FULL, as the disk takes them.");
        say(&format!(
            "reads, creates: GET and POST /api/v1/external/subscribers with a key, over HTTP without TLS on this machine, {} \
             subscribers there before. Each is judged and logged; a create leaves its audit row, and its 201 waits for the \
             commit, which it shares with others that wait.",
            self.subscribers
        ));
        say(&format!(
            "{clients} clients, a thread and a connection each, share {cores} cores with the {} workers of the panel. What \
             they took is under clients_cpu, in percent of all cores; a client elsewhere leaves it to the panel. Where both \
             come near 100 together, the processor is the limit.",
            self.workers
        ));
        if self.synchronous == config::Synchronous::Normal {
            say(
                "database.synchronous = normal: a create is answered before the disk has it. commits are FULL all the same.",
            );
        }
    }
}
