//! `panel bench`: what it prints, and that nothing of it is left. Never how fast.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::home::{DEADLINE, Home, Ran, finish};

/// As little as it takes.
const SMALL: [&str; 7] = ["bench", "--seconds", "1", "--connections", "3", "--subscribers", "700"];

/// A folder in which nothing is but what the bench makes.
fn empty_folder(home: &Home) -> PathBuf {
    let folder = home.path("disk");
    std::fs::create_dir(&folder).unwrap();
    folder
}

fn names(folder: &PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn numbers_outside_their_range_are_wrong_usage() {
    let home = Home::new();
    for wrong in [
        ["--seconds", "0"],
        ["--seconds", "601"],
        ["--connections", "0"],
        ["--connections", "401"],
        ["--subscribers", "0"],
        ["--subscribers", "many"],
    ] {
        assert_eq!(home.run([&["bench"], &wrong[..]].concat()).code, 2, "{wrong:?}");
    }
    assert_eq!(home.contents(), []);
}

#[test]
fn a_disk_with_too_little_room_and_a_folder_that_is_none_are_refused_before_anything_is_made() {
    let home = Home::with_database();
    let before = home.contents();
    // 16 TiB.
    let ran = home.run(["bench", "--subscribers", "4294967295"]);
    ran.refused("MiB free, and the bench may need 16778111 MiB", "Choose another disk with --dir");
    home.run(["bench", "--dir", "nowhere"]).refused("nowhere", "--dir");
    home.run(["bench", "--dir", "panel.db"]).refused("panel.db", "--dir");
    assert_eq!(home.contents(), before);
}

#[test]
fn the_figures_are_printed_and_the_real_database_is_left_alone() {
    let home = Home::with_database();
    let before = home.contents();
    let ran = home.ok([&["--json"], &SMALL[..]].concat());
    assert_eq!(home.contents(), before, "not a byte of it, and no scratch folder");
    let shown = ran.json();
    for (name, value) in [("seconds", 1), ("connections", 3), ("subscribers", 700)] {
        assert_eq!(shown[name], value, "{shown}");
    }
    assert!(shown["synchronous"] == "full" && shown["cores"].as_u64() > Some(0), "{shown}");
    for what in ["commits", "reads", "creates"] {
        let figure = |name: &str| shown[what][name].as_u64().unwrap_or_else(|| panic!("{what} {name}: {shown}"));
        assert!(figure("count") > 0 && figure("per_second") > 0, "{shown}");
        assert!(figure("p50_us") <= figure("p99_us") && figure("p99_us") <= figure("max_us"), "{shown}");
        let has_clients = shown[what]["clients_cpu_percent"].is_u64() && shown[what]["panel_cpu_percent"].is_u64();
        assert_eq!(has_clients, what != "commits", "{shown}");
    }
}

#[test]
fn a_person_reads_a_table_and_on_stderr_what_it_means() {
    let home = Home::new();
    let ran = finish(
        {
            let mut command = home.command(SMALL);
            command.env("PANEL_DATABASE__SYNCHRONOUS", "normal").env("PANEL_SERVER__WORKERS", "2");
            command
        },
        "",
    );
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!((ran.code, lines.len()), (0, 4), "{ran:?}");
    let firsts: Vec<_> = lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(firsts, ["WHAT", "commits", "reads", "creates"]);
    for told in [
        "one row of 8 KiB after another with synchronous=FULL",
        "700 subscribers there before",
        "3 clients, a thread and a connection each, share",
        "with the 2 workers of the panel",
        "a create is answered before the disk has it",
    ] {
        assert!(ran.stderr.contains(told), "{told:?}: {ran:?}");
    }
    assert_eq!(home.contents(), []);
}

#[test]
fn it_measures_beside_a_running_server() {
    let home = Home::new();
    let mut server = home.serve();
    let (_, key) = home.mint("read");
    home.ok(SMALL);
    assert_eq!(server.get("/api/v1/external/subscribers", &key).json()["pagination"]["total"], 0);
    assert_eq!(server.stop(), Some(0));
    assert_eq!((home.count("subscribers"), home.count("api_keys")), (0, 1));
    assert!(names(&home.folder().to_owned()).iter().all(|name| !name.starts_with("panel-bench")));
}

/// Runs it until this file of the scratch folder is there, and ends it by a signal.
fn interrupted_at(file: Option<&str>, signal: Signal, options: &[&str]) -> (Ran, Vec<String>) {
    let home = Home::new();
    let folder = empty_folder(&home);
    let mut command = home.command([&["bench", "--dir", "disk"], options].concat());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    let began = Instant::now();
    let is_there = |file: &str| names(&folder).first().is_some_and(|scratch| folder.join(scratch).join(file).exists());
    while !file.is_none_or(is_there) {
        assert!(began.elapsed() < DEADLINE, "{file:?} is never made");
        std::thread::park_timeout(Duration::from_millis(2));
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    (Ran { code: output.status.code().unwrap_or(-1), stdout, stderr: said }, names(&folder))
}

#[test]
fn whenever_it_is_interrupted_nothing_is_left() {
    let long = &["--seconds", "5", "--connections", "2", "--subscribers", "1"];
    let many = &["--seconds", "1", "--connections", "2", "--subscribers", "100000"];
    let last = &["--seconds", "5", "--connections", "2", "--subscribers", "1"];
    for (file, signal, options) in [
        (None, Signal::INT, &long[..]),
        // While the subscribers are made.
        (Some("panel.db-wal"), Signal::TERM, many),
        // While the clients ask.
        (Some("panel-logs.db-wal"), Signal::HUP, last),
    ] {
        let (ran, left) = interrupted_at(file, signal, options);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{signal:?} {ran:?}");
        assert!(ran.stderr.contains("panel: interrupted\nNothing of it is left."), "{ran:?}");
        assert_eq!(left, [""; 0], "{signal:?}");
    }
}

#[test]
fn where_it_fails_nothing_is_left_either() {
    let home = Home::new();
    let folder = empty_folder(&home);
    let limited = |files: &str| {
        let mut command = Command::new("sh");
        let script =
            format!("ulimit -n {files}; exec \"$0\" bench --dir disk --seconds 1 --connections 200 --subscribers 1");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_panel")]).current_dir(home.folder());
        finish(command, "")
    };
    for files in ["24", "128"] {
        let ran = limited(files);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert_eq!(names(&folder), [""; 0], "{ran:?}");
    }
    let shown: Value = home.ok(["--json", "bench", "--dir", "disk", "--seconds", "1", "--subscribers", "1"]).json();
    assert_eq!(shown["folder"], "disk");
    assert_eq!(names(&folder), [""; 0]);
}
