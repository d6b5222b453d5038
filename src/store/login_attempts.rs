//! `login_attempts`: failed logins, by name and address and by name alone; they survive a restart.

use rusqlite::{OptionalExtension, Row};

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::sessions::Attempts;
use crate::domain::time::Timestamp;

/// Stands for all addresses together.
pub const ALL: &str = "";

const FIND: &str = "SELECT failures, locked_until, updated_at FROM login_attempts WHERE username_key = ?1 AND ip = ?2";
const UPSERT: &str = "
    INSERT INTO login_attempts (username_key, ip, failures, locked_until, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (username_key, ip) DO UPDATE SET
        failures = excluded.failures, locked_until = excluded.locked_until, updated_at = excluded.updated_at";
const FORGET: &str = "DELETE FROM login_attempts WHERE username_key = ?1 AND ip = ?2";
// In parts: how many there are is up to strangers.
const DELETE_OLD: &str = "
    DELETE FROM login_attempts WHERE (username_key, ip) IN
        (SELECT username_key, ip FROM login_attempts WHERE updated_at <= ?1 LIMIT ?2)";

pub fn find(tx: &ReadTx<'_>, name_key: &str, ip: &str) -> Result<Attempts, AppError> {
    let read = |row: &Row<'_>| {
        Ok(Attempts {
            failures: row.get(0)?,
            locked_until: row.get::<_, Option<i64>>(1)?.map(Timestamp),
            updated_at: Timestamp(row.get(2)?),
        })
    };
    let found = tx.prepare(FIND)?.query_row((name_key, ip), read).optional().map_err(|e| store_error(&e))?;
    Ok(found.unwrap_or_default())
}

pub fn store(tx: &WriteTx<'_>, name_key: &str, ip: &str, attempts: Attempts) -> Result<(), AppError> {
    tx.unaudited("a failed login changes nothing of anybody's");
    let locked_until = attempts.locked_until.map(Timestamp::millis);
    tx.execute(UPSERT, (name_key, ip, attempts.failures, locked_until, attempts.updated_at.millis())).map(|_| ())
}

/// The name was right from this address.
pub fn forget(tx: &WriteTx<'_>, name_key: &str, ip: &str) -> Result<(), AppError> {
    tx.execute(FORGET, (name_key, ip)).map(|_| ())
}

/// Gives how many there were, at most the limit.
pub fn delete_old(tx: &WriteTx<'_>, before: Timestamp, limit: i64) -> Result<usize, AppError> {
    tx.unaudited("retention");
    tx.execute(DELETE_OLD, (before.millis(), limit))
}
