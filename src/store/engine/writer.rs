//! The one thread that writes. It takes what waits, runs each job in its own savepoint of one transaction, and commits
//! once: many acknowledged writes share one sync of the disk. No answer, a refusal neither, leaves before the commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::domain::error::AppError;
use crate::panics;
use crate::store::engine::checkpoint::Checkpointer;
use crate::store::engine::connection::{OpenFile, execute};
use crate::store::engine::tally::{Tally, WriterFigures};
use crate::store::{OpenError, Synchronous, WriteTx, connection_error};

/// Jobs that may wait; beyond it callers are told to come back.
pub const QUEUE: usize = 1024;

/// Jobs that share one commit: bounds how long the first of a group waits for the last.
const GROUP: usize = 256;

/// How long a write waits for its turn. A lock that another process keeps, or a disk that hangs, is told to whoever waits
/// while a client still listens, and not when the queue has been worked off.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long groups may follow each other without a pause, and how long the pause is: longer than another process that
/// waits for the lock takes to look again. Without it a full queue would keep every command out.
const LET_OTHERS_IN_EVERY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(3);

const WAITS: u8 = 0;
const HAS_BEGUN: u8 = 1;
const WAS_GIVEN_UP: u8 = 2;

/// Whose move it is: what was given up never begins, and what has begun is waited for, so that a refusal is the truth.
#[derive(Debug, Default)]
struct Turn(AtomicU8);

impl Turn {
    /// False: it was given up.
    fn begin(&self) -> bool {
        self.0.compare_exchange(WAITS, HAS_BEGUN, Ordering::AcqRel, Ordering::Acquire) != Err(WAS_GIVEN_UP)
    }

    /// False: it has begun.
    fn give_up(&self) -> bool {
        self.0.compare_exchange(WAITS, WAS_GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn was_given_up(&self) -> bool {
        self.0.load(Ordering::Acquire) == WAS_GIVEN_UP
    }
}

/// A write in the queue.
pub struct Queued<T> {
    outcome: oneshot::Receiver<Result<T, AppError>>,
    turn: Arc<Turn>,
}

impl<T> Queued<T> {
    /// Its outcome; a turn that does not come in time is given up.
    pub async fn outcome(mut self) -> Result<T, AppError> {
        match tokio::time::timeout(PATIENCE, &mut self.outcome).await {
            Ok(outcome) => outcome.unwrap_or_else(|_| Err(lost())),
            Err(_) if self.turn.give_up() => Err(TOO_BUSY),
            Err(_) => self.outcome.await.unwrap_or_else(|_| Err(lost())),
        }
    }

    /// The same for a thread that can wait as long as it takes.
    pub fn outcome_blocking(self) -> Result<T, AppError> {
        self.outcome.blocking_recv().unwrap_or_else(|_| Err(lost()))
    }
}

const TOO_BUSY: AppError = AppError::Overloaded { retry_after_seconds: 1 };

fn lost() -> AppError {
    AppError::Unavailable("the writer ended before it answered".to_owned())
}

trait Job: Send {
    /// Runs the closure.
    fn run(&mut self, connection: &Connection) -> Ran;
    /// Puts another outcome in the place of the job's own.
    fn fail(&mut self, error: AppError);
    fn answer(self: Box<Self>);
    /// Whoever asked has given up, and was told so: doing it later would make that a lie.
    fn is_abandoned(&self) -> bool;
    /// From now on it cannot be given up; false where it was.
    fn begins(&self) -> bool;
}

/// What came of a job.
struct Ran {
    /// What it wrote stays.
    keep: bool,
    name: Option<&'static str>,
}

struct Write<T, F> {
    work: F,
    outcome: Option<Result<T, AppError>>,
    reply: oneshot::Sender<Result<T, AppError>>,
    turn: Arc<Turn>,
}

impl<T: Send, F: Fn(&WriteTx<'_>) -> Result<T, AppError> + Send> Job for Write<T, F> {
    fn run(&mut self, connection: &Connection) -> Ran {
        let tx = WriteTx::new(connection);
        let outcome = panics::catch(|| (self.work)(&tx))
            .unwrap_or_else(|why| Err(AppError::Internal(format!("a write panicked: {why}"))))
            .and_then(|done| tx.settle().map(|()| done));
        let ran = Ran { keep: outcome.is_ok(), name: tx.name.get() };
        self.outcome = Some(outcome);
        ran
    }

    fn fail(&mut self, error: AppError) {
        self.outcome = Some(Err(error));
    }

    fn is_abandoned(&self) -> bool {
        self.turn.was_given_up() || self.reply.is_closed()
    }

    fn begins(&self) -> bool {
        !self.reply.is_closed() && self.turn.begin()
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(AppError::Internal("a write was never run".to_owned())));
        // Whoever asked may have hung up; what was committed stays committed.
        drop(self.reply.send(outcome));
    }
}

/// The way to the writer thread. Dropping it lets the thread finish what waits, and waits for that.
pub struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    tally: Arc<Tally>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    pub fn start(path: &Path, synchronous: Synchronous, queue: usize) -> Result<Self, OpenError> {
        let connection = super::connection::open(path, synchronous)?;
        Checkpointer::relieve(&connection);
        // What a savepoint may have to put back is copied beside it, page by page: into memory, and of one job at a time.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        let checkpointer = Checkpointer::start(path, synchronous)?;
        let (sender, receiver) = sync_channel(queue);
        let tally = Arc::new(Tally::default());
        let counted = Arc::clone(&tally);
        let file = OpenFile::of(path)?;
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || serve(&connection, checkpointer, &receiver, &file, &counted))
            .map_err(|e| OpenError::File { path: path.to_owned(), cause: e.to_string() })?;
        Ok(Self { queue: Some(sender), thread: Some(thread), tally })
    }

    pub fn answered(&self) -> u64 {
        self.tally.answered()
    }

    pub fn figures(&self) -> WriterFigures {
        self.tally.figures()
    }

    /// Queues a write and gives the place where its outcome will be. The closure may run twice: a group whose commit
    /// fails is tried again job by job.
    pub fn submit<T, F>(&self, work: F) -> Result<Queued<T>, AppError>
    where
        T: Send + 'static,
        F: Fn(&WriteTx<'_>) -> Result<T, AppError> + Send + 'static,
    {
        let (reply, outcome) = oneshot::channel();
        let gone = || AppError::Unavailable("the writer thread is gone".to_owned());
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let turn = Arc::new(Turn::default());
        self.tally.comes();
        let error = match queue.try_send(Box::new(Write { work, outcome: None, reply, turn: Arc::clone(&turn) })) {
            Ok(()) => return Ok(Queued { outcome, turn }),
            Err(TrySendError::Full(_)) => TOO_BUSY,
            Err(TrySendError::Disconnected(_)) => gone(),
        };
        self.tally.is_sent_away();
        Err(error)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        panics::join(self.thread.take(), "writer");
    }
}

