//! What stands under an account: users, and a reseller's subscribers and routers.

use rusqlite::OptionalExtension;

use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::resellers::Heir;
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;
use crate::store::{ReadTx, WriteTx, counters, store_error, transactions};

const OWNS_USERS: &str = "SELECT 1 FROM users WHERE creator_id = ?1 AND deleted_at IS NULL LIMIT 1";
const OWNS_SUBSCRIBERS: &str = "SELECT 1 FROM subscribers WHERE owner_id = ?1 AND deleted_at IS NULL LIMIT 1";
const COUNT_USERS: &str = "
    SELECT count(*) FROM users WHERE creator_id = ?1 AND role = 'user' AND deleted_at IS NULL";
const GIVE_USERS: &str = "
    UPDATE users SET creator_id = ?2, updated_at = ?3 WHERE creator_id = ?1 AND deleted_at IS NULL AND id <> ?2";
// Two of one owner may not have one external id; the other owner's may.
const CLASHING: &str = "
    SELECT (SELECT count(*) FROM subscribers mine JOIN subscribers theirs ON theirs.external_id = mine.external_id
    WHERE mine.owner_id = ?1 AND mine.deleted_at IS NULL AND mine.external_id IS NOT NULL
      AND coalesce(theirs.owner_id, 0) = ?2 AND theirs.deleted_at IS NULL)
    + (SELECT count(*) FROM transactions mine JOIN transactions theirs ON theirs.external_id = mine.external_id
       WHERE mine.owner_id = ?1 AND mine.external_id IS NOT NULL AND coalesce(theirs.owner_id, 0) = ?2)
    + (SELECT count(*) FROM renewals mine JOIN renewals theirs ON theirs.external_id = mine.external_id
       WHERE mine.owner_id = ?1 AND mine.external_id IS NOT NULL AND coalesce(theirs.owner_id, 0) = ?2)";
// Who owns a subscriber sees its ledger, and a retry of what was booked must find it.
const GIVE_TRANSACTIONS: &str = "UPDATE transactions SET owner_id = ?2 WHERE owner_id = ?1";
const GIVE_RENEWALS: &str = "UPDATE renewals SET owner_id = ?2 WHERE owner_id = ?1";
const GIVE_SUBSCRIBERS: &str = "
    UPDATE subscribers SET owner_id = ?2, updated_at = ?3 WHERE owner_id = ?1 AND deleted_at IS NULL";

/// What an account owns that something else must own before it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    pub users: bool,
    pub subscribers: bool,
}

pub fn owned_by(tx: &ReadTx<'_>, id: UserId) -> Result<Owned, AppError> {
    Ok(Owned { users: exists(tx, OWNS_USERS, id)?, subscribers: exists(tx, OWNS_SUBSCRIBERS, id)? })
}

fn exists(tx: &ReadTx<'_>, statement: &'static str, id: UserId) -> Result<bool, AppError> {
    let found: Option<i64> =
        tx.prepare(statement)?.query_row([id.0], |row| row.get(0)).optional().map_err(|e| store_error(&e))?;
    Ok(found.is_some())
}

/// Living accounts of role `user` under an account.
pub fn count_users_of(tx: &ReadTx<'_>, id: UserId) -> Result<i64, AppError> {
    tx.prepare(COUNT_USERS)?.query_row([id.0], |row| row.get(0)).map_err(|e| store_error(&e))
}

/// Gives users, subscribers and their ledger to another account; `Err` of how many rows have an external id that the
/// heir's have too. Routers are not inherited.
pub fn hand_over(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    from: UserId,
    to: Heir,
    now: Timestamp,
) -> Result<Result<(usize, usize), i64>, AppError> {
    let owner = to.owner_of_subscribers();
    let clashing = clashing(tx, from, owner)?;
    if clashing > 0 {
        return Ok(Err(clashing));
    }
    let users = tx.execute(GIVE_USERS, (from.0, to.id.0, now.millis()))?;
    let subscribers = give_subscribers(tx, from, owner, now)?;
    Ok(Ok((users, subscribers)))
}

fn give_subscribers(tx: &WriteTx<'_>, from: UserId, to: Option<UserId>, now: Timestamp) -> Result<usize, AppError> {
    let subscribers = tx.execute(GIVE_SUBSCRIBERS, (from.0, to.map(|id| id.0), now.millis()))?;
    tx.execute(GIVE_TRANSACTIONS, (from.0, to.map(|id| id.0)))?;
    tx.execute(GIVE_RENEWALS, (from.0, to.map(|id| id.0)))?;
    counters::hand_over(tx, from, to)?;
    transactions::hand_over(tx, from, to)?;
    Ok(subscribers)
}

/// Gives a reseller's subscribers to the house: it becomes an admin, whose rows are the house's.
pub fn give_to_house(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    from: UserId,
    now: Timestamp,
) -> Result<Result<usize, i64>, AppError> {
    match clashing(tx, from, None)? {
        0 => give_subscribers(tx, from, None, now).map(Ok),
        clashing => Ok(Err(clashing)),
    }
}

fn clashing(tx: &ReadTx<'_>, from: UserId, to: Option<UserId>) -> Result<i64, AppError> {
    let owner = counters::owner_key(to);
    tx.prepare(CLASHING)?.query_row((from.0, owner), |row| row.get(0)).map_err(|e| store_error(&e))
}
