//! Putting a rehearsed database in the place of another, which is kept beside it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{CopyError, Part, sync_folder};
use crate::domain::backups::replaced_prefix;
use crate::domain::time::Timestamp;
use crate::store::engine::connection::{wal_of, with_suffix};
use crate::store::engine::migrate;
use crate::store::stem_of;

/// What is in the place of a database that is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    Nothing,
    /// In its one file: what its log held was brought in.
    Whole,
    /// Left as it is, with its log.
    Damaged,
}

/// Looks at what is to be replaced. One that is damaged may be the reason for the restore; one that only cannot be used at the
/// moment is not, and what its log holds would be lost.
pub fn prepare(path: &Path) -> Result<There, CopyError> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(There::Nothing),
        Err(error) => return Err(CopyError::file(path, "read")(error)),
        Ok(metadata) => metadata,
    };
    if !metadata.is_file() || migrate::refuse_foreign_file(path).is_err() {
        return Ok(There::Damaged);
    }
    match fold_log_in(path) {
        Ok(()) => Ok(There::Whole),
        Err(Unfolded::Damaged) => Ok(There::Damaged),
        Err(Unfolded::Not(error)) => Err(error),
    }
}

/// At every moment there is a database in the place, so a power cut leaves the old one or the new one. Gives the name under which
/// the old one is kept.
pub fn place(scratch: &Part, path: &Path, now: Timestamp) -> Result<Option<PathBuf>, CopyError> {
    fold_log_in(scratch.path()).map_err(|unfolded| match unfolded {
        Unfolded::Damaged => CopyError::damaged(scratch.path(), "it was whole a moment ago"),
        Unfolded::Not(error) => error,
    })?;
    let kept = keep(path, now)?;
    fs::rename(scratch.path(), path).map_err(CopyError::file(path, "replaced"))?;
    sync_folder(path)?;
    Ok(kept)
}

enum Unfolded {
    Damaged,
    Not(CopyError),
}

/// Brings what is still in a database's log into its one file: no database may meet the log of another.
fn fold_log_in(path: &Path) -> Result<(), Unfolded> {
    let in_use = || Unfolded::Not(CopyError::InUse { path: path.to_owned() });
    let engine = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Unfolded::Damaged,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => in_use(),
        _ => Unfolded::Not(CopyError::engine(path)(error)),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(engine)?;
    let mode = database.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
    if mode.map_err(engine)? != "delete" || wal_of(path).exists() {
        return Err(in_use());
    }
    database.close().map_err(|(_, error)| engine(error))?;
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|cause| Unfolded::Not(CopyError::file(path, "written")(cause)))
}

/// Gives the old database a second name, which the first one is then taken from: it is never without a file. What lies beside it
/// goes along, also where it lies there alone: the new database must not meet it.
fn keep(path: &Path, now: Timestamp) -> Result<Option<PathBuf>, CopyError> {
    let kept = free_name(path, now)?;
    let mut is_kept = false;
    if path.symlink_metadata().is_ok() {
        fs::hard_link(path, &kept).map_err(CopyError::file(&kept, "written"))?;
        is_kept = true;
    }
    for suffix in ["-wal", "-journal"] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&kept, suffix));
        if from.symlink_metadata().is_ok() {
            fs::rename(&from, &to).map_err(CopyError::file(&from, "moved"))?;
            is_kept = true;
        }
    }
    // An index of the log, made anew by whoever needs it.
    drop(fs::remove_file(with_suffix(path, "-shm")));
    sync_folder(path)?;
    Ok(is_kept.then_some(kept))
}

/// One that nothing has, nor anything that belongs to it.
fn free_name(path: &Path, now: Timestamp) -> Result<PathBuf, CopyError> {
    let prefix = replaced_prefix(&stem_of(path));
    let named = |turn: u32| {
        let turn = if turn == 0 { String::new() } else { format!("-{turn}") };
        path.with_file_name(format!("{prefix}{}{turn}.db", now.compact()))
    };
    let is_free = |name: &PathBuf| {
        ["", "-wal", "-journal"].iter().all(|suffix| with_suffix(name, suffix).symlink_metadata().is_err())
    };
    (0..100).map(named).find(is_free).ok_or_else(|| CopyError::Exists { path: named(0) })
}