fn serve(
    connection: &Connection,
    mut checkpointer: Checkpointer,
    queue: &Receiver<Box<dyn Job>>,
    file: &OpenFile,
    tally: &Tally,
) {
    let mut unbroken = Instant::now();
    loop {
        let idle = Instant::now();
        let Ok(first) = queue.recv() else { return };
        if idle.elapsed() >= PAUSE {
            unbroken = Instant::now();
        }
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        tally.takes_up(group.len());
        if let Err(why) = panics::catch(|| carry_out(connection, file, group, tally)) {
            roll_back(connection);
            tally.answers();
            tracing::error!(why, "a group of writes panicked");
        }
        checkpointer.tend(connection);
        if unbroken.elapsed() >= LET_OTHERS_IN_EVERY {
            std::thread::park_timeout(PAUSE);
            unbroken = Instant::now();
        }
    }
}

fn carry_out(connection: &Connection, file: &OpenFile, mut group: Vec<Box<dyn Job>>, tally: &Tally) {
    group.retain(|job| !job.is_abandoned());
    if group.is_empty() {
        return tally.answers();
    }
    if let Err(error) = file.check() {
        return refuse(group, &error, tally);
    }
    if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
        // Another process holds the lock for longer than anybody should: waiting again for each job would only add up.
        tracing::warn!(%error, jobs = group.len(), "writes were sent away: the database is locked");
        return refuse(group, &connection_error(&error), tally);
    }
    if let Err(error) = commit_together(connection, &mut group, tally) {
        roll_back(connection);
        if group.len() > 1 {
            tracing::debug!(%error, jobs = group.len(), "a group of writes failed, each is tried alone");
        }
        let mut locked_out: Option<AppError> = None;
        for job in &mut group {
            if let Some(error) = &locked_out {
                job.fail(error.clone());
                continue;
            }
            let begun = execute(connection, "BEGIN IMMEDIATE");
            let is_begun = begun.is_ok();
            let alone = std::slice::from_mut(job);
            if let Err(error) = begun.and_then(|()| commit_together(connection, alone, tally)) {
                roll_back(connection);
                // Told by whoever asked for it.
                let error = connection_error(&error);
                job.fail(error.clone());
                // Each would wait for the lock anew, and nobody can give up what has begun.
                locked_out = Some(error).filter(|_| !is_begun);
            }
        }
    }
    tally.answers();
    for job in group {
        job.answer();
    }
}

fn refuse(group: Vec<Box<dyn Job>>, error: &AppError, tally: &Tally) {
    tally.answers();
    for mut job in group {
        job.fail(error.clone());
        job.answer();
    }
}

/// Runs the jobs of an open transaction and commits it.
fn commit_together(connection: &Connection, group: &mut [Box<dyn Job>], tally: &Tally) -> rusqlite::Result<()> {
    for job in &mut *group {
        if !job.begins() {
            continue;
        }
        let began = Instant::now();
        execute(connection, "SAVEPOINT job")?;
        let Ran { keep, name } = job.run(connection);
        tally.ran(name, began.elapsed());
        // A full disk or a failing one makes SQLite end the whole transaction under our feet.
        if connection.is_autocommit() {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
                None,
            ));
        }
        if !keep {
            execute(connection, "ROLLBACK TO job")?;
        }
        execute(connection, "RELEASE job")?;
    }
    let began = Instant::now();
    execute(connection, "COMMIT")?;
    tally.committed(began.elapsed());
    Ok(())
}

fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = execute(connection, "ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}
