//! How an answer leaves: with its surface's face and its headers; counted, kept in the request log and, where it is a
//! failure, told in the server's.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::body::{self, BoxBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::{Map, Value};

use super::aftermath::{Aftermath, Shown};
use super::answer::{self, Answer, Edge, Failure, Refused, Reply};
use super::report::Told;
use super::state::State;
use super::visit::Visit;
use super::{admin, billing, external, panel};
use crate::domain::error::AppError;
use crate::domain::policy::{self, Caller, Gate, Window};
use crate::domain::request_logs::NewLog;
use crate::domain::routes::{Route, Surface};
use crate::metrics::Seen;
use crate::store::request_logs::RequestLogs;

/// Longer than any request; a clock that jumps must not write nonsense.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What is known of a request when it is answered.
#[derive(Debug)]
pub struct Answered {
    pub outcome: Answer,
    pub route: &'static Route,
    pub caller: Caller,
    pub windows: Vec<Window>,
}

/// Gives the answer its face, and sees to it that it is counted, kept and told.
pub fn finish(visit: Visit, answered: Answered, state: &State) -> HttpResponse {
    let Answered { outcome, route, caller, windows } = answered;
    let (mut response, gate, failed) = match outcome {
        Ok(reply) => (succeed(reply, route, &caller), None, None),
        Err(failure) => {
            let response = refuse(&visit, &failure);
            let refused = Refused::by(&failure, response.status());
            (response, refused.as_ref().map(|refused| refused.gate), Some(Told::of(&failure, refused)))
        }
    };
    let headers = response.headers_mut();
    put(headers, HeaderName::from_static("x-request-id"), visit.request_id());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(window) = windows.iter().min_by_key(|window| window.left()) {
        put(headers, HeaderName::from_static("x-ratelimit-limit"), &window.limit.to_string());
        put(headers, HeaderName::from_static("x-ratelimit-remaining"), &window.left().to_string());
        put(headers, HeaderName::from_static("x-ratelimit-reset"), &(window.resets_at.millis() / 1000).to_string());
    }
    if let Caller::Key(key) = &caller
        && let Some(replaced) = key.generation.replaced.filter(|_| !key.revoked && !key.generation.is_dead(visit.now))
    {
        // RFC 9745 and RFC 8594: this secret was replaced, and when it stops working.
        put(headers, HeaderName::from_static("deprecation"), &format!("@{}", replaced.at.millis() / 1000));
        put(headers, HeaderName::from_static("sunset"), &replaced.ends_at.http_date());
    }
    let (status, latency) = (response.status(), visit.started.elapsed());
    state.metrics.count(&Seen { route, method: &visit.method_name, status: status.as_u16(), gate, latency });
    if let Caller::Key(key) = &caller {
        state.uses.note(key.id, visit.now, visit.origin.ip);
    }
    let is_known = caller != Caller::Anonymous;
    // Whoever waits for its answer cannot tell a key that exists from one that does not: both do the same.
    if is_known {
        keep(&visit, route, &caller, (status, gate, latency), &state.logs);
    }
    if let Some(failed) = failed.filter(Told::is_heard) {
        let is_session = matches!(caller, Caller::Session(_) | Caller::NoSession | Caller::ExpiredSession);
        let session = if let Caller::Session(session) = &caller { Some(session.id) } else { None };
        let key = Shown::by(&caller);
        let aftermath = Aftermath { visit, route, key, is_known, is_session, session, status, failed, latency };
        state.aftermaths.hand_over(aftermath);
    }
    response
}

/// Hands the row of the request log over.
fn keep(
    visit: &Visit,
    route: &'static Route,
    caller: &Caller,
    (status, gate, latency): (StatusCode, Option<&'static str>, Duration),
    logs: &RequestLogs,
) {
    logs.push(&NewLog {
        at: visit.now,
        key: caller.key().map(|key| (key.id, key.generation.number)),
        method: &visit.method_name,
        route: route.path,
        path: &visit.logged_path(),
        status: status.as_u16(),
        gate,
        ip: visit.origin.ip,
        latency_us: i64::try_from(latency.min(LONGEST).as_micros()).unwrap_or(i64::MAX),
        request_id: visit.request_id(),
    });
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn succeed(reply: Reply, route: &'static Route, caller: &Caller) -> HttpResponse {
    let has_body = reply.status != StatusCode::NO_CONTENT;
    let body = if has_body { BoxBody::new(reply.body) } else { BoxBody::new(body::None::new()) };
    let mut response = HttpResponse::with_body(reply.status, body);
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in reply.headers {
        put(headers, HeaderName::from_static(name), &value);
    }
    if caller.key().is_some() {
        let accepted = policy::accepted(route);
        let accepted = match accepted {
            Cow::Borrowed(text) => Some(HeaderValue::from_static(text)),
            Cow::Owned(text) => HeaderValue::try_from(text).ok(),
        };
        if let Some(accepted) = accepted.filter(|value| !value.is_empty()) {
            headers.insert(HeaderName::from_static("x-accepted-permissions"), accepted);
        }
    }
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    response
}

fn refuse(visit: &Visit, failure: &Failure) -> HttpResponse {
    let (status, mut shown): (StatusCode, Map<String, Value>) = match visit.surface {
        Surface::External => external::error::render(visit, failure),
        Surface::Panel => panel::error::render(visit, failure),
        Surface::Billing => billing::error::render(visit, failure),
        Surface::Admin => admin::error::render(visit, failure),
    };
    let mut builder = HttpResponseBuilder::new(status);
    builder.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    match failure {
        Failure::Denied(denial) => {
            shown.insert("denied".to_owned(), answer::denied(denial));
            if let Some(seconds) = denial.retry_after_seconds().filter(|_| denial.gate() == Gate::Rate) {
                builder.insert_header((header::RETRY_AFTER, seconds));
            }
        }
        Failure::App(AppError::Overloaded { retry_after_seconds }) => {
            builder.insert_header((header::RETRY_AFTER, *retry_after_seconds));
        }
        Failure::App(AppError::Unavailable(_)) => {
            builder.insert_header((header::RETRY_AFTER, 5));
        }
        Failure::App(error) if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            shown.insert("denied".to_owned(), answer::denied_by(error));
        }
        Failure::App(_) => {}
        Failure::Edge(Edge::MethodNotAllowed(allow)) => {
            builder.insert_header((header::ALLOW, answer::join(allow)));
        }
        // The rest of such a request cannot be told from the next one.
        Failure::Edge(Edge::BodyTimeout | Edge::BodyTooLarge { .. } | Edge::BadHeader(_)) => {
            builder.force_close();
        }
        Failure::Edge(Edge::UnsupportedMediaType | Edge::NotImplemented) => {}
    }
    builder.content_type(answer::JSON).body(Value::Object(shown).to_string())
}
