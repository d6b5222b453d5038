//! Running schemathesis.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::home::Home;
use crate::size;

fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tools")
}

/// Where `tests/tools.sh` puts the version that it names.
fn folder() -> PathBuf {
    let version = include_str!("../../tools.sh").lines().find_map(|line| line.strip_prefix("SCHEMATHESIS=")).unwrap();
    let folder = tools().join(format!("schemathesis-{version}"));
    assert!(folder.is_dir(), "schemathesis {version} is not in {}: tests/run installs it", folder.display());
    folder
}

/// Calls these operations of a panel and gives what it wrote down of it, an event a line.
pub fn run(home: &Home, address: SocketAddr, settings: &str, operations: &[&str]) -> String {
    home.write("schemathesis.toml", settings);
    let mut command = Command::new("python3");
    command.args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"]);
    command.arg(format!("http://{address}/openapi.json"));
    for id in operations {
        command.args(["--include-operation-id", id]);
    }
    command.args(["--report", "ndjson", "--report-ndjson-path", "schemathesis.ndjson", "--no-color"]);
    // Its tables of characters take seconds to make; nothing of a run is kept there.
    let tables = tools().join("hypothesis");
    command.env("PYTHONPATH", folder()).env("HYPOTHESIS_STORAGE_DIRECTORY", tables).current_dir(home.folder());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|e| panic!("python3 does not start: {e}"));
    let pid = rustix::process::Pid::from_child(&child);
    let (done, outcome) = channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = outcome.recv_timeout(Duration::from_secs(size::of(300, 3_600))) else {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        panic!("schemathesis does not end");
    };
    let output = output.unwrap();
    let said = || String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    // 1: something failed a check, which is judged from the report.
    assert!(matches!(output.status.code(), Some(0 | 1)), "schemathesis: {:?}\n{}", output.status, said());
    std::fs::read_to_string(home.path("schemathesis.ndjson")).unwrap_or_else(|e| panic!("no report: {e}\n{}", said()))
}
