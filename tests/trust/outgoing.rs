//! The panel calls nobody: what nobody can make it ask for, nobody can misuse.

use crate::crash::NO_LIMITS;
use crate::home::Home;
use crate::size;
use crate::traced::traced;
use crate::work::{Credentials, work};

#[test]
fn the_server_connects_to_nobody_whatever_it_is_asked_for() {
    let home = Home::with_database();
    let mut credentials = Credentials::make(&home);
    let trace = traced(&home, &NO_LIMITS, &["-e", "trace=connect,execve,openat"], |server| {
        credentials.log_in(server);
        let told = work(server.address, &credentials, 0, &mut size::random("outgoing"), |_| {
            let database = home.open("panel.db");
            while database.query_row("SELECT count(*) FROM audit", [], |row| row.get::<_, i64>(0)).unwrap() < 200 {
                std::thread::yield_now();
            }
        });
        assert!(told.acknowledged.len() > 100, "{}", told.acknowledged.len());
    });
    // Seen at all: files are opened, and one program began.
    assert!(trace.contains("panel.db") && trace.matches("execve(").count() == 1, "{trace}");
    let outside = |line: &&str| line.contains(" connect(") && line.contains("AF_INET");
    assert_eq!(trace.lines().filter(outside).collect::<Vec<_>>(), [""; 0]);
    assert!(!trace.contains("/etc/resolv.conf") && !trace.contains("/etc/hosts"), "it looks no name up");
}
