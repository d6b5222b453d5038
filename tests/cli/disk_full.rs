//! A disk that is full: what was acknowledged stays, what cannot be kept is refused, and all is well when there is room.

use std::fs::File;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::home::{DEADLINE, Home, Ran, SUBSCRIBERS};
use crate::mounts::where_one_may_mount;
use crate::raw_http::Answer;
use crate::server::Server;
use crate::systemd::Manager;

const REMEDY: &str = "disk";

/// Creates subscribers until one is refused: the names of those that were acknowledged.
fn create_until_refused(server: &Server, key: &str, prefix: &str) -> (Vec<String>, Answer) {
    let mut made = Vec::new();
    loop {
        let name = format!("{prefix}{}", made.len());
        let answer = server.create(key, &json!({"username": name, "service_id": 1, "address": "x".repeat(200)}));
        match answer.status {
            201 => made.push(name),
            _ => return (made, answer),
        }
        assert!(made.len() < 5_000, "never full");
    }
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "DATABASE_UNAVAILABLE"), "{answer:?}");
    let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(message, "The database cannot be used at the moment");
    assert!(answer.head.to_ascii_lowercase().contains("\nretry-after: 5"), "{answer:?}");
}

fn health(server: &Server) -> u16 {
    server.send("GET", "/api/v1/external/system/health", &[], "").status
}

#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "{what}: never so");
        std::thread::yield_now();
    }
}

/// What the other surfaces are written with.
struct Others {
    panel: String,
    billing: (String, String),
    password: String,
}

