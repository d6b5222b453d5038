//! `setup_links`: one-time links that let somebody set a user's password.

use rusqlite::OptionalExtension;

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;

/// Whom a living link is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupLink {
    pub user: UserId,
    pub username: String,
}

const FIND: &str = "
    SELECT u.id, u.username FROM setup_links l JOIN users u ON u.id = l.user_id
    WHERE l.token_hash = ?1 AND l.used_at IS NULL AND l.expires_at > ?2 AND u.deleted_at IS NULL";
const IS_OFFERED: &str = "SELECT 1 FROM setup_links WHERE user_id = ?1 AND used_at IS NULL AND expires_at > ?2";
const INSERT: &str = "INSERT INTO setup_links (token_hash, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)";
const USE_ALL: &str = "UPDATE setup_links SET used_at = ?2 WHERE user_id = ?1 AND used_at IS NULL";
const END_ALL: &str = "UPDATE setup_links SET used_at = ?1 WHERE used_at IS NULL";
const DELETE_OLD: &str = "DELETE FROM setup_links WHERE expires_at <= ?1";

pub fn find(tx: &ReadTx<'_>, token_hash: &[u8; 32], now: Timestamp) -> Result<Option<SetupLink>, AppError> {
    tx.prepare(FIND)?
        .query_row((token_hash, now.millis()), |row| Ok(SetupLink { user: UserId(row.get(0)?), username: row.get(1)? }))
        .optional()
        .map_err(|e| store_error(&e))
}

/// Ends every link of everybody.
pub fn end_all(tx: &WriteTx<'_>, _permit: &Permit, now: Timestamp) -> Result<(), AppError> {
    tx.execute(END_ALL, [now.millis()]).map(|_| ())
}

/// Whether the user has a living link.
pub fn is_offered(tx: &ReadTx<'_>, user: UserId, now: Timestamp) -> Result<bool, AppError> {
    let found: Option<i64> = tx
        .prepare(IS_OFFERED)?
        .query_row((user.0, now.millis()), |row| row.get(0))
        .optional()
        .map_err(|e| store_error(&e))?;
    Ok(found.is_some())
}

pub fn insert(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    token_hash: &[u8; 32],
    user: UserId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), AppError> {
    tx.execute(INSERT, (token_hash, user.0, now.millis(), expires_at.millis())).map(|_| ())
}

/// Ends every living link of a user: one that was used, and its forgotten siblings.
pub fn use_all(tx: &WriteTx<'_>, user: UserId, now: Timestamp) -> Result<usize, AppError> {
    tx.execute(USE_ALL, (user.0, now.millis()))
}

pub fn delete_old(tx: &WriteTx<'_>, now: Timestamp) -> Result<usize, AppError> {
    tx.unaudited("retention");
    tx.execute(DELETE_OLD, [now.millis()])
}
