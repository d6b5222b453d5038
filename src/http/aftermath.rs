//! What is said of a request that failed, once its answer has left: the line in the server's log.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SendError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::http::StatusCode;

use super::report::{Reports, Told};
use super::visit::Visit;
use crate::domain::keys::KeyId;
use crate::domain::policy::Caller;
use crate::domain::routes::Route;
use crate::panics;

/// Failures that may wait to be told.
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
    pub failed: Told,
    pub latency: Duration,
}

/// A key that was shown, with its own secret or without.
#[derive(Debug)]
pub struct Shown {
    pub id: KeyId,
    pub display: String,
}

impl Shown {
    pub fn by(caller: &Caller) -> Option<Self> {
        caller.key().map(|key| Self { id: key.id, display: key.display.clone() })
    }
}

enum Work {
    Say(Box<Aftermath>),
    /// All before it is done.
    Tell(Sender<()>),
}

/// The thread that says it: whoever reads the log slowly must not hold up the answers.
pub struct Aftermaths {
    queue: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
    reports: Arc<Reports>,
}

impl std::fmt::Debug for Aftermaths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aftermaths")
    }
}

impl Aftermaths {
    pub fn start() -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel::<Work>(QUEUE);
        let reports = Arc::new(Reports::default());
        let of_thread = Arc::clone(&reports);
        let run = move || {
            for work in waiting {
                match work {
                    Work::Say(aftermath) => of_thread.tell(&aftermath),
                    // Whoever waited may have lost patience.
                    Work::Tell(waiter) => {
                        let _: Result<(), SendError<()>> = waiter.send(());
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("aftermath".to_owned()).spawn(run)?;
        Ok(Self { queue: Some(queue), thread: Some(thread), reports })
    }

    /// Where there is no room it is said at once.
    pub fn hand_over(&self, aftermath: Aftermath) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(Work::Say(lost)) | TrySendError::Disconnected(Work::Say(lost))) =
            queue.try_send(Work::Say(Box::new(aftermath)))
        {
            self.reports.tell(&lost);
        }
    }

    /// Once a minute: says what was left out of the log, and begins anew.
    pub fn end_minute(&self) {
        self.reports.end_minute();
    }

    /// Waits until what was handed over so far is said, for a while.
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
        panics::join(self.thread.take(), "aftermath");
        self.reports.end_minute();
    }
}
