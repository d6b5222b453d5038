//! `api_key_logs`, in a file of its own with its own thread: logging never delays or fails a request. A bounded queue
//! feeds batches; what does not fit is dropped and counted.

pub mod used;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Row, TransactionBehavior};

use super::engine::{connection, migrate};
use super::{OpenError, SchemaFile, Synchronous};
use crate::domain::keys::KeyId;
use crate::domain::request_logs::RequestLog;
use crate::domain::time::Timestamp;

/// Rows that may wait.
const QUEUE: usize = 65_536;

/// A row is readable this long after its request at the latest, plus the write.
const BATCH_EVERY: Duration = Duration::from_millis(100);

/// Rows written in one transaction.
const BATCH: usize = 8_192;

/// How often it is said that rows are still being lost.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Rows deleted in one transaction, so that retention never holds the file for long.
const DELETE_CHUNK: i64 = 5_000;

const INSERT: &str = "
    INSERT INTO api_key_logs (at, key_id, generation, method, route, path, status, gate, ip, latency_us, request_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const DELETE_OLDER: &str = "
    DELETE FROM api_key_logs WHERE id IN (SELECT id FROM api_key_logs WHERE at < ?1 ORDER BY at LIMIT ?2)";
const DELETE_UPTO: &str = "
    DELETE FROM api_key_logs WHERE id IN (SELECT id FROM api_key_logs WHERE id <= ?1 ORDER BY id LIMIT ?2)";
const LIST_OF_KEY: &str = "
    SELECT at, key_id, generation, method, route, path, status, gate, ip, latency_us, request_id
    FROM api_key_logs WHERE key_id = ?1 ORDER BY id DESC LIMIT ?2";
const COUNT_BY_KEY: &str = "SELECT key_id, count(*) FROM api_key_logs WHERE at >= ?1 GROUP BY key_id";
const SUM_DROPPED: &str = "SELECT coalesce(sum(rows), 0) FROM dropped_logs";
const SUM_DROPPED_SINCE: &str = "SELECT coalesce(sum(rows), 0) FROM dropped_logs WHERE hour >= ?1";
const NOTE_DROPPED: &str = "
    INSERT INTO dropped_logs (hour, rows) VALUES (?1, ?2) ON CONFLICT (hour) DO UPDATE SET rows = rows + excluded.rows";
const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM api_key_logs";

enum Message {
    Nothing,
    /// All before it is written.
    Tell(Sender<()>),
    Row(Box<RequestLog>),
    /// Deletes rows older than the instant and beyond the newest so many.
    Retain {
        older_than: Timestamp,
        max_rows: i64,
    },
}

/// The way to the log's thread. Dropping it writes what waits.
pub struct RequestLogs {
    queue: Option<SyncSender<Message>>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for RequestLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RequestLogs")
    }
}

impl RequestLogs {
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opening = connection::lock_folder(path)?;
        connection::prepare_file(path)?;
        migrate::refuse_foreign_file(path)?;
        let mut database = connection::open(path, Synchronous::Normal)?;
        migrate::run(&mut database, SchemaFile::Logs)?;
        connection::keep_to_owner(path)?;
        drop(opening);
        let (queue, rows) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("request-log".to_owned())
            .spawn(move || serve(&mut database, &rows, &counter))
            .map_err(|e| OpenError::File { path: path.to_owned(), cause: e.to_string() })?;
        Ok(Self { queue: Some(queue), dropped, thread: Some(thread) })
    }

    /// Queues a row; drops and counts it when the queue is full.
    pub fn push(&self, row: RequestLog) {
        self.send(Message::Row(Box::new(row)));
    }

    /// Wakes the thread as a row would, so that a request without one takes as long.
    pub fn push_nothing(&self) {
        self.send(Message::Nothing);
    }

    /// Waits until the rows that were pushed so far are written, for a while.
    pub fn flush(&self, patience: Duration) {
        let (tell, told) = channel();
        self.send(Message::Tell(tell));
        let _: Result<(), RecvTimeoutError> = told.recv_timeout(patience);
    }

    /// Asks for the deletion of rows that are older, or more, than the settings keep.
    pub fn retain(&self, older_than: Timestamp, max_rows: i64) {
        self.send(Message::Retain { older_than, max_rows });
    }

    /// Counts a row that never came as far as this queue.
    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Rows dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn send(&self, message: Message) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(lost) | TrySendError::Disconnected(lost)) = queue.try_send(message)
            && matches!(lost, Message::Row(_))
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for RequestLogs {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the request-log thread ended in a panic");
        }
    }
}

