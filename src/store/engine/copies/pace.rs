//! How fast a copy may go, and when it must end.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::CopyError;

/// So that the disk is never handed more at once than it writes in a moment.
const FLUSH_EVERY: u64 = 4 * 1024 * 1024;

/// Tells others to stop, and lets them wait for it.
#[derive(Debug, Default)]
pub struct Stop {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub fn tell(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn is_told(&self) -> bool {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for it as long as this.
    pub fn is_told_within(&self, patience: Duration) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(told, patience, |told| !*told);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How far a copy may be behind what it is allowed before that is forgotten.
const CREDIT: Duration = Duration::from_secs(1);

/// How soon the engine's longer checks give up after that.
const INTERRUPT_WITHIN: Duration = Duration::from_millis(200);

/// How fast a copy may go, so that requests keep their disk, and whether it should go on at all.
#[derive(Debug)]
pub struct Pace<'s> {
    bytes_per_second: u64,
    stop: Option<&'s Stop>,
    began: Instant,
    spent: u64,
}

impl<'s> Pace<'s> {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), stop: None, began: Instant::now(), spent: 0 }
    }

    /// Ends with [`CopyError::Stopped`] once it is told to stop.
    pub fn until(stop: &'s Stop, bytes_per_second: u64) -> Self {
        Self { stop: Some(stop), ..Self::new(bytes_per_second) }
    }

    /// Runs what the engine does in one go, and cuts it short once it is told to stop.
    pub(super) fn interruptible<T>(
        &self,
        connection: &Connection,
        work: impl FnOnce() -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let Some(stop) = self.stop else { return work() };
        let (handle, done) = (connection.get_interrupt_handle(), Stop::default());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Again and again: between two statements there is nothing to interrupt.
                while !done.is_told_within(INTERRUPT_WITHIN) {
                    if stop.is_told() {
                        handle.interrupt();
                    }
                }
            });
            let outcome = work();
            done.tell();
            outcome
        })
    }

    /// Rests where it was quicker than it may be.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), CopyError> {
        self.spent = self.spent.saturating_add(bytes);
        let micros = u128::from(self.spent).saturating_mul(1_000_000) / u128::from(self.bytes_per_second);
        let due = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let elapsed = self.began.elapsed();
        // What was not used while the engine checked is not made up for by a burst.
        if elapsed > due + CREDIT {
            (self.began, self.spent) = (Instant::now(), 0);
            return self.go_on(Duration::ZERO);
        }
        self.go_on(due.saturating_sub(elapsed))
    }

    fn go_on(&self, rest: Duration) -> Result<(), CopyError> {
        match self.stop {
            Some(stop) if stop.is_told_within(rest) => Err(CopyError::Stopped),
            Some(_) => Ok(()),
            None => {
                Stop::default().is_told_within(rest);
                Ok(())
            }
        }
    }
}

/// Hands the disk what was written bit by bit: a long flush at the end would hold up every commit.
pub(super) struct Flushing<'f> {
    file: &'f File,
    unflushed: u64,
}

impl<'f> Flushing<'f> {
    pub fn new(file: &'f File) -> Self {
        Self { file, unflushed: 0 }
    }

    pub fn wrote(&mut self, bytes: u64) -> io::Result<()> {
        self.unflushed += bytes;
        if self.unflushed >= FLUSH_EVERY {
            self.file.sync_data()?;
            self.unflushed = 0;
        }
        Ok(())
    }
}

impl Write for Flushing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.wrote(written as u64)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
