//! The door: find the route, recognise the credential, run the gates, then read the body and call the handler.
//! Every answer leaves through `finish`, so each has its request id, its log row and its surface's face.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{self as answer_body, BodySize, BoxBody, MessageBody};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::ExposeSecret;

use super::answer::{self, Answer, Edge, Failure, Reply};
use super::body;
use super::call::Call;
use super::finish::{Answered, finish};
use super::patience::Busy;
use super::query::Query;
use super::state::State;
use super::visit::{Agent, Visit};
use super::{admin, billing, external, panel};
use crate::actions::{self, keys::Credential};
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::policy::{self, Asked, Caller, Denial, Gate, Permit, Window};
use crate::domain::routes::{self, Entry, Found, Method, Need, Params, Route, Surface};
use crate::domain::sessions::{Audience, CLOCKS_DIFFER_MILLIS};
use crate::panics;
use crate::store::Snapshot;

/// What somebody without a credential may make us keep in memory: a login or a form.
const STRANGERS_BODY_BYTES: usize = 8 * 1024;

/// The one handler behind every path.
pub async fn serve(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let _busy = Busy::with(&request, &state.app.config().server);
    let visit = Visit::of(&request, &state);
    let mut payload = Some(payload);
    let answered = answer(&visit, &request, &mut payload, &state).await;
    let mut response = finish(visit, answered, &state);
    if request.method() == actix_web::http::Method::HEAD {
        // Not left to the server: it takes the method from whatever request it has read last.
        response = response.set_body(answer_body::None::new()).map_into_boxed_body();
    }
    if request.head().upgrade() {
        // Nobody here speaks anything else. Left alone, actix says that the connection is upgraded, and closes it unsaid.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    match payload {
        // A dropped body without a length would be read to its end, which may never come; one that is still held when
        // the answer has left makes the server close the connection.
        Some(payload) if request.headers().contains_key(header::TRANSFER_ENCODING) => hold(response, payload),
        _ => response,
    }
}

/// Makes an answer keep the request's unread body until it has left.
pub fn hold(response: HttpResponse, payload: Payload) -> HttpResponse {
    response.map_body(|_, body| BoxBody::new(Holding { body, _payload: payload }))
}

