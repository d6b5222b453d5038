//! What a key may do: the door's own decision, asked without a request.

use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::error::{AppError, Noun};
use crate::domain::keys::KeyId;
use crate::domain::limits;
use crate::domain::policy::{self, Asked, Caller, Denial, Origin, Window};
use crate::domain::routes::{self, Found, Method, Route};
use crate::domain::time::Timestamp;
use crate::store::{self, ReadTx};

/// May this key make this call from this address at this time?
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub key: KeyId,
    pub method: Method,
    /// Path without query.
    pub path: &'a str,
    pub ip: Option<IpAddr>,
    pub at: Timestamp,
    /// The key's limits as they stand, where they are known.
    pub limits: &'a [Window],
}

/// The verdict, and the row of the route table it is about.
#[derive(Debug, Clone)]
pub struct Answered {
    pub route: &'static Route,
    /// The table has this path with this method.
    pub exists: bool,
    pub denial: Option<Denial>,
}

impl Answered {
    pub fn is_allowed(&self) -> bool {
        self.denial.is_none() && self.exists
    }

    /// In words.
    pub fn verdict(&self) -> String {
        match &self.denial {
            Some(denial) => format!("refused by {}", denial.gate().as_str()),
            None if !self.exists => "no such route".to_owned(),
            None => "allowed".to_owned(),
        }
    }

    pub fn route_name(&self) -> &'static str {
        if self.exists { self.route.path } else { "none" }
    }
}

/// Judges the newest secret of a key. Asking consumes nothing.
pub fn can(tx: &ReadTx<'_>, question: &Question<'_>) -> Result<Answered, AppError> {
    let facts = store::keys::find_newest_facts(tx, question.key)?.ok_or(AppError::NotFound(Noun::Key))?;
    let (route, exists) = match routes::find(Some(question.method), question.path) {
        Found::Route(route, _) => (route, true),
        Found::WrongMethod(_) | Found::Nothing => (routes::stand_in(Some(question.method), question.path), false),
    };
    let caller = Caller::Key(Arc::new(facts));
    let asked = Asked { caller: &caller, route, ip: question.ip, limits: question.limits, now: question.at };
    let origin = Origin { surface: route.surface.as_str(), ip: question.ip, request_id: String::new() };
    Ok(Answered { route, exists, denial: policy::evaluate(&asked, Arc::new(origin)).err() })
}

/// The windows by hour and day as they were stored last; a minute's count is the server's own.
pub fn long_windows(tx: &ReadTx<'_>, id: KeyId, at: Timestamp) -> Result<Vec<Window>, AppError> {
    let facts = store::keys::find_newest_facts(tx, id)?.ok_or(AppError::NotFound(Noun::Key))?;
    let counts = store::key_usage::of_key(tx, id)?;
    let [_, hour, day] = limits::of_key(&facts, 0);
    Ok(limits::windows([0, hour, day], counts, at))
}
