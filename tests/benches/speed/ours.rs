//! The panel under test: the real binary in a folder of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client;

const PATIENCE: Duration = Duration::from_secs(60);

/// How long a log that no longer grows is waited for.
const QUIET: Duration = Duration::from_secs(3);

/// The panel looks for work twice a second.
const SETTLED: Duration = Duration::from_millis(1_200);

/// A server's process; it does not outlive the run.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    /// From the start to the first good answer.
    pub took: Duration,
    command: Command,
    healthy: &'static str,
    said: PathBuf,
}

impl Process {
    /// Starts it and asks from the first millisecond on until the path is answered 200.
    pub fn start(mut command: Command, address: SocketAddr, healthy: &'static str, said: &Path) -> Self {
        let said_to = File::create(said).unwrap();
        command.stdin(Stdio::null()).stdout(said_to.try_clone().unwrap()).stderr(said_to);
        let began = Instant::now();
        let child = command.spawn().unwrap();
        let mut process = Self { child, address, took: Duration::ZERO, command, healthy, said: said.to_owned() };
        process.answers(began);
        process
    }

    fn answers(&mut self, began: Instant) {
        while !client::call(self.address, "GET", self.healthy, "", "").is_ok_and(|(status, _)| status == 200) {
            let ended = self.child.try_wait().unwrap();
            let text = || fs::read_to_string(&self.said).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{:?} does not answer: {}", self.command, text());
            std::thread::sleep(Duration::from_micros(200));
        }
        self.took = began.elapsed();
    }

    /// The same again as a new process.
    pub fn restart(&mut self) {
        self.end();
        let began = Instant::now();
        self.child = self.command.spawn().unwrap();
        self.answers(began);
    }

    /// Memory that is its own, in MiB.
    pub fn rss_anon_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kib: u32 = line.trim().trim_end_matches(" kB").parse().unwrap();
        f64::from(kib) / 1024.0
    }

    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).unwrap()
}

/// The binary in a folder, with the settings of the measurement.
pub fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panel"));
    command.args(words).current_dir(folder).stdin(Stdio::null());
    // Nothing of the caller's may change what is measured.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PANEL_")) {
        command.env_remove(name);
    }
    command.envs([
        ("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0"),
        ("PANEL_LOGS__MAX_ROWS", "1000000000"),
        // It would come in the middle of a round.
        ("PANEL_BACKUP__DAILY_AT", ""),
    ]);
    command
}

/// Runs a command to its end and gives what it printed.
pub fn run(folder: &Path, words: &[&str]) -> String {
    let output = command(folder, words).output().unwrap();
    assert!(output.status.success(), "panel {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with a database and a key to it; running or not.
pub struct House {
    pub folder: PathBuf,
    /// The header of every call.
    pub header: String,
}

impl House {
    /// The key is minted anew: where the database is older, nobody knows its last one.
    pub fn at(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let words =
            ["key", "mint", "--style", "external", "--user", "admin", "--scopes", "write", "--rate", "0", "--json"];
        let minted: Value = serde_json::from_str(&run(folder, &words)).unwrap();
        let header = format!("X-API-Key: {}\r\n", minted["key"].as_str().unwrap());
        Self { folder: folder.to_owned(), header }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("panel.db")
    }

    pub fn logs(&self) -> PathBuf {
        self.folder.join("panel-logs.db")
    }

    pub fn serve(&self) -> Panel {
        let (address, metrics) = (free_address(), free_address());
        let mut command = command(&self.folder, &["serve"]);
        command.env("PANEL_SERVER__LISTEN", address.to_string()).env("PANEL_METRICS__LISTEN", metrics.to_string());
        let process = Process::start(command, address, "/api/v1/external/system/health", &self.folder.join("said"));
        Panel { process, metrics, header: self.header.clone(), logs: self.logs() }
    }
}

/// One that runs.
pub struct Panel {
    pub process: Process,
    metrics: SocketAddr,
    pub header: String,
    logs: PathBuf,
}

impl Panel {
    pub fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// A figure of its metrics.
    pub fn metric(&self, name: &str) -> f64 {
        let (status, page) = client::call(self.metrics, "GET", "/metrics", "", "").unwrap();
        assert_eq!(status, 200, "{page}");
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("the metrics have no {name}:\n{page}"))
    }

    /// Rows of the request log so far. No row is ever deleted here, so the last id counts them.
    pub fn logged(&self) -> u64 {
        let database = Connection::open(&self.logs).unwrap();
        let last = "SELECT coalesce(max(id), 0) FROM api_key_logs";
        let last: i64 = database.query_row(last, [], |row| row.get(0)).unwrap();
        last.try_into().unwrap()
    }

    /// Waits until it has done what is left to do after writes: the request log and the search index.
    pub fn settles(&self) {
        let state = || (self.metric("panel_writer_batch_size_sum"), self.logged());
        let (mut seen, mut changed) = (state(), Instant::now());
        while changed.elapsed() < SETTLED {
            std::thread::sleep(Duration::from_millis(50));
            let now = state();
            if now != seen {
                (seen, changed) = (now, Instant::now());
            }
        }
    }

    /// Waits until the log has grown by so many rows or no longer grows, and says by how many it did.
    pub fn log_grows(&self, before: u64, wanted: u64) -> u64 {
        let (mut seen, mut changed) = (self.logged(), Instant::now());
        while seen - before < wanted && changed.elapsed() < QUIET {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.logged();
            if now > seen {
                (seen, changed) = (now, Instant::now());
            }
        }
        seen - before
    }
}
