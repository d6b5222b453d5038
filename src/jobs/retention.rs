//! Dropping what has had its time: kept answers, dead setup links and sessions, failed logins, old request-log rows.

use crate::domain::error::AppError;
use crate::domain::sessions;
use crate::domain::time::Timestamp;
use crate::store;

use super::On;

/// Rows deleted in one transaction, so that no request waits long for it.
const CHUNK: usize = 1_000;

pub fn run(on: &On) -> Result<(), AppError> {
    let now = on.app.now();
    let limit = i64::try_from(CHUNK).unwrap_or(i64::MAX);
    while on.app.db.write_blocking(move |tx| store::idempotency::delete_old(tx, now, limit))? == CHUNK {}
    on.app.db.write_blocking(move |tx| store::setup_links::delete_old(tx, now))?;
    on.app.db.write_blocking(move |tx| store::sessions::delete_old(tx, now))?;
    let forgotten = now.plus_millis(-sessions::FORGET_MILLIS);
    while on.app.db.write_blocking(move |tx| store::login_attempts::delete_old(tx, forgotten, limit))? == CHUNK {}
    let config = on.app.config();
    let days = i64::from(config.logs.retention_days);
    on.logs.retain(now.plus_millis(-days * Timestamp::DAY), i64::try_from(config.logs.max_rows).unwrap_or(i64::MAX));
    Ok(())
}
