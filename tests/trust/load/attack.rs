//! Guessing passwords over the network, from one address and from a thousand, while the owner wants to get in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
    name: fn(usize) -> String,
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
            let from = turn % attack.addresses;
            let ip = format!("198.{}.{}.{}", 18 + from / 65_536, from / 256 % 256, from % 256);
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
            for tries in 1.. {
                let got = log_in(&mut client, &format!("203.0.113.{at}"), "admin", PASSWORD);
                if got.status == 200 {
                    return tries;
                }
                assert!(got.is_overload(), "the owner is refused: {got:?}");
                assert!(began.elapsed() < Duration::from_secs(30), "the owner was locked out {tries} times");
                let _ = pause.recv_timeout(Duration::from_secs(1));
            }
            unreachable!("the loop ends by itself")
        });
        let tries = tries.collect();
        is_over.store(true, Ordering::Relaxed);
        tries
    });
    eprintln!("{}, from {} addresses: the owner got in after {tries:?} tries", attack.what, attack.addresses);
    for (status, times) in &*statuses.lock().unwrap() {
        eprintln!("    {status}: {}", told(times));
    }
}

#[test]
fn the_owner_gets_in_while_one_address_guesses() {
    owner_gets_in(&Attack { what: "guesses of one name", addresses: 1, name: |_| "admin".to_owned() });
}

#[test]
fn the_owner_gets_in_while_a_thousand_addresses_guess() {
    owner_gets_in(&Attack { what: "guesses of one name", addresses: 1_000, name: |_| "admin".to_owned() });
}

#[test]
fn the_owner_gets_in_while_a_thousand_addresses_try_many_names() {
    owner_gets_in(&Attack { what: "stuffing of many names", addresses: 1_000, name: |turn| format!("name-{turn}") });
}
