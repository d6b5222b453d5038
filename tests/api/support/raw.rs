//! A connection on which a test says every byte itself: clients tidy up what must be seen untidy.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, PATIENCE, Request, Secrets};

#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    secrets: Arc<Secrets>,
}

impl Connection {
    pub fn open(address: SocketAddr, secrets: Arc<Secrets>) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream), secrets }
    }

    /// False where the server has closed.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// The next answer, held to every promise; `None` where the server closed instead.
    pub fn answer(&mut self, request: &Request) -> Option<Answer> {
        let mut line = String::new();
        // A reset is the server's close with bytes of ours still unread.
        if self.stream.read_line(&mut line).is_err() || line.is_empty() {
            return None;
        }
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("a status line: {line:?}"));
        let mut headers = Vec::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
            headers.push((name.to_owned(), value.trim().as_bytes().to_vec()));
        }
        let mut body = vec![0; if request.method == "HEAD" { 0 } else { length }];
        self.stream.read_exact(&mut body).unwrap();
        let answer = Answer::checked(request, status, headers, &body);
        request.note_secrets(&self.secrets);
        answer.note_secrets(&self.secrets);
        Some(answer)
    }

    /// Sends a request and reads its answer; the connection stays.
    pub fn call(&mut self, request: &Request) -> Answer {
        assert!(self.send(request.wire()), "{request}: the server closed");
        self.answer(request).unwrap_or_else(|| panic!("{request}: no answer"))
    }

    /// The status line alone, for what the parser refuses before there is a request; `None`: closed.
    pub fn status(&mut self) -> Option<u16> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        line.split(' ').nth(1)?.parse().ok()
    }

    /// How many bytes come until the server closes.
    pub fn rest(&mut self) -> usize {
        let mut rest = Vec::new();
        // A reset ends it too.
        drop(self.stream.read_to_end(&mut rest));
        rest.len()
    }

    /// Whether the server closes, and says nothing more before it does.
    pub fn is_closed_within(&mut self, patience: Duration) -> bool {
        self.stream.get_ref().set_read_timeout(Some(patience)).unwrap();
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
