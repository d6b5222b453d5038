//! What one POST does, as the kernel sees it: the write-ahead log is written, then synced, then the answer is sent.

use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::home::{DEADLINE, Home};

/// The calls that matter, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    WriteLog,
    SyncLog,
    Answer,
}

fn steps(trace: &str) -> Vec<Step> {
    let step = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        let call = call.trim_start();
        let log = call.contains("/panel.db-wal>");
        if log && call.starts_with("pwrite64(") {
            Some(Step::WriteLog)
        } else if log && (call.starts_with("fdatasync(") || call.starts_with("fsync(")) {
            Some(Step::SyncLog)
        } else {
            call.contains("HTTP/1.1 201").then_some(Step::Answer)
        }
    };
    trace.lines().filter_map(step).collect()
}

/// What the kernel was asked for by a server with this setting while it made one subscriber.
fn traced(synchronous: &str) -> Vec<Step> {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let panel = home.command(["serve"]);
    let mut command = Command::new("strace");
    // Beside it, so that the process we start is the panel itself.
    command.args(["-D", "-f", "-y", "-s", "32", "-e", "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg"]);
    command.args(["-e", "signal=none", "-o", "trace"]).arg(panel.get_program()).args(panel.get_args());
    command.current_dir(home.folder());
    for (name, value) in panel.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0").env("PANEL_DATABASE__SYNCHRONOUS", synchronous);
    let mut server = home.start(command);
    let pid = server.pid().as_raw_nonzero().get();
    let made = server.create(&key, &json!({"username": "ada", "service_id": 1}));
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(server.stop(), Some(0));
    let end = format!("{pid} +++ exited with 0 +++");
    let until = Instant::now() + DEADLINE;
    loop {
        // strace pads the number.
        let trace = String::from_utf8_lossy(&std::fs::read(home.path("trace")).unwrap()).into_owned();
        if trace.lines().any(|line| line.split_whitespace().eq(end.split_whitespace())) {
            return steps(&trace);
        }
        assert!(Instant::now() < until, "strace does not end: {trace}");
        std::thread::yield_now();
    }
}

/// The last steps up to the answer.
fn before_the_answer(steps: &[Step]) -> &[Step] {
    let at = steps.iter().position(|step| *step == Step::Answer).unwrap();
    &steps[at.saturating_sub(2)..=at]
}

#[test]
fn a_post_is_written_then_synced_then_answered() {
    assert_eq!(before_the_answer(&traced("full")), [Step::WriteLog, Step::SyncLog, Step::Answer]);
}

#[test]
fn this_trace_would_show_an_answer_before_the_sync() {
    assert_eq!(before_the_answer(&traced("normal")), [Step::WriteLog, Step::WriteLog, Step::Answer]);
}
