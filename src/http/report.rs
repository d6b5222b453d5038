//! The line that a failed request leaves in the server's log: one, written here and nowhere else.
//!
//! Our own faults are errors, what we are too busy for and credentials that are refused are warnings, and the mistakes of
//! callers are told to whoever sets the level to debug. What strangers or one caller can cause is so much a minute, and
//! the rest is counted: nobody fills the disk by knocking.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use tracing::Level;

use super::aftermath::Aftermath;
use super::answer::{Failure, Refused};
use crate::domain::error::AppError;
use crate::domain::keys::KeyId;
use crate::domain::policy::Gate;
use crate::domain::text;

/// Lines of one kind that a minute has.
const LINES_A_MINUTE: u64 = 60;

/// Parts of an unknown path are kept up to this many characters: what is longer may be a token that was put into it.
const LONGEST_PART: usize = 24;

/// One line with what every line of a request says.
macro_rules! one_line {
    ($level:expr, $request:expr, $cause:expr, $($message:tt)+) => {{
        let (request, visit) = ($request, &$request.visit);
        let ip = visit.origin.ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        let path = tracing::enabled!($level).then(|| unknown_path(request)).flatten();
        tracing::event!(
            $level,
            ip,
            request_id = visit.request_id(),
            surface = visit.surface.as_str(),
            method = &*visit.method_name,
            route = request.route.path,
            path,
            status = request.status.as_u16(),
            latency_us = u64::try_from(request.latency.as_micros()).unwrap_or(u64::MAX),
            cause = $cause,
            $($message)+
        )
    }};
}

/// Why a request failed, as the log tells it.
#[derive(Debug)]
pub enum Told {
    /// A gate refused a credential.
    Refused(Refused),
    /// Somebody guesses, or forgot.
    WrongPassword(&'static str),
    /// The caller's mistake, in the words of its answer.
    Mistake(String),
    Overloaded,
    /// The database cannot be used.
    Unavailable(String),
    Internal(String),
}

impl Told {
    /// Whether anybody listens to such a line.
    pub fn is_heard(&self) -> bool {
        !matches!(self, Told::Mistake(_)) || tracing::enabled!(Level::DEBUG)
    }

    pub fn of(failure: &Failure, refused: Option<Refused>) -> Self {
        match (failure, refused) {
            (Failure::App(AppError::Internal(cause)), _) => Told::Internal(cause.clone()),
            (Failure::App(AppError::Unavailable(cause)), _) => Told::Unavailable(cause.clone()),
            (Failure::App(AppError::Overloaded { .. }), _) => Told::Overloaded,
            (Failure::App(AppError::BadCredentials), _) => {
                Told::WrongPassword("login refused: 401 wrong name or password")
            }
            (Failure::App(AppError::WrongPassword { .. }), _) => {
                Told::WrongPassword("change of password refused: 400 wrong current password")
            }
            (_, Some(refused)) => Told::Refused(refused),
            (Failure::App(error), None) => Told::Mistake(mistake(error)),
            (Failure::Edge(edge), None) => Told::Mistake(mistake(&edge.text())),
            // A denial always has a gate.
            (Failure::Denied(denial), None) => Told::Mistake(mistake(denial.gate().as_str())),
        }
    }
}

fn mistake(text: &(impl ToString + ?Sized)) -> String {
    text::without_secrets(&text.to_string())
}

/// What shares the lines of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// Credentials that open nothing, and passwords that are wrong.
    Strangers,
    Key(KeyId),
    Session(i64),
    Overloaded,
    Unavailable,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Strangers => f.write_str("refused credentials and logins of strangers"),
            Kind::Key(id) => write!(f, "refusals of the API key with the id {id}"),
            Kind::Session(id) => write!(f, "refusals of the session with the id {id}"),
            Kind::Overloaded => f.write_str("requests sent away because of overload"),
            Kind::Unavailable => f.write_str("requests that found no usable database"),
        }
    }
}

/// What was told in this minute.
#[derive(Debug, Default)]
pub struct Reports(Mutex<HashMap<Kind, u64>>);

impl Reports {
    fn may_tell(&self, kind: Kind) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = told.entry(kind).or_default();
        *count += 1;
        *count <= LINES_A_MINUTE
    }

    /// Says how many lines were left out, and lets the next minute begin.
    pub fn end_minute(&self) {
        let told = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (kind, count) in told {
            if let Some(more) = count.checked_sub(LINES_A_MINUTE).filter(|more| *more > 0) {
                tracing::warn!(more, "too many lines in a minute, left out: {kind}");
            }
        }
    }

    pub fn tell(&self, request: &Aftermath) {
        match &request.failed {
            Told::Internal(cause) => one_line!(Level::ERROR, request, Some(cause), "internal error"),
            Told::Unavailable(cause) if self.may_tell(Kind::Unavailable) => {
                one_line!(Level::ERROR, request, Some(cause), "the database cannot be used");
            }
            Told::Overloaded if self.may_tell(Kind::Overloaded) => {
                one_line!(Level::WARN, request, NOTHING, "overloaded: a request was sent away");
            }
            Told::WrongPassword(what) if self.may_tell(request.session.map_or(Kind::Strangers, Kind::Session)) => {
                one_line!(Level::WARN, request, NOTHING, "{what}");
            }
            Told::Refused(refused) => self.tell_refusal(request, refused),
            Told::Mistake(why) => one_line!(Level::DEBUG, request, Some(why), "a request was refused"),
            Told::Unavailable(_) | Told::Overloaded | Told::WrongPassword(_) => {}
        }
    }

    /// Nothing in the message is the caller's own text (contract: keys.md, Order of the gates).
    fn tell_refusal(&self, request: &Aftermath, refused: &Refused) {
        let (status, gate, why) = (request.status.as_u16(), refused.gate, &refused.why);
        let (who, kind) = match (&request.key, request.session) {
            (Some(key), _) => (format!("API key {}", key.display), Kind::Key(key.id)),
            (None, Some(id)) => ("session".to_owned(), Kind::Session(id)),
            (None, None) if request.is_session => ("session".to_owned(), Kind::Strangers),
            (None, None) => ("API key (unknown)".to_owned(), Kind::Strangers),
        };
        // What a stranger is told who showed nothing, or whose address asked too often, is worth no warning.
        if kind == Kind::Strangers && (!request.is_known || gate == Gate::Rate.as_str()) {
            return one_line!(Level::DEBUG, request, Some(why), "a request was refused: {status} {gate}");
        }
        if self.may_tell(kind) {
            one_line!(Level::WARN, request, NOTHING, "{who} permission refused: {status} {gate} {why}");
        }
    }
}

const NOTHING: Option<&String> = None;

/// The path where no route says it, without what may be a secret in it.
fn unknown_path(request: &Aftermath) -> Option<String> {
    if request.route.action != "unknown" && request.route.action != "later" {
        return None;
    }
    let path = request.visit.logged_path();
    let part = |part: &str| if part.chars().count() > LONGEST_PART { "***".to_owned() } else { part.to_owned() };
    Some(path.split('/').map(part).collect::<Vec<_>>().join("/"))
}
