//! What one POST does, as the kernel sees it: the write-ahead log is written, then synced, then the answer is sent.

use serde_json::json;

use crate::home::Home;
use crate::traced::traced;

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
fn steps_with(synchronous: &str) -> Vec<Step> {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let calls = "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg";
    let trace = traced(&home, &[("PANEL_DATABASE__SYNCHRONOUS", synchronous)], &["-e", calls], |server| {
        let made = server.create(&key, &json!({"username": "ada", "service_id": 1}));
        assert_eq!(made.status, 201, "{made:?}");
    });
    steps(&trace)
}

/// The last steps up to the answer.
fn before_the_answer(steps: &[Step]) -> &[Step] {
    let at = steps.iter().position(|step| *step == Step::Answer).unwrap();
    &steps[at.saturating_sub(2)..=at]
}

/// A disk that hangs: who is refused must not have had it done, so what has begun is waited for, however long a request may
/// take.
#[test]
fn a_change_whose_sync_takes_longer_than_a_request_may_is_answered_with_its_outcome() {
    let home = Home::with_database();
    let (_, key) = home.mint("write");
    let log = home.path("panel.db-wal");
    let slow = [
        "-P",
        log.to_str().unwrap(),
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        "inject=fsync,fdatasync:delay_enter=1500000",
    ];
    traced(&home, &[("PANEL_SERVER__REQUEST_TIMEOUT_SECONDS", "1")], &slow, |server| {
        let began = std::time::Instant::now();
        let made = server.create(&key, &json!({"username": "ada", "service_id": 1}));
        assert_eq!(made.status, 201, "{made:?}");
        assert!(began.elapsed() > std::time::Duration::from_secs(1), "the disk was slow: {:?}", began.elapsed());
    });
    assert_eq!(home.count("subscribers"), 1);
}

#[test]
fn a_post_is_written_then_synced_then_answered() {
    assert_eq!(before_the_answer(&steps_with("full")), [Step::WriteLog, Step::SyncLog, Step::Answer]);
}

#[test]
fn this_trace_would_show_an_answer_before_the_sync() {
    assert_eq!(before_the_answer(&steps_with("normal")), [Step::WriteLog, Step::WriteLog, Step::Answer]);
}
