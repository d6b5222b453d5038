//! HTTP as fast as a test can: connections that are kept, answers that are timed and not held to the interface description.

use std::io::{self, BufRead, BufReader, Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::DEADLINE;

/// One connection, opened anew where the server has closed it.
pub struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

#[derive(Debug)]
pub struct Got {
    pub status: u16,
    head: String,
    pub body: String,
    pub took: Duration,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The lines of the head, names and values of all headers but those that differ from one answer to the next.
    pub fn lasting_headers(&self) -> Vec<String> {
        let differs = |line: &&str| {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            !matches!(name.as_str(), "date" | "x-request-id")
        };
        let mut lines: Vec<_> = self.head.lines().filter(differs).map(str::to_owned).collect();
        // They leave in an order of chance.
        lines.sort();
        lines
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Refused for want of time, and told when to come back.
    pub fn is_overload(&self) -> bool {
        self.status == 503 && self.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok())
    }
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        self.try_ask(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path} {body} was not answered: {error}"))
    }

    pub fn try_ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Got> {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nContent-Type: application/json\r\n\
             {lines}\r\n{body}",
            body.len()
        );
        let began = Instant::now();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        stream.get_mut().write_all(request.as_bytes())?;
        let (head, body) = receive(&mut stream)?;
        let took = began.elapsed();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::other(format!("no status: {head}")))?;
        let got = Got { status, head, body, took };
        if !got.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.stream = Some(stream);
        }
        Ok(got)
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

fn receive(stream: &mut BufReader<TcpStream>) -> io::Result<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(Error::other(format!("closed after {head:?}")));
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body)?;
    String::from_utf8(body).map(|body| (head, body)).map_err(Error::other)
}
