//! What systemd is told, over a socket of the test's own.

use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use crate::home::{DEADLINE, Home};

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
            let length = self.socket.recv(&mut message).unwrap_or_else(|e| panic!("{line} was never said: {e}"));
            if std::str::from_utf8(&message[..length]).unwrap().lines().any(|said| said == line) {
                return;
            }
        }
        panic!("{line} was never said");
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
