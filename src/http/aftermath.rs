//! What is written about a request once its answer has left: the log row, the last use, the line of a refusal.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SendError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::http::StatusCode;

use super::answer::Refused;
use super::visit::Visit;
use crate::app::LastUses;
use crate::domain::keys::KeyId;
use crate::domain::policy::{Caller, Gate};
use crate::domain::request_logs::RequestLog;
use crate::domain::routes::Route;
use crate::store::request_logs::RequestLogs;

/// Longer than any request; a clock that jumps must not write nonsense.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Requests whose aftermath may wait. Beyond it rows are dropped and counted.
const QUEUE: usize = 65_536;

#[derive(Debug)]
pub struct Aftermath {
    pub visit: Visit,
    pub route: &'static Route,
    /// `None`: a credential that opens nothing.
    pub key: Option<Shown>,
    /// A session's token was shown, and no key.
    pub is_session: bool,
    pub status: StatusCode,
    pub refused: Option<Refused>,
    pub latency: Duration,
}

/// A key that was shown.
#[derive(Debug)]
pub struct Shown {
    pub id: KeyId,
    pub display: String,
    pub generation: i64,
    /// With its own secret.
    pub is_genuine: bool,
}

impl Shown {
    pub fn by(caller: &Caller) -> Option<Self> {
        let key = caller.key()?;
        let is_genuine = matches!(caller, Caller::Key(_));
        Some(Self { id: key.id, display: key.display.clone(), generation: key.generation.number, is_genuine })
    }
}

impl Aftermath {
    /// Requests with an unknown key are counted, not stored (contract: keys.md).
    fn record(&self, logs: &RequestLogs, uses: &LastUses) {
        // What an address is told that asked too often is no line of its own: a flood must not fill the log.
        let is_told = |refused: &&Refused| self.key.is_some() || refused.gate != Gate::Rate.as_str();
        if let Some(refused) = self.refused.as_ref().filter(is_told) {
            self.report(refused);
        }
        let Some(key) = &self.key else { return logs.push_nothing() };
        let (visit, ip) = (&self.visit, self.visit.origin.ip);
        if key.is_genuine {
            uses.note(key.id, visit.now, ip);
        }
        logs.push(RequestLog {
            at: visit.now,
            key_id: key.id,
            generation: key.generation,
            method: visit.method_name.clone(),
            route: Cow::Borrowed(self.route.path),
            path: visit.logged_path(),
            status: self.status.as_u16(),
            gate: self.refused.as_ref().map(|refused| Cow::Borrowed(refused.gate)),
            ip: ip.map(|ip| ip.to_string()),
            latency_us: i64::try_from(self.latency.min(LONGEST).as_micros()).unwrap_or(i64::MAX),
            request_id: visit.request_id().to_owned(),
        });
    }

    /// One line for each refusal of a credential. Nothing in it is the caller's own text.
    fn report(&self, refused: &Refused) {
        let ip = self.visit.origin.ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        let who = match &self.key {
            Some(key) => format!("API key {}", key.display),
            None if self.is_session => "session".to_owned(),
            None => "API key (unknown)".to_owned(),
        };
        tracing::warn!(
            "{who} permission refused: {} {} {} ip={ip} request_id={}",
            self.status.as_u16(),
            refused.gate,
            refused.why,
            self.visit.request_id()
        );
    }
}

enum Work {
    Record(Box<Aftermath>),
    /// All before it is done.
    Tell(Sender<()>),
}

/// The thread that writes it. For whoever waits for an answer, a key that exists and one that does not are the same
/// message in the same queue. Dropping it writes what waits.
pub struct Aftermaths {
    queue: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Aftermaths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aftermaths")
    }
}

impl Aftermaths {
    pub fn start(logs: Arc<RequestLogs>, uses: Arc<LastUses>) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel::<Work>(QUEUE);
        let run = move || {
            for work in waiting {
                match work {
                    Work::Record(aftermath) => aftermath.record(&logs, &uses),
                    // Whoever waited may have lost patience.
                    Work::Tell(waiter) => {
                        let _: Result<(), SendError<()>> = waiter.send(());
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("aftermath".to_owned()).spawn(run)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// False: there was no room, and the row is lost.
    pub fn hand_over(&self, aftermath: Aftermath) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.try_send(Work::Record(Box::new(aftermath))).is_ok())
    }
}

impl Aftermaths {
    /// Waits until what was handed over so far is written down, for a while.
    pub fn flush(&self, patience: Duration) {
        let (tell, told) = channel();
        if let Some(queue) = &self.queue
            && queue.send(Work::Tell(tell)).is_ok()
        {
            let _: Result<(), RecvTimeoutError> = told.recv_timeout(patience);
        }
    }
}

impl Drop for Aftermaths {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the aftermath thread ended in a panic");
        }
    }
}
