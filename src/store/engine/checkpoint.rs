//! The thread that brings the write-ahead log into the file. The engine's own way, in every thousandth page's commit, would
//! let whoever waits for that commit wait for the whole file's sync as well.

use std::cell::Cell;
use std::ffi::c_int;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::connection;
use crate::panics;
use crate::store::{OpenError, Synchronous};

/// What is committed meanwhile is brought over together: a page that many commits changed is written once.
const EVERY: Duration = Duration::from_millis(50);

/// Pages in the log from which on it is worth the syncs; the engine's own number.
const WORTH_PAGES: c_int = 1000;

/// Pages from which on the log begins anew as soon as it can. By itself it does so when all of it was brought over and
/// nobody writes, which under steady load never is; and whoever reads looks a page up in each four thousand of the log.
const LONG_PAGES: c_int = 4000;

/// How long the writer waits for those who still read from the log.
const PATIENCE: Duration = Duration::from_millis(5);

/// When it is tried again after that was not enough.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How often it is said that it still fails.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(60);

thread_local! {
    /// Pages in the log after the last commit of this thread.
    static PAGES: Cell<c_int> = const { Cell::new(0) };
}

/// The way to the thread, for the one that writes. Dropping it ends the thread; what is left in the log stays there, which
/// is as safe.
#[derive(Debug)]
pub struct Checkpointer {
    tell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Held by whoever is at it: one would wait for the other.
    at_work: Arc<Mutex<()>>,
    not_before: Option<Instant>,
    complaint: Complaint,
}

impl Checkpointer {
    pub fn start(path: &Path, synchronous: Synchronous) -> Result<Self, OpenError> {
        let connection = connection::open(path, synchronous)?;
        let (tell, told) = sync_channel(1);
        let at_work = Arc::new(Mutex::new(()));
        let of_thread = Arc::clone(&at_work);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || run(&connection, &told, &of_thread))
            .map_err(|e| OpenError::File { path: path.to_owned(), cause: e.to_string() })?;
        Ok(Self { tell: Some(tell), thread: Some(thread), at_work, not_before: None, complaint: Complaint::default() })
    }

    /// Takes the place of the engine's own way on the connection of a thread that writes.
    pub fn relieve(connection: &Connection) {
        connection.wal_hook(Some(|_: &Wal, pages| {
            PAGES.set(pages);
            Ok(())
        }));
    }

    /// After the commits of this thread.
    pub fn tend(&mut self, connection: &Connection) {
        let pages = PAGES.get();
        if pages < WORTH_PAGES {
            return;
        }
        if let Some(tell) = &self.tell {
            // Where it is told already, once is enough.
            let _: Result<(), TrySendError<()>> = tell.try_send(());
        }
        if pages < LONG_PAGES || self.not_before.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let Ok(_alone) = self.at_work.try_lock() else { return };
        if begin_anew(connection, &mut self.complaint) {
            PAGES.set(0);
            self.not_before = None;
        } else {
            self.not_before = Some(Instant::now() + AGAIN_AFTER);
        }
    }
}

/// What fails is said at once, and then every so often as long as it does.
#[derive(Debug, Default)]
struct Complaint(Option<Instant>);

impl Complaint {
    fn tell(&mut self, error: &rusqlite::Error, what: &'static str) {
        if self.0.is_none_or(|at| at.elapsed() >= TELL_AGAIN_AFTER) {
            self.0 = Some(Instant::now());
            tracing::warn!(%error, "{what}");
        }
    }

    fn is_settled(&mut self) {
        self.0 = None;
    }
}

/// The file keeps its length, because to cut it off takes a tenth of a second; the engine does that where it has become
/// longer than `journal_size_limit`. False: somebody reads from the log.
fn begin_anew(connection: &Connection, complaint: &mut Complaint) -> bool {
    let done = connection
        .busy_timeout(PATIENCE)
        .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0)));
    if let Err(error) = connection::wait_for_others(connection) {
        tracing::error!(%error, "the writer's patience could not be set back");
    }
    match done {
        Ok(busy) => {
            complaint.is_settled();
            busy == 0
        }
        Err(error) => {
            complaint.tell(&error, "the write-ahead log could not begin anew");
            false
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.tell = None;
        panics::join(self.thread.take(), "checkpoint");
    }
}

fn run(connection: &Connection, told: &Receiver<()>, at_work: &Mutex<()>) {
    let mut complaint = Complaint::default();
    while told.recv().is_ok() {
        // Not a sleep: the end must not wait for it.
        let until = Instant::now() + EVERY;
        while told.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {}
        // In nobody's way: what readers or writers still hold is left for the next time.
        let _alone = at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let done = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match done {
            Ok(()) => complaint.is_settled(),
            Err(error) => complaint.tell(&error, "the write-ahead log could not be brought into the database"),
        }
    }
}
