//! A small HTTP client: one call to set something up, or a kept connection that asks again and again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than any of the servers takes to give up.
const PATIENCE: Duration = Duration::from_secs(40);

/// A kept connection. Answers must name their length.
pub struct Connection {
    stream: TcpStream,
    pub answer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::new() })
    }

    /// Sends a request and reads its answer to the end; gives the status.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request)?;
        self.answer.clear();
        let mut chunk = [0; 4096];
        loop {
            if let Some((status, length)) = head_of(&self.answer)
                && self.answer.len() >= length
            {
                return Ok(status);
            }
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.answer.extend(&chunk[..read]),
            }
        }
    }
}

/// The status of an answer and how long it is altogether; `None`: its head is not complete.
fn head_of(answer: &[u8]) -> Option<(u16, usize)> {
    let (head, body) = split(answer)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = headers(head).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|(_, value)| value.parse().ok())?;
    Some((status, answer.len() - body.len() + length))
}

/// Head and body of an answer.
pub fn split(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]))
}

pub fn headers(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()))
}

/// One call on a connection of its own. HTTP/1.0, so that no answer comes in chunks.
pub fn call(address: SocketAddr, method: &str, path: &str, header: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{header}Content-Type: application/json\r\n");
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let (head, body) = split(&answer).ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, String::from_utf8_lossy(body).into_owned()))
}

/// The same where it must succeed, with JSON both ways.
pub fn json(address: SocketAddr, method: &str, path: &str, header: &str, body: &Value) -> Value {
    let (status, answer) = call(address, method, path, header, &body.to_string()).unwrap();
    assert!((200..300).contains(&status), "{method} {path} was answered {status}: {answer}");
    serde_json::from_str(&answer).unwrap()
}
