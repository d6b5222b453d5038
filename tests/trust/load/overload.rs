//! Ten times what the panel can carry: refusals that come soon and are the truth, reads and monitoring that go on, and a
//! recovery that nobody has to help with.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;

use super::client::{Client, Got};
use super::figures::told;
use super::house::{ACCOUNTS, House, PASSWORD, complaints, log_in, metrics_of};
use crate::home::SUBSCRIBERS;
use crate::server::Server;
use crate::size;

/// What health promises whatever happens, and what every refusal is held to; in the short form with room for a machine
/// that has other tests to run.
fn soon() -> Duration {
    size::of(Duration::from_secs(9), Duration::from_secs(5))
}

/// As many descriptors as one may have: each client has one, and its server another.
fn with_all_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Who asks beside the flood what must be answered, and how long each answer took.
struct Witness {
    what: &'static str,
    address: SocketAddr,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
}

impl Witness {
    fn of(house: &House, server: &Server) -> Vec<Self> {
        let (main, metrics) = (server.address, metrics_of(server));
        let key = |key: &str| vec![("X-API-Key", key.to_owned())];
        let new = |what, address, path, headers| Self { what, address, path, headers };
        vec![
            new("read with a key", main, "/api/v1/external/subscribers/1", key(&house.external)),
            new("list with a key", main, "/api/v1/external/subscribers?limit=20", key(&house.of_reseller)),
            new("health", main, "/api/v1/external/system/health", key(&house.external)),
            new("metrics", metrics, "/metrics", Vec::new()),
            new("health beside", metrics, "/health", Vec::new()),
        ]
    }

    fn watch(&self, is_over: &AtomicBool) -> Vec<Duration> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (mut client, mut times) = (Client::new(self.address), Vec::new());
        let (_never, pause) = std::sync::mpsc::channel::<()>();
        while !is_over.load(Ordering::Relaxed) {
            let got = client.ask("GET", self.path, &headers, "");
            assert_eq!(got.status, 200, "{}: {got:?}", self.what);
            times.push(got.took);
            let _ = pause.recv_timeout(Duration::from_millis(20));
        }
        times
    }
}

/// Lets so many clients do this again and again, watches meanwhile what must go on, and gives all answers.
fn flood<A: Send>(
    (house, server): (&House, &Server),
    clients: usize,
    act: impl Fn(&mut Client, usize) -> A + Sync,
    meanwhile: impl FnOnce(),
) -> Vec<A> {
    let (is_over, turn) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = server.address;
    let witnesses = Witness::of(house, server);
    let answers = std::thread::scope(|scope| {
        let watching: Vec<_> =
            witnesses.iter().map(|witness| (witness.what, scope.spawn(|| witness.watch(&is_over)))).collect();
        let client = || {
            let (mut client, mut answers) = (Client::new(address), Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                answers.push(act(&mut client, turn.fetch_add(1, Ordering::Relaxed)));
            }
            answers
        };
        let small = || std::thread::Builder::new().stack_size(256 * 1024);
        let clients: Vec<_> = (0..clients).map(|_| small().spawn_scoped(scope, client).unwrap()).collect();
        meanwhile();
        is_over.store(true, Ordering::Relaxed);
        let answers = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        for (what, times) in watching {
            let times = times.join().unwrap();
            tell!("    {what}: {}", told(&times));
            assert!(times.iter().max().is_some_and(|longest| *longest < soon()), "{what}: {}", told(&times));
        }
        answers
    });
    let faults: Vec<_> = complaints(&server.said()).into_iter().map(str::to_owned).collect();
    // Overload itself is told, and that the lock is not to be had.
    let expected = ["status=503", "locked", "left out", "will be tried again"];
    let expected = |line: &String| expected.iter().any(|words| line.contains(words));
    assert!(faults.iter().all(expected), "{}", faults.join("\n"));
    answers
}

fn wait(length: Duration) {
    let (_never, pause) = std::sync::mpsc::channel::<()>();
    let _ = pause.recv_timeout(length);
}

