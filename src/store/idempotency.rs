//! `idempotency`: answers kept for 24 hours, written with the effect they answer.

use rusqlite::OptionalExtension;

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::time::Timestamp;

/// How long an answer is kept.
pub const KEPT_MILLIS: i64 = Timestamp::DAY;

/// Under what an answer is kept: who asked, and what exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub caller: String,
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    pub header: String,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    pub body_sha256: [u8; 32],
    pub status: u16,
    pub answer: Vec<u8>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("status", &self.status).finish_non_exhaustive()
    }
}

const FIND: &str = "
    SELECT body_sha256, status, answer FROM idempotency
    WHERE caller = ?1 AND method = ?2 AND target = ?3 AND header = ?4 AND created_at > ?5";
const INSERT: &str = "
    INSERT INTO idempotency (caller, method, target, header, body_sha256, status, answer, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (caller, method, target, header) DO UPDATE
    SET body_sha256 = excluded.body_sha256, status = excluded.status, answer = excluded.answer, created_at = excluded.created_at";
const DELETE_OLD: &str = "
    DELETE FROM idempotency WHERE (caller, method, target, header) IN
        (SELECT caller, method, target, header FROM idempotency WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)";

pub fn find(tx: &ReadTx<'_>, place: &Place, now: Timestamp) -> Result<Option<Kept>, AppError> {
    let since = now.plus_millis(-KEPT_MILLIS).millis();
    tx.prepare(FIND)?
        .query_row((&place.caller, place.method, &place.target, &place.header, since), |row| {
            Ok(Kept { body_sha256: row.get(0)?, status: row.get(1)?, answer: row.get(2)? })
        })
        .optional()
        .map_err(|e| store_error(&e))
}

pub fn insert(tx: &WriteTx<'_>, place: &Place, kept: &Kept, now: Timestamp) -> Result<(), AppError> {
    let row = rusqlite::params![
        place.caller,
        place.method,
        place.target,
        place.header,
        kept.body_sha256,
        kept.status,
        kept.answer,
        now.millis()
    ];
    tx.settle()?;
    tx.unaudited("the answer, not the effect");
    tx.execute(INSERT, row).map(|_| ())
}

/// Drops answers whose time is over, at most `limit`, and says how many.
pub fn delete_old(tx: &WriteTx<'_>, now: Timestamp, limit: i64) -> Result<usize, AppError> {
    tx.unaudited("retention");
    tx.execute(DELETE_OLD, (now.plus_millis(-KEPT_MILLIS).millis(), limit))
}
