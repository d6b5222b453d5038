//! What somebody without a credential could tell apart: names that exist, keys that exist, links and tokens that were alive
//! once. Not by what is answered, and in the long form not by how long that takes.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::json;

use super::client::{Client, Got};
use super::figures::{APART, mean, welch};
use super::house::{ACCOUNTS, House, PASSWORD};
use crate::server::Server;
use crate::size;

const LOGINS: [&str; 3] = ["/api/v1/auth/login", "/api/auth/login", "/api/auth/login/json"];

/// Names that all answer alike to a wrong password.
const NAMES: [&str; 5] = ["nobody", "admin", "sue", "bare", "admin@example.com"];

/// With a suspended user and one that has no password, behind a proxy that says who asks.
fn world() -> (House, Server) {
    let house = House::new();
    for name in ["sue", "bare"] {
        house.home.add_user(name, "reseller");
    }
    house.home.ok(["user", "suspend", "sue"]);
    house.home.ok(["user", "update", "admin", "--email", "admin@example.com"]);
    let bare = "UPDATE users SET password_hash = NULL WHERE username = 'bare'";
    assert_eq!(house.home.open("panel.db").execute(bare, []).unwrap(), 1);
    let server = house.serve_with(&[("PANEL_SERVER__TRUSTED_PROXIES", "127.0.0.1")]);
    (house, server)
}

/// An address for each number.
fn address(number: u32) -> String {
    let [_, a, b, c] = number.to_be_bytes();
    format!("10.{a}.{b}.{c}")
}

fn guess(client: &mut Client, login: &str, name: &str, from: u32) -> Got {
    let body = json!({"username": name, "password": "wrong password"}).to_string();
    client.ask("POST", login, &[("X-Forwarded-For", &address(from))], &body)
}

/// All that can be seen of an answer but its time.
fn seen(got: &Got) -> (u16, Vec<String>, String) {
    let id = got.header("x-request-id").unwrap();
    (got.status, got.lasting_headers(), got.body.replace(id, "…"))
}