/// What came of a flood: how many were done, and how long the refusals took.
fn sorted<'a, A: 'a>(answers: impl Iterator<Item = (&'a A, &'a Got)>, done: u16) -> (Vec<&'a A>, Vec<&'a A>) {
    let (mut made, mut refused, mut times) = (Vec::new(), Vec::new(), (Vec::new(), Vec::new()));
    for (of, got) in answers {
        if got.status == done {
            made.push(of);
            times.0.push(got.took);
        } else {
            assert!(got.is_overload(), "{got:?}");
            refused.push(of);
            times.1.push(got.took);
        }
    }
    tell!("    done: {}; refused: {}", told(&times.0), told(&times.1));
    let longest = times.1.iter().max().copied().unwrap_or_default();
    assert!(longest < soon(), "a refusal came after {longest:?}");
    (made, refused)
}

/// Another process holds the lock: not one write can be made, whatever the machine can do.
#[test]
fn writes_that_cannot_be_made_are_refused_in_time_and_never_made() {
    let clients = size::of(300, 1_500);
    if size::is_long() {
        with_all_descriptors();
    }
    let house = House::new();
    let mut server = house.serve_with(&[]);
    house.fill(&server, 20);
    let other = house.home.open("panel.db");
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    tell!("writes, {clients} clients, the lock held:");
    let released = std::sync::OnceLock::new();
    let create = |client: &mut Client, turn: usize| {
        let name = format!("user-{turn}");
        let body = json!({"username": name, "service_id": 1}).to_string();
        let got = client.ask("POST", SUBSCRIBERS, &[("X-API-Key", &house.external)], &body);
        (name, got, Instant::now())
    };
    let answers = flood((&house, &server), clients, create, || {
        wait(size::of(Duration::from_secs(5), Duration::from_secs(30)));
        other.execute_batch("ROLLBACK").unwrap();
        released.set(Instant::now()).unwrap();
        wait(Duration::from_secs(1));
    });
    let (made, refused) = sorted(answers.iter().map(|answer| (answer, &answer.1)), 201);
    assert!(refused.len() >= clients, "that was no overload");
    let first = made.iter().map(|(_, _, at)| *at).min().expect("it does not recover");
    let released = *released.get().unwrap();
    assert!(first > released, "something was written although another process held the lock");
    tell!("    first write {:.1?} after the lock was released", first - released);

    let mut client = Client::new(server.address);
    let (_, got, _) = create(&mut client, 1_000_000_000);
    assert_eq!(got.status, 201, "it has not recovered: {got:?}");
    assert_eq!(server.stop(), Some(0));
    let there = |name: &String| house.home.count(&format!("subscribers WHERE username = '{name}'")) == 1;
    let in_file = house.home.count("subscribers");
    assert_eq!(in_file, 20 + i64::try_from(made.len()).unwrap() + 1, "more or less than was acknowledged");
    // All of them would take long; those about the moment of release are where both could be said of one.
    assert!(made.iter().rev().take(200).all(|(name, _, _)| there(name)), "acknowledged and gone");
    assert!(!refused.iter().rev().take(200).any(|(name, _, _)| there(name)), "refused and made all the same");
}

/// Logins and accounts: argon2 is what the panel can do least of.
#[test]
fn passwords_beyond_what_can_be_hashed_are_refused_in_time() {
    let clients = size::of(100, 250);
    let house = House::new();
    let server = house.serve_with(&[]);
    house.fill(&server, 1);
    tell!("passwords, {clients} clients:");
    let (key, secret) = &house.pair;
    let hash = |client: &mut Client, turn: usize| {
        let login = json!({"username": "admin", "password": PASSWORD}).to_string();
        let name = format!("acc-{turn}");
        let mail = format!("{name}@example.com");
        let account = json!({"username": name, "email": mail, "password": PASSWORD}).to_string();
        match turn % 3 {
            0 => (name, 200, client.ask("POST", "/api/v1/auth/login", &[], &login)),
            1 => (name, 200, client.ask("POST", "/api/auth/login", &[], &login)),
            _ => {
                let headers = [("X-API-Key", key.as_str()), ("X-API-Secret", secret.as_str())];
                (name, 201, client.ask("POST", ACCOUNTS, &headers, &account))
            }
        }
    };
    let length = size::of(Duration::from_secs(3), Duration::from_secs(20));
    let answers = flood((&house, &server), clients, hash, || wait(length));
    let (accounts, logins): (Vec<_>, Vec<_>) = answers.iter().partition(|(_, done, _)| *done == 201);
    let (made, refused) = sorted(accounts.iter().map(|answer| (*answer, &answer.2)), 201);
    let (_, refused_logins) = sorted(logins.iter().map(|answer| (*answer, &answer.2)), 200);
    assert!(!made.is_empty() && !refused.is_empty() && !refused_logins.is_empty(), "that was no overload");
    let began = Instant::now();
    log_in(&mut Client::new(server.address), "/api/auth/login", "admin");
    tell!("    a login {:.1?} after the flood", began.elapsed());
    let in_file = house.home.count("users WHERE username LIKE 'acc-%'");
    assert_eq!(in_file, i64::try_from(made.len()).unwrap(), "more or less accounts than were acknowledged");
}

