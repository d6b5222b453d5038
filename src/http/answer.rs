//! What a handler answers, and what it or the door may refuse with, before a surface gives it a face.

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::error::AppError;
use crate::domain::policy::{Denial, Denied, Gate};
use crate::domain::routes::Method;

pub const JSON: &str = "application/json";
pub const HTML: &str = "text/html; charset=utf-8";

/// A page of ours loads nothing, runs nothing and is framed by nobody.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A finished answer.
#[derive(Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, body, headers: Vec::new() }
    }

    pub fn nothing() -> Self {
        Self::new(StatusCode::NO_CONTENT, "", Vec::new())
    }

    pub fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, AppError> {
        // Most answers find room in it.
        let mut bytes = Vec::with_capacity(1024);
        serde_json::to_writer(&mut bytes, body)
            .map_err(|e| AppError::Internal(format!("an answer cannot be rendered: {e}")))?;
        Ok(Self::new(status, JSON, bytes))
    }

    /// The answer that was kept for an earlier request with the same `Idempotency-Key`.
    pub fn replayed(status: StatusCode, body: Vec<u8>) -> Self {
        Self::new(status, JSON, body).with("idempotent-replayed", "true".to_owned())
    }

    pub fn html(status: StatusCode, page: String) -> Self {
        Self::new(status, HTML, page.into_bytes())
            .with("content-security-policy", PAGE_POLICY.to_owned())
            .with("referrer-policy", "no-referrer".to_owned())
    }

    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Why a request got no answer of its own.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The gates refused.
    Denied(Box<Denial>),
    /// The business refused.
    App(AppError),
    /// The request is not one we can take.
    Edge(Edge),
}

/// Refusals that have nothing to do with the business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    MethodNotAllowed(Vec<Method>),
    BodyTimeout,
    BodyTooLarge {
        limit: usize,
    },
    UnsupportedMediaType,
    /// Part of the contract that is not built.
    NotImplemented,
    /// A header that cannot be meant; the text names it.
    BadHeader(&'static str),
}

impl Edge {
    /// The remedy in words, the same on every surface.
    pub fn text(&self) -> String {
        match self {
            Edge::MethodNotAllowed(allow) => format!("This path takes {}", join(allow)),
            Edge::BodyTimeout => "The body did not arrive in time".to_owned(),
            Edge::BodyTooLarge { limit } => format!("The body is larger than {limit} bytes"),
            Edge::UnsupportedMediaType => "Send the body as application/json in UTF-8, not compressed".to_owned(),
            Edge::NotImplemented => "This part of the API is not available".to_owned(),
            Edge::BadHeader(text) => (*text).to_owned(),
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Edge::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Edge::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Edge::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Edge::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Edge::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Edge::BadHeader(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// The value of `Allow`: `HEAD` goes with `GET`, and `OPTIONS` is answered everywhere.
pub fn join(methods: &[Method]) -> String {
    let mut words: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
    if words.contains(&"GET") {
        words.push("HEAD");
    }
    words.push("OPTIONS");
    words.join(", ")
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Denied(denial) => Failure::Denied(denial),
            error => Failure::App(error),
        }
    }
}

impl From<Edge> for Failure {
    fn from(edge: Edge) -> Self {
        Failure::Edge(edge)
    }
}

impl From<crate::domain::error::Invalid> for Failure {
    fn from(invalid: crate::domain::error::Invalid) -> Self {
        Failure::App(AppError::Invalid(invalid))
    }
}

pub type Answer = Result<Reply, Failure>;

/// The `denied` list of a refusal (contract: keys.md, A refusal explains itself).
pub fn denied(denial: &Denial) -> Value {
    denial.failing().map(entry).collect()
}

pub fn entry(denied: &Denied) -> Value {
    let mut entry = Map::from_iter([("gate".to_owned(), json!(denied.gate.as_str()))]);
    for (name, value) in [("need", &denied.need), ("have", &denied.have), ("fix", &denied.fix)] {
        if let Some(text) = value {
            entry.insert(name.to_owned(), json!(text));
        }
    }
    Value::Object(entry)
}

/// The `denied` list of a refusal that hangs on the target or on the body: its gate, or the field that may not be sent.
pub fn denied_by(error: &AppError) -> Value {
    match error {
        AppError::Forbidden(refusal) => refusal.denied.iter().map(entry).collect(),
        AppError::FieldForbidden { field, .. } => json!([{"gate": "field", "have": field}]),
        AppError::LimitReached { limit } => {
            json!([{"gate": "limit", "need": "room for one more", "have": limit.to_string()}])
        }
        _ => json!([{"gate": "credential"}]),
    }
}

/// What is written down about a refusal: the first gate, as `denied` names it, and why. Nothing in it is the caller's own
/// text.
#[derive(Debug)]
pub struct Refused {
    pub gate: &'static str,
    pub why: String,
}

impl Refused {
    fn at(denied: &Denied) -> Self {
        let why = match (&denied.need, &denied.have) {
            (Some(need), Some(have)) => format!("needs {need}, has {have}"),
            _ => "refused".to_owned(),
        };
        Self { gate: denied.gate.as_str(), why }
    }

    /// `None`: this was refused for another reason.
    pub fn by(failure: &Failure, status: StatusCode) -> Option<Self> {
        match failure {
            Failure::Denied(denial) => Some(Self::at(denial.first())),
            Failure::App(error) if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Some(match error {
                    AppError::Forbidden(refusal) => Self::at(refusal.denied.first()?),
                    AppError::FieldForbidden { field, problem } => {
                        Self { gate: "field", why: format!("{field} {problem}") }
                    }
                    AppError::LimitReached { .. } => Self { gate: "limit", why: error.to_string() },
                    _ => Self { gate: Gate::Credential.as_str(), why: "refused".to_owned() },
                })
            }
            Failure::App(_) | Failure::Edge(_) => None,
        }
    }
}
