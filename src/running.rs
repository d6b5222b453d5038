//! What runs behind a listener: the open database with its request log, its limits and what runs by the clock, begun and ended in
//! one order for the server, the bench and the tests.

use std::fmt;
use std::sync::Arc;

use actix_web::web::Data;

use crate::app::{App, LastUses};
use crate::domain::error::AppError;
use crate::http::{self, State};
use crate::jobs::{Jobs, On};
use crate::limits::KeyLimits;
use crate::store::request_logs::RequestLogs;
use crate::store::{self, OpenError};

#[derive(Debug)]
pub struct Running {
    pub state: Data<State>,
    jobs: Option<Jobs>,
}

/// Why it could not be begun.
#[derive(Debug)]
pub enum BeginError {
    RequestLog(OpenError),
    Limits(AppError),
    Thread(std::io::Error),
}

impl From<std::io::Error> for BeginError {
    fn from(error: std::io::Error) -> Self {
        BeginError::Thread(error)
    }
}

impl fmt::Display for BeginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BeginError::RequestLog(error) => error.fmt(f),
            BeginError::Limits(error) => error.fmt(f),
            BeginError::Thread(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BeginError {}

impl Running {
    /// Without jobs nothing happens by the clock.
    pub fn begin(app: App, with_jobs: bool) -> Result<Self, BeginError> {
        let logs = RequestLogs::open(&store::logs_path(&app.config().database.path)).map_err(BeginError::RequestLog)?;
        let (app, logs, uses) = (Arc::new(app), Arc::new(logs), Arc::new(LastUses::default()));
        let limits = Arc::new(KeyLimits::new(app.config().limits.per_key_per_minute));
        limits.restore(app.db.read(store::key_usage::list).map_err(BeginError::Limits)?);
        let on =
            On { app: Arc::clone(&app), logs: Arc::clone(&logs), uses: Arc::clone(&uses), limits: Arc::clone(&limits) };
        let jobs = if with_jobs { Some(Jobs::start(on)?) } else { None };
        let state = Data::new(State::new(app, logs, uses, limits)?);
        Ok(Self { state, jobs })
    }

    /// When no more answers come. The order matters: what was answered is written down, jobs store what they hold, then the
    /// last owners of log and database let them finish and close.
    pub fn end(self) -> Data<State> {
        http::drain(&self.state);
        drop(self.jobs);
        self.state
    }
}
