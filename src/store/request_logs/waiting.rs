//! Rows between the requests and the thread that writes them. Their texts stand side by side in one buffer that is used
//! again and again: a request allocates nothing for its row, and hardly any wakes the thread.

use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::keys::KeyId;
use crate::domain::request_logs::NewLog;
use crate::domain::time::Timestamp;

/// A row is readable this long after its request at the latest, plus the write.
const BATCH_EVERY: Duration = Duration::from_millis(100);

/// Rows that are not waited for any longer.
const BATCH: usize = 4_096;

/// Rows that may wait, and bytes of their texts.
const MOST_ROWS: usize = 65_536;
const MOST_TEXT: usize = 16 * 1024 * 1024;

/// Rows in the order of their requests.
#[derive(Debug, Default)]
pub struct Batch {
    rows: Vec<Row>,
    text: String,
}

#[derive(Debug)]
struct Row {
    at: Timestamp,
    key: Option<(KeyId, i64)>,
    route: &'static str,
    gate: Option<&'static str>,
    ip: Option<IpAddr>,
    latency_us: i64,
    status: u16,
    /// Where method, path and request id end in the text; each begins where the one before ends.
    ends: [usize; 3],
}

impl Batch {
    fn push(&mut self, log: &NewLog<'_>) {
        let ends = [log.method, log.path, log.request_id].map(|part| {
            self.text.push_str(part);
            self.text.len()
        });
        let NewLog { at, key, route, gate, ip, latency_us, status, .. } = *log;
        self.rows.push(Row { at, key, route, gate, ip, latency_us, status, ends });
    }

    pub fn iter(&self) -> impl Iterator<Item = NewLog<'_>> {
        let mut begin = 0;
        self.rows.iter().map(move |row| {
            let [method, path, request_id] = row.ends.map(|end| {
                let part = self.text.get(begin..end).unwrap_or_default();
                begin = end;
                part
            });
            let Row { at, key, route, gate, ip, latency_us, status, .. } = *row;
            NewLog { at, key, method, route, path, status, gate, ip, latency_us, request_id }
        })
    }

    pub fn newest(&self) -> Option<Timestamp> {
        self.rows.last().map(|row| row.at)
    }

    /// Makes it empty, and gives back what a burst made it take.
    pub fn clear(&mut self) {
        if self.rows.capacity() > 2 * BATCH {
            *self = Self::default();
        }
        self.rows.clear();
        self.text.clear();
    }
}

/// What is asked of the thread.
#[derive(Debug)]
pub enum Ask {
    /// To say when all before it is written.
    Tell(Sender<()>),
    /// To delete rows older than the instant and beyond the newest so many.
    Retain { older_than: Timestamp, max_rows: i64 },
}

#[derive(Debug, Default)]
pub struct Waiting {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    batch: Batch,
    asks: Vec<Ask>,
    closed: bool,
    /// The thread waits until something comes, however long.
    asleep: bool,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False where there is no room.
    pub fn push(&self, log: &NewLog<'_>) -> bool {
        let mut inner = self.lock();
        if inner.batch.rows.len() >= MOST_ROWS || inner.batch.text.len() >= MOST_TEXT {
            return false;
        }
        inner.batch.push(log);
        let wakes = std::mem::take(&mut inner.asleep) || inner.batch.rows.len() == BATCH;
        drop(inner);
        if wakes {
            self.changed.notify_one();
        }
        true
    }

    pub fn ask(&self, ask: Ask) {
        self.lock().asks.push(ask);
        self.changed.notify_one();
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Puts what came into an empty batch, and gives what was asked meanwhile. Waits for rows until there are enough, or
    /// the first has waited long enough; not at all where there is other work. False: nothing more will come.
    pub fn take(&self, batch: &mut Batch, asks: &mut Vec<Ask>, busy: bool) -> bool {
        let mut inner = self.lock();
        while !busy && inner.batch.rows.is_empty() && inner.asks.is_empty() && !inner.closed {
            inner.asleep = true;
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.asleep = false;
        let until = Instant::now() + BATCH_EVERY;
        while !busy && inner.batch.rows.len() < BATCH && inner.asks.is_empty() && !inner.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut inner.batch, batch);
        asks.append(&mut inner.asks);
        !inner.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log<'a>(path: &'a str, request_id: &'a str) -> NewLog<'a> {
        NewLog {
            at: Timestamp(1),
            key: Some((KeyId(3), 1)),
            method: "GET",
            route: "/x",
            path,
            status: 200,
            gate: None,
            ip: None,
            latency_us: 9,
            request_id,
        }
    }

    #[test]
    fn rows_come_out_as_they_went_in_whatever_their_texts_are() {
        let mut batch = Batch::default();
        let given = [log("/é/中", "a"), log("", ""), NewLog { key: None, gate: Some("key"), ..log("/x", "b.c") }];
        given.iter().for_each(|log| batch.push(log));
        assert_eq!(batch.iter().collect::<Vec<_>>(), given);
        batch.clear();
        assert_eq!(batch.iter().count(), 0);
        batch.push(&given[1]);
        assert_eq!(batch.iter().collect::<Vec<_>>(), [given[1]]);
    }

    #[test]
    fn what_finds_no_room_is_refused_and_there_is_room_again_when_it_was_taken() {
        let waiting = Waiting::default();
        let long = "x".repeat(MOST_TEXT);
        assert!(waiting.push(&log(&long, "")));
        assert!(!waiting.push(&log("/x", "")));
        let (mut batch, mut asks) = (Batch::default(), Vec::new());
        assert!(waiting.take(&mut batch, &mut asks, true));
        for _ in 0..MOST_ROWS {
            assert!(waiting.push(&log("/x", "")));
        }
        assert!(!waiting.push(&log("/x", "")));
    }

    #[test]
    fn whoever_waits_for_rows_is_woken_by_the_first_by_what_is_asked_and_by_the_end() {
        let waiting = Waiting::default();
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| {
                let (mut rows, mut asks) = (0, Vec::new());
                loop {
                    let mut batch = Batch::default();
                    let open = waiting.take(&mut batch, &mut asks, false);
                    rows += batch.iter().count();
                    if !open {
                        return (rows, asks.len());
                    }
                }
            });
            for _ in 0..3 * BATCH {
                assert!(waiting.push(&log("/x", "")));
            }
            waiting.ask(Ask::Retain { older_than: Timestamp(0), max_rows: 1 });
            waiting.close();
            assert_eq!(taking.join().unwrap(), (3 * BATCH, 1));
        });
    }
}
