//! Making, verifying and restoring backups: what the command line and the jobs share.

mod restore;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::actions;
use crate::app::{App, AppOpenError};
use crate::config::Config;
use crate::domain::backups::{Backup, Kind, NewBackup, on_their_way, superseded};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::store::{self, CopyError, Pace, Rehearsed};

pub use restore::{Request, Restored, restore};

/// Why a backup was not made, not good or not restored: what is wrong, and what to do.
#[derive(Debug)]
pub enum BackupError {
    Copy(CopyError),
    /// The copy is good; what is to be noted of it could not be written.
    Noting(AppError),
    Opening(AppOpenError),
    KeyFileMissing {
        key_file: PathBuf,
    },
    OtherKeyFile {
        key_file: PathBuf,
    },
}

impl From<CopyError> for BackupError {
    fn from(error: CopyError) -> Self {
        BackupError::Copy(error)
    }
}

impl From<AppError> for BackupError {
    fn from(error: AppError) -> Self {
        BackupError::Noting(error)
    }
}

impl From<AppOpenError> for BackupError {
    fn from(error: AppOpenError) -> Self {
        BackupError::Opening(error)
    }
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Copy(error) => error.fmt(f),
            BackupError::Noting(error) => {
                write!(
                    f,
                    "The backup could not be noted in the database: {error}.\nIts file is good; look at the disk of the database."
                )
            }
            BackupError::Opening(error) => error.fmt(f),
            BackupError::KeyFileMissing { key_file } => write!(
                f,
                "The key file {} is not there, and a backup never holds it: without it no sealed password can be read.\n\
                 Put it back first, or import its export: panel keyfile import FILE --passphrase-stdin",
                key_file.display()
            ),
            BackupError::OtherKeyFile { key_file } => write!(
                f,
                "The key file {} is not the one whose passwords are in this backup.\n\
                 Move it away, with the database it belongs to; import the right one (panel keyfile import FILE --passphrase-stdin) and restore again.",
                key_file.display()
            ),
        }
    }
}

impl std::error::Error for BackupError {}

/// How fast the settings let a backup go.
pub fn pace_of(config: &Config) -> u64 {
    u64::from(config.backup.mib_per_second) * 1024 * 1024
}

/// Makes a backup and notes it. Gives the path too: a name need not be text.
pub fn make(
    app: &App,
    permit: &Permit,
    kind: Kind,
    target: Option<&Path>,
    pace: &mut Pace<'_>,
) -> Result<(NewBackup, PathBuf), BackupError> {
    let (now, config) = (app.now(), app.config().clone());
    let target = match target {
        Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        None => store::backups::new_path(&config.backup_folder(), &config.database.path, kind, now)?,
    };
    let made = store::make_copy(&config.database.path, &target, now, pace)?;
    let new = store::backups::of_copy(kind, &target, &made);
    let (note, permit) = (new.clone(), permit.clone());
    app.db.write_blocking(move |tx| actions::backups::note_made(tx, &permit, &note, now))?;
    Ok((new, target))
}

/// Restores a backup to a scratch place beside the database and looks at it there.
pub fn rehearse(config: &Config, backup: &Path, pace: &mut Pace<'_>) -> Result<Rehearsed, BackupError> {
    let name = backup.file_name().unwrap_or_default();
    Ok(store::rehearse(backup, &config.database.path.with_file_name(name), pace)?)
}

/// Rehearses a backup and notes that it is whole, where this database knows it.
pub fn verify(app: &App, permit: &Permit, backup: &Path, pace: &mut Pace<'_>) -> Result<Rehearsed, BackupError> {
    let rehearsed = rehearse(&app.config(), backup, pace)?;
    let (permit, sha256, now) = (permit.clone(), rehearsed.sha256, app.now());
    app.db.write_blocking(move |tx| actions::backups::note_verified(tx, &permit, &sha256, now))?;
    Ok(rehearsed)
}

/// Deletes the backups by the clock that newer ones have taken the place of; one that cannot be deleted keeps no other.
pub fn prune(app: &App, permit: &Permit) -> Result<(), BackupError> {
    let keep = usize::try_from(app.config().backup.keep).unwrap_or(usize::MAX);
    let scheduled = app.db.read(actions::backups::scheduled)?;
    let mut outcome = Ok(());
    for backup in superseded(&scheduled, keep) {
        outcome = outcome.and(delete(app, permit, backup));
    }
    outcome
}

/// Deletes a backup and what is noted of it.
pub fn delete(app: &App, permit: &Permit, backup: &Backup) -> Result<(), BackupError> {
    let path = Path::new(&backup.path);
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            return Err(CopyError::File { path: path.to_owned(), what: "deleted", cause }.into());
        }
        _ => {}
    }
    let (permit, backup, now) = (permit.clone(), backup.clone(), app.now());
    Ok(app.db.write_blocking(move |tx| actions::backups::forget(tx, &permit, &backup, now))?)
}

/// Removes what a backup left when it was cut short, where it was made and where it was rehearsed.
pub fn sweep(config: &Config) -> Result<(), BackupError> {
    let stem = store::stem_of(&config.database.path);
    for folder in [config.backup_folder(), config.database_folder()] {
        if !folder.is_dir() {
            continue;
        }
        for name in on_their_way(&stem, names_in(&folder)?) {
            store::Part::sweep(&folder.join(name));
        }
    }
    Ok(())
}

fn names_in(folder: &Path) -> Result<Vec<String>, CopyError> {
    let unreadable = |cause| CopyError::File { path: folder.to_owned(), what: "read", cause };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}
