//! Putting a backup in the place of the database.

use std::path::{Path, PathBuf};

use super::BackupError;
use crate::actions::{self, backups::Settled};
use crate::config::Config;
use crate::crypto::{KeyFile, Sealer};
use crate::domain::backups::RESEALED;
use crate::domain::policy::Permit;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::store::{self, Carried, CopyError, Db, Options, Pace, Presence, Rehearsed, Synchronous, There};

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
    /// Why nothing could be asked for what was ended since.
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
    let failed = |error: CopyError| E::from(BackupError::from(error));
    let key_file = store::key_file_path(&config.database.path);
    let path = &real_path(&config.database.path).map_err(failed)?;
    let in_use = || BackupError::from(CopyError::InUse { path: path.clone() });
    let alone = match Presence::alone(&key_file) {
        Ok(alone) => alone.ok_or_else(in_use)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(BackupError::KeyFileMissing { key_file }.into());
        }
        Err(cause) => return Err(failed(CopyError::File { path: key_file, what: "read", cause })),
    };
    let key = KeyFile::open(&key_file).map_err(|error| E::from(BackupError::Opening(error.into())))?;
    let rehearsed = match request.unsealed {
        true => rehearse_unsealed(request.backup, path).map_err(failed)?,
        false => store::rehearse(request.backup, path, &mut Pace::new(u64::MAX)).map_err(failed)?,
    };
    if !rehearsed.key_check.as_deref().is_some_and(|check| Sealer::new(&key).opens_check(check)) {
        return Err(BackupError::OtherKeyFile { key_file }.into());
    }
    let taken_at = rehearsed.seal.taken_at;
    agree(taken_at)?;
    let (carried, unread) = match store::prepare_place(path).map_err(failed)? {
        There::Nothing => (Carried::default(), Some("there was none".to_owned())),
        There::Damaged => (Carried::default(), Some("it is damaged".to_owned())),
        There::Whole => match Carried::read(path) {
            Ok(carried) => (carried, None),
            Err(error) => (Carried::default(), Some(text::one_line(&error))),
        },
    };
    let settled = settle(rehearsed.scratch.path(), permit, taken_at, carried, request.now)?;
    let kept = store::place_copy(&rehearsed.scratch, path, request.now).map_err(failed)?;
    drop(alone);
    Ok(Restored { taken_at, kept, settled, unread })
}

/// Where the database really is: a link to it stays a link.
fn real_path(path: &Path) -> Result<PathBuf, CopyError> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => std::fs::canonicalize(path).map_err(|cause| CopyError::File {
            path: path.to_owned(),
            what: "followed to where it leads",
            cause,
        }),
        _ => Ok(path.to_owned()),
    }
}

/// By way of a sealed copy: it brings in a log that lies beside it, and from there on all are alike.
fn rehearse_unsealed(backup: &Path, path: &Path) -> Result<Rehearsed, CopyError> {
    match store::seal_of(backup, &mut Pace::new(u64::MAX)) {
        // Not a reason to forget what its seal says.
        Ok(_) => return store::rehearse(backup, path, &mut Pace::new(u64::MAX)),
        Err(CopyError::NotABackup { .. }) => {}
        Err(error) => return Err(error),
    }
    let changed = std::fs::metadata(backup).and_then(|file| file.modified()).ok();
    let since = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let taken_at = Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(RESEALED);
    let resealed = Resealed(path.with_file_name(name));
    if std::fs::canonicalize(&resealed.0).is_ok_and(|there| std::fs::canonicalize(backup).is_ok_and(|it| it == there)) {
        return Err(CopyError::UnderWay { path: backup.to_owned() });
    }
    // What an interrupted run left: nobody else restores now.
    drop(std::fs::remove_file(&resealed.0));
    store::make_copy(backup, &resealed.0, taken_at, &mut Pace::new(u64::MAX))?;
    store::rehearse(&resealed.0, path, &mut Pace::new(u64::MAX))
}

/// Of no more use once it was rehearsed.
struct Resealed(PathBuf);

impl Drop for Resealed {
    fn drop(&mut self) {
        // Where it could not be made there is none.
        drop(std::fs::remove_file(&self.0));
    }
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
