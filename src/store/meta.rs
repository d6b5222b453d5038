//! `meta`: what this file is.

use std::path::Path;

use rusqlite::{OptionalExtension, Row};

use super::engine::connection;
use super::{OpenError, ReadTx, Synchronous, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::time::Timestamp;

const FIND: &str = "SELECT value FROM meta WHERE name = ?1";
const INSERT: &str = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";

const BEAT: &str = "
    INSERT INTO meta (name, value) VALUES ('beat', ?1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// A constant sealed with the key file this database was made with.
const KEY_CHECK: &str = "key_check";

pub fn find_key_check(tx: &ReadTx<'_>) -> Result<Option<Vec<u8>>, AppError> {
    tx.prepare(FIND)?.query_row([KEY_CHECK], |row| row.get(0)).optional().map_err(|e| store_error(&e))
}

/// The same of a file that is not open, before there is a key to open it with.
pub fn read_key_check(path: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    let connection = connection::open(path, Synchronous::Normal)?;
    Ok(connection.query_row(FIND, [KEY_CHECK], |row| row.get(0)).optional()?)
}

/// Changes a row for no other reason than to see that it can be done. Each time to something else: where a row is given the
/// value it has, the engine writes nothing, and a full disk would pass.
pub fn beat(tx: &WriteTx<'_>) -> Result<(), AppError> {
    tx.unaudited("it changes nothing that anybody reads");
    let last = tx.prepare(FIND)?.query_row(["beat"], |row| row.get::<_, Vec<u8>>(0)).optional();
    let last = last.map_err(|e| store_error(&e))?.and_then(|value| value.first().copied());
    tx.execute(BEAT, [vec![last.unwrap_or(0).wrapping_add(1); 8192]]).map(|_| ())
}

/// When the key file was last exported.
const KEY_EXPORTED: &str = "key_exported";
const SET: &str = "
    INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

pub fn set_key_exported(tx: &WriteTx<'_>, at: Timestamp) -> Result<(), AppError> {
    tx.execute(SET, (KEY_EXPORTED, at.millis().to_be_bytes())).map(|_| ())
}

/// When the key was last written down somewhere else.
pub fn key_exported_at(tx: &ReadTx<'_>) -> Result<Option<Timestamp>, AppError> {
    let read = |row: &Row<'_>| row.get::<_, [u8; 8]>(0);
    let found = tx.prepare(FIND)?.query_row([KEY_EXPORTED], read).optional().map_err(|e| store_error(&e))?;
    Ok(found.map(|bytes| Timestamp(i64::from_be_bytes(bytes))))
}

pub fn insert_key_check(tx: &WriteTx<'_>, sealed: &[u8]) -> Result<(), AppError> {
    tx.unaudited("a fresh file's own mark");
    tx.execute(INSERT, (KEY_CHECK, sealed)).map(|_| ())
}