impl Others {
    fn mint(home: &Home) -> Self {
        let mint = |style: &str, more: &[&str]| {
            let arguments = ["--json", "key", "mint", "--style", style, "--user", "admin"];
            home.ok(arguments.iter().chain(more)).json()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let panel = text(&mint("panel", &["--permissions", "all"])["key"]);
        let pair = mint("billing", &["--level", "SUPER_ADMIN"]);
        let password = home.ok(["--json", "user", "passwd", "admin"]).json();
        Self { panel, billing: (text(&pair["key"]), text(&pair["secret"])), password: text(&password["password"]) }
    }

    /// Each surface in its own envelope: every answer here is held to the interface description.
    fn are_told(&self, server: &Server) {
        let json = ("Content-Type", "application/json");
        let account = json!({"username": "rosa", "email": "rosa@example.com", "password": "TestPass-1871!"});
        let bearer = format!("Bearer {}", self.panel);
        let user = server.send("POST", "/api/v1/users", &[("Authorization", &bearer), json], &account.to_string());
        let pair = [("X-API-Key", self.billing.0.as_str()), ("X-API-Secret", &self.billing.1), json];
        let hosting = server.send("POST", "/api/v1/billing/accounts", &pair, &account.to_string());
        let login = json!({"username": "admin", "password": self.password}).to_string();
        let login = server.send("POST", "/api/auth/login", &[json], &login);
        let text = "The database cannot be used at the moment";
        for (answer, field) in [(user, "message"), (hosting, "detail"), (login, "message")] {
            assert_eq!((answer.status, answer.json()[field].as_str()), (503, Some(text)), "{answer:?}");
        }
    }
}

/// A server that must not get as far as listening.
fn serve_in_vain(home: &Home) -> Ran {
    home.run_with(&[("PANEL_SERVER__LISTEN", "127.0.0.1:0")], ["serve"])
}

/// Exactly these are there, each once, and the file is whole.
fn assert_kept(home: &Home, made: &[String]) {
    let database = home.open("panel.db");
    let mut statement = database.prepare("SELECT username FROM subscribers ORDER BY id").unwrap();
    let kept: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept, made);
    assert_eq!(home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
    let counted =
        "SELECT coalesce(sum(value), 0) FROM (SELECT count(*) AS value FROM audit WHERE action = 'subscribers.create')";
    assert_eq!(home.value::<i64>("panel.db", counted), i64::try_from(made.len()).unwrap(), "each with its audit row");
}

#[test]
fn nothing_acknowledged_is_lost_reads_go_on_and_all_recovers_by_itself() {
    where_one_may_mount("disk_full::nothing_acknowledged_is_lost_reads_go_on_and_all_recovers_by_itself", || {
        let home = Home::of_kilobytes(16 * 1024);
        let manager = Manager::new(&home);
        let server = home.serve_with(&[
            ("NOTIFY_SOCKET", &manager.path),
            ("WATCHDOG_USEC", "600000"),
            ("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0"),
        ]);
        let key = home.mint("write").1;
        let others = Others::mint(&home);
        let (_, first) = (home.mint("read"), server.create(&key, &json!({"username": "first", "service_id": 1})));
        assert_eq!(first.status, 201);

        let filler = home.fill(64);
        let (mut made, refused) = create_until_refused(&server, &key, "before");
        filler.take_the_rest();
        made.insert(0, "first".to_owned());
        assert_unavailable(&refused);
        assert_unavailable(&server.create(&key, &json!({"username": "never", "service_id": 1})));

        let list = server.get(&format!("{SUBSCRIBERS}?limit=1"), &key);
        assert_eq!(list.status, 200, "{list:?}");
        assert_eq!(server.get(&format!("{SUBSCRIBERS}/1"), &key).status, 200);
        others.are_told(&server);
        assert_eq!(health(&server), 503);
        for _ in 0..3 {
            manager.hears("WATCHDOG=1");
        }
        let mint = ["key", "mint", "--style", "external", "--user", "admin", "--scopes", "read"];
        home.run(mint).refused("full", REMEDY);
        home.run(["user", "add", "rita", "--role", "user", "--email", "r@example.com"]).refused("full", REMEDY);
        let listen = server.address.to_string();
        assert_eq!(home.run_with(&[("PANEL_SERVER__LISTEN", &listen)], ["healthcheck"]).code, 1);

        drop(filler);
        eventually("healthy", || health(&server) == 200);
        assert_eq!(server.create(&key, &json!({"username": "after", "service_id": 1})).status, 201);
        made.push("after".to_owned());
        let said = server.said();
        server.kill();
        let mut server = home.serve();
        assert_eq!(server.stop(), Some(0));
        assert_kept(&home, &made);
        assert_eq!((home.count("api_keys"), home.count("users")), (4, 1), "nothing half-done of the commands");
        assert!(said.contains("health: unhealthy") && said.contains("health: healthy again"), "{said}");
    });
}

#[test]
fn a_full_disk_at_a_checkpoint_or_at_the_end_loses_nothing_and_a_start_there_reads_on() {
    where_one_may_mount(
        "disk_full::a_full_disk_at_a_checkpoint_or_at_the_end_loses_nothing_and_a_start_there_reads_on",
        || {
            let home = Home::of_kilobytes(24 * 1024);
            let mut server = home.serve_with(&[("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0")]);
            let key = home.mint("write").1;
            let mut made = Vec::new();
            // Until the write-ahead log was folded in once: from then on it has room of its own, and the main file has none.
            while std::fs::metadata(home.path("panel.db")).unwrap().len() < 1024 * 1024 {
                let name = format!("early{}", made.len());
                assert_eq!(server.create(&key, &json!({"username": name, "service_id": 1})).status, 201);
                made.push(name);
            }
            let filler = home.fill(0);
            let size = std::fs::metadata(home.path("panel.db")).unwrap().len();
            let (late, refused) = create_until_refused(&server, &key, "late");
            assert!(!late.is_empty(), "the log had no room of its own, so no checkpoint was tried on a full disk");
            made.extend(late);
            assert_unavailable(&refused);
            filler.take_the_rest();

            assert_eq!(server.stop(), Some(0), "{}", server.said());
            filler.take_the_rest();
            assert_eq!(
                std::fs::metadata(home.path("panel.db")).unwrap().len(),
                size,
                "there was room for the checkpoint"
            );
            // What is there can still be read, by a server that starts now too.
            home.ok(["user", "list"]);
            let mut server = home.serve();
            assert_eq!(server.get(&format!("{SUBSCRIBERS}/1"), &key).status, 200);
            let (late, refused) = create_until_refused(&server, &key, "latest");
            made.extend(late);
            assert_unavailable(&refused);
            assert_eq!(server.stop(), Some(0), "{}", server.said());

            drop(filler);
            let mut server = home.serve();
            assert_eq!(server.create(&key, &json!({"username": "after", "service_id": 1})).status, 201);
            made.push("after".to_owned());
            assert_eq!(server.stop(), Some(0));
            assert_kept(&home, &made);
        },
    );
}

#[test]
fn a_first_start_on_a_full_disk_leaves_nothing_that_a_later_one_stumbles_over() {
    where_one_may_mount(
        "disk_full::a_first_start_on_a_full_disk_leaves_nothing_that_a_later_one_stumbles_over",
        || {
            let mut refused = 0;
            for left in
                [0, 4, 8, 12, 16, 32, 36, 40, 48, 64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024]
            {
                let home = Home::of_kilobytes(4 * 1024);
                let filler = home.fill(left);
                let ran = home.run(["user", "list"]);
                if ran.code != 0 {
                    ran.refused("", REMEDY);
                    refused += 1;
                }
                drop(filler);
                let users = home.ok(["--json", "user", "list"]).json();
                assert_eq!(users.as_array().map(Vec::len), Some(1), "with {left} KiB: {users}");
                assert_eq!(home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
                assert_eq!((home.mode("panel.db"), home.mode("panel.key")), (0o600, 0o600));
            }
            assert!(
                (5..22).contains(&refused),
                "{refused}: the sizes no longer lie on both sides of what a start needs"
            );
        },
    );
}

#[test]
fn rows_that_the_request_log_has_no_room_for_are_counted_and_the_answers_go_on() {
    where_one_may_mount(
        "disk_full::rows_that_the_request_log_has_no_room_for_are_counted_and_the_answers_go_on",
        || {
            let home = Home::of_kilobytes(8 * 1024);
            let mut server = home.serve_with(&[("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0")]);
            let key = home.mint("read").1;
            let filler = home.fill(0);
            let mut asked = 0;
            while !server.said().contains("request-log rows were dropped") {
                assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
                asked += 1;
                assert!(asked < 50_000, "the log always had room");
            }
            drop(filler);
            assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
            assert_eq!(server.stop(), Some(0));
            let kept: i64 = home.value("panel-logs.db", "SELECT count(*) FROM api_key_logs");
            let dropped: i64 = home.value("panel-logs.db", "SELECT coalesce(sum(rows), 0) FROM dropped_logs");
            assert_eq!(kept + dropped, asked + 1, "{dropped} are counted as dropped\n{}", server.said());
            assert!(dropped > 0);
            let lines = server.said().matches("request-log rows were dropped").count();
            assert!(lines <= 3, "{lines} lines:\n{}", server.said());
        },
    );
}

#[test]
fn a_log_that_has_no_room_stops_no_answer_and_goes_on_in_whole_lines() {
    where_one_may_mount("disk_full::a_log_that_has_no_room_stops_no_answer_and_goes_on_in_whole_lines", || {
        let (home, full) = (Home::new(), Home::of_kilobytes(256));
        let log = full.path("log");
        let mut command = home.command(["serve"]);
        command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0").env("PANEL_LOG__FORMAT", "json");
        command.env("PANEL_LOG__LEVEL", "debug").env("PANEL_LIMITS__PER_IP_PER_MINUTE", "0");
        command.stderr(File::create(&log).unwrap());
        let said = || std::fs::read_to_string(&log).unwrap();
        let server =
            Server::listening(command.stdout(Stdio::null()).stdin(Stdio::null()), said, Arc::clone(&home.secrets));
        let ask = |id: &str| server.send("GET", "/nowhere", &[("X-Request-Id", id)], "").status;
        assert_eq!(ask("before"), 404);
        eventually("the line is there", || said().contains("\"before\""));

        let filler = full.fill(0);
        let mut length = 0;
        while said().len() > length || length == 0 {
            length = said().len();
            assert_eq!((0..20).map(|_| ask("meanwhile")).collect::<Vec<_>>(), [404; 20]);
            filler.take_the_rest();
        }
        drop(filler);
        assert_eq!(ask("after"), 404);
        eventually("the line is there", || said().contains("\"after\""));
        let lines = said();
        let broken = lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
        assert!(broken <= 1, "only the line that the full disk cut is broken:\n{lines}");
        let after = lines.lines().find(|line| line.contains("\"after\"")).unwrap();
        assert!(serde_json::from_str::<Value>(after).is_ok(), "{after}");
    });
}

#[test]
fn on_a_read_only_disk_everything_says_so_and_changes_nothing() {
    where_one_may_mount("disk_full::on_a_read_only_disk_everything_says_so_and_changes_nothing", || {
        let home = Home::of_kilobytes(4 * 1024);
        home.make_read_only();
        serve_in_vain(&home).refused("ead-only", REMEDY);
        assert_eq!(home.contents(), [], "an empty folder stays empty");
        let home = Home::of_kilobytes(4 * 1024);
        home.ok(["user", "list"]);
        let before = home.contents();
        home.make_read_only();
        serve_in_vain(&home).refused("", REMEDY);
        for command in [["user", "list", "--json"], ["user", "passwd", "admin"]] {
            home.run(command).refused("", REMEDY);
        }
        assert_eq!(home.contents(), before);
    });
}

#[test]
fn a_folder_that_vanishes_is_told_and_all_is_well_when_it_is_back() {
    let home = Home::new();
    let (folder, elsewhere) = (home.path("data"), home.path("elsewhere"));
    std::fs::create_dir(&folder).unwrap();
    let database = folder.join("panel.db");
    let place = ("PANEL_DATABASE__PATH", database.to_str().unwrap());
    let server = home.serve_with(&[place]);
    let mint = ["--json", "key", "mint", "--style", "external", "--user", "admin", "--scopes", "write"];
    let key = home.run_with(&[place], mint).json()["key"].as_str().unwrap().to_owned();
    let create = |name: &str| server.create(&key, &json!({"username": name, "service_id": 1}));
    assert_eq!(create("before").status, 201);
    std::fs::rename(&folder, &elsewhere).unwrap();

    assert_unavailable(&create("meanwhile"));
    assert_eq!(health(&server), 503);

    std::fs::rename(&elsewhere, &folder).unwrap();
    eventually("healthy", || health(&server) == 200);
    assert_eq!(create("after").status, 201);
    drop(server);
    let names = "SELECT group_concat(username) FROM subscribers";
    assert_eq!(home.value::<String>("data/panel.db", names), "before,after");
}

#[test]
fn a_backup_that_finds_no_room_says_so_and_leaves_no_half_of_one() {
    where_one_may_mount("disk_full::a_backup_that_finds_no_room_says_so_and_leaves_no_half_of_one", || {
        let (home, other) = (Home::with_database(), Home::of_kilobytes(40 * 1024));
        for left in [0, 16, 128, 400] {
            let filler = other.fill(left);
            let ran = home.run(["backup", other.path("copy.db").to_str().unwrap()]);
            ran.refused("", REMEDY);
            let names: Vec<_> = other.contents().into_iter().map(|(name, ..)| name).collect();
            assert_eq!(names, ["filler"], "with {left} KiB: {ran:?}");
            drop(filler);
        }
        home.ok(["backup", other.path("copy.db").to_str().unwrap()]);
        home.ok(["backup", "verify", other.path("copy.db").to_str().unwrap()]);
    });
}
