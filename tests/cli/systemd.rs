//! What systemd is told, over a socket of the test's own; and what systemd says of the unit.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;

use crate::home::{DEADLINE, Home, finish};
use crate::server::Server;

pub struct Manager {
    socket: UnixDatagram,
    pub path: String,
}

impl Manager {
    pub fn new(home: &Home) -> Self {
        let path = home.path("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { socket, path: path.to_str().unwrap().to_owned() }
    }

    /// Waits for a message that has this line.
    pub fn hears(&self, line: &str) {
        let until = Instant::now() + DEADLINE;
        let mut message = [0; 4096];
        while Instant::now() < until {
            let length = match self.socket.recv(&mut message) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("{line} was never said: {error}"),
            };
            if std::str::from_utf8(&message[..length]).unwrap().lines().any(|said| said == line) {
                return;
            }
        }
        panic!("{line} was never said");
    }

    fn next(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).unwrap_or_else(|e| panic!("nothing was said: {e}"));
        std::str::from_utf8(&message[..length]).unwrap().to_owned()
    }

    /// Drops what was said so far.
    fn forget(&self) {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 4096]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }

    fn heard_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let nothing = self.socket.recv(&mut [0; 4096]).is_err();
        self.socket.set_nonblocking(false).unwrap();
        nothing
    }
}

#[test]
fn systemd_hears_ready_when_it_listens_and_stopping_when_it_is_told_to_stop() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let mut server = home.serve_with(&[("NOTIFY_SOCKET", &manager.path)]);
    manager.hears("READY=1");
    assert_eq!(server.send("GET", "/api/v1/external/system/health", &[], "").status, 200);
    assert_eq!(server.stop(), Some(0));
    manager.hears("STOPPING=1");
}

#[test]
fn a_start_that_fails_is_never_ready() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = home.run_with(&[("NOTIFY_SOCKET", &manager.path), ("PANEL_SERVER__LISTEN", &address)], ["serve"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(manager.heard_nothing());
}

#[test]
fn the_watchdog_is_fed_while_the_writer_answers() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let server = home.serve_with(&[("NOTIFY_SOCKET", &manager.path), ("WATCHDOG_USEC", "600000")]);
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    assert!(!server.said().contains("could not be told"), "{}", server.said());
}

#[test]
fn the_watchdog_goes_hungry_while_the_writer_is_stuck_and_is_fed_again_after() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let server = home.serve_with(&[("NOTIFY_SOCKET", &manager.path), ("WATCHDOG_USEC", "300000")]);
    manager.hears("WATCHDOG=1");
    let other = home.open("panel.db");
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // One that was under way may still come; then none for longer than the deadline that systemd was given.
    manager.socket.set_read_timeout(Some(std::time::Duration::from_millis(900))).unwrap();
    let mut message = [0; 4096];
    let mut came = 0;
    while manager.socket.recv(&mut message).is_ok() {
        came += 1;
        assert!(came <= 2, "fed although the writer is stuck");
    }
    other.execute_batch("COMMIT").unwrap();
    manager.socket.set_read_timeout(Some(DEADLINE)).unwrap();
    manager.hears("WATCHDOG=1");
    drop(server);
}

#[test]
fn systemd_hears_when_a_reload_begins_and_when_it_is_over_and_whether_it_failed() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let mut server = home.serve_with(&[("NOTIFY_SOCKET", &manager.path)]);
    manager.hears("READY=1");
    for (settings, status) in [("", "STATUS="), ("[server", "STATUS=The last reload failed: ./panel.toml")] {
        home.write("panel.toml", settings);
        let before = monotonic_usec();
        server.signal(rustix::process::Signal::HUP);
        // Both in one message: systemd takes them for one only then.
        let begun = manager.next();
        let usec = begun.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{begun}"));
        let usec: u128 = usec.trim_end().parse().unwrap();
        assert!((before..=monotonic_usec()).contains(&usec), "{usec} is not the time of the reload");
        let over = manager.next();
        assert!(over.starts_with("READY=1\n") && over.contains(&format!("\n{status}")), "{over}");
    }
    assert_eq!(server.stop(), Some(0));
    manager.hears("STOPPING=1");
}

fn monotonic_usec() -> u128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u128::try_from(now.tv_sec).unwrap() * 1_000_000 + u128::try_from(now.tv_nsec).unwrap() / 1_000
}

