//! Guessing passwords over the network, from one address and from a thousand, while the owner wants to get in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use panel::actions::sessions::{self, Door};
use panel::app::{App, Clock};
use panel::config::{Config, Synchronous};
use panel::domain::error::AppError;
use panel::domain::time::Timestamp;
use serde_json::json;

use super::client::{Client, Got};
use super::figures::told;
use super::house::{House, PASSWORD};
use crate::server::Server;
use crate::size;

const LOGIN: &str = "/api/v1/auth/login";

fn log_in(client: &mut Client, ip: &str, name: &str, password: &str) -> Got {
    let body = json!({"username": name, "password": password}).to_string();
    client.ask("POST", LOGIN, &[("X-Forwarded-For", ip)], &body)
}

/// With the limits that a panel has by itself, behind a proxy that says who asks.
fn serve(house: &House) -> Server {
    house.home.serve_with(&[("PANEL_SERVER__TRUSTED_PROXIES", "127.0.0.1"), ("PANEL_LOG__LEVEL", "info")])
}

/// What an attack is: from how many addresses, and under which name each guess is.
struct Attack {
    what: &'static str,
    addresses: usize,
    address: fn(usize) -> String,
    name: fn(usize) -> String,
}

fn ipv4(number: usize) -> String {
    format!("198.{}.{}.{}", 18 + number / 65_536, number / 256 % 256, number % 256)
}

/// The owner tries as a person does, once a second, from a fresh address that did nothing wrong; gives how many tries it
/// took each time.
fn owner_gets_in(attack: &Attack) {
    let house = House::new();
    let server = serve(&house);
    let address = server.address;
    let (is_over, turn) = (AtomicBool::new(false), AtomicUsize::new(0));
    let statuses = std::sync::Mutex::new(BTreeMap::<u16, Vec<Duration>>::new());
    let attacker = || {
        let mut client = Client::new(address);
        while !is_over.load(Ordering::Relaxed) {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            let ip = (attack.address)(turn % attack.addresses);
            let got = log_in(&mut client, &ip, &(attack.name)(turn), "wrong password");
            statuses.lock().unwrap().entry(got.status).or_default().push(got.took);
        }
    };
    let tries: Vec<usize> = std::thread::scope(|scope| {
        for _ in 0..48 {
            scope.spawn(attacker);
        }
        let (_never, pause) = std::sync::mpsc::channel::<()>();
        let _ = pause.recv_timeout(Duration::from_secs(1));
        let tries = (0..size::of(3, 20)).map(|at| {
            let mut client = Client::new(address);
            let began = Instant::now();
            let mut tries = 0;
            loop {
                tries += 1;
                let got = log_in(&mut client, &format!("203.0.113.{at}"), "admin", PASSWORD);
                if got.status == 200 {
                    return tries;
                }
                assert!(got.is_overload(), "the owner is refused: {got:?}");
                assert!(began.elapsed() < Duration::from_secs(30), "the owner was locked out {tries} times");
                let _ = pause.recv_timeout(Duration::from_secs(1));
            }
        });
        let tries = tries.collect();
        is_over.store(true, Ordering::Relaxed);
        tries
    });
    tell!("{}, from {} addresses: the owner got in after {tries:?} tries", attack.what, attack.addresses);
    for (status, times) in &*statuses.lock().unwrap() {
        tell!("    {status}: {}", told(times));
    }
}

#[test]
fn the_owner_gets_in_while_one_address_guesses() {
    owner_gets_in(&Attack { what: "guesses of one name", addresses: 1, address: ipv4, name: |_| "admin".to_owned() });
}

#[test]
fn the_owner_gets_in_while_a_thousand_addresses_guess() {
    let name = |_| "admin".to_owned();
    owner_gets_in(&Attack { what: "guesses of one name", addresses: 1_000, address: ipv4, name });
}

#[test]
fn the_owner_gets_in_while_a_thousand_addresses_try_many_names() {
    let name = |turn| format!("name-{turn}");
    owner_gets_in(&Attack { what: "stuffing of many names", addresses: 1_000, address: ipv4, name });
}

