//! Backups by the clock: made, verified, and old ones deleted. On a thread of its own, because a large one takes minutes.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::actions;
use crate::app::App;
use crate::backups::{self, BackupError, pace_of};
use crate::domain::backups::{Kind, latest_slot};
use crate::domain::policy;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::panics;
use crate::store::{CopyError, Pace};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// After a failure: a full disk is seldom cleared within the minute.
const AGAIN_AFTER: Duration = Duration::from_secs(15 * 60);

/// Runs until the other end is dropped, which also ends a backup that is under way.
pub fn run(app: &Arc<App>, stopped: &Receiver<()>) {
    let mut done: Option<Timestamp> = None;
    let mut not_before: Option<Instant> = None;
    while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        let Some(at) = app.config().backup.daily_at else { continue };
        let slot = latest_slot(app.now(), at.minutes, app.zone());
        if done == Some(slot) || not_before.is_some_and(|at| Instant::now() < at) {
            continue;
        }
        let text = match panics::catch(|| back_up_if_due(app, slot, stopped)) {
            Ok(Ok(())) => {
                (done, not_before) = (Some(slot), None);
                continue;
            }
            Ok(Err(BackupError::Copy(CopyError::Stopped))) => return,
            Ok(Err(error)) => error.to_string().replace('\n', " "),
            Err(why) => format!("it panicked: {why}"),
        };
        tracing::error!("the daily backup failed and will be tried again in 15 minutes: {text}");
        not_before = Some(Instant::now() + AGAIN_AFTER);
    }
}

fn back_up_if_due(app: &App, slot: Timestamp, stopped: &Receiver<()>) -> Result<(), BackupError> {
    let now = app.now();
    if !app.db.read(|tx| actions::backups::is_due(tx, slot, now))? {
        return Ok(());
    }
    let (permit, mut pace) = (policy::system(), Pace::until(stopped, pace_of(&app.config())));
    backups::sweep(&app.config())?;
    let new = backups::make(app, &permit, Kind::Scheduled, None, &mut pace)?;
    backups::verify(app, &permit, Path::new(&new.path), &mut pace)?;
    let deleted = backups::prune(app, &permit)?;
    let size = text::size(u64::try_from(new.bytes).unwrap_or_default());
    tracing::info!(path = new.path, size, deleted = deleted.len(), "the daily backup is made and whole");
    Ok(())
}
