//! A request before anything is decided: which surface, from where, under which id.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::answer::Edge;
use super::state::State;
use crate::config::{ClientIpHeader, Server};
use crate::crypto::random;
use crate::domain::addresses::{ForwardingHeader, Peer, client_ip};
use crate::domain::policy::Origin;
use crate::domain::routes::{Method, Surface};
use crate::domain::text;
use crate::domain::time::Timestamp;

/// The cookie that a browser keeps to stay logged in.
pub const REFRESH_COOKIE: &str = "refresh_token";

/// Names of browsers are kept up to this many characters.
const LOGGED_AGENT: usize = 256;

/// Methods that nobody knows are kept up to this many characters.
const LOGGED_METHOD: usize = 16;

/// Paths are kept in the log up to this many characters.
const LOGGED_PATH: usize = 512;

#[derive(Debug)]
pub struct Visit {
    pub surface: Surface,
    /// `None`: a method that no route has.
    pub method: Option<Method>,
    pub method_name: Cow<'static, str>,
    pub uri: Uri,
    pub origin: Arc<Origin>,
    pub now: Timestamp,
    pub started: Instant,
}

impl Visit {
    pub fn of(request: &HttpRequest, state: &State) -> Self {
        let surface = Surface::of(request.uri().path());
        let origin = Origin {
            surface: surface.as_str(),
            ip: address(request, state),
            request_id: request_id(request.headers()),
        };
        Self {
            surface,
            method: Method::parse(request.method().as_str()),
            method_name: method_name(request.method().as_str()),
            uri: request.uri().clone(),
            origin: Arc::new(origin),
            now: state.app.now(),
            started: Instant::now(),
        }
    }

    pub fn request_id(&self) -> &str {
        &self.origin.request_id
    }

    /// As it came, without its query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The path as the log keeps it.
    pub fn logged_path(&self) -> Cow<'_, str> {
        let path = text::beginning(self.path(), LOGGED_PATH);
        if text::may_hold_secret(path) { text::without_secrets(path).into() } else { path.into() }
    }
}

/// As the log keeps it.
fn method_name(given: &str) -> Cow<'static, str> {
    const USUAL: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"];
    let usual = USUAL.into_iter().find(|name| *name == given);
    usual.map_or_else(|| Cow::Owned(text::beginning(given, LOGGED_METHOD).to_owned()), Cow::Borrowed)
}

/// Marks a connection that speaks TLS with the panel itself.
#[derive(Debug)]
pub struct Encrypted;

/// What a session needs to know of whoever asks: its name for lists, its cookies, and whether they may travel in clear.
#[derive(Debug, Clone, Default)]
pub struct Agent {
    pub user_agent: Option<String>,
    pub refresh_token: Option<SecretString>,
    /// The cookie is for encrypted connections only.
    pub secure: bool,
}

impl Agent {
    /// Only what logs in and out asks for it.
    pub fn of(visit: &Visit, request: &HttpRequest, settings: &Server) -> Self {
        if !visit.path().contains("/auth/") {
            return Self::default();
        }
        let name = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            user_agent: name.map(|name| name.chars().take(LOGGED_AGENT).collect()),
            refresh_token: refresh_token(request),
            secure: is_secure(request, settings),
        }
    }
}

/// Two of them cannot be meant: whoever may set cookies for a neighbour's name puts one of its own beside ours.
fn refresh_token(request: &HttpRequest) -> Option<SecretString> {
    let cookies = request.cookies().ok()?;
    let mut tokens = cookies.iter().filter(|cookie| cookie.name() == REFRESH_COOKIE);
    let token = tokens.next().filter(|_| tokens.next().is_none());
    token.map(|cookie| cookie.value().to_owned().into())
}

/// A trusted proxy says how it was reached. Without one, only a connection that does not leave the machine may be in clear
/// (contract: admin.md).
fn is_secure(request: &HttpRequest, settings: &Server) -> bool {
    let Some(peer) = request.conn_data::<Peer>() else { return true };
    let in_clear = request.conn_data::<Encrypted>().is_none();
    let proto = request.headers().get("x-forwarded-proto").map(HeaderValue::as_bytes);
    match proto {
        Some(proto) if peer.is_trusted(&settings.trusted_proxies) => !proto.eq_ignore_ascii_case(b"http"),
        _ => !(in_clear && peer.is_loopback()),
    }
}

fn address(request: &HttpRequest, state: &State) -> Option<std::net::IpAddr> {
    let config = state.app.config();
    let settings = &config.server;
    let header = match settings.client_ip_header {
        ClientIpHeader::XForwardedFor => ForwardingHeader::XForwardedFor,
        ClientIpHeader::Forwarded => ForwardingHeader::Forwarded,
    };
    let peer = *request.conn_data::<Peer>()?;
    let lines: Vec<_> = request.headers().get_all(header.name()).map(HeaderValue::as_bytes).collect();
    client_ip(peer, &settings.trusted_proxies, lines.into_iter(), header)
}

/// The caller's own id where it is 1-64 of `[A-Za-z0-9._-]` and no key that strayed there, else one of ours.
pub fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && !text::may_hold_secret(id)
    };
    match given.filter(plain) {
        Some(id) => id.to_owned(),
        None => random::request_id(),
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
