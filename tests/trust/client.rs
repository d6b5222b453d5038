//! A connection that is kept, and that may break at any moment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::home::DEADLINE;

#[derive(Debug)]
pub struct Caller {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Caller {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Status and body; `None` where nobody knows what became of the request.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Option<(u16, Value)> {
        let answer = self.exchange(method, path, headers, body);
        if answer.is_none() {
            self.stream = None;
        }
        answer
    }

    fn exchange(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Option<(u16, Value)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).ok()?;
                stream.set_read_timeout(Some(DEADLINE)).ok()?;
                stream.set_nodelay(true).ok()?;
                self.stream.insert(BufReader::new(stream))
            }
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{lines}\r\n",
            body.len()
        );
        stream.get_mut().write_all((head + &body).as_bytes()).ok()?;
        receive(stream)
    }
}

fn receive(stream: &mut BufReader<TcpStream>) -> Option<(u16, Value)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((status, serde_json::from_slice(&body).unwrap_or_default()))
}