#[test]
fn a_wrong_password_looks_the_same_whoever_it_is_tried_for() {
    let (_house, server) = world();
    let mut client = Client::new(server.address);
    for (at, login) in (0..).zip(LOGINS) {
        let from = |name: usize| at * 100 + u32::try_from(name).unwrap();
        // Through the ladder, up to where it says to wait.
        for turn in 0..7 {
            let answers = NAMES.iter().enumerate().map(|(at, name)| seen(&guess(&mut client, login, name, from(at))));
            let answers: Vec<_> = answers.collect();
            assert_eq!(answers[0].0, if turn < 5 { 401 } else { 429 }, "{answers:?}");
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{login} {turn}: {answers:#?}");
        }
    }
    // The control: the right password of the suspended one is another matter, and this would show it.
    let body = json!({"username": "admin", "password": PASSWORD}).to_string();
    let right = client.ask("POST", LOGINS[0], &[("X-Forwarded-For", "192.0.2.9")], &body);
    assert_ne!(seen(&right), seen(&guess(&mut client, LOGINS[0], "admin", 999)));
}

/// A setup link that was used.
fn used_link(house: &House, client: &mut Client) -> String {
    let said = house.home.ok(["admin", "reset"]);
    let text = format!("{}{}", said.stdout, said.stderr);
    let (_, after) = text.split_once("/setup/").unwrap_or_else(|| panic!("{text}"));
    let link = format!("/setup/{}", after.split_whitespace().next().unwrap());
    house.home.secrets.note(&link[7..]);
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("password", PASSWORD)
        .append_pair("again", PASSWORD)
        .finish();
    let got = client.ask("POST", &link, &[], &form);
    assert_eq!(got.status, 200, "{got:?}");
    link
}

/// A refresh token whose session was ended.
fn ended_refresh_token(client: &mut Client) -> String {
    let body = json!({"username": "admin", "password": PASSWORD}).to_string();
    let got = client.ask("POST", "/api/auth/login", &[("X-Forwarded-For", "192.0.2.1")], &body);
    let cookie = got.header("set-cookie").unwrap_or_else(|| panic!("{got:?}"));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let token = format!("Bearer {}", got.json()["token"].as_str().unwrap());
    assert_eq!(client.ask("POST", "/api/auth/logout", &[("Authorization", &token)], "").status, 200);
    cookie
}

/// Ways to ask for something that is not there any more and for what never was, side by side.
struct Pairs {
    npk: String,
    link: String,
    cookie: String,
}

impl Pairs {
    fn new(house: &House, address: SocketAddr) -> Self {
        let mut client = Client::new(address);
        let link = used_link(house, &mut client);
        Self { npk: house.pair.0.clone(), link, cookie: ended_refresh_token(&mut client) }
    }

    /// One of a pair: `was` is the one that exists, or once did. Made for the turn, so that nothing is asked for twice.
    fn ask(&self, which: &str, was: bool, client: &mut Client, turn: u32) -> Got {
        match which {
            "billing pair" => {
                let npk = if was { self.npk.clone() } else { format!("npk_{:0>43}", "x") };
                let headers = [("X-API-Key", npk.as_str()), ("X-API-Secret", &format!("nps_{turn:064}"))];
                client.ask("GET", ACCOUNTS, &headers, "")
            }
            "setup link" => {
                let path = if was { self.link.clone() } else { format!("/setup/{}", "x".repeat(self.link.len() - 7)) };
                client.ask("GET", &path, &[], "")
            }
            _ => {
                let cookie = if was { self.cookie.clone() } else { other_cookie(&self.cookie) };
                client.ask("POST", "/api/auth/refresh", &[("Cookie", &cookie)], "")
            }
        }
    }
}

/// The same with its letters the other way round behind the dot.
fn other_cookie(cookie: &str) -> String {
    let (session, secret) = cookie.split_once('.').unwrap();
    format!("{session}.{}", secret.chars().rev().collect::<String>())
}

const PAIRS: [&str; 3] = ["billing pair", "setup link", "refresh token"];

#[test]
fn what_was_alive_once_looks_like_what_never_was() {
    let (house, server) = world();
    let pairs = Pairs::new(&house, server.address);
    let mut client = Client::new(server.address);
    for which in PAIRS {
        let [was, never] = [true, false].map(|was| seen(&pairs.ask(which, was, &mut client, 1)));
        if which == "billing pair" {
            // The contract names the first gate that fails. An npk_ is a name of 256 random bits: nobody finds one by asking.
            let gates = |(_, _, body): &(u16, Vec<String>, String)| body.replace("secret\"}", "key\"}");
            assert_eq!(gates(&was), gates(&never));
            continue;
        }
        assert_eq!(was, never, "{which}");
        assert!(matches!(was.0, 401 | 404), "{which}: {was:?}");
    }
}

/// Asks in turns, in an order of chance, and gives the times of each.
fn interleaved(name: &str, rounds: u32, kinds: usize, mut ask: impl FnMut(usize, u32) -> Got) -> Vec<Vec<Duration>> {
    let mut random = size::random(name);
    let mut times = vec![Vec::new(); kinds];
    let mut order: Vec<usize> = (0..kinds).collect();
    for round in 0..rounds {
        order.shuffle(&mut random);
        for (at, kind) in (0..).zip(&order) {
            let got = ask(*kind, round * u32::try_from(kinds).unwrap() + at);
            assert!(matches!(got.status, 401 | 404), "{got:?}");
            times[*kind].push(got.took);
        }
    }
    times
}

/// Tells what the statistic says of each against the first, and gives the largest.
fn compare(what: &str, names: &[&str], times: &[Vec<Duration>]) -> f64 {
    let mut largest = 0.0_f64;
    for (name, of_it) in names.iter().zip(times).skip(1) {
        let t = welch(of_it, &times[0]);
        tell!("{what}: {name} {:.1} µs, {} {:.1} µs, t = {t:.2}", mean(of_it), names[0], mean(&times[0]));
        largest = largest.max(t.abs());
    }
    largest
}

#[test]
#[ignore = "long form: tests/trust/run"]
fn a_wrong_password_takes_as_long_whoever_it_is_tried_for() {
    let (_house, server) = world();
    let mut client = Client::new(server.address);
    let names = &NAMES[..4];
    // Under attack each address has one try, whatever its name: each guess comes from its own.
    let rounds = 2_000;
    let times = interleaved("logins", rounds, names.len(), |kind, turn| {
        guess(&mut client, LOGINS[0], names[kind], turn + 1_000)
    });
    let t = compare("login", names, &times);
    // The same series with 200 µs put on it: less than that could not be hidden.
    let planted: Vec<_> = times[0].iter().map(|time| *time + Duration::from_micros(200)).collect();
    let control = compare("control", &["nobody", "nobody + 200 µs"], &[times[0].clone(), planted]);
    assert!(control > APART, "a difference of 200 µs would not be seen: t = {control}");
    assert!(t < APART, "t = {t}");
}

#[test]
#[ignore = "long form: tests/trust/run"]
fn what_was_alive_once_takes_as_long_as_what_never_was_but_for_one_read() {
    let (house, server) = world();
    let pairs = Pairs::new(&house, server.address);
    let mut client = Client::new(server.address);
    // One read that finds a row is slower than one that does not. What is looked for has 128 random bits or more, so that
    // nobody finds one by its time; that no more than the read lies between them is what is held.
    let mut differences = Vec::new();
    for which in PAIRS {
        let times = interleaved(which, 10_000, 2, |kind, turn| pairs.ask(which, kind == 0, &mut client, turn));
        compare(which, &["was there", "never was"], &times);
        differences.push((which, (mean(&times[0]) - mean(&times[1])).abs()));
    }
    let planted: Vec<_> = interleaved("control", 10_000, 2, |kind, turn| {
        let mut got = pairs.ask("setup link", false, &mut client, turn);
        got.took += Duration::from_micros(if kind == 1 { 20 } else { 0 });
        got
    });
    let control = compare("control", &["never was", "never was + 20 µs"], &planted);
    assert!(control > APART, "a difference of 20 µs would not be seen: t = {control}");
    assert!(differences.iter().all(|(_, micros)| *micros < 20.0), "{differences:?}");
}

#[test]
fn a_difference_that_was_planted_is_seen_and_none_is_not() {
    let mut random = size::random("welch");
    let mut series = |more: u64| -> Vec<Duration> {
        (0..2_000).map(|_| Duration::from_micros(30_000 + more + random.random_range(0..2_000))).collect()
    };
    let (one, other, slower) = (series(0), series(0), series(200));
    assert!(welch(&one, &other).abs() < APART, "{}", welch(&one, &other));
    assert!(welch(&slower, &one) > APART, "{}", welch(&slower, &one));
}
