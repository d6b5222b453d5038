//! kill −9 at any moment of any work: what was acknowledged is there, nothing is half done.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use rustix::process::Signal;

use crate::home::Home;
use crate::size;
use crate::truth::{broken, lost};
use crate::work::{Credentials, Effect, Told, work};

pub const NO_LIMITS: [(&str, &str); 4] = [
    ("PANEL_LIMITS__PER_IP_PER_MINUTE", "0"),
    ("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0"),
    ("PANEL_LIMITS__LOGIN_PER_MINUTE", "0"),
    // One line for each request would be most of the work.
    ("PANEL_LOG__LEVEL", "info"),
];

pub fn acknowledged(told: &[Told]) -> usize {
    told.iter().map(|told| told.acknowledged.len()).sum()
}

/// How many of each were acknowledged.
pub fn tally(told: &[Told]) -> String {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for deed in told.iter().flat_map(|told| &told.acknowledged) {
        let name = match &deed.effect {
            Effect::Row(place, _) => format!("{place:?}"),
            other => format!("{other:?}").split('(').next().unwrap().to_owned(),
        };
        *all.entry(name).or_default() += 1;
    }
    let unknown: usize = told.iter().map(|told| told.unknown.len()).sum();
    format!("{} acknowledged {all:?}, {unknown} unanswered", acknowledged(told))
}

/// A command beside the server, killed with it.
fn beside(home: &Home, arguments: &[&str]) -> Child {
    let mut command: Command = home.command(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn nothing_that_was_acknowledged_is_lost_and_nothing_is_half_done_after_kill_9() {
    let home = Home::with_database();
    let mut random = size::random("crash");
    let mut credentials = Credentials::make(&home);
    let mut rounds: Vec<Told> = Vec::new();
    for round in 0..size::of(20, 200) {
        let server = home.serve_with(&NO_LIMITS);
        credentials.log_in(&server);
        // A kill while commands write and copy too; and one amid a start, before anything listens.
        let mut commands = match round % 4 {
            1 => vec![beside(&home, &["service", "add", &format!("plan{round}")])],
            2 => vec![beside(&home, &["backup"]), beside(&home, &["key", "list"])],
            _ => Vec::new(),
        };
        let runs = Duration::from_micros(random.random_range(1_000..400_000));
        let address = server.address;
        let told = work(address, &credentials, round, &mut size::random(&format!("crash {round}")), |_| {
            // The moment of the kill, and no wait for anything.
            std::thread::park_timeout(runs);
            for command in &mut commands {
                command.kill().unwrap();
                command.wait().unwrap();
            }
            server.kill();
        });
        rounds.push(told);
        if round % 4 == 3 {
            let mut start = beside(&home, &["serve"]);
            std::thread::park_timeout(Duration::from_micros(random.random_range(0..60_000)));
            start.kill().unwrap();
            start.wait().unwrap();
        }
        // The panel itself recovers the file, before anything else looks at it.
        let mut server = home.serve_with(&NO_LIMITS);
        let database = home.open("panel.db");
        let told = rounds.last().unwrap();
        let wrong = [broken(&database), lost(&database, told)].concat();
        assert!(wrong.is_empty(), "round {round} after {runs:?}, {}:\n{}", tally(&rounds), wrong.join("\n"));
        assert!(credentials.session_works(&server), "round {round}: the session that was acknowledged is lost");
        drop(database);
        credentials.tidy_up(&home, &server);
        if round % 2 == 0 {
            assert_eq!(server.stop(), Some(0), "after a crash it ends as always");
        } else {
            server.signal(Signal::KILL);
            server.wait();
        }
    }
    let database = home.open("panel.db");
    for told in &rounds {
        assert_eq!(lost(&database, &told.later()), [""; 0], "an earlier round");
    }
    let unknown: usize = rounds.iter().map(|told| told.unknown.len()).sum();
    assert!(acknowledged(&rounds) > rounds.len() && unknown > rounds.len(), "amid work: {}", tally(&rounds));
    tell!("crash: {} kills, {}, 0 lost", rounds.len(), tally(&rounds));
}
