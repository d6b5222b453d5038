//! `backups`: what was made, when it was taken, and when it was last found whole.

use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Row};

use super::{CopyError, Made, ReadTx, WriteTx, prepare_folder, stem_of, store_error};
use crate::domain::backups::{Backup, Kind, NewBackup, file_name};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;

const INSERT: &str = "
    INSERT INTO backups (taken_at, kind, path, bytes, sha256) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (sha256) DO UPDATE SET path = excluded.path
    RETURNING id";
const FIND_BY_HASH: &str = "
    SELECT id, taken_at, kind, path, bytes, sha256, verified_at FROM backups WHERE sha256 = ?1";
const LAST_OF_KIND: &str = "
    SELECT id, taken_at, kind, path, bytes, sha256, verified_at FROM backups WHERE kind = ?1 ORDER BY id DESC LIMIT 1";
const LIST_OF_KIND: &str = "
    SELECT id, taken_at, kind, path, bytes, sha256, verified_at FROM backups WHERE kind = ?1 ORDER BY id DESC";
const LIST: &str = "
    SELECT id, taken_at, kind, path, bytes, sha256, verified_at FROM backups ORDER BY id DESC LIMIT ?1";
const NEWEST_VERIFIED: &str = "SELECT max(taken_at) FROM backups WHERE verified_at IS NOT NULL AND taken_at <= ?1";
const SET_VERIFIED: &str = "UPDATE backups SET verified_at = ?2 WHERE id = ?1";
const DELETE: &str = "DELETE FROM backups WHERE id = ?1";

/// Where a backup without a name of its own is put: in this folder, which is made where there is none, named after its time.
pub fn new_path(folder: &Path, database: &Path, kind: Kind, now: Timestamp) -> Result<PathBuf, CopyError> {
    prepare_folder(folder)?;
    let path = folder.join(file_name(&stem_of(database), kind, now));
    Ok(std::path::absolute(&path).unwrap_or(path))
}

/// What is noted of a copy.
pub fn of_copy(kind: Kind, path: &Path, made: &Made) -> NewBackup {
    NewBackup {
        taken_at: made.seal.taken_at,
        kind,
        path: path.to_string_lossy().into_owned(),
        bytes: i64::try_from(made.bytes).unwrap_or(i64::MAX),
        sha256: made.sha256,
    }
}

pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, new: &NewBackup) -> Result<i64, AppError> {
    let NewBackup { taken_at, kind, path, bytes, sha256 } = new;
    tx.prepare(INSERT)?
        .query_row((taken_at.millis(), kind.as_str(), path, bytes, sha256), |row| row.get(0))
        .map_err(|e| store_error(&e))
}

pub fn find_by_hash(tx: &ReadTx<'_>, sha256: &[u8; 32]) -> Result<Option<Backup>, AppError> {
    tx.prepare(FIND_BY_HASH)?.query_row([sha256], from_row).optional().map_err(|e| store_error(&e))
}

/// The one that was made last, whatever the clock said then.
pub fn last_of_kind(tx: &ReadTx<'_>, kind: Kind) -> Result<Option<Backup>, AppError> {
    tx.prepare(LAST_OF_KIND)?.query_row([kind.as_str()], from_row).optional().map_err(|e| store_error(&e))
}

/// The latest first.
pub fn list(tx: &ReadTx<'_>, limit: i64) -> Result<Vec<Backup>, AppError> {
    let mut statement = tx.prepare(LIST)?;
    let rows = statement.query_map([limit], from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

/// The latest first.
pub fn list_of_kind(tx: &ReadTx<'_>, kind: Kind) -> Result<Vec<Backup>, AppError> {
    let mut statement = tx.prepare(LIST_OF_KIND)?;
    let rows = statement.query_map([kind.as_str()], from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

/// When the newest one was taken that is known to be whole. One from the future was made by a clock that was wrong.
pub fn newest_verified(tx: &ReadTx<'_>, now: Timestamp) -> Result<Option<Timestamp>, AppError> {
    let newest = tx.prepare(NEWEST_VERIFIED)?.query_row([now.millis()], |row| row.get::<_, Option<i64>>(0));
    Ok(newest.map_err(|e| store_error(&e))?.map(Timestamp))
}

pub fn set_verified(tx: &WriteTx<'_>, _permit: &Permit, id: i64, at: Timestamp) -> Result<(), AppError> {
    tx.execute(SET_VERIFIED, (id, at.millis())).map(|_| ())
}

/// Forgets one whose file was deleted.
pub fn delete(tx: &WriteTx<'_>, _permit: &Permit, id: i64) -> Result<(), AppError> {
    tx.execute(DELETE, [id]).map(|_| ())
}

pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Backup> {
    let kind: String = row.get(2)?;
    Ok(Backup {
        id: row.get(0)?,
        taken_at: Timestamp(row.get(1)?),
        // The column's CHECK has the same words.
        kind: Kind::parse(&kind).unwrap_or(Kind::Manual),
        path: row.get(3)?,
        bytes: row.get(4)?,
        sha256: row.get(5)?,
        verified_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}
