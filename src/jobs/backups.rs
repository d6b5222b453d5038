//! Backups by the clock: made, verified, and old ones deleted. On a thread of its own, because a large one takes minutes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::actions::{self, backups::Due};
use crate::app::App;
use crate::backups::{self, BackupError, pace_of};
use crate::domain::backups::{Kind, latest_slot};
use crate::domain::policy;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::panics;
use crate::store::{CopyError, Pace, Stop};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// After a failure: a full disk is seldom cleared within the minute.
const AGAIN_AFTER: Duration = Duration::from_secs(15 * 60);

/// Runs until it is told to stop, which also ends a backup that is under way.
pub fn run(app: &Arc<App>, stop: &Stop) {
    let mut done: Option<Timestamp> = None;
    let mut failed: Option<(Timestamp, Instant)> = None;
    while !stop.is_told_within(TICK) {
        let Some(at) = app.config().backup.daily_at else { continue };
        let slot = latest_slot(app.now(), at.minutes, app.zone());
        let rests = failed.is_some_and(|(of, at)| of == slot && at.elapsed() < AGAIN_AFTER);
        if done == Some(slot) || rests {
            continue;
        }
        let text = match panics::catch(|| back_up_if_due(app, slot, stop)) {
            Ok(Ok(())) => {
                (done, failed) = (Some(slot), None);
                continue;
            }
            Ok(Err(BackupError::Copy(CopyError::Stopped))) => return,
            Ok(Err(error)) => text::one_line(&error),
            Err(why) => format!("it panicked: {why}"),
        };
        tracing::error!("the daily backup failed and will be tried again in 15 minutes: {text}");
        failed = Some((slot, Instant::now()));
    }
}

fn back_up_if_due(app: &App, slot: Timestamp, stop: &Stop) -> Result<(), BackupError> {
    let (now, config) = (app.now(), app.config().clone());
    let (permit, mut pace) = (policy::system(), Pace::until(stop, pace_of(&config)));
    let path = match app.db.read(|tx| actions::backups::due(tx, slot, now))? {
        Due::Nothing => return Ok(()),
        // One more would be made with each try: there was room for the copy and none to look at it.
        Due::Verify(made) if Path::new(&made.path).exists() => PathBuf::from(&made.path),
        due => {
            if let Due::Verify(lost) = due {
                backups::delete(app, &permit, &lost)?;
            }
            backups::sweep(&config)?;
            backups::make(app, &permit, Kind::Scheduled, None, &mut pace)?.1
        }
    };
    if let Err(error) = backups::verify(app, &permit, &path, &mut pace) {
        if let BackupError::Copy(CopyError::Damaged { .. } | CopyError::NotABackup { .. }) = error {
            forget(app, &path)?;
        }
        return Err(error);
    }
    let size = text::size(std::fs::metadata(&path).map_or(0, |file| file.len()));
    tracing::info!(path = %path.display(), size, "the daily backup is made and whole");
    // This one is good whatever becomes of the old ones.
    if let Err(error) = backups::prune(app, &permit) {
        let text = text::one_line(&error);
        tracing::warn!("old backups could not be deleted: {text}");
    }
    Ok(())
}

/// One that is not whole is of no use, and in the way of the next.
fn forget(app: &App, path: &Path) -> Result<(), BackupError> {
    let path = path.to_string_lossy();
    let scheduled = app.db.read(actions::backups::scheduled)?;
    match scheduled.iter().find(|backup| backup.path == path) {
        Some(backup) => backups::delete(app, &policy::system(), backup),
        None => Ok(()),
    }
}
