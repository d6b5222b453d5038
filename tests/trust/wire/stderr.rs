//! Whoever was to read the log and does not: nobody else waits for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::home::{DEADLINE, Home, SUBSCRIBERS};
use crate::raw_http::connect;
use crate::server::Server;

/// More lines than the pipe and the queue before it take.
const CALLERS: usize = 4;
const ROUNDS: usize = 80;
const IN_A_ROUND: usize = 25;

/// Asks again and again for what does not exist, and waits for each answer.
fn ask(address: SocketAddr) {
    let mut stream = connect(address);
    let mut part = vec![0; 64 * 1024];
    for _ in 0..ROUNDS {
        stream.write_all("GET /nope HTTP/1.1\r\nHost: x\r\n\r\n".repeat(IN_A_ROUND).as_bytes()).unwrap();
        let mut said = String::new();
        while said.matches("HTTP/1.1 404").count() < IN_A_ROUND {
            let count = stream.read(&mut part).unwrap();
            assert!(count > 0, "{said}");
            said += &String::from_utf8_lossy(&part[..count]);
        }
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_answers_nor_the_end_and_what_is_lost_is_counted() {
    for wakes_up in [true, false] {
        let home = Home::with_database();
        let (_, key) = home.mint("read");
        let (read, write) = std::io::pipe().unwrap();
        let mut command = home.command(["serve"]);
        command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0").env("PANEL_SERVER__WORKERS", "2").envs(super::UNLIMITED);
        command.env("PANEL_LOG__LEVEL", "debug").stdin(Stdio::null()).stdout(Stdio::null()).stderr(write);
        let said = Arc::new(Mutex::new(String::new()));
        let sleeps = Arc::new(AtomicBool::new(false));
        let reader = {
            let (said, sleeps) = (Arc::clone(&said), Arc::clone(&sleeps));
            std::thread::spawn(move || {
                for line in BufReader::with_capacity(256, read).lines().map_while(Result::ok) {
                    *said.lock().unwrap() += &(line + "\n");
                    while sleeps.load(Ordering::Relaxed) {
                        std::thread::park_timeout(Duration::from_millis(50));
                    }
                }
            })
        };
        let heard = || said.lock().unwrap().clone();
        let mut server = Server::listening(&mut command, heard, Arc::clone(&home.secrets));
        drop(command);
        sleeps.store(true, Ordering::Relaxed);
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let address = server.address;
                std::thread::spawn(move || ask(address))
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
        assert!(!heard().contains("were lost"), "it was read all the while");
        if wakes_up {
            sleeps.store(false, Ordering::Relaxed);
            let until = Instant::now() + DEADLINE;
            while !heard().contains("lines of this log were lost: standard error was not read lost=") {
                assert!(Instant::now() < until, "{:.2000}", heard());
                // Whoever looked all the time would keep the reader from it.
                super::pause(Duration::from_millis(50));
            }
        }
        assert_eq!(server.stop(), Some(0));
        sleeps.store(false, Ordering::Relaxed);
        reader.join().unwrap();
        let heard = heard();
        let lost = heard
            .lines()
            .filter_map(|line| line.split_once("was not read lost=")?.1.parse::<usize>().ok())
            .sum::<usize>();
        let refused = heard.matches("path=/nope").count();
        // A few that are no refusal may be among the lost.
        let all = CALLERS * ROUNDS * IN_A_ROUND;
        assert!(!wakes_up || (all..all + 10).contains(&(lost + refused)), "{refused} read, {lost} lost, {all} said");
        assert_eq!(wakes_up, heard.contains("stopping: no new connections"), "the last words of who is heard");
    }
}
