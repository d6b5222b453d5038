//! A running `panel serve`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::detector::Secrets;
use crate::home::{DEADLINE, SUBSCRIBERS};
use crate::raw_http::{self, Answer};

/// What a process wrote on stderr so far, for whoever waits for a line of it.
#[derive(Default)]
pub struct Said {
    text: Mutex<String>,
    grew: Condvar,
}

impl Said {
    pub fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self { text: Mutex::new(text), grew: Condvar::new() }
    }
}

pub struct Server {
    pub address: SocketAddr,
    pid: Pid,
    said: Arc<Said>,
    secrets: Arc<Secrets>,
    reader: Option<JoinHandle<()>>,
    ended: Receiver<ExitStatus>,
    over: bool,
}

impl Server {
    /// Starts it and waits until it says that it listens.
    pub fn start(mut command: Command, said: Arc<Said>, secrets: Arc<Secrets>) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let pid = Pid::from_child(&child);
        let stderr = child.stderr.take().unwrap();
        let (heard, lines) = channel();
        let buffer = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let line = line.unwrap();
                *buffer.text.lock().unwrap() += &format!("{line}\n");
                buffer.grew.notify_all();
                // After the start nobody listens here.
                drop(heard.send(line));
            }
        });
        let (end, ended) = channel();
        std::thread::spawn(move || end.send(child.wait().unwrap()));
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self { address: unknown, pid, said, secrets, reader: Some(reader), ended, over: false };
        let until = Instant::now() + DEADLINE;
        loop {
            let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) else {
                panic!("the server does not listen; it said:\n{}", server.said());
            };
            if let Some((_, address)) = line.split_once("listening on ") {
                server.address = address.trim_end_matches(['"', '}']).parse().unwrap_or(unknown);
                return server;
            }
        }
    }

    /// Starts one whose stderr goes elsewhere, to where `said` reads it.
    pub fn listening(command: &mut Command, said: impl Fn() -> String, secrets: Arc<Secrets>) -> Self {
        let mut child = command.spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (end, ended) = channel();
        std::thread::spawn(move || end.send(child.wait().unwrap()));
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server =
            Self { address: unknown, pid, said: Arc::default(), secrets, reader: None, ended, over: false };
        let until = Instant::now() + DEADLINE;
        while server.address == unknown {
            assert!(Instant::now() < until, "the server does not listen; it said:\n{}", said());
            let text = said();
            let rest = text.split_once("listening on ").and_then(|(_, rest)| rest.split_once(['"', '\n']));
            server.address = rest.and_then(|(address, _)| address.parse().ok()).unwrap_or(unknown);
        }
        server
    }

    /// What it wrote on stderr so far.
    pub fn said(&self) -> String {
        self.said.text()
    }

    /// Waits until it has said this so many times.
    #[track_caller]
    pub fn says(&self, words: &str, times: usize) {
        let text = self.said.text.lock().unwrap();
        let missing = |text: &mut String| text.matches(words).count() < times;
        let (text, waited) = self.said.grew.wait_timeout_while(text, DEADLINE, missing).unwrap();
        assert!(!waited.timed_out(), "{words:?} was not said {times} times:\n{text}");
    }

    /// Has it read its settings again, and waits until that is over; `times` counts these calls.
    #[track_caller]
    pub fn reload(&self, times: usize) {
        self.signal(Signal::HUP);
        self.says("reloaded: ", times);
    }

    /// Where it listens, in the order of the settings.
    pub fn addresses(&self) -> Vec<String> {
        let said = self.said();
        said.lines().filter_map(|line| line.split_once("listening on ")).map(|(_, at)| at.to_owned()).collect()
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for its end and gives its exit code; `None`: it was killed.
    pub fn wait(&mut self) -> Option<i32> {
        let status = self.ended.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("does not end:\n{}", self.said()));
        self.over = true;
        // What it said last is complete only when its end of the pipe is closed.
        self.reader.take().into_iter().for_each(|reader| reader.join().unwrap());
        status.code()
    }

    /// As systemd stops it.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait()
    }

    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        assert_eq!(self.wait(), None);
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.secrets.note_text(path);
        headers.iter().for_each(|(name, value)| self.secrets.note_header(name, value.as_bytes()));
        self.secrets.note_body(body.as_bytes());
        let answer = raw_http::send(self.address, method, path, headers, body);
        answer.note_secrets(&self.secrets);
        answer
    }

    pub fn get(&self, path: &str, key: &str) -> Answer {
        self.send("GET", path, &[("X-API-Key", key)], "")
    }

    pub fn create(&self, key: &str, body: &Value) -> Answer {
        let headers = [("X-API-Key", key), ("Content-Type", "application/json")];
        self.send("POST", SUBSCRIBERS, &headers, &body.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.over {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// What a server said until it ended by itself, or until it listened (and was killed for it).
pub fn until_it_ends_or_listens(mut child: std::process::Child) -> String {
    let pid = Pid::from_child(&child);
    let stderr = child.stderr.take().unwrap();
    let (done, said) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(stderr).lines() {
            let line = line.unwrap();
            let listens = line.contains("listening on");
            text += &format!("{line}\n");
            if listens {
                break;
            }
        }
        drop(child.kill());
        drop(child.wait());
        drop(done.send(text));
    });
    said.recv_timeout(DEADLINE).unwrap_or_else(|_| {
        let _ = kill_process(pid, Signal::KILL);
        panic!("neither ends nor listens")
    })
}
