//! A request before anything is decided: which surface, from where, under which id.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::answer::Edge;
use super::state::State;
use crate::config::ClientIpHeader;
use crate::crypto::random;
use crate::domain::addresses::{ForwardingHeader, Peer, client_ip};
use crate::domain::encoding;
use crate::domain::policy::Origin;
use crate::domain::routes::{Method, Surface};
use crate::domain::time::Timestamp;

/// Paths are kept in the log up to this many characters.
const LOGGED_PATH: usize = 512;

#[derive(Debug)]
pub struct Visit {
    pub surface: Surface,
    /// `None`: a method that no route has.
    pub method: Option<Method>,
    pub method_name: String,
    pub path: String,
    pub origin: Arc<Origin>,
    pub now: Timestamp,
    pub started: Instant,
}

impl Visit {
    pub fn of(request: &HttpRequest, state: &State) -> Self {
        let path = request.uri().path().to_owned();
        let surface = Surface::of(&path);
        let origin = Origin {
            surface: surface.as_str(),
            ip: address(request, state),
            request_id: request_id(request.headers()),
        };
        Self {
            surface,
            method: Method::parse(request.method().as_str()),
            method_name: request.method().as_str().chars().take(16).collect(),
            path,
            origin: Arc::new(origin),
            now: state.app.now(),
            started: Instant::now(),
        }
    }

    pub fn request_id(&self) -> &str {
        &self.origin.request_id
    }

    /// The path as the log keeps it.
    pub fn logged_path(&self) -> String {
        self.path.chars().take(LOGGED_PATH).collect()
    }
}

fn address(request: &HttpRequest, state: &State) -> Option<std::net::IpAddr> {
    let settings = &state.app.config.server;
    let header = match settings.client_ip_header {
        ClientIpHeader::XForwardedFor => ForwardingHeader::XForwardedFor,
        ClientIpHeader::Forwarded => ForwardingHeader::Forwarded,
    };
    let peer = *request.conn_data::<Peer>()?;
    let lines: Vec<_> = request.headers().get_all(header.name()).map(HeaderValue::as_bytes).collect();
    client_ip(peer, &settings.trusted_proxies, lines.into_iter(), header)
}

/// The caller's own id where it is 1-64 of `[A-Za-z0-9._-]`, else one of ours.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    match given.filter(plain) {
        Some(id) => id.to_owned(),
        None => random::bytes::<8>().map_or_else(|_| "unknown".to_owned(), |bytes| encoding::hex(&bytes)),
    }
}

/// A credential header, whole; two of them cannot be meant.
pub fn single<'a>(headers: &'a HeaderMap, name: &HeaderName, twice: &'static str) -> Result<Option<&'a [u8]>, Edge> {
    let mut values = headers.get_all(name);
    let first = values.next();
    if values.next().is_some() {
        return Err(Edge::BadHeader(twice));
    }
    Ok(first.map(HeaderValue::as_bytes).filter(|value| !value.is_empty()))
}

/// What follows `Bearer ` (RFC 6750: the scheme in any case); `None`: another scheme.
pub fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii()).filter(|token| !token.is_empty())
}
