//! Many clients on all surfaces at once, with backups and the command line beside them the whole time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::client::Client;
use super::figures::{Sample, growth, watch};
use super::house::{House, complaints, log_in, metrics_of};
use super::mixture::{Acknowledged, Customer};
use crate::server::Server;
use crate::size;

const CLIENTS: usize = 64;
/// Subscribers that are there before.
const COMMON: i64 = 200;

/// What the command line did meanwhile.
#[derive(Default)]
struct Beside {
    commands: usize,
    services: Vec<String>,
    routers: Vec<String>,
    keys: Vec<i64>,
    backups: usize,
}

/// Every command succeeds and says nothing of a lock; a backup is made and verified again and again.
fn work_beside(house: &House, server: SocketAddr, metrics: SocketAddr, is_over: &AtomicBool) -> Beside {
    let mut beside = Beside::default();
    let mut monitoring = Client::new(metrics);
    while !is_over.load(Ordering::Relaxed) {
        let turn = beside.services.len();
        let run = |words: &[&str]| {
            let ran = house.home.ok(words);
            let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
            assert!(!said.contains("locked") && !said.contains("busy"), "{words:?}: {ran:?}");
            ran
        };
        let service = format!("plan {turn}");
        run(&["service", "add", &service, "--price", "10"]);
        beside.services.push(service);
        let router = format!("router {turn}");
        let ip = format!("10.{}.{}.1", turn / 250 % 250, turn % 250);
        run(&["nas", "add", &router, "--ip", &ip]);
        beside.routers.push(router);
        let minted =
            run(&["--json", "key", "mint", "--style", "external", "--user", "rita", "--scopes", "read"]).json();
        let id = minted["id"].as_i64().unwrap();
        let key = minted["key"].as_str().unwrap();
        let mut client = Client::new(server);
        let mut status = || client.ask("GET", "/api/v1/external/services", &[("X-API-Key", key)], "").status;
        assert_eq!(status(), 200, "a key of the command line opens at once");
        run(&["key", "revoke", &id.to_string()]);
        assert_eq!(status(), 401, "what the command line revoked is dead at once");
        beside.keys.push(id);
        let copy = format!("copy-{turn}.db");
        run(&["backup", &copy]);
        run(&["backup", "verify", &copy]);
        // The newest is looked for by the doctor.
        if let Some(last) = turn.checked_sub(1) {
            std::fs::remove_file(house.home.path(&format!("copy-{last}.db"))).unwrap();
        }
        beside.backups += 1;
        beside.commands += 6;
        for path in ["/health", "/metrics"] {
            let got = monitoring.ask("GET", path, &[], "");
            assert_eq!(got.status, 200, "{got:?}");
        }
    }
    beside
}

fn run_all(house: &House, server: &Server, length: Duration) -> (Vec<Acknowledged>, Beside, Vec<Sample>) {
    let (address, metrics) = (server.address, metrics_of(server));
    let log_in_at = |path| log_in(&mut Client::new(address), path, "admin");
    let tokens = ["/api/auth/login", "/api/v1/auth/login"].map(log_in_at);
    let is_over = AtomicBool::new(false);
    let (stop, until) = std::sync::mpsc::channel();
    let pid = server.pid().as_raw_nonzero().get();
    let every = size::of(Duration::from_millis(50), Duration::from_secs(1));
    std::thread::scope(|scope| {
        let began = Instant::now();
        let watching = scope.spawn(move || watch(pid, every, &until));
        let beside = scope.spawn(|| work_beside(house, address, metrics, &is_over));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let tokens = tokens.clone();
                scope.spawn(move || {
                    let mut customer = Customer::new(house, address, number, COMMON, tokens);
                    let (_never, pause) = std::sync::mpsc::channel::<()>();
                    let mut next = began;
                    while began.elapsed() < length {
                        customer.do_something();
                        // Over ten minutes as fast as they can, it would be about how large a database becomes.
                        next += size::of(Duration::ZERO, Duration::from_millis(100));
                        let _ = pause.recv_timeout(next.saturating_duration_since(Instant::now()));
                    }
                    customer.done
                })
            })
            .collect();
        let clients: Vec<_> = clients.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::Relaxed);
        drop(stop);
        let done = clients.into_iter().map(|done| done.unwrap_or_else(|_| panic!("{}", server.said()))).collect();
        (done, beside.join().unwrap(), watching.join().unwrap())
    })
}

