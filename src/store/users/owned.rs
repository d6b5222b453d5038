//! What stands under an account: users, and a reseller's subscribers and routers.

use rusqlite::OptionalExtension;

use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::resellers::Heir;
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;
use crate::store::{ReadTx, WriteTx, counters, store_error};

const OWNS_USERS: &str = "SELECT 1 FROM users WHERE creator_id = ?1 AND deleted_at IS NULL LIMIT 1";
const OWNS_SUBSCRIBERS: &str = "SELECT 1 FROM subscribers WHERE owner_id = ?1 AND deleted_at IS NULL LIMIT 1";
const COUNT_USERS: &str = "
    SELECT count(*) FROM users WHERE creator_id = ?1 AND role = 'user' AND deleted_at IS NULL";
const GIVE_USERS: &str = "
    UPDATE users SET creator_id = ?2, updated_at = ?3 WHERE creator_id = ?1 AND deleted_at IS NULL AND id <> ?2";
// Two of one owner may not have one external id; the other owner's may.
const CLASHING: &str = "
    SELECT count(*) FROM subscribers mine JOIN subscribers theirs ON theirs.external_id = mine.external_id
    WHERE mine.owner_id = ?1 AND mine.deleted_at IS NULL AND mine.external_id IS NOT NULL
      AND coalesce(theirs.owner_id, 0) = ?2 AND theirs.deleted_at IS NULL";
const GIVE_SUBSCRIBERS: &str = "
    UPDATE subscribers SET owner_id = ?2, updated_at = ?3 WHERE owner_id = ?1 AND deleted_at IS NULL";
const FORGET_ROUTERS: &str = "DELETE FROM nas_resellers WHERE user_id = ?1";

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

/// Gives users and subscribers to another account; `Err` of how many subscribers have an external id that the heir's
/// have too. What was booked stays booked for whoever owned it then. Routers are not inherited.
pub fn hand_over(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    from: UserId,
    to: Heir,
    now: Timestamp,
) -> Result<Result<(usize, usize), i64>, AppError> {
    let owner = to.owner_of_subscribers();
    let clashing: i64 = tx
        .prepare(CLASHING)?
        .query_row((from.0, counters::owner_key(owner)), |row| row.get(0))
        .map_err(|e| store_error(&e))?;
    if clashing > 0 {
        return Ok(Err(clashing));
    }
    let users = tx.execute(GIVE_USERS, (from.0, to.id.0, now.millis()))?;
    let subscribers = tx.execute(GIVE_SUBSCRIBERS, (from.0, owner.map(|id| id.0), now.millis()))?;
    counters::hand_over(tx, from, owner)?;
    tx.execute(FORGET_ROUTERS, [from.0])?;
    Ok(Ok((users, subscribers)))
}
