//! Power cuts: a disk of its own is shut down at a random moment of random work, and what was not synced is gone. A kill
//! cannot show this, since what was written stays with the kernel.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::crash::{NO_LIMITS, acknowledged, tally};
use crate::disk::{Disk, where_one_may_mount_disks};
use crate::home::Home;
use crate::server::Server;
use crate::size;
use crate::truth::{broken, lost};
use crate::work::{Credentials, Told, work};

fn serve(home: &Home, synchronous: &str) -> Server {
    home.serve_with(&[&NO_LIMITS[..], &[("PANEL_DATABASE__SYNCHRONOUS", synchronous)]].concat())
}

/// Work until the power is cut. The server stays, with files that nothing can be written to.
fn work_until_dark(
    disk: &Disk,
    server: Server,
    credentials: &Credentials,
    round: usize,
    random: &mut StdRng,
    most_micros: u64,
) -> Told {
    let runs = Duration::from_micros(random.random_range(1_000..most_micros));
    let told = work(server.address, credentials, round, random, |end| {
        std::thread::park_timeout(runs);
        end.store(true, Ordering::SeqCst);
        disk.cut_power();
    });
    server.kill();
    disk.restore_power();
    told
}

/// Some rounds on one disk: what was told, and what is wrong after each.
fn rounds(name: &str, synchronous: &str, count: usize) -> (Vec<Told>, Vec<String>) {
    let home = Home::new();
    let disk = Disk::under(&home);
    let mut random = size::random(name);
    home.ok(["user", "list"]);
    let mut credentials = Credentials::make(&home);
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for round in 0..count {
        let server = serve(&home, synchronous);
        credentials.log_in(&server);
        let told = work_until_dark(&disk, server, &credentials, round, &mut random, 700_000);
        // The panel recovers the file itself, before anything else looks at it.
        let server = serve(&home, synchronous);
        {
            let database = home.open("panel.db");
            let found = [broken(&database), lost(&database, &told)].concat();
            wrong.extend(found.into_iter().map(|found| format!("round {round}: {found}")));
        }
        if synchronous == "full" {
            assert!(credentials.session_works(&server), "round {round}: the session that was acknowledged is lost");
            credentials.tidy_up(&home, &server);
        }
        server.kill();
        all.push(told);
    }
    let database = home.open("panel.db");
    if synchronous == "full" {
        for told in &all {
            assert_eq!(lost(&database, &told.later()), [""; 0], "an earlier round");
        }
    }
    (all, wrong)
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_power_goes() {
    where_one_may_mount_disks("power_cut::nothing_that_was_acknowledged_is_lost_when_the_power_goes", || {
        let count = size::of(3, 50);
        let (told, wrong) = rounds("power", "full", count);
        assert!(wrong.is_empty(), "{}:\n{}", tally(&told), wrong.join("\n"));
        assert!(acknowledged(&told) > count, "the cuts came amid work: {}", tally(&told));
        tell!("power cut: {count} cuts, {}, 0 lost", tally(&told));
    });
}

/// The positive control: with the setting that does not wait for the disk, this very test finds losses.
#[test]
fn these_power_cuts_lose_what_normal_does_not_wait_for() {
    where_one_may_mount_disks("power_cut::these_power_cuts_lose_what_normal_does_not_wait_for", || {
        // A few are not always enough: bringing the log over into the file syncs it now and then.
        let mut tries = (0..10).map(|at| rounds(&format!("power normal {at}"), "normal", 3));
        let (told, wrong) = tries.find(|(_, wrong)| !wrong.is_empty()).unwrap_or_default();
        assert!(!wrong.is_empty(), "nothing was lost of {}", tally(&told));
        assert!(
            wrong
                .iter()
                .all(|found| found.contains("acknowledged") || found.contains("is lost") || found.contains(" has ")),
            "what is there is whole all the same:\n{}",
            wrong.join("\n")
        );
        tell!("power cut with synchronous=normal: {} of {} lost", wrong.len(), acknowledged(&told));
    });
}

/// Files that were made a moment ago, their names and the key file among them.
#[test]
fn a_panel_that_began_a_moment_ago_outlives_a_power_cut() {
    where_one_may_mount_disks("power_cut::a_panel_that_began_a_moment_ago_outlives_a_power_cut", || {
        let mut random = size::random("power fresh");
        let mut all = Vec::new();
        for round in 0..size::of(2, 25) {
            let home = Home::new();
            let disk = Disk::under(&home);
            let server = serve(&home, "full");
            let mut credentials = Credentials::make(&home);
            credentials.log_in(&server);
            let told = work_until_dark(&disk, server, &credentials, round, &mut random, 100_000);
            let server = serve(&home, "full");
            {
                let database = home.open("panel.db");
                let wrong = [broken(&database), lost(&database, &told)].concat();
                assert!(wrong.is_empty(), "round {round}:\n{}", wrong.join("\n"));
            }
            assert!(credentials.session_works(&server));
            // Each password can be opened with the key file that was made a moment before.
            home.ok(["subscriber", "export", "all.csv", "--with-passwords"]);
            server.kill();
            all.push(told);
        }
        tell!("power cut of new panels: {} cuts, {}, 0 lost", all.len(), tally(&all));
    });
}
