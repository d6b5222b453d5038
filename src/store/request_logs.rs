//! `api_key_logs`, in a file of its own with its own thread: logging never delays or fails a request. A bounded queue
//! feeds batches; what does not fit is dropped and counted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::engine::{connection, migrate};
use super::{OpenError, SchemaFile, Synchronous};
use crate::domain::request_logs::RequestLog;
use crate::domain::time::Timestamp;

/// Rows that may wait.
const QUEUE: usize = 65_536;

/// A row is readable this long after its request at the latest, plus the write.
const BATCH_EVERY: Duration = Duration::from_millis(100);

/// Rows written in one transaction.
const BATCH: usize = 8_192;

/// Rows deleted in one transaction, so that retention never holds the file for long.
const DELETE_CHUNK: i64 = 5_000;

const INSERT: &str = "
    INSERT INTO api_key_logs (at, key_id, generation, method, route, path, status, gate, ip, latency_us, request_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const DELETE_OLDER: &str = "
    DELETE FROM api_key_logs WHERE id IN (SELECT id FROM api_key_logs WHERE at < ?1 ORDER BY at LIMIT ?2)";
const DELETE_UPTO: &str = "
    DELETE FROM api_key_logs WHERE id IN (SELECT id FROM api_key_logs WHERE id <= ?1 ORDER BY id LIMIT ?2)";
const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM api_key_logs";

enum Message {
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
        connection::prepare_file(path)?;
        let mut database = connection::open(path, Synchronous::Normal)?;
        migrate::run(&mut database, SchemaFile::Logs)?;
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

    /// Asks for the deletion of rows that are older, or more, than the settings keep.
    pub fn retain(&self, older_than: Timestamp, max_rows: i64) {
        self.send(Message::Retain { older_than, max_rows });
    }

    /// Rows dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn send(&self, message: Message) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(message) {
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

fn serve(database: &mut Connection, queue: &Receiver<Message>, dropped: &AtomicU64) {
    let mut open = true;
    while open && let Ok(first) = queue.recv() {
        let mut batch = Vec::new();
        let until = Instant::now() + BATCH_EVERY;
        let mut next = Ok(first);
        loop {
            match next {
                Ok(Message::Row(row)) => batch.push(*row),
                Ok(Message::Retain { older_than, max_rows }) => {
                    if let Err(error) = retain(database, older_than, max_rows) {
                        tracing::warn!(%error, "request-log rows could not be deleted");
                    }
                }
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
        if let Err(error) = write(database, &batch) {
            dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
            tracing::warn!(%error, rows = batch.len(), "request-log rows were dropped");
        }
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

fn retain(database: &Connection, older_than: Timestamp, max_rows: i64) -> rusqlite::Result<()> {
    while database.prepare_cached(DELETE_OLDER)?.execute((older_than.millis(), DELETE_CHUNK))? > 0 {}
    let newest: i64 = database.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
    while database.prepare_cached(DELETE_UPTO)?.execute((newest - max_rows, DELETE_CHUNK))? > 0 {}
    Ok(())
}