/// How many calls each key made since an instant.
pub fn count_by_key(path: &Path, since: Timestamp) -> Result<HashMap<KeyId, i64>, OpenError> {
    let Some(database) = open_to_read(path)? else { return Ok(HashMap::new()) };
    let mut statement = database.prepare(COUNT_BY_KEY)?;
    let rows = statement.query_map([since.millis()], |row| Ok((KeyId(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The latest rows of a key, newest first. Reads the file on its own, beside a server that writes it.
pub fn list(path: &Path, key: KeyId, limit: i64) -> Result<Vec<RequestLog>, OpenError> {
    let Some(database) = open_to_read(path)? else { return Ok(Vec::new()) };
    let mut statement = database.prepare(LIST_OF_KEY)?;
    let rows = statement.query_map((key.0, limit), from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Rows that could not be kept since the file was made.
pub fn dropped(path: &Path) -> Result<i64, OpenError> {
    let Some(database) = open_to_read(path)? else { return Ok(0) };
    Ok(database.query_row(SUM_DROPPED, [], |row| row.get(0))?)
}

/// Rows that could not be kept since an instant, in whole hours.
pub fn dropped_since(path: &Path, since: Timestamp) -> Result<i64, OpenError> {
    let Some(database) = open_to_read(path)? else { return Ok(0) };
    Ok(sum_dropped_since(&database, since)?)
}

fn sum_dropped_since(database: &Connection, since: Timestamp) -> rusqlite::Result<i64> {
    database.query_row(SUM_DROPPED_SINCE, [since.millis()], |row| row.get(0))
}

/// `None` where no server has made the file yet.
fn open_to_read(path: &Path) -> Result<Option<Connection>, OpenError> {
    if !path.exists() {
        return Ok(None);
    }
    let mut database = connection::open(path, Synchronous::Normal)?;
    migrate::run(&mut database, SchemaFile::Logs)?;
    Ok(Some(database))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<RequestLog> {
    Ok(RequestLog {
        at: Timestamp(row.get(0)?),
        key_id: KeyId(row.get(1)?),
        generation: row.get(2)?,
        method: row.get(3)?,
        route: Cow::Owned(row.get(4)?),
        path: row.get(5)?,
        status: row.get(6)?,
        gate: row.get::<_, Option<String>>(7)?.map(Cow::Owned),
        ip: row.get(8)?,
        latency_us: row.get(9)?,
        request_id: row.get(10)?,
    })
}

fn serve(database: &mut Connection, queue: &Receiver<Message>, dropped: &AtomicU64) {
    let (mut open, mut noted, mut losses) = (true, 0, Losses::default());
    let mut told: Vec<Sender<()>> = Vec::new();
    let mut retaining: Option<(Timestamp, i64)> = None;
    while open && let Some(first) = next_of(queue, retaining.is_some()) {
        let mut batch = Vec::new();
        let until = Instant::now() + BATCH_EVERY;
        let mut next = first;
        loop {
            match next {
                Ok(Message::Row(row)) => batch.push(*row),
                Ok(Message::Nothing) => {}
                Ok(Message::Tell(waiter)) => {
                    told.push(waiter);
                    break;
                }
                Ok(Message::Retain { older_than, max_rows }) => retaining = Some((older_than, max_rows)),
                Err(ended) => {
                    open = ended == RecvTimeoutError::Timeout;
                    break;
                }
            }
            if batch.len() >= BATCH {
                break;
            }
            next = queue.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
        let written = write(database, &batch);
        if written.is_err() {
            dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        for waiter in told.drain(..) {
            // Whoever waited may have lost patience.
            let _: Result<(), SendError<()>> = waiter.send(());
        }
        // One chunk at a time: what is asked of the log meanwhile must not wait for all of it.
        if let Some((older_than, max_rows)) = retaining {
            match retain_chunk(database, older_than, max_rows) {
                Ok(true) => {}
                Ok(false) => retaining = None,
                Err(error) => {
                    retaining = None;
                    tracing::warn!(%error, "request-log rows could not be deleted");
                }
            }
        }
        // Counted in the file as soon as it can be written again, so that an operator sees it later too.
        let lost = dropped.load(Ordering::Relaxed);
        if lost > noted
            && let Some(at) = batch.last().map(|row| row.at)
            && note_dropped(database, at, lost - noted).is_ok()
        {
            noted = lost;
        }
        losses.tell(lost, written.err(), false);
    }
    losses.tell(dropped.load(Ordering::Relaxed), None, true);
}

/// What was said of rows that are lost: at once, and then every so often as long as it goes on.
#[derive(Default)]
struct Losses {
    told: u64,
    at: Option<Instant>,
}

impl Losses {
    fn tell(&mut self, lost: u64, error: Option<rusqlite::Error>, is_last: bool) {
        let is_due = is_last || self.at.is_none_or(|at| at.elapsed() >= TELL_AGAIN_AFTER);
        if lost == self.told || !is_due {
            return;
        }
        let (rows, error) = (lost - self.told, error.map(|error| error.to_string()));
        tracing::warn!(rows, error, "request-log rows were dropped: the queue was full or the disk failed");
        *self = Self { told: lost, at: Some(Instant::now()) };
    }
}

fn write(database: &mut Connection, batch: &[RequestLog]) -> rusqlite::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let tx = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = tx.prepare_cached(INSERT)?;
        for row in batch {
            insert.execute(rusqlite::params![
                row.at.millis(),
                row.key_id.0,
                row.generation,
                row.method,
                row.route,
                row.path,
                row.status,
                row.gate,
                row.ip,
                row.latency_us,
                row.request_id
            ])?;
        }
    }
    tx.commit()
}

fn note_dropped(database: &Connection, at: Timestamp, rows: u64) -> rusqlite::Result<()> {
    let hour = at.millis() - at.millis().rem_euclid(Timestamp::HOUR);
    database.prepare_cached(NOTE_DROPPED)?.execute((hour, i64::try_from(rows).unwrap_or(i64::MAX))).map(|_| ())
}

/// Deletes some of what is too old or too much, and says whether there may be more.
fn retain_chunk(database: &Connection, older_than: Timestamp, max_rows: i64) -> rusqlite::Result<bool> {
    if database.prepare_cached(DELETE_OLDER)?.execute((older_than.millis(), DELETE_CHUNK))? > 0 {
        return Ok(true);
    }
    let newest: i64 = database.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
    Ok(database.prepare_cached(DELETE_UPTO)?.execute((newest - max_rows, DELETE_CHUNK))? > 0)
}

/// The next message; while rows are being deleted nobody is waited for. `None`: the queue is closed and all is done.
fn next_of(queue: &Receiver<Message>, deleting: bool) -> Option<Result<Message, RecvTimeoutError>> {
    if !deleting {
        return queue.recv().ok().map(Ok);
    }
    Some(queue.recv_timeout(Duration::ZERO))
}
