//! A connection that stays open, for tens of thousands of requests, and what every answer on it is held to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::document::{self, Exchange};
use crate::raw_http;

/// One request, byte by byte as it is sent.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct Got {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub text: String,
    /// Null where the answer is no JSON.
    pub body: Value,
}

/// Words of our database engine and our language's libraries, which no refusal says.
const INSIDES: [&str; 14] = [
    "sqlite",
    "rusqlite",
    "serde",
    "panicked",
    "no such column",
    "no such table",
    "syntax error",
    "unrecognized token",
    "constraint failed",
    "fts5",
    "malformed match",
    "select ",
    "insert into",
    ".rs:",
];

impl Ask {
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// A body of the type that JSON has.
    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.content("application/json", body)
    }

    pub fn content(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    /// The request as a failure shows it: whole, unless it is very long.
    pub fn told(&self) -> String {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(600).collect();
        format!("{} {:.600} with {:?} ({} bytes)", self.method, self.target, body, self.body.len())
    }
}

impl Got {
    /// What the answer says to a person, on whichever surface.
    pub fn says(&self) -> String {
        let error = &self.body["error"];
        let places = [&error["message"], error, &self.body["message"], &self.body["detail"]];
        places.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned()
    }

    /// What changes from one answer to the next and says nothing: instants and the request's id.
    pub fn without_chance(&self) -> String {
        let mut body = self.body.clone();
        if let Some(object) = body.as_object_mut() {
            object.remove("timestamp");
            object.remove("request_id");
        }
        if body.is_null() { self.text.clone() } else { body.to_string() }
    }
}

pub struct Wire {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Wire {
    pub fn to(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Sends it and takes the answer, which must be one that the description has and must not be our fault.
    #[track_caller]
    pub fn ask(&mut self, ask: &Ask) -> Got {
        let got = self.exchange(ask);
        let told = format!("{}\n→ {} {}", ask.told(), got.status, got.text);
        assert!(got.status < 500 || got.status == 501, "a fault of ours: {told}");
        let sent = Some(ask.body.as_slice()).filter(|body| serde_json::from_slice::<Value>(body).is_ok());
        let (method, target) = (ask.method.as_str(), ask.target.as_str());
        let exchange = Exchange { method, target, sent, status: got.status, headers: &got.headers, body: &got.body };
        document::check(&exchange, &told);
        if got.status >= 400 {
            let low = got.says().to_ascii_lowercase();
            let sent = String::from_utf8_lossy(&ask.body).to_ascii_lowercase();
            // "A package … exists already" repeats a name.
            let said = INSIDES.into_iter().find(|word| low.contains(word) && !sent.contains(word));
            assert_eq!(said, None, "{told}");
        }
        got
    }

    /// The same without a look at the answer.
    pub fn exchange(&mut self, ask: &Ask) -> Got {
        let lines: String = ask.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (method, target, length) = (&ask.method, &ask.target, ask.body.len());
        let head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n{lines}\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&ask.body);
        let was_open = self.stream.is_some();
        match self.once(&bytes) {
            Some(got) => got,
            // The server may close a connection that it has answered on.
            None if was_open => self.once(&bytes).unwrap_or_else(|| panic!("no answer to {}", ask.told())),
            None => panic!("no answer to {}", ask.told()),
        }
    }

    fn once(&mut self, bytes: &[u8]) -> Option<Got> {
        let address = self.address;
        let stream = self.stream.get_or_insert_with(|| BufReader::new(raw_http::connect(address)));
        // A refusal may come before the whole body was read.
        let written = stream.get_mut().write_all(bytes);
        let got = read(stream);
        let over = got.as_ref().is_none_or(|got| got.headers.get("connection").is_some_and(|how| how == "close"));
        if over || written.is_err() {
            self.stream = None;
        }
        got
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    Some(Got { status, headers, text, body })
}