/// Each of its networks was never seen before; the hasher has less to do than they could ask for in a minute.
#[test]
fn the_owner_gets_in_while_every_network_of_one_site_tries_a_name_of_its_own() {
    let (address, name) = (|number| format!("2001:db8:7:{number:x}::1"), |turn| format!("name-{turn}"));
    owner_gets_in(&Attack { what: "stuffing of many names from a /48", addresses: 65_536, address, name });
}

#[test]
fn what_was_closed_stays_closed_when_the_server_is_killed() {
    let house = House::new();
    let server = serve(&house);
    let mut client = Client::new(server.address);
    for _ in 0..5 {
        assert_eq!(log_in(&mut client, "198.18.0.1", "admin", "wrong password").status, 401);
    }
    server.kill();
    let server = serve(&house);
    let mut client = Client::new(server.address);
    let closed = log_in(&mut client, "198.18.0.1", "admin", PASSWORD);
    let seconds: u32 = closed.header("retry-after").unwrap_or_else(|| panic!("{closed:?}")).parse().unwrap();
    assert!(closed.status == 429 && (1..=60).contains(&seconds), "{closed:?}");
    assert_eq!(log_in(&mut client, "203.0.113.1", "admin", PASSWORD).status, 200);
}

/// Guesses at one name that are looked at within a day, with the clock moved: each address tries again as soon as it may.
fn guesses_of_a_day(addresses: impl Iterator<Item = IpAddr>) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.database.path = folder.path().join("panel.db");
    config.database.synchronous = Synchronous::Normal;
    let app = App::open(config, Clock::default()).unwrap();
    let begin = Timestamp(1_800_000_000_000);
    let mut next: BinaryHeap<_> = addresses.map(|ip| Reverse((begin, ip))).collect();
    let mut looked_at = 0;
    while let Some(Reverse((now, ip))) = next.pop() {
        if now.millis() - begin.millis() >= Timestamp::DAY {
            break;
        }
        let door = Door { name: "admin".to_owned(), ip: Some(ip), now };
        match app.db.read(|tx| sessions::refuse_locked(tx, &door)) {
            Ok(()) => {
                looked_at += 1;
                app.db.write_blocking(move |tx| sessions::fail(tx, &door)).unwrap();
                next.push(Reverse((now, ip)));
            }
            Err(AppError::Denied(denial)) => {
                let seconds = denial.retry_after_seconds().unwrap();
                next.push(Reverse((now.plus_millis(seconds * Timestamp::SECOND), ip)));
            }
            Err(error) => panic!("{error}"),
        }
    }
    looked_at
}

#[test]
fn so_many_guesses_a_day_and_no_more() {
    let v4 = |number: u32| IpAddr::from((u32::from_be_bytes([198, 18, 0, 0]) + number).to_be_bytes());
    // The /64s of one /48, and addresses of one /64.
    let network = |number: u16| IpAddr::from([0x2001, 0xdb8, 0, number, 0, 0, 0, 1]);
    let within = |number: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number]);
    let many = size::of(30, 1_000);
    let (one, of_many) = (guesses_of_a_day([v4(1)].into_iter()), guesses_of_a_day((0..many).map(v4)));
    let of_one_64 = guesses_of_a_day((0..50).map(within));
    let of_some_64 = guesses_of_a_day((0..50).map(network));
    tell!(
        "guesses at one name in a day: {one} from one address, {of_many} from {many}; {of_one_64} from 50 addresses of one \
         /64, {of_some_64} from 50 of the 65536 /64 of a /48"
    );
    assert_eq!(one, of_one_64, "the addresses of a /64 are one");
    // Five at once, then after 1, 2, 4, 8, 16, 32 minutes and every hour; under attack one at once.
    assert_eq!(one, 5 + 6 + 22);
    assert!(of_many <= 50 * 4 + u64::from(many) * (1 + 6 + 23), "{of_many}");
    // Fifty until it is an attack; from then on the /48 is one.
    assert!(of_some_64 <= 50 + 1 + 6 + 23, "{of_some_64}");
}