/// Every acknowledged row is there, and nothing that belongs to nobody.
fn all_is_there(house: &House, done: &[Acknowledged], beside: &Beside) {
    let database = house.home.open("panel.db");
    let pairs = |statement: &str| -> HashMap<i64, String> {
        let mut statement = database.prepare(statement).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let words = |statement: &str| -> std::collections::HashSet<String> {
        let mut statement = database.prepare(statement).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let (subscribers, users) = (pairs("SELECT id, username FROM subscribers"), pairs("SELECT id, username FROM users"));
    let transactions = words("SELECT external_id FROM transactions WHERE external_id IS NOT NULL");
    let renewals = words("SELECT external_id FROM renewals WHERE external_id IS NOT NULL");
    let gone = words("SELECT panel_id FROM api_keys WHERE revoked_at IS NOT NULL AND panel_id IS NOT NULL");
    for done in done {
        assert!(done.subscribers.iter().all(|(id, name)| subscribers.get(id) == Some(name)));
        assert!(done.accounts.iter().all(|(id, name)| users.get(id) == Some(name)));
        assert!(done.transactions.iter().all(|reference| transactions.contains(reference)));
        assert!(done.renewals.iter().all(|reference| renewals.contains(reference)));
        assert!(done.deleted_keys.iter().all(|id| gone.contains(id)));
    }
    let made: usize = done.iter().map(|done| done.subscribers.len()).sum();
    assert_eq!(subscribers.len(), made + usize::try_from(COMMON).unwrap(), "rows that nobody was told of");
    let booked: usize = done.iter().map(|done| done.transactions.len()).sum();
    let from_clients = transactions.iter().filter(|reference| reference.starts_with("payment-")).count();
    assert_eq!(from_clients, booked, "movements that nobody was told of");
    assert_eq!(renewals.len(), done.iter().map(|done| done.renewals.len()).sum::<usize>());
    let (services, routers) = (words("SELECT name FROM services"), words("SELECT name FROM nas"));
    assert!(beside.services.iter().all(|name| services.contains(name)));
    assert!(beside.routers.iter().all(|name| routers.contains(name)));
    let revoked = words("SELECT CAST(id AS TEXT) FROM api_keys WHERE revoked_at IS NOT NULL");
    assert!(beside.keys.iter().all(|id| revoked.contains(&id.to_string())));
}

/// The second half of the samples.
fn second_half(samples: &[Sample]) -> &[Sample] {
    let half = samples.last().unwrap().seconds / 2.0;
    &samples[samples.partition_point(|sample| sample.seconds < half)..]
}

#[test]
fn sixty_four_clients_and_the_command_line_beside_them_lose_nothing_and_meet_no_lock() {
    let house = House::new();
    let mut server = house.serve_with(&[]);
    house.fill(&server, COMMON);
    let idle = Sample::of(server.pid().as_raw_nonzero().get(), Instant::now());
    let length = size::of(Duration::from_secs(6), Duration::from_secs(600));
    let (done, beside, samples) = run_all(&house, &server, length);

    let after = Sample::of(server.pid().as_raw_nonzero().get(), Instant::now());
    let late = second_half(&samples);
    let peak = late.iter().map(|sample| sample.anonymous).fold(0.0, f64::max);
    let per_minute = growth(late) * 60.0;
    let descriptors = |samples: &[Sample]| samples.iter().map(|sample| sample.descriptors).max().unwrap_or_default();
    let requests: u64 = done.iter().map(|done| done.requests).sum();
    let sum = |of: fn(&Acknowledged) -> usize| done.iter().map(of).sum::<usize>();
    tell!(
        "{requests} requests in {length:?}: {} subscribers ({} replays), {} movements, {} renewals, {} accounts, {} keys, \
         {} logins; {} commands beside, {} backups. Anonymous memory {:.1} MiB idle, {:.1} MiB at most in the second half, \
         which grew by {:.2} MiB a minute; VmHWM {:.1} MiB; descriptors {} idle, {} at most, {} after",
        sum(|done| done.subscribers.len()),
        done.iter().map(|done| done.replays).sum::<u64>(),
        sum(|done| done.transactions.len()),
        sum(|done| done.renewals.len()),
        sum(|done| done.accounts.len()),
        sum(|done| done.deleted_keys.len()),
        done.iter().map(|done| done.sessions).sum::<u64>(),
        beside.commands,
        beside.backups,
        idle.anonymous / 1024.0,
        peak / 1024.0,
        per_minute / 1024.0,
        after.peak / 1024.0,
        idle.descriptors,
        descriptors(&samples),
        after.descriptors,
    );
    assert!(requests > 500 && beside.backups > 0, "that was no load");

    let doctor = house.home.run(["--json", "doctor"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    let complaints = complaints(&server.said()).join("\n");
    assert_eq!(complaints, "", "the server complained");
    assert_eq!(server.stop(), Some(0));
    all_is_there(&house, &done, &beside);
    assert_eq!(house.home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");

    // Caches fill within the first seconds; after ten minutes nothing does.
    let (most, slope) = size::of((96.0 * 1024.0, f64::INFINITY), (96.0 * 1024.0, 1024.0));
    assert!(peak < most && per_minute < slope, "{peak} KiB, {per_minute} KiB a minute: {late:?}");
    // Each client one, and the command line's.
    assert!(descriptors(late) <= idle.descriptors + CLIENTS + 16, "{samples:?}");
    assert!(after.descriptors <= idle.descriptors + 16, "{after:?}");
}
