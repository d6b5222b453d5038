//! `api_key_logs`, in a file of its own with its own thread: logging never delays or fails a request. What cannot be
//! kept for want of room or of a disk is dropped and counted.

mod keeping;
pub mod used;
mod waiting;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Row};

use self::waiting::{Ask, Waiting};
use super::engine::{connection, migrate};
use super::{OpenError, SchemaFile, Synchronous};
use crate::domain::keys::KeyId;
use crate::domain::request_logs::{NewLog, RequestLog};
use crate::domain::time::Timestamp;
use crate::panics;

const LIST_OF_KEY: &str = "
    SELECT at, key_id, generation, method, route, path, status, gate, ip, latency_us, request_id
    FROM api_key_logs WHERE key_id = ?1 ORDER BY id DESC LIMIT ?2";
const COUNT_BY_KEY: &str = "SELECT key_id, count(*) FROM api_key_logs WHERE at >= ?1 GROUP BY key_id";
const SUM_DROPPED: &str = "SELECT coalesce(sum(rows), 0) FROM dropped_logs";
const SUM_DROPPED_SINCE: &str = "SELECT coalesce(sum(rows), 0) FROM dropped_logs WHERE hour >= ?1";

/// The way to the log's thread. Dropping it writes what waits.
pub struct RequestLogs {
    waiting: Arc<Waiting>,
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
        let (waiting, dropped) = (Arc::new(Waiting::default()), Arc::new(AtomicU64::new(0)));
        let (of_thread, counter) = (Arc::clone(&waiting), Arc::clone(&dropped));
        let thread = std::thread::Builder::new()
            .name("request-log".to_owned())
            .spawn(move || keeping::run(&mut database, &of_thread, &counter))
            .map_err(|e| OpenError::File { path: path.to_owned(), cause: e.to_string() })?;
        Ok(Self { waiting, dropped, thread: Some(thread) })
    }

    /// Hands a row over; drops and counts it where too many wait. One without a key takes as long and is not kept.
    pub fn push(&self, log: &NewLog<'_>) {
        if !self.waiting.push(log) && log.key.is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the rows that were pushed so far are written, for a while.
    pub fn flush(&self, patience: Duration) {
        let (tell, told) = channel();
        self.waiting.ask(Ask::Tell(tell));
        let _: Result<(), RecvTimeoutError> = told.recv_timeout(patience);
    }

    /// Asks for the deletion of rows that are older, or more, than the settings keep.
    pub fn retain(&self, older_than: Timestamp, max_rows: i64) {
        self.waiting.ask(Ask::Retain { older_than, max_rows });
    }

    /// Rows dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for RequestLogs {
    fn drop(&mut self) {
        self.waiting.close();
        panics::join(self.thread.take(), "request-log");
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
