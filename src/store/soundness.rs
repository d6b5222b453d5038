//! What must be true of the rows together: asked by `panel doctor`, and put right where that can be done from the rows.

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;

const BROKEN_CHAINS: &str = "
    SELECT count(*) FROM (
        SELECT balance_before, lag(balance_after, 1, 0) OVER (PARTITION BY subscriber_id ORDER BY id) AS earlier
        FROM transactions) AS moves
    WHERE balance_before <> earlier";
const WRONG_BALANCES: &str = "
    SELECT count(*) FROM subscribers s
    WHERE s.balance <> coalesce(
        (SELECT t.balance_after FROM transactions t WHERE t.subscriber_id = s.id ORDER BY t.id DESC LIMIT 1), 0)";
macro_rules! recount {
    () => {
        "SELECT coalesce(owner_id, 0), status, expiry_date, count(*) FROM subscribers WHERE deleted_at IS NULL
         GROUP BY 1, 2, 3
         UNION ALL
         SELECT -1, status, expiry_date, count(*) FROM subscribers WHERE deleted_at IS NULL GROUP BY 1, 2, 3"
    };
}
macro_rules! recount_transactions {
    () => {
        "SELECT coalesce(owner_id, 0), count(*) FROM transactions GROUP BY 1
         UNION ALL
         SELECT -1, count(*) FROM transactions HAVING count(*) > 0"
    };
}
/// Each total counts once for what is kept and once, negatively, for what is there: what does not cancel out is wrong.
const WRONG_COUNTERS: &str = concat!(
    "WITH there (owner_key, status, expiry_date, subscribers) AS (",
    recount!(),
    ") SELECT count(*) FROM (SELECT owner_key FROM (
        SELECT owner_key, status, expiry_date, subscribers FROM there
        UNION ALL SELECT owner_key, status, expiry_date, -subscribers FROM counters) AS both
     GROUP BY owner_key, status, expiry_date HAVING sum(subscribers) <> 0) AS wrong"
);
const WRONG_TRANSACTION_COUNTERS: &str = concat!(
    "WITH there (owner_key, transactions) AS (",
    recount_transactions!(),
    ") SELECT count(*) FROM (SELECT owner_key FROM (
        SELECT owner_key, transactions FROM there
        UNION ALL SELECT owner_key, -transactions FROM transaction_counters) AS both
     GROUP BY owner_key HAVING sum(transactions) <> 0) AS wrong"
);
const NEWEST: &str = "SELECT coalesce(max(at), 0) FROM audit";
const ADMIN_WITH_PASSWORD: &str = "
    SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND status = 'active' AND deleted_at IS NULL
                   AND password_hash IS NOT NULL)";
const UNUSED_KEYS: &str = "
    SELECT count(*) FROM api_keys
    WHERE revoked_at IS NULL AND enabled = 1 AND (expires_at IS NULL OR expires_at > ?2)
      AND coalesce(last_used_at, created_at) < ?1";
const FIRST_SEALED: &str = "SELECT uid, password_sealed FROM subscribers WHERE deleted_at IS NULL ORDER BY id LIMIT ?1";
const LAST_SEALED: &str =
    "SELECT uid, password_sealed FROM subscribers WHERE deleted_at IS NULL ORDER BY id DESC LIMIT ?1";

fn number(tx: &ReadTx<'_>, statement: &'static str, params: impl rusqlite::Params) -> Result<i64, AppError> {
    tx.prepare(statement)?.query_row(params, |row| row.get(0)).map_err(|e| store_error(&e))
}

/// Movements that do not begin where the one before ended, and balances that are not where the last one ended.
pub fn ledger_breaks(tx: &ReadTx<'_>, _permit: &Permit) -> Result<(i64, i64), AppError> {
    Ok((number(tx, BROKEN_CHAINS, [])?, number(tx, WRONG_BALANCES, [])?))
}

/// Totals that a recount would change.
pub fn wrong_counters(tx: &ReadTx<'_>) -> Result<i64, AppError> {
    Ok(number(tx, WRONG_COUNTERS, [])? + number(tx, WRONG_TRANSACTION_COUNTERS, [])?)
}

const FORGET: &str = "DELETE FROM counters";
const COUNT_ANEW: &str = concat!("INSERT INTO counters (owner_key, status, expiry_date, subscribers) ", recount!());
const FORGET_TRANSACTIONS: &str = "DELETE FROM transaction_counters";
const COUNT_TRANSACTIONS_ANEW: &str =
    concat!("INSERT INTO transaction_counters (owner_key, transactions) ", recount_transactions!());

/// Makes all counters anew from the rows.
pub fn recount(tx: &WriteTx<'_>, _permit: &Permit) -> Result<(), AppError> {
    for statement in [FORGET, COUNT_ANEW, FORGET_TRANSACTIONS, COUNT_TRANSACTIONS_ANEW] {
        tx.execute(statement, [])?;
    }
    Ok(())
}

/// When the newest change was made.
pub fn newest_change(tx: &ReadTx<'_>) -> Result<Timestamp, AppError> {
    number(tx, NEWEST, []).map(Timestamp)
}

/// Whether an active administrator has a password.
pub fn has_admin_with_password(tx: &ReadTx<'_>) -> Result<bool, AppError> {
    Ok(number(tx, ADMIN_WITH_PASSWORD, [])? == 1)
}

/// Living keys that nobody has used since.
pub fn count_unused_keys(tx: &ReadTx<'_>, since: Timestamp, now: Timestamp) -> Result<i64, AppError> {
    number(tx, UNUSED_KEYS, (since.millis(), now.millis()))
}

/// A sealed password, with the uid it is bound to.
pub type Sealed = ([u8; 16], Vec<u8>);

/// Of the first and of the last so many subscribers.
pub fn sealed_passwords(tx: &ReadTx<'_>, _permit: &Permit, limit: i64) -> Result<Vec<Sealed>, AppError> {
    let mut all = Vec::new();
    for statement in [FIRST_SEALED, LAST_SEALED] {
        let mut statement = tx.prepare(statement)?;
        let rows = statement.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?))).map_err(|e| store_error(&e))?;
        for row in rows {
            all.push(row.map_err(|e| store_error(&e))?);
        }
    }
    Ok(all)
}
