//! A request as a test writes it.

use std::fmt;

use serde_json::Value;

use super::Secrets;

/// A key, and the id it has in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: i64,
    pub secret: Option<String>,
}

impl Key {
    pub fn none() -> Self {
        Self { id: 0, secret: None }
    }

    pub fn of(secret: &str) -> Self {
        Self { id: 0, secret: Some(secret.to_owned()) }
    }

    pub fn secret(&self) -> &str {
        self.secret.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: None }
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn key(self, key: &Key) -> Self {
        match &key.secret {
            Some(secret) => self.header("x-api-key", secret),
            None => self,
        }
    }

    /// A session's token or a panel key; an empty text sends none.
    pub fn bearer(self, token: &str) -> Self {
        if token.is_empty() { self } else { self.header("authorization", format!("Bearer {token}")) }
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The bytes on the wire, on a connection that is kept.
    pub fn wire(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        let body = self.body.as_deref().unwrap_or_default();
        if !body.is_empty() || !matches!(self.method.as_str(), "GET" | "HEAD") {
            bytes.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }

    pub fn note_secrets(&self, secrets: &Secrets) {
        secrets.note_text(&self.target);
        self.headers.iter().for_each(|(name, value)| secrets.note_header(name, value));
        self.body.iter().for_each(|body| secrets.note_body(body));
    }

    pub fn sent(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}
