//! `packages`: limits and flags that accounts inherit.

use rusqlite::OptionalExtension;

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::fold;

const INSERT: &str = "
    INSERT INTO packages (name, name_key, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
    ON CONFLICT DO NOTHING
    RETURNING id";
const FIND_ID: &str = "SELECT id FROM packages WHERE name_key = ?1";

/// Makes a package in which everything is allowed and nothing limited; `None` where the name is taken.
pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, name: &str, now: Timestamp) -> Result<Option<i64>, AppError> {
    tx.prepare(INSERT)?
        .query_row((name, fold(name), now.millis()), |row| row.get(0))
        .optional()
        .map_err(|e| store_error(&e))
}

pub fn find_id(tx: &ReadTx<'_>, name: &str) -> Result<Option<i64>, AppError> {
    tx.prepare(FIND_ID)?.query_row([fold(name)], |row| row.get(0)).optional().map_err(|e| store_error(&e))
}
