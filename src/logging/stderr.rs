//! Standard error, written by a thread of its own: a pipe that nobody reads any more holds up nobody who has something to say.

use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait to be written, of a few kilobytes at most; what comes while they wait is lost, and its number is told.
const QUEUE: usize = 4_096;

/// A log that cannot be written must not keep the process from ending.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often whoever ends looks for room.
const LOOK_EVERY: Duration = Duration::from_millis(10);

enum Work {
    Write(String),
    /// All before it is written.
    Tell(Sender<()>),
}

/// Lines that found no room.
static LOST: AtomicU64 = AtomicU64::new(0);

/// `None`: there is no thread to be had, and each line is written by whoever says it.
fn queue() -> Option<&'static SyncSender<Work>> {
    static QUEUED: OnceLock<Option<SyncSender<Work>>> = OnceLock::new();
    let start = || {
        let (queue, waiting) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("stderr".to_owned());
        thread.spawn(move || run(&waiting)).is_ok().then_some(queue)
    };
    QUEUED.get_or_init(start).as_ref()
}

fn run(waiting: &Receiver<Work>) {
    let mut stderr = Stderr { is_broken_off: false };
    loop {
        let work = match waiting.try_recv() {
            Ok(work) => work,
            Err(_) => {
                tell_lost();
                let Ok(work) = waiting.recv() else { return };
                work
            }
        };
        match work {
            Work::Write(line) => stderr.write(&line),
            Work::Tell(waiter) => {
                tell_lost();
                while let Ok(Work::Write(line)) = waiting.try_recv() {
                    stderr.write(&line);
                }
                // Whoever waited may have lost patience.
                let _ = waiter.send(());
            }
        }
    }
}

/// Only where there is room for it: it comes back here as a line, in the form that the settings ask for.
fn tell_lost() {
    let lost = LOST.swap(0, Ordering::Relaxed);
    if lost > 0 {
        tracing::warn!(lost, "lines of this log were lost: standard error was not read");
    }
}

/// Says a line, with its newline.
pub fn write(line: String) {
    let Some(queue) = queue() else { return Stderr { is_broken_off: false }.write(&line) };
    if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(Work::Write(line)) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where a reader that went away or a full disk loses lines and nothing else.
struct Stderr {
    is_broken_off: bool,
}

impl Stderr {
    fn write(&mut self, line: &str) {
        let mut stderr = io::stderr().lock();
        // A full disk may have taken half a line: the next must not be glued to it.
        if self.is_broken_off && stderr.write_all(b"\n").is_err() {
            return;
        }
        self.is_broken_off = stderr.write_all(line.as_bytes()).is_err();
    }
}

/// Waits, when it is dropped, until what was said is written, so that nothing that is said later overtakes it.
#[derive(Debug)]
pub struct Flush(());

pub fn flush_at_end() -> Flush {
    Flush(())
}

impl Drop for Flush {
    fn drop(&mut self) {
        let Some(queue) = queue() else { return };
        let (tell, told) = channel();
        let until = Instant::now() + PATIENCE;
        let mut work = Work::Tell(tell);
        // Who reads slowly makes room in time; who does not read at all, never.
        while let Err(TrySendError::Full(back)) = queue.try_send(work) {
            if Instant::now() >= until {
                return;
            }
            work = back;
            std::thread::park_timeout(LOOK_EVERY);
        }
        let _ = told.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}
