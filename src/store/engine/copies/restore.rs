//! Putting a rehearsed database in the place of another, which is kept beside it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::{CopyError, Part, sync_folder};
use crate::domain::time::Timestamp;
use crate::store::engine::connection::wal_of;

/// At every moment there is a whole database in the place, so a power cut leaves the old one or the new one. Gives the name
/// under which the old one is kept.
pub fn place(scratch: &Part, path: &Path, now: Timestamp) -> Result<Option<PathBuf>, CopyError> {
    fold_log_in(scratch.path())?;
    if wal_of(scratch.path()).exists() {
        return Err(CopyError::InUse { path: scratch.path().to_owned() });
    }
    let kept = if path.symlink_metadata().is_ok() { Some(keep(path, now)?) } else { None };
    fs::rename(scratch.path(), path).map_err(CopyError::file(path, "replaced"))?;
    sync_folder(path)?;
    Ok(kept)
}

/// Brings what is still in a database's log into its one file: no database may meet the log of another.
fn fold_log_in(path: &Path) -> Result<(), CopyError> {
    let engine = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CopyError::InUse { path: path.to_owned() },
        _ => CopyError::Engine { path: path.to_owned(), cause: error.to_string() },
    };
    let database = Connection::open(path).map_err(engine)?;
    let mode = database.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
    if mode.map_err(engine)? != "delete" {
        return Err(CopyError::InUse { path: path.to_owned() });
    }
    database.close().map_err(|(_, error)| engine(error))?;
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(CopyError::file(path, "written"))
}

fn keep(path: &Path, now: Timestamp) -> Result<PathBuf, CopyError> {
    // One that is damaged is kept as it is, with its log: it may be the reason for the restore.
    if let Err(in_use @ CopyError::InUse { .. }) = fold_log_in(path) {
        return Err(in_use);
    }
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!("-replaced-{}.db", now.compact()));
    let kept = path.with_file_name(name);
    // A second name, and the first one is then given away by the rename: it is never without a file.
    fs::hard_link(path, &kept).map_err(CopyError::file(&kept, "written"))?;
    let wal = wal_of(path);
    if wal.exists() {
        fs::rename(&wal, wal_of(&kept)).map_err(CopyError::file(&wal, "moved"))?;
    }
    let mut shm = path.as_os_str().to_owned();
    shm.push("-shm");
    // An index of the log, made anew by whoever needs it.
    drop(fs::remove_file(shm));
    sync_folder(path)?;
    Ok(kept)
}
