//! What is written about a request once its answer has left: the log row, the last use, the line of a failure.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SendError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::http::StatusCode;

use super::report::{Reports, Told};
use super::visit::Visit;
use crate::app::LastUses;
use crate::domain::keys::KeyId;
use crate::domain::policy::Caller;
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
    /// A credential was shown, whatever it is worth.
    pub is_known: bool,
    /// A session's token was shown, and no key.
    pub is_session: bool,
    /// The session that it opened.
    pub session: Option<i64>,
    pub status: StatusCode,
    /// The gate that refused.
    pub gate: Option<&'static str>,
    /// `None`: it succeeded.
    pub failed: Option<Told>,
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
        if !self.is_known {
            return;
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
            gate: self.gate.map(Cow::Borrowed),
            ip: ip.map(|ip| ip.to_string()),
            latency_us: i64::try_from(self.latency.min(LONGEST).as_micros()).unwrap_or(i64::MAX),
            request_id: visit.request_id().to_owned(),
        });
    }

    fn tell(&self, reports: &Reports) {
        if let Some(failed) = &self.failed {
            reports.tell(self, failed);
        }
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
    logs: Arc<RequestLogs>,
    reports: Arc<Reports>,
}

impl std::fmt::Debug for Aftermaths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aftermaths")
    }
}

impl Aftermaths {
    pub fn start(logs: Arc<RequestLogs>, uses: Arc<LastUses>) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel::<Work>(QUEUE);
        let reports = Arc::new(Reports::default());
        let of_thread = (Arc::clone(&logs), Arc::clone(&reports));
        let run = move || {
            let (logs, reports) = of_thread;
            for work in waiting {
                match work {
                    Work::Record(aftermath) => {
                        aftermath.tell(&reports);
                        aftermath.record(&logs, &uses);
                    }
                    // Whoever waited may have lost patience.
                    Work::Tell(waiter) => {
                        let _: Result<(), SendError<()>> = waiter.send(());
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("aftermath".to_owned()).spawn(run)?;
        Ok(Self { queue: Some(queue), thread: Some(thread), logs, reports })
    }

    /// Where there is no room the line is told at once, and the row is lost and counted.
    pub fn hand_over(&self, aftermath: Aftermath) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(Work::Record(lost)) | TrySendError::Disconnected(Work::Record(lost))) =
            queue.try_send(Work::Record(Box::new(aftermath)))
        {
            lost.tell(&self.reports);
            if lost.key.is_some() {
                self.logs.count_dropped();
            }
        }
    }

    /// Once a minute: says what was left out of the log, and begins anew.
    pub fn end_minute(&self) {
        self.reports.end_minute();
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
        self.reports.end_minute();
    }
}
