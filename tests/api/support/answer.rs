//! An answer, and what the contract promises of every one (README.md, Every answer).

use std::collections::BTreeMap;

use panel::domain::routes::Surface;
use panel::domain::time::Timestamp;
use serde_json::Value;

use super::document::{self, Exchange};
use super::{Request, Secrets};

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// Null where the answer is no JSON.
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// Panics where the answer breaks a promise.
    pub fn checked(request: &Request, status: u16, headers: Vec<(String, Vec<u8>)>, body: &[u8]) -> Self {
        let mut named = BTreeMap::new();
        for (name, value) in headers {
            let value = String::from_utf8(value).unwrap_or_else(|_| panic!("{request}: {name} is not text"));
            let twice = named.insert(name.to_ascii_lowercase(), value);
            assert!(twice.is_none(), "{request}: {name} is given twice");
        }
        let text = String::from_utf8(body.to_vec()).unwrap_or_else(|_| panic!("{request}: the body is not UTF-8"));
        let is_json = named.get("content-type").is_some_and(|value| value == "application/json");
        let body = match is_json && !text.is_empty() {
            true => serde_json::from_str(&text).unwrap_or_else(|e| panic!("{request}: {e} in {text}")),
            false => Value::Null,
        };
        let answer = Self { status, headers: named, body, text };
        answer.check(request);
        answer
    }

    pub fn note_secrets(&self, secrets: &Secrets) {
        self.headers.iter().for_each(|(name, value)| secrets.note_header(name, value.as_bytes()));
        secrets.note_body(self.text.as_bytes());
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The external surface's `error.code`; empty for a success.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    pub fn data(&self) -> &Value {
        &self.body["data"]
    }

    pub fn id(&self) -> i64 {
        self.data()["id"].as_i64().unwrap_or_else(|| panic!("no id in {}", self.text))
    }

    /// The gates that refused, in their order.
    pub fn gates(&self) -> Vec<&str> {
        let list = self.body["denied"].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|entry| entry["gate"].as_str().unwrap_or_default()).collect()
    }

    fn check(&self, request: &Request) {
        let told = format!("{request} → {} {}", self.status, self.text);
        self.check_headers(request, &told);
        let exchange = Exchange {
            method: &request.method,
            target: &request.target,
            sent: request.body.as_deref(),
            status: self.status,
            headers: &self.headers,
            body: &self.body,
        };
        document::check(&exchange, &told);
        let lower = self.text.to_ascii_lowercase();
        for inside in ["sqlite", "panicked", "is locked", "src/", "constraint"] {
            assert!(!lower.contains(inside), "{told} shows internals");
        }
        if let Some(key) = request.sent("x-api-key").and_then(|key| std::str::from_utf8(key).ok()) {
            assert!(key.len() < 16 || !self.text.contains(key), "{told} repeats the key");
        }
        if request.method == "HEAD" || self.status == 204 {
            assert_eq!(self.text, "", "{told}");
            return;
        }
        if self.header("content-type") == Some("text/html; charset=utf-8") {
            assert!(request.target.starts_with("/setup/") || request.target == "/docs", "{told} is a page");
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/json"), "{told}");
        let path = request.target.split('?').next().unwrap_or_default();
        let surface = Surface::of(path);
        // The panel's and the billing surface's lists are bare arrays.
        let bare = self.body.is_array() && self.status == 200 && matches!(surface, Surface::Panel | Surface::Billing);
        assert!(self.body.is_object() || bare, "{told}");
        match surface {
            Surface::External => self.check_external(&told),
            _ if self.status < 400 => {}
            Surface::Panel => {
                assert_eq!(self.body["success"], false, "{told}");
                assert_eq!(self.body["status"], self.status, "{told}");
                assert_eq!(self.body["error"], self.body["message"], "{told}");
                assert!(is_text(&self.body["code"]) && is_text(&self.body["error"]), "{told}");
            }
            Surface::Billing => assert!(is_text(&self.body["detail"]), "{told}"),
            Surface::Admin => {
                assert_eq!(self.body["success"], false, "{told}");
                assert!(is_text(&self.body["message"]), "{told}");
            }
        }
        self.check_refusal(&told);
    }

    fn check_headers(&self, request: &Request, told: &str) {
        let id = self.header("x-request-id").unwrap_or_else(|| panic!("{told}: no X-Request-Id"));
        assert!(is_request_id(id.as_bytes()), "{told}: X-Request-Id {id}");
        if let Some(sent) = request.sent("x-request-id").filter(|sent| is_request_id(sent)) {
            assert_eq!(id.as_bytes(), sent, "{told}");
        }
        assert_eq!(self.header("cache-control"), Some("no-store"), "{told}");
        let foreign = |name: &String| name.starts_with("access-control-") || name == "server";
        assert!(!self.headers.keys().any(foreign), "{told}: {:?}", self.headers);
        let number = |name: &str| {
            let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("{told}: {name} is {text}"));
            self.header(name).map(number)
        };
        match (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), number("x-ratelimit-reset")) {
            (Some(limit), Some(left), Some(reset)) => {
                assert!(limit > 0 && (0..=limit).contains(&left) && reset > 1_000_000_000, "{told}");
            }
            (None, None, None) => {}
            other => panic!("{told}: half of the limit's headers: {other:?}"),
        }
        let must_wait = self.status == 429 || self.code() == "OVERLOADED";
        assert!(!must_wait || number("retry-after").is_some_and(|seconds| seconds > 0), "{told}: no Retry-After");
        assert!(self.status != 405 || self.header("allow").is_some(), "{told}: no Allow");
    }

    fn check_external(&self, told: &str) {
        let at = self.body["timestamp"].as_str().unwrap_or_default();
        assert!(at.len() == 20 && at.ends_with('Z') && Timestamp::parse_rfc3339(at).is_some(), "{told}: timestamp");
        if self.status < 400 {
            assert_eq!(self.body["success"], true, "{told}");
            assert!(!self.data().is_null() && self.body.get("error").is_none(), "{told}");
        } else {
            assert_eq!(self.body["success"], false, "{told}");
            assert!(is_text(&self.body["error"]["code"]) && is_text(&self.body["error"]["message"]), "{told}");
        }
    }

    /// A refusal explains itself.
    fn check_refusal(&self, told: &str) {
        if matches!(self.status, 401 | 403 | 429) {
            assert!(!self.gates().is_empty() && self.gates().iter().all(|gate| !gate.is_empty()), "{told}");
        } else {
            assert!(self.body.get("denied").is_none(), "{told}");
        }
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_request_id(id: &[u8]) -> bool {
    (1..=64).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
