//! Putting a backup in the place of the database.

use std::path::{Path, PathBuf};

use super::{BackupError, pace_of};
use crate::actions::{self, backups::Settled};
use crate::config::Config;
use crate::crypto::{KeyFile, Sealer};
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::store::{self, Carried, CopyError, Db, Options, Pace, Presence, Synchronous};

/// What is to be restored.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub backup: &'a Path,
    /// A database that was copied by other means: there is no seal to hold it to.
    pub unsealed: bool,
    pub now: Timestamp,
}

#[derive(Debug)]
pub struct Restored {
    /// Whatever was acknowledged before is there.
    pub taken_at: Timestamp,
    /// Where the replaced database is now.
    pub kept: Option<PathBuf>,
    pub settled: Settled,
    /// Why the replaced database could not be asked for what was ended since.
    pub unread: Option<String>,
}

/// Rehearses the backup beside the database, tells it what was ended since it was taken, and puts it in its place. `agree`
/// is asked when all of that can be done; what it refuses has changed nothing.
pub fn restore<E: From<BackupError>>(
    config: &Config,
    permit: &Permit,
    request: Request<'_>,
    agree: impl FnOnce(Timestamp) -> Result<(), E>,
) -> Result<Restored, E> {
    let path = &config.database.path;
    let key_file = store::key_file_path(path);
    let in_use = || BackupError::from(CopyError::InUse { path: path.clone() });
    let failed = |error: CopyError| E::from(BackupError::from(error));
    let alone = match Presence::alone(&key_file) {
        Ok(alone) => alone.ok_or_else(in_use)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(BackupError::KeyFileMissing { key_file }.into());
        }
        Err(cause) => return Err(failed(CopyError::File { path: key_file, what: "read", cause })),
    };
    let key = KeyFile::open(&key_file).map_err(|error| E::from(BackupError::Opening(error.into())))?;
    let mut pace = Pace::new(u64::MAX);
    let resealed = request.unsealed.then(|| reseal(request, path, &mut Pace::new(pace_of(config)))).transpose();
    let resealed = resealed.map_err(failed)?;
    let backup = resealed.as_deref().unwrap_or(request.backup);
    let rehearsed = store::rehearse(backup, path, &mut pace).map_err(failed);
    if let Some(resealed) = &resealed {
        // Ours alone, and of no more use.
        drop(std::fs::remove_file(resealed));
    }
    let rehearsed = rehearsed?;
    if !rehearsed.key_check.as_deref().is_some_and(|check| Sealer::new(&key).opens_check(check)) {
        return Err(BackupError::OtherKeyFile { key_file }.into());
    }
    agree(rehearsed.seal.taken_at)?;
    let (carried, unread) = match path.exists().then(|| Carried::read(path)) {
        None => (Carried::default(), None),
        Some(Ok(carried)) => (carried, None),
        Some(Err(error)) => (Carried::default(), Some(error.to_string())),
    };
    let taken_at = rehearsed.seal.taken_at;
    let settled = settle(rehearsed.scratch.path(), permit, taken_at, carried, request.now)?;
    let kept = store::place_copy(&rehearsed.scratch, path, request.now).map_err(failed)?;
    drop(alone);
    Ok(Restored { taken_at, kept, settled, unread })
}

/// A sealed copy of an unsealed one: it brings in a log that lies beside it, and from there on all are alike.
fn reseal(request: Request<'_>, path: &Path, pace: &mut Pace<'_>) -> Result<PathBuf, CopyError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".resealed");
    let target = path.with_file_name(name);
    // An interrupted run may have left it; nobody else is here.
    drop(std::fs::remove_file(&target));
    store::make_copy(request.backup, &target, request.now, pace)?;
    Ok(target)
}

fn settle(
    scratch: &Path,
    permit: &Permit,
    taken_at: Timestamp,
    carried: Carried,
    now: Timestamp,
) -> Result<Settled, BackupError> {
    let options = Options {
        path: scratch.to_owned(),
        synchronous: Synchronous::Full,
        fast_readers: 1,
        slow_readers: 1,
        queue: 1,
        backup_to: None,
    };
    let db = Db::open(&options).map_err(CopyError::Schema)?;
    let permit = permit.clone();
    let settle = move |tx: &store::WriteTx<'_>| actions::backups::settle_restored(tx, &permit, taken_at, &carried, now);
    Ok(db.write_blocking(settle)?)
}