/// A server whose watchdog is fed several times a second.
fn watched(home: &Home, manager: &Manager) -> Server {
    home.serve_with(&[("NOTIFY_SOCKET", &manager.path), ("WATCHDOG_USEC", "600000")])
}

/// Two, because the first may have been under way.
fn is_fed_from_now_on(manager: &Manager) {
    for _ in 0..2 {
        manager.hears("WATCHDOG=1");
    }
}

#[test]
fn the_watchdog_is_fed_while_another_process_holds_the_lock_for_longer_than_the_writer_waits() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let server = watched(&home, &manager);
    let key = home.mint("write").1;
    let other = home.open("panel.db");
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    manager.forget();

    is_fed_from_now_on(&manager);

    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 503);
    assert!(server.said().contains("the database is locked"), "{}", server.said());
}

#[test]
fn the_watchdog_is_fed_while_the_disk_takes_nothing_more() {
    let home = Home::new();
    let manager = Manager::new(&home);
    // The limit's signal would end the process; ignored, the write itself fails, as on a full disk.
    let mut command = Command::new("sh");
    let panel = home.command(["serve"]);
    command.args(["-c", "trap '' XFSZ; exec \"$0\" serve"]).arg(panel.get_program()).current_dir(home.folder());
    for (name, value) in panel.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0").env("PANEL_SERVER__WORKERS", "2");
    command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "600000");
    let server = home.start(command);
    let key = home.mint("write").1;
    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 201);
    prlimit(Some(server.pid()), Resource::Fsize, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    assert_eq!(server.create(&key, &json!({"username": "bob", "service_id": 1})).status, 503);
    manager.forget();

    is_fed_from_now_on(&manager);

    assert_eq!(server.create(&key, &json!({"username": "bob", "service_id": 1})).status, 503);
    assert_eq!(home.count("subscribers"), 1);
}

#[test]
fn the_watchdog_is_fed_while_the_database_is_gone_and_every_write_fails() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let server = watched(&home, &manager);
    let key = home.mint("write").1;
    std::fs::rename(home.path("panel.db"), home.path("elsewhere.db")).unwrap();
    manager.forget();

    is_fed_from_now_on(&manager);

    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 503);
}

fn systemd_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd"))
}

#[test]
fn what_an_intruder_could_reach_from_the_unit_scores_at_most_one_and_a_half() {
    // The threshold is ten times the score.
    let unit = systemd_folder().join("panel.service");
    let judged =
        Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=15"]).arg(unit).output();
    let judged = judged.unwrap_or_else(|e| panic!("systemd-analyze is missing ({e}): apt install systemd"));
    let text = String::from_utf8(judged.stdout).unwrap();
    let verdict = text.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_default();
    assert!(judged.status.success() && !verdict.is_empty(), "{text}{}", String::from_utf8_lossy(&judged.stderr));
}

#[test]
fn every_line_of_the_units_is_explained() {
    for name in ["panel.service", "privileged-port.conf", "panel.sysusers"] {
        let text = std::fs::read_to_string(systemd_folder().join(name)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let unexplained = !pair[1].is_empty() && !pair[1].starts_with('#') && !pair[0].starts_with('#');
            assert!(!unexplained, "{name}: {} has no comment above it", pair[1]);
        }
    }
}

#[test]
fn the_packages_settings_are_the_defaults_but_for_the_place_of_the_database() {
    let home = Home::new();
    let file = systemd_folder().join("deb/panel.toml");
    let mut shown = home.command(["--config", file.to_str().unwrap(), "--json", "config", "show"]);
    shown.env_remove("PANEL_METRICS__LISTEN");
    let shown = finish(shown, "").json();
    let mut plain = home.command(["--json", "config", "show"]);
    plain.env_remove("PANEL_METRICS__LISTEN");
    let plain = finish(plain, "").json();
    let changed: Vec<_> = shown.as_array().unwrap().iter().zip(plain.as_array().unwrap()).collect();
    let changed: Vec<_> = changed.into_iter().filter(|(one, other)| one["value"] != other["value"]).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(
        (&changed[0].0["key"], &changed[0].0["value"]),
        (&"database.path".into(), &"/var/lib/panel/panel.db".into())
    );
}
