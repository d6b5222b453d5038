//! HTTP by hand: one request, one answer, or a request that is left unfinished.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::detector::Secrets;
use crate::document::{self, Exchange};
use crate::home::{DEADLINE, SUBSCRIBERS};

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn note_secrets(&self, secrets: &Secrets) {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.for_each(|(name, value)| secrets.note_header(name, value.trim().as_bytes()));
        secrets.note_body(self.body.as_bytes());
    }

    /// The external surface's error code.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n"
    )
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    send_on(connect(address), method, path, headers, body)
}

/// One request on a connection that ends with it.
pub fn send_on(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    stream.write_all((head(method, path, headers, body.len()) + body).as_bytes()).unwrap();
    let answer = receive(&mut stream);
    check(method, path, body, &answer);
    answer
}

/// Panics where the answer is not the one that the interface description promises.
fn check(method: &str, target: &str, sent: &str, answer: &Answer) {
    // The metrics' listener is for scrapers and has no description.
    if matches!(target, "/metrics" | "/health") {
        return;
    }
    let lines = answer.head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let body = serde_json::from_str(&answer.body).unwrap_or_default();
    let sent = Some(sent.as_bytes()).filter(|sent| !sent.is_empty());
    let exchange = Exchange { method, target, sent, status: answer.status, headers: &headers, body: &body };
    document::check(&exchange, &format!("{method} {target} → {answer:?}"));
}

/// Asks for a subscriber.
pub fn create(address: SocketAddr, key: &str, body: &Value) -> Answer {
    let headers = [("X-API-Key", key), ("Content-Type", "application/json")];
    send(address, "POST", SUBSCRIBERS, &headers, &body.to_string())
}

/// Reads until the other side closes.
pub fn receive(stream: &mut impl Read) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {head}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
