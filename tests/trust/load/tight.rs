//! A system that gives the panel little: it refuses, and does not die.

use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::json;

use super::client::Client;
use super::figures::Sample;
use super::house::{House, PASSWORD};
use crate::home::{DEADLINE, SUBSCRIBERS};
use crate::raw_http;
use crate::server::Server;
use crate::traced;

/// A server under a limit of the shell's `ulimit`.
fn limited(house: &House, limit: &str) -> Server {
    let mut command = traced::limited(&house.home, limit);
    command.env("PANEL_SERVER__WORKERS", "2");
    command.env("PANEL_LIMITS__PER_IP_PER_MINUTE", "0");
    house.home.start(command)
}

fn create(client: &mut Client, house: &House, name: &str) -> u16 {
    let body = json!({"username": name, "service_id": 1}).to_string();
    client.ask("POST", SUBSCRIBERS, &[("X-API-Key", &house.external)], &body).status
}

#[test]
fn with_few_descriptors_who_is_in_is_served_and_the_others_come_in_later() {
    let house = House::new();
    let mut server = limited(&house, "-n 64");
    let mut inside = Client::new(server.address);
    assert_eq!(create(&mut inside, &house, "before"), 201);
    // More than it has descriptors for: the system takes them, the panel cannot.
    let crowd: Vec<_> = (0..200).map(|_| TcpStream::connect_timeout(&server.address, DEADLINE).unwrap()).collect();
    let pid = server.pid().as_raw_nonzero().get();
    let began = Instant::now();
    while Sample::of(pid, began).descriptors < 60 {
        assert!(began.elapsed() < DEADLINE, "it has descriptors left: {:?}", Sample::of(pid, began));
        std::thread::yield_now();
    }
    for turn in 0..20 {
        assert_eq!(create(&mut inside, &house, &format!("crowded-{turn}")), 201);
        let read = inside.ask("GET", &format!("{SUBSCRIBERS}/1"), &[("X-API-Key", &house.external)], "");
        assert_eq!(read.status, 200, "{read:?}");
    }
    // A search opens a reader of its own, for which there is none left.
    let search = inside.ask("GET", &format!("{SUBSCRIBERS}?username=c"), &[("X-API-Key", &house.external)], "");
    assert!(search.status == 200 || search.is_overload() || search.status == 503, "{search:?}");
    tell!("64 descriptors: a search that needs one more is answered {}", search.status);
    drop(crowd);
    let mut outside = Client::new(server.address);
    assert_eq!(create(&mut outside, &house, "after"), 201, "it does not recover");
    let search = outside.ask("GET", &format!("{SUBSCRIBERS}?username=c"), &[("X-API-Key", &house.external)], "");
    assert_eq!(search.status, 200, "{search:?}");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(house.home.count("subscribers"), 22);
    assert_eq!(house.home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
}

/// 400 MB of addresses, of which the stacks of its threads are a part.
#[test]
fn with_little_memory_large_bodies_and_passwords_are_taken_up_one_beside_the_other() {
    let house = House::new();
    let mut server = limited(&house, "-v 400000");
    let large = vec![b' '; 1_000_000];
    // Whole but for the last byte: each is held in memory until its time is over.
    let bodies: Vec<_> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect_timeout(&server.address, DEADLINE).unwrap();
            let key = [("X-API-Key", house.external.as_str()), ("Content-Type", "application/json")];
            let head = raw_http::head("POST", SUBSCRIBERS, &key, large.len() + 1);
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&large).unwrap();
            stream
        })
        .collect();
    let mut client = Client::new(server.address);
    for turn in 0..10 {
        assert_eq!(create(&mut client, &house, &format!("large-{turn}")), 201);
        let body = json!({"username": "admin", "password": PASSWORD}).to_string();
        assert_eq!(client.ask("POST", "/api/auth/login", &[], &body).status, 200);
    }
    let held = Sample::of(server.pid().as_raw_nonzero().get(), Instant::now());
    tell!("64 bodies of 1 MB: {:.1} MiB of anonymous memory", held.anonymous / 1024.0);
    assert!(held.anonymous > 40.0 * 1024.0, "the bodies are not held: {held:?}");
    drop(bodies);
    assert_eq!(create(&mut client, &house, "after"), 201);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(house.home.count("subscribers"), 11);
}
