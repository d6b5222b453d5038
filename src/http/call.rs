//! A request that passed the gates, as a handler sees it.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Bytes, Data};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::answer::{Answer, Edge, Failure, Reply};
use super::body::{self, Content};
use super::query::Query;
use super::state::State;
use super::visit::Agent;
use crate::actions;
use crate::domain::error::{AppError, Conflict, Noun};
use crate::domain::policy::Permit;
use crate::domain::routes::{Method, Need, Params, Route};
use crate::domain::time::{Date, Timestamp};
use crate::panics;
use crate::store::idempotency::{self, Kept, Place};
use crate::store::{ReadTx, Snapshot, WriteTx};

pub type Handler = fn(Call) -> LocalBoxFuture<'static, Answer>;

/// Whether an answer shows the secrets it was made with: once, and never again from what is kept for a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    Shown,
    Hidden,
}

/// How long a slow read waits for its turn. Beyond it the threads that carry them out have more than they can do, and what
/// they began later would be for somebody who has left.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who may have a slow read carried out: as many as there are readers for it, in the order in which they came.
#[derive(Debug)]
pub struct SlowReads(Arc<Semaphore>);

impl SlowReads {
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Runs off the threads that answer. A panic is a fault of ours, of what is done there.
    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(AppError::Overloaded { retry_after_seconds: 1 }) };
        let fault = |why: String| AppError::Internal(format!("{what} panicked: {why}"));
        let done = web::block(move || {
            let done = panics::catch(work);
            // Not when whoever asked has left: the reader is free when the work is done.
            drop(turn);
            done
        });
        done.await.map_err(|error| fault(error.to_string()))?.map_err(fault)
    }
}

#[derive(Clone)]
pub struct Call {
    pub state: Data<State>,
    /// The snapshot in which the caller was found, for the first read of a handler that has not waited for anything.
    pub snapshot: Rc<Cell<Option<Snapshot>>>,
    pub route: &'static Route,
    pub permit: Arc<Permit>,
    pub params: Params,
    pub query: Query,
    /// Whether the body is one that can be read as JSON.
    pub content: Content,
    pub body: Bytes,
    /// The caller's `Idempotency-Key`, with path and query as they came.
    pub idempotency_key: Option<(String, String)>,
    pub now: Timestamp,
    pub agent: Agent,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("route", &self.route).field("permit", &self.permit).finish_non_exhaustive()
    }
}

impl Call {
    pub fn today(&self) -> Date {
        self.now.date_in(self.state.app.zone())
    }

    /// The path's id; what is not a positive integer names nothing.
    pub fn id(&self, noun: Noun) -> Result<i64, AppError> {
        self.params.id("id").ok_or(AppError::NotFound(noun))
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.content == Content::Foreign && !self.body.is_empty() {
            return Err(Edge::UnsupportedMediaType.into());
        }
        Ok(body::parse(&self.body)?)
    }

    pub fn read<T>(&self, work: impl FnOnce(&ReadTx<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
        match self.snapshot.take() {
            Some(snapshot) => snapshot.read(work),
            None => self.state.app.db.read(work),
        }
    }

    /// For reads that may take long: off the threads that answer.
    pub async fn read_slowly<T, F>(&self, work: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T, AppError> + Send + 'static,
    {
        let state = self.state.clone();
        self.block("a read", move || state.app.db.read_slowly(work)).await?
    }

    /// The same for what is read elsewhere than in the database.
    pub async fn block<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        self.state.slow_reads.run(what, work).await
    }

    /// Judges the caller once more, carries out a change and renders its answer in one transaction, together with what a retry under the same
    /// `Idempotency-Key` is answered.
    pub async fn write<T, A, R>(&self, action: A, render: R) -> Answer
    where
        T: 'static,
        A: Fn(&WriteTx<'_>, &Permit) -> Result<T, AppError> + Send + 'static,
        R: Fn(&T, Secrets) -> Result<Reply, AppError> + Send + 'static,
    {
        let place = self.place();
        let body_sha256: [u8; 32] = place.as_ref().map(|_| Sha256::digest(&self.body).into()).unwrap_or_default();
        let (permit, route, now) = (Arc::clone(&self.permit), self.route, self.now);
        let work = move |tx: &WriteTx<'_>| {
            tx.name(route.action);
            let permit = actions::callers::judge_again(tx, &permit, route, now)?;
            let Some(place) = &place else {
                return render(&action(tx, &permit)?, Secrets::Shown);
            };
            if let Some(kept) = idempotency::find(tx, place, now)? {
                return replay(kept, body_sha256);
            }
            let done = action(tx, &permit)?;
            let reply = render(&done, Secrets::Shown)?;
            let hidden = render(&done, Secrets::Hidden)?;
            let kept = Kept { body_sha256, status: hidden.status.as_u16(), answer: hidden.body };
            idempotency::insert(tx, place, &kept, now)?;
            Ok(reply)
        };
        Ok(self.state.app.db.write(work).await?)
    }

    fn place(&self) -> Option<Place> {
        if !is_repeatable(self.route) {
            return None;
        }
        let (header, target) = self.idempotency_key.clone()?;
        let (caller, method) = (self.permit.idempotency_caller()?, self.route.method.as_str());
        Some(Place { caller, method, target, header })
    }
}

/// Whether a repeat under the same `Idempotency-Key` is answered from what is kept. Nothing that opens or ends a session is
/// (contract: "Every answer").
pub fn is_repeatable(route: &Route) -> bool {
    let session = route.path.starts_with("/api/auth/") || route.path.starts_with("/api/v1/auth/");
    route.method != Method::Get && route.need != Need::Nobody && !session
}

fn replay(kept: Kept, body_sha256: [u8; 32]) -> Result<Reply, AppError> {
    if kept.body_sha256 != body_sha256 {
        return Err(AppError::Conflict(Conflict::IdempotencyKeyReused));
    }
    let status = kept.status.try_into().map_err(|_| AppError::Internal("a kept answer has no status".to_owned()))?;
    Ok(Reply::replayed(status, kept.answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overloaded<T>(outcome: &Result<T, AppError>) -> bool {
        matches!(outcome, Err(AppError::Overloaded { retry_after_seconds: 1.. }))
    }

    #[tokio::test]
    async fn a_slow_read_whose_turn_does_not_come_is_sent_away_and_never_begins() {
        let reads = SlowReads::new(1);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let work = move || {
            let _ = started.send(());
            let _ = held.recv();
        };
        let mut first = Box::pin(reads.run("the first", work));
        assert!(futures_util::poll!(&mut first).is_pending());
        has_started.await.unwrap();
        let began = std::time::Instant::now();
        let others = (0..50).map(|_| reads.run("another", || panic!("it began")));
        let others: Vec<Result<(), _>> = futures_util::future::join_all(others).await;
        assert!(others.iter().all(overloaded), "{others:?}");
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
        // Whoever asked for the first gives up, and it goes on.
        drop(first);
        assert!(overloaded(&reads.run("too early", || ()).await));
        drop(release);
        assert_eq!(reads.run("the next", || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_slow_read_that_panics_gives_its_place_back() {
        let reads = SlowReads::new(1);
        let failed = reads.run("a read", || panic!("on purpose")).await.map(|()| 0);
        assert!(matches!(&failed, Err(AppError::Internal(why)) if why.contains("on purpose")), "{failed:?}");
        assert_eq!(reads.run("a read", || 7).await, Ok(7));
    }
}
