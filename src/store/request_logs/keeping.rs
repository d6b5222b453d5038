//! The thread that writes the rows, in batches, and deletes those that are too many or too old.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SendError, Sender};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::waiting::{Ask, Batch, Waiting};
use crate::domain::time::Timestamp;

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
const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM api_key_logs";
const NOTE_DROPPED: &str = "
    INSERT INTO dropped_logs (hour, rows) VALUES (?1, ?2) ON CONFLICT (hour) DO UPDATE SET rows = rows + excluded.rows";

/// Works until nothing more will come and all is written.
pub fn run(database: &mut Connection, waiting: &Waiting, dropped: &AtomicU64) {
    let (mut open, mut noted, mut losses) = (true, 0, Losses::default());
    let (mut batch, mut asks, mut told) = (Batch::default(), Vec::new(), Vec::<Sender<()>>::new());
    let mut retaining: Option<(Timestamp, i64)> = None;
    while open {
        open = waiting.take(&mut batch, &mut asks, retaining.is_some());
        for ask in asks.drain(..) {
            match ask {
                Ask::Tell(waiter) => told.push(waiter),
                Ask::Retain { older_than, max_rows } => retaining = Some((older_than, max_rows)),
            }
        }
        let written = write(database, &batch);
        if written.is_err() {
            let lost = batch.iter().filter(|log| log.key.is_some()).count();
            dropped.fetch_add(lost as u64, Ordering::Relaxed);
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
            && let Some(at) = batch.newest()
            && note_dropped(database, at, lost - noted).is_ok()
        {
            noted = lost;
        }
        losses.tell(lost, written.err(), false);
        batch.clear();
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

fn write(database: &mut Connection, batch: &Batch) -> rusqlite::Result<()> {
    let mut rows = batch.iter().filter_map(|log| log.key.map(|key| (key, log))).peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let tx = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = tx.prepare_cached(INSERT)?;
        // Most rows come from where the one before came from.
        let (mut last, mut address) = (None, None);
        for ((key, generation), log) in rows {
            if log.ip != last {
                (last, address) = (log.ip, log.ip.map(|ip| ip.to_string()));
            }
            insert.execute(rusqlite::params![
                log.at.millis(),
                key.0,
                generation,
                log.method,
                log.route,
                log.path,
                log.status,
                log.gate,
                address,
                log.latency_us,
                log.request_id
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