/// Lists and searches that are not for the threads that answer.
#[test]
fn searches_beyond_what_can_be_read_are_refused_in_time() {
    let clients = size::of(150, 1_000);
    let house = House::new();
    let rows = (0..5_000).map(|at| format!("customer-{at}@example.com,default\n")).collect::<String>();
    house.home.write("rows.csv", format!("username,service\n{rows}"));
    house.home.ok(["subscriber", "import", "rows.csv"]);
    let server = house.serve_with(&[]);
    let token = log_in(&mut Client::new(server.address), "/api/auth/login", "admin");
    let bearer = format!("Bearer {token}");
    tell!("searches, {clients} clients:");
    let search = |client: &mut Client, turn: usize| {
        let paths = ["subscribers?search=9@example&limit=500", "subscribers?sort=updated_at&limit=500&page=9", "audit"];
        client.ask("GET", &format!("/api/{}", paths[turn % 3]), &[("Authorization", &bearer)], "")
    };
    let length = size::of(Duration::from_secs(3), Duration::from_secs(20));
    let answers = flood((&house, &server), clients, search, || wait(length));
    let (found, refused) = sorted(answers.iter().map(|got| (got, got)), 200);
    assert!(!found.is_empty(), "nothing was found");
    // A machine that can read all of it in time need not refuse any.
    let longest = answers.iter().map(|got| got.took).max().unwrap_or_default();
    assert!(!refused.is_empty() || longest < soon(), "none was refused, and one came after {longest:?}");
    let got = search(&mut Client::new(server.address), 0);
    assert_eq!(got.status, 200, "{got:?}");
    tell!("    a search {:.1?} after the flood", got.took);
}

/// Strangers without a key, and with keys that open nothing, from one address.
#[test]
fn strangers_are_sent_away_at_once_and_cost_a_valid_key_nothing() {
    let house = House::new();
    let limits = [("PANEL_LIMITS__PER_IP_PER_MINUTE", "300"), ("PANEL_LIMITS__FAILURES_PER_MINUTE", "20")];
    let server = house.serve_with(&limits);
    house.fill(&server, 1);
    let clients = size::of(50, 500);
    tell!("strangers, {clients} clients:");
    let knock = |client: &mut Client, turn: usize| match turn % 4 {
        0 => client.ask("GET", SUBSCRIBERS, &[], ""),
        1 => client.ask("POST", SUBSCRIBERS, &[("X-API-Key", &format!("pk_live_{turn:032x}"))], "{}"),
        2 => client.ask("GET", "/api/v1/users", &[("Authorization", "Bearer nobody")], ""),
        _ => client.ask("GET", ACCOUNTS, &[("X-API-Key", "npk_nobody"), ("X-API-Secret", "nps_nobody")], ""),
    };
    let length = size::of(Duration::from_secs(3), Duration::from_secs(20));
    let answers = flood((&house, &server), clients, knock, || wait(length));
    let (mut let_in, mut sent_away) = (Vec::new(), Vec::new());
    for got in &answers {
        match got.status {
            401 => let_in.push(got.took),
            429 => {
                assert!(got.header("retry-after").is_some(), "{got:?}");
                sent_away.push(got.took);
            }
            _ => panic!("{got:?}"),
        }
    }
    tell!("    looked at: {}; sent away: {} in {length:?}", told(&let_in), told(&sent_away));
    // The bucket of an address fills again while it is emptied.
    assert!(let_in.len() < 300 + 5 * 60, "{} were looked at", let_in.len());
    assert!(sent_away.len() > 300, "only {}", sent_away.len());
}