struct Holding {
    body: BoxBody,
    _payload: Payload,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

async fn answer(visit: &Visit, request: &HttpRequest, payload: &mut Option<Payload>, state: &Data<State>) -> Answered {
    let found = routes::find(visit.method, visit.path());
    let route = match &found {
        Found::Route(route, _) => route,
        Found::WrongMethod(_) | Found::Nothing => routes::stand_in(visit.method, visit.path()),
    };
    let mut answered =
        Answered { outcome: Ok(Reply::nothing()), route, caller: Caller::Anonymous, windows: Vec::new() };
    if request.method() == actix_web::http::Method::OPTIONS {
        answered.outcome = counted(visit, state, options(&found));
        return answered;
    }
    let snapshot = match recognise(visit, request, state, route).await {
        Ok((caller, snapshot)) => {
            answered.caller = caller;
            // A body may be long in coming, and a change judges its caller anew.
            snapshot.filter(|_| route.method == Method::Get)
        }
        // A request that is not one counts against its address; that the database fails is not its fault.
        Err(failure @ Failure::Edge(_)) if route.entry == Entry::Closed => {
            answered.outcome = counted(visit, state, Err(failure));
            return answered;
        }
        Err(failure) => {
            answered.outcome = Err(failure);
            return answered;
        }
    };
    // Whoever shows a credential is judged before it learns that a path does not exist; a stranger learns just that.
    let stranger = answered.caller == Caller::Anonymous && route.action == "unknown";
    let (windows, verdict) = match judge(visit, state, route, &answered.caller) {
        (windows, Err(denial)) if stranger && denial.gate() == Gate::Credential => (windows, None),
        (windows, Err(denial)) => {
            answered.outcome = Err(Failure::Denied(Box::new(denial)));
            answered.windows = windows;
            return answered;
        }
        (windows, Ok(permit)) => (windows, Some(permit)),
    };
    answered.windows = windows;
    answered.outcome = match (found, verdict) {
        (Found::Route(route, params), Some(permit)) => {
            carry_out(visit, request, payload, state, (route, params, permit, snapshot)).await
        }
        (Found::WrongMethod(allow), _) => Err(Edge::MethodNotAllowed(allow).into()),
        _ if route.action == "later"
            && routes::is_well_formed(visit.path().strip_suffix('/').unwrap_or(visit.path())) =>
        {
            Err(Edge::NotImplemented.into())
        }
        _ => Err(AppError::NotFound(Noun::Route).into()),
    };
    answered
}

/// The answer to somebody who showed no key that opens anything, as long as the address does not ask too often.
fn counted(visit: &Visit, state: &State, answer: Answer) -> Answer {
    let told = state.shield.request(visit.origin.ip).map_err(Denial::too_many_from_address);
    told.map_err(|denial| Failure::Denied(Box::new(denial)))?;
    answer
}

fn options(found: &Found) -> Answer {
    match found {
        Found::WrongMethod(allow) => Ok(Reply::nothing().with("allow", answer::join(allow))),
        Found::Route(..) | Found::Nothing => Err(AppError::NotFound(Noun::Route).into()),
    }
}

/// Finds out whose credential it is. Health asks for the database first, and answers as to a stranger where that cannot
/// be used: what it then says is the same for everybody. Comes with the snapshot in which the caller was found: what is
/// read for it is of the same moment.
async fn recognise(
    visit: &Visit,
    request: &HttpRequest,
    state: &State,
    route: &Route,
) -> Result<(Caller, Option<Snapshot>), Failure> {
    if route.need == Need::Nobody {
        return Ok((Caller::Anonymous, None));
    }
    let credential = match visit.surface {
        Surface::External => external::auth::credential(request.headers())?,
        Surface::Panel => panel::auth::credential(request.headers())?,
        Surface::Billing if route.entry == Entry::OpenUnmetered => billing::auth::for_health(request.headers())?,
        Surface::Billing => billing::auth::credential(request.headers())?,
        Surface::Admin => admin::auth::credential(request.headers())?,
    };
    if route.entry == Entry::OpenUnmetered && (credential == Credential::Absent || !state.health.is_good().await) {
        return Ok((Caller::Anonymous, None));
    }
    if let Credential::Session(token, audience) = credential {
        return Ok(recognise_session(visit, state, token, audience)?);
    }
    let snapshot = state.app.db.snapshot()?;
    let caller = snapshot.read(|tx| actions::keys::verify(tx, &credential))?;
    Ok((caller, Some(snapshot)))
}

/// The signature decides whether the database is asked.
fn recognise_session(
    visit: &Visit,
    state: &State,
    token: &[u8],
    audience: Audience,
) -> Result<(Caller, Option<Snapshot>), AppError> {
    let Some(opened) = state.app.signer.open(token, audience) else { return Ok((Caller::NoSession, None)) };
    // Made while the clock was wrong: it would outlive its time by as much.
    if opened.issued_at > visit.now.plus_millis(CLOCKS_DIFFER_MILLIS) {
        return Ok((Caller::NoSession, None));
    }
    if opened.expires_at <= visit.now {
        return Ok((Caller::ExpiredSession, None));
    }
    let id = opened.session_id.expose_secret().as_bytes();
    let snapshot = state.app.db.snapshot()?;
    let caller = snapshot.read(|tx| actions::sessions::verify(tx, id, opened.user, audience, visit.now))?;
    Ok((caller, Some(snapshot)))
}

/// Runs the gates, and counts the request where it belongs: against its key once gates 1-10 passed, against its address
/// until then. Health counts nowhere.
fn judge(
    visit: &Visit,
    state: &State,
    route: &'static Route,
    caller: &Caller,
) -> (Vec<Window>, Result<Permit, Denial>) {
    let evaluate = |limits: &[Window]| {
        let asked = Asked { caller, route, ip: visit.origin.ip, limits, now: visit.now };
        policy::evaluate(&asked, Arc::clone(&visit.origin))
    };
    let metered = route.entry == Entry::Closed;
    let key = caller.key().filter(|_| metered);
    let verdict = evaluate(&key.map(|key| state.limits.peek(key, visit.now)).unwrap_or_default());
    let good = verdict.as_ref().err().is_none_or(Denial::is_past_identity);
    match key.filter(|_| good) {
        Some(key) => match state.limits.take(key, visit.now) {
            Ok(windows) => (windows, verdict),
            // Another worker took the last one since the gates looked.
            Err(full) => {
                let verdict = evaluate(&full);
                (full, verdict)
            }
        },
        None => match (caller, good) {
            (Caller::Session(session), true) => {
                let told = state.shield.session(session.id).map_err(Denial::too_many_from_address);
                (Vec::new(), told.and(verdict))
            }
            _ => (Vec::new(), shielded(visit, state, metered, verdict)),
        },
    }
}

/// What no valid key stands behind counts against its address, and a credential that opens nothing counts twice.
fn shielded(visit: &Visit, state: &State, metered: bool, verdict: Result<Permit, Denial>) -> Result<Permit, Denial> {
    if metered {
        state.shield.request(visit.origin.ip).map_err(Denial::too_many_from_address)?;
    }
    if metered && verdict.as_ref().is_err_and(|denial| matches!(denial.gate(), Gate::Key | Gate::Secret)) {
        state.shield.failure(visit.origin.ip, visit.now).map_err(Denial::too_many_from_address)?;
    }
    verdict
}

async fn carry_out(
    visit: &Visit,
    request: &HttpRequest,
    payload: &mut Option<Payload>,
    state: &Data<State>,
    (route, params, permit, snapshot): (&'static Route, Params, Permit, Option<Snapshot>),
) -> Answer {
    let handlers = match visit.surface {
        Surface::External => external::HANDLERS,
        Surface::Panel => panel::HANDLERS,
        Surface::Billing => billing::HANDLERS,
        Surface::Admin => admin::HANDLERS,
    };
    let Some((_, handler)) = handlers.iter().find(|(action, _)| *action == route.action) else {
        return Err(if visit.surface == Surface::Panel {
            Edge::NotImplemented.into()
        } else {
            AppError::NotFound(Noun::Route).into()
        });
    };
    // Not the guard itself: a thread has few, and an answer may be long in coming.
    let config = Arc::clone(&state.app.config());
    let settings = &config.server;
    let limit = if route.need == Need::Nobody { STRANGERS_BODY_BYTES } else { settings.max_body_bytes };
    let (body, idempotency_key) = match route.method {
        Method::Get => (Bytes::new(), None),
        Method::Post | Method::Put | Method::Delete => (
            body::read(payload, request.headers(), limit, settings.body_timeout()).await?,
            idempotency_key(request.headers())?.map(|key| (key, target_of(visit))),
        ),
    };
    let snapshot = Rc::new(Cell::new(snapshot));
    let call = Call {
        state: state.clone(),
        snapshot: Rc::clone(&snapshot),
        route,
        permit: Arc::new(permit),
        params,
        query: Query::parse(request.query_string()),
        content: body::content(request.headers()),
        body,
        idempotency_key,
        // The body may have been long in coming.
        now: state.app.now(),
        agent: Agent::of(visit, request, settings),
    };
    let mut work = pin!(panics::catch_in(handler(call)));
    let at_once = futures_util::poll!(work.as_mut());
    // Whoever waits keeps no reader from the others.
    drop(snapshot.take());
    let done = match at_once {
        Poll::Ready(done) => Ok(done),
        Poll::Pending if route.method == Method::Get => tokio::time::timeout(settings.request_timeout(), work).await,
        // Each thing that a change waits for has a patience of its own, and ends without having done anything. What has
        // begun is waited for: who is told to come again must not have had it done.
        Poll::Pending => Ok(work.await),
    };
    match done {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) => Err(AppError::Internal(format!("a handler panicked: {why}")).into()),
        Err(_) => Err(AppError::Overloaded { retry_after_seconds: 5 }.into()),
    }
}

/// Path and query as they came.
fn target_of(visit: &Visit) -> String {
    visit.uri.path_and_query().map_or_else(|| visit.path().to_owned(), ToString::to_string)
}

/// 1-255 visible ASCII, and one of them.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let mut values = headers.get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic) && (1..=255).contains(&value.len());
    match value.to_str() {
        Ok(text) if visible && values.next().is_none() => Ok(Some(text.to_owned())),
        _ => Err(Invalid::new("Idempotency-Key", "must be given once, as 1-255 visible ASCII characters").into()),
    }
}
