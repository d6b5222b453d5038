//! What runs by the clock: the search index, counts of limits, last uses, retention, backups. Never: actix, SQL.

mod backups;
mod retention;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::actions;
use crate::app::{App, LastUses};
use crate::domain::error::AppError;
use crate::domain::time::Timestamp;
use crate::limits::KeyLimits;
use crate::panics;
use crate::store::request_logs::RequestLogs;
use crate::store::{self, Stop};

/// How often new subscribers are indexed; until then a search looks at their rows.
const TICK: Duration = Duration::from_millis(500);

/// Rows indexed in one transaction, short enough that no request waits long for it.
const INDEX_CHUNK: i64 = 500;

/// Within a minute `last_used_at` tells the truth (contract: keys.md).
const LAST_USES_EVERY: i64 = 20 * Timestamp::SECOND;

const HOURLY: i64 = Timestamp::HOUR;

/// How often it is said of a job that it still fails.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What the jobs work on.
#[derive(Debug, Clone)]
pub struct On {
    pub app: Arc<App>,
    pub logs: Arc<RequestLogs>,
    pub uses: Arc<LastUses>,
    pub limits: Arc<KeyLimits>,
}

/// The jobs' threads. Dropping them lets each finish its round and store what it still holds; a backup is given up.
#[derive(Debug)]
pub struct Jobs {
    stop: Option<Sender<()>>,
    stop_backups: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Jobs {
    pub fn start(on: On) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let stop_backups = Arc::new(Stop::default());
        let (app, backups_stop) = (Arc::clone(&on.app), Arc::clone(&stop_backups));
        let run = move || {
            let mut rounds = Rounds::default();
            loop {
                rounds.run(&on);
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            rounds.report("last uses", || remember_uses(&on));
            rounds.report("limits", || store_limits(&on));
        };
        let start = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let threads =
            vec![start("jobs").spawn(run)?, start("backups").spawn(move || backups::run(&app, &backups_stop))?];
        Ok(Self { stop: Some(stop), stop_backups, threads })
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.stop = None;
        self.stop_backups.tell();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the jobs ended in a panic");
            }
        }
    }
}

/// When each round was last made.
#[derive(Debug, Default)]
struct Rounds {
    uses: i64,
    hourly: i64,
    /// Jobs that failed the last time, and when that was last told.
    failing: HashMap<&'static str, Instant>,
}

impl Rounds {
    fn run(&mut self, on: &On) {
        self.report("search index", || fill_search(&on.app));
        self.report("limits", || store_limits(on));
        let now = on.app.now().millis();
        if is_due(&mut self.uses, now, LAST_USES_EVERY) {
            self.report("last uses", || remember_uses(on));
        }
        if is_due(&mut self.hourly, now, HOURLY) {
            self.report("retention", || retention::run(on));
        }
    }

    /// Does a job. That it fails is told at once and then every so often: on a full disk it does so twice a second.
    fn report(&mut self, job: &'static str, work: impl FnOnce() -> Result<(), AppError>) {
        let outcome = panics::catch(work).unwrap_or_else(|why| Err(AppError::Internal(format!("it panicked: {why}"))));
        match outcome {
            Ok(()) => {
                if self.failing.remove(job).is_some() {
                    tracing::info!(job, "a job works again");
                }
            }
            Err(error) if self.failing.get(job).is_none_or(|told| told.elapsed() >= TELL_AGAIN_AFTER) => {
                self.failing.insert(job, Instant::now());
                tracing::warn!(job, %error, "a job failed and will be tried again");
            }
            Err(_) => {}
        }
    }
}

/// A clock that jumps back must not stop a job until it has caught up.
fn is_due(last: &mut i64, now: i64, every: i64) -> bool {
    let due = now.saturating_sub(*last) >= every || now < *last;
    if due {
        *last = now;
    }
    due
}

/// Indexes what is not yet.
pub fn fill_search(app: &App) -> Result<(), AppError> {
    while app.db.read(store::needs_search)? && app.db.write_blocking(|tx| store::fill_search(tx, INDEX_CHUNK))? {}
    Ok(())
}

fn store_limits(on: &On) -> Result<(), AppError> {
    let changed = on.limits.take_changed();
    if changed.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = changed.iter().map(|(id, _)| *id).collect();
    let stored = on.app.db.write_blocking(move |tx| actions::keys::store_counts(tx, &changed));
    stored.inspect_err(|_| on.limits.mark_changed(ids))
}

fn remember_uses(on: &On) -> Result<(), AppError> {
    let uses = on.uses.take();
    if uses.is_empty() {
        return Ok(());
    }
    let again = uses.clone();
    let stored = on.app.db.write_blocking(move |tx| actions::keys::remember_uses(tx, &uses));
    stored.inspect_err(|_| on.uses.put_back(again))
}

#[cfg(test)]
mod tests {
    use super::is_due;

    #[test]
    fn a_job_runs_when_its_time_has_come_and_after_a_clock_that_jumped_back() {
        let mut last = 1_000;
        assert!(!is_due(&mut last, 1_999, 1_000));
        assert!(is_due(&mut last, 2_000, 1_000));
        assert!(!is_due(&mut last, 2_000, 1_000));
        assert!(is_due(&mut last, 500, 1_000));
        assert_eq!(last, 500);
    }
}
