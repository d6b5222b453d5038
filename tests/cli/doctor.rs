//! `panel doctor`: every check is seen to fail by the fault it is there for, and by no other.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::home::Home;
use crate::tls::made::Made;

/// A panel with nothing to complain of: a subscriber with a movement, a backup, an exported key, a password.
fn healthy() -> Home {
    let home = Home::new();
    home.run_typing("a-good-password-1\n", ["user", "passwd", "admin", "--password-stdin"]);
    home.run_typing("correct horse battery\n", ["keyfile", "export", "--passphrase-stdin"]);
    let mut server = home.serve();
    let key = home.mint("write").1;
    let made = server.create(&key, &json!({"username": "ada", "service_id": 1}));
    assert_eq!(made.status, 201);
    let headers = [("X-API-Key", key.as_str()), ("Content-Type", "application/json")];
    for _ in 0..2 {
        let body = json!({"subscriber_id": 1, "type": "payment", "amount": 10.00}).to_string();
        let booked = server.send("POST", "/api/v1/external/transactions", &headers, &body);
        assert_eq!(booked.status, 201, "{booked:?}");
    }
    assert_eq!(server.stop(), Some(0));
    home.ok(["backup"]);
    home
}

/// The same in a folder of its own.
fn copy_of(base: &Home) -> Home {
    let home = Home::new();
    copy(base.folder(), home.folder());
    // Its backup is noted by its path.
    let (from, to) = (base.folder().display().to_string(), home.folder().display().to_string());
    home.open("panel.db").execute("UPDATE backups SET path = replace(path, ?1, ?2)", (from, to)).unwrap();
    home
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn change(home: &Home, statements: &str) {
    home.open("panel.db").execute_batch(&format!("PRAGMA foreign_keys = OFF; {statements}")).unwrap();
}

fn backup_of(home: &Home) -> std::path::PathBuf {
    fs::read_dir(home.path("backups")).unwrap().next().unwrap().unwrap().path()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// What is not as it should be, by name; `server` never is, because none runs here.
fn examine(home: &Home, settings: &[(&str, &str)]) -> (i32, Vec<(String, String)>) {
    let ran = home.run_with(settings, ["--json", "doctor"]);
    let findings = ran.json();
    let mut strange = Vec::new();
    for finding in findings.as_array().unwrap() {
        let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        let (name, verdict) = (text("name"), text("verdict"));
        assert!(!text("what").is_empty(), "{finding}");
        if matches!(verdict.as_str(), "warning" | "failed") {
            assert!(!text("fix").is_empty(), "{finding}");
            if name != "server" {
                strange.push((name, verdict));
            }
        }
    }
    let failed = strange.iter().any(|(_, verdict)| verdict == "failed");
    assert_eq!(ran.code, i32::from(failed), "{ran:?}");
    (ran.code, strange)
}

struct Fault {
    what: &'static str,
    inject: fn(&Home),
    settings: &'static [(&'static str, &'static str)],
    /// The checks that notice, and nobody else.
    noticed: &'static [(&'static str, &'static str)],
}

const fn of_files(what: &'static str, inject: fn(&Home), noticed: &'static [(&'static str, &'static str)]) -> Fault {
    Fault { what, inject, settings: &[], noticed }
}

const fn of_settings(
    settings: &'static [(&'static str, &'static str)],
    noticed: &'static [(&'static str, &'static str)],
) -> Fault {
    Fault { what: settings[0].1, inject: |_| {}, settings, noticed }
}

const TLS: &[(&str, &str)] = &[("PANEL_SERVER__TLS_CERT", "cert.pem"), ("PANEL_SERVER__TLS_KEY", "key.pem")];

/// One that is good until the end of a year.
const fn with_certificate(until: i32, noticed: &'static [(&'static str, &'static str)]) -> Fault {
    let inject = match until {
        2000 => |home: &Home| lay_certificate(home, 2000),
        _ => |home: &Home| lay_certificate(home, 2999),
    };
    Fault { what: "a certificate", inject, settings: TLS, noticed }
}

fn lay_certificate(home: &Home, until: i32) {
    Made::with(|parameters| {
        parameters.not_before = rcgen::date_time_ymd(1990, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 12, 31);
    })
    .lay(home);
}

const FAULTS: &[Fault] = &[
    of_settings(&[("PANEL_SERVER__WORKERS", "many")], &[("settings", "failed")]),
    of_files("no database", |home| fs::remove_file(home.path("panel.db")).unwrap(), &[("database-file", "failed")]),
    of_files("another program's file", |home| home.write("panel.db", "text"), &[("database-file", "failed")]),
    of_files("readable by others", |home| home.set_mode("panel.db", 0o644), &[("database-rights", "failed")]),
    of_files("a folder for all", |home| home.set_mode(".", 0o777), &[("folder-rights", "failed")]),
    of_files(
        "more than the disk has room for",
        |home| {
            let file = fs::OpenOptions::new().write(true).open(home.path("panel.db")).unwrap();
            file.set_len(8 << 40).unwrap();
        },
        &[("disk-space", "failed")],
    ),
    of_files(
        "a log that grew",
        |home| fs::File::create(home.path("panel.db-wal")).unwrap().set_len(300 << 20).unwrap(),
        &[("write-ahead-log", "warning"), ("database-rights", "failed")],
    ),
    of_files(
        "an old restore",
        |home| home.write("panel-replaced-20260101T000000Z.db", "x"),
        &[("leftovers", "warning")],
    ),
    of_files("an interrupted backup", |home| home.write(".x.db.part", "x"), &[("leftovers", "warning")]),
    of_files("an older schema", |home| change(home, "PRAGMA user_version = 1"), &[("schema", "failed")]),
    of_files("a newer schema", |home| change(home, "PRAGMA user_version = 99"), &[("schema", "failed")]),
    of_files("a lost index", |home| change(home, "DROP INDEX audit_by_actor"), &[("schema-objects", "failed")]),
    of_files(
        "a damaged page",
        |home| {
            let root: i64 = home.value("panel.db", "SELECT rootpage FROM sqlite_schema WHERE name = 'audit_by_actor'");
            let mut bytes = fs::read(home.path("panel.db")).unwrap();
            let at = usize::try_from(root - 1).unwrap() * 4096;
            bytes[at + 8..at + 4096].fill(0xff);
            home.write("panel.db", bytes);
        },
        &[("pages", "failed")],
    ),
    of_files("an orphan", |home| change(home, "UPDATE users SET package_id = 77"), &[("references", "failed")]),
    of_files(
        "a balance from nowhere",
        |home| change(home, "UPDATE subscribers SET balance = 1"),
        &[("ledger", "failed")],
    ),
    of_files(
        "a lost movement",
        |home| change(home, "DELETE FROM transactions WHERE id = 1; UPDATE transaction_counters SET transactions = 1"),
        &[("ledger", "failed")],
    ),
    of_files(
        "a total that is wrong",
        |home| change(home, "UPDATE counters SET subscribers = 7"),
        &[("counters", "failed")],
    ),
    of_files(
        "a total of movements that is wrong",
        |home| change(home, "DELETE FROM transaction_counters"),
        &[("counters", "failed")],
    ),
    of_files("no key file", |home| fs::remove_file(home.path("panel.key")).unwrap(), &[("key-file", "failed")]),
    of_files("a damaged key file", |home| home.write("panel.key", "panel-key-v1 00\n"), &[("key-file", "failed")]),
    of_files("a key file for all", |home| home.set_mode("panel.key", 0o644), &[("key-file-rights", "failed")]),
    of_files(
        "another key file",
        |home| home.write("panel.key", format!("panel-key-v1 {}\n", "07".repeat(32))),
        &[("key-file-match", "failed"), ("sealed-passwords", "failed")],
    ),
    of_files(
        "a key that is nowhere else",
        |home| change(home, "DELETE FROM meta WHERE name = 'key_exported'"),
        &[("key-file-export", "failed")],
    ),
    of_files(
        "a password that was altered",
        |home| change(home, "UPDATE subscribers SET password_sealed = zeroblob(60)"),
        &[("sealed-passwords", "failed")],
    ),
    of_settings(&[("PANEL_BACKUP__DAILY_AT", "")], &[("backup-schedule", "warning")]),
    of_files(
        "a file where the backups belong",
        |home| {
            fs::remove_dir_all(home.path("backups")).unwrap();
            home.write("backups", "x");
        },
        &[("backup-folder", "failed"), ("backup-file", "failed")],
    ),
    of_files("backups for all", |home| home.set_mode("backups", 0o755), &[("backup-folder", "failed")]),
    of_files("an old backup", |home| change(home, "UPDATE backups SET taken_at = 1"), &[("backup-age", "failed")]),
    of_files(
        "no backup that was looked at",
        |home| change(home, "UPDATE backups SET verified_at = NULL; UPDATE users SET created_at = 1"),
        &[("backup-age", "failed")],
    ),
    of_files("an altered backup", |home| flip(&backup_of(home), 9000), &[("backup-file", "failed")]),
    of_files("a lost backup", |home| fs::remove_file(backup_of(home)).unwrap(), &[("backup-file", "failed")]),
    of_files(
        "the key beside the backups",
        |home| {
            fs::copy(home.path("panel.key"), home.path("backups/panel.key")).unwrap();
        },
        &[("backup-without-key", "failed")],
    ),
    of_files("a request log that is none", |home| home.write("panel-logs.db", "text"), &[("request-log", "failed")]),
    of_files(
        "rows that were dropped",
        |home| {
            let hour = "(unixepoch() / 3600) * 3600000";
            home.open("panel-logs.db").execute_batch(&format!("INSERT INTO dropped_logs VALUES ({hour}, 5)")).unwrap();
        },
        &[("request-log-dropped", "warning")],
    ),
    of_files(
        "a clock that was set back",
        |home| change(home, "UPDATE audit SET at = 4102444800000"),
        &[("clock", "failed")],
    ),
    of_files(
        "nobody who can log in",
        |home| change(home, "UPDATE users SET password_hash = NULL"),
        &[("admin-login", "failed")],
    ),
    of_files(
        "a key that nobody uses",
        |home| change(home, "UPDATE api_keys SET created_at = 1, last_used_at = NULL"),
        &[("unused-keys", "warning")],
    ),
    of_settings(TLS, &[("tls-files", "failed")]),
    with_certificate(2000, &[("tls-expiry", "failed")]),
    with_certificate(2999, &[]),
    of_settings(&[("PANEL_SERVER__LISTEN", "0.0.0.0:0")], &[("listen", "warning")]),
    of_settings(&[("PANEL_METRICS__LISTEN", "0.0.0.0:0")], &[("metrics-listen", "warning")]),
    of_settings(&[("PANEL_SERVER__TRUSTED_PROXIES", "0.0.0.0/0")], &[("trusted-proxies", "failed")]),
    of_settings(&[("PANEL_SERVER__TRUSTED_PROXIES", "10.0.0.1,::/0")], &[("trusted-proxies", "failed")]),
    of_settings(&[("PANEL_LIMITS__LOGIN_PER_MINUTE", "0")], &[("login-limits", "warning")]),
    of_settings(&[("PANEL_DATABASE__SYNCHRONOUS", "normal")], &[("synchronous", "warning")]),
];

/// Checks whose fault cannot be made here: which file systems are refused is a table in the store's own tests.
const ELSEWHERE: [&str; 4] = ["database-disk", "inodes", "server", "server-version"];

#[test]
fn each_fault_is_noticed_by_its_check_and_by_no_other() {
    let base = healthy();
    assert_eq!(examine(&base, &[]), (0, Vec::new()), "nothing to complain of");
    for Fault { what, inject, settings, noticed } in FAULTS {
        let home = copy_of(&base);
        inject(&home);
        let (_, mut strange) = examine(&home, settings);
        let mut expected: Vec<_> =
            noticed.iter().map(|(name, verdict)| (String::from(*name), String::from(*verdict))).collect();
        strange.sort();
        expected.sort();
        assert_eq!(strange, expected, "{what}");
    }
}

#[test]
fn every_check_has_a_fault_that_it_notices() {
    let home = Home::with_database();
    let findings = home.run(["--json", "doctor"]).json();
    let names: Vec<_> = findings.as_array().unwrap().iter().map(|finding| finding["name"].as_str().unwrap()).collect();
    let without: Vec<_> = names
        .iter()
        .filter(|name| {
            !ELSEWHERE.contains(name)
                && !FAULTS.iter().any(|fault| fault.noticed.iter().any(|(noticed, _)| noticed == *name))
        })
        .collect();
    assert_eq!(without, Vec::<&&str>::new());
    assert!(names.len() >= 30, "{names:?}");
}

#[test]
fn looking_changes_nothing_and_makes_nothing() {
    let home = Home::new();
    assert_eq!(home.run(["doctor"]).code, 1);
    assert!(home.contents().is_empty());
    let home = Home::with_database();
    let before = home.contents();
    home.run(["doctor"]);
    assert!(home.contents() == before);
}

#[test]
fn what_costs_time_is_left_out_when_asked() {
    let home = Home::with_database();
    let findings = home.run(["--json", "doctor", "--quick"]).json();
    let skipped: Vec<_> =
        findings.as_array().unwrap().iter().filter(|finding| finding["what"] == "left out by --quick").collect();
    let names: Vec<_> = skipped.iter().map(|finding| finding["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["pages", "references", "ledger", "counters", "backup-file"]);
}

#[test]
fn wrong_totals_are_made_anew_from_the_rows() {
    let home = healthy();
    change(&home, "UPDATE counters SET subscribers = 7; DELETE FROM transaction_counters");
    assert_eq!(examine(&home, &[]).1, [("counters".to_owned(), "failed".to_owned())]);
    let ran = home.ok(["doctor", "--recount"]);
    assert!(ran.stderr.contains("made anew"), "{ran:?}");
    assert_eq!(examine(&home, &[]), (0, Vec::new()));
    assert_eq!(home.count("audit WHERE action = 'counters.recount'"), 1);
}

fn of_name(findings: &Value, name: &str) -> Value {
    findings.as_array().unwrap().iter().find(|finding| finding["name"] == name).unwrap()["verdict"].clone()
}

#[test]
fn the_server_is_asked_whether_it_answers_and_what_it_is() {
    let home = Home::with_database();
    let server = home.serve();
    let listen = server.address.to_string();
    let findings = home.run_with(&[("PANEL_SERVER__LISTEN", &listen)], ["--json", "doctor"]).json();
    assert_eq!((of_name(&findings, "server"), of_name(&findings, "server-version")), (json!("ok"), json!("ok")));
    drop(server);

    for (body, server, version) in
        [(r#"{"data": {"version": "0.9.0"}}"#, "ok", "failed"), (r#"{"hello": "world"}"#, "warning", "skipped")]
    {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = other.local_addr().unwrap().to_string();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            let mut asked = [0; 1024];
            let _: usize = stream.read(&mut asked).unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        });
        let findings = home.run_with(&[("PANEL_SERVER__LISTEN", &listen)], ["--json", "doctor"]).json();
        answering.join().unwrap();
        assert_eq!(
            (of_name(&findings, "server"), of_name(&findings, "server-version")),
            (json!(server), json!(version))
        );
    }
}
