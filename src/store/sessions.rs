//! `sessions` and `refresh_tokens`: who is logged in. Of tokens only the SHA-256 is kept.

use rusqlite::{OptionalExtension, Params, Row};

use super::users::account_at;
use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::sessions::{Audience, NewSession, Session, SessionFacts};
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;

const FIND_FACTS: &str = "
    SELECT u.id, u.username, u.role, u.status, coalesce(u.can_use_api, p.can_use_api),
           c.username, c.role, c.status, s.id, s.created_at
    FROM sessions s JOIN users u ON u.id = s.user_id
    JOIN packages p ON p.id = u.package_id LEFT JOIN users c ON c.id = u.creator_id
    WHERE s.token_hash = ?1 AND s.audience = ?2 AND s.revoked_at IS NULL AND s.expires_at > ?3 AND u.deleted_at IS NULL";
const INSERT: &str = "
    INSERT INTO sessions (user_id, audience, token_hash, ip, user_agent, created_at, last_used_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)
    RETURNING id";
const RENEW: &str = "
    UPDATE sessions SET token_hash = ?2, last_used_at = ?3, expires_at = ?4
    WHERE id = ?1 AND token_hash = ?5 AND revoked_at IS NULL";
const EXTEND: &str = "
    UPDATE sessions SET last_used_at = ?2, expires_at = ?3 WHERE id = ?1 AND revoked_at IS NULL";
const END_ALL: &str = "UPDATE sessions SET revoked_at = ?1 WHERE revoked_at IS NULL AND expires_at > ?1";
const REVOKE: &str = "UPDATE sessions SET revoked_at = ?3 WHERE id = ?1 AND user_id = ?2 AND revoked_at IS NULL";
const REVOKE_ALL: &str = "
    UPDATE sessions SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL AND id <> ?3";
macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT id, audience, ip, user_agent, created_at, last_used_at, expires_at FROM sessions ",
            "WHERE user_id = ?1 AND revoked_at IS NULL AND expires_at > ?2 ",
            $rest
        )
    };
}
const LIST: &str = select_sessions!("ORDER BY id DESC");
const FIND: &str = select_sessions!("AND id = ?3");
const INSERT_REFRESH: &str = "
    INSERT INTO refresh_tokens (token_hash, session_id, issued_at, expires_at) VALUES (?1, ?2, ?3, ?4)";
const FIND_REFRESH: &str = "
    SELECT t.session_id, s.user_id, t.expires_at, t.rotated_at, s.revoked_at IS NOT NULL, s.token_hash
    FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_hash = ?1";
const ROTATE_REFRESH: &str = "UPDATE refresh_tokens SET rotated_at = ?2 WHERE token_hash = ?1 AND rotated_at IS NULL";
const DELETE_OLD_REFRESH: &str = "
    DELETE FROM refresh_tokens WHERE expires_at <= ?1 OR session_id IN (SELECT id FROM sessions WHERE expires_at <= ?1)";
const COUNT_LIVING: &str = "SELECT count(*) FROM sessions WHERE expires_at > ?1 AND revoked_at IS NULL";
const DELETE_OLD: &str = "DELETE FROM sessions WHERE expires_at <= ?1";

/// The living session of a token on a surface, with its user as it is now.
pub fn find_facts(
    tx: &ReadTx<'_>,
    id_hash: &[u8; 32],
    audience: Audience,
    now: Timestamp,
) -> Result<Option<SessionFacts>, AppError> {
    let facts = |row: &Row<'_>| {
        Ok(SessionFacts {
            user: account_at(row, 0)?,
            id: row.get(8)?,
            id_hash: *id_hash,
            audience,
            created_at: Timestamp(row.get(9)?),
        })
    };
    let found = tx.prepare(FIND_FACTS)?.query_row((id_hash, audience.as_str(), now.millis()), facts).optional();
    found.map_err(|e| store_error(&e))
}

/// Sessions of everybody, on both surfaces, that still open something.
pub fn count_living(tx: &ReadTx<'_>, now: Timestamp) -> Result<i64, AppError> {
    tx.prepare(COUNT_LIVING)?.query_row([now.millis()], |row| row.get(0)).map_err(|e| store_error(&e))
}

pub fn insert(tx: &WriteTx<'_>, new: &NewSession) -> Result<i64, AppError> {
    let row = rusqlite::params![
        new.user.0,
        new.audience.as_str(),
        new.id_hash,
        new.ip,
        new.user_agent,
        new.now.millis(),
        new.expires_at.millis()
    ];
    tx.prepare(INSERT)?.query_row(row, |row| row.get(0)).map_err(|e| store_error(&e))
}

/// Gives a session another token; the one before it is dead. False where the session is over, or its token was traded by
/// somebody else.
pub fn renew(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    session: &SessionFacts,
    id_hash: &[u8; 32],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, AppError> {
    Ok(tx.execute(RENEW, (session.id, id_hash, now.millis(), expires_at.millis(), session.id_hash))? == 1)
}

/// Lets a session last longer.
pub fn extend(tx: &WriteTx<'_>, id: i64, now: Timestamp, expires_at: Timestamp) -> Result<(), AppError> {
    tx.execute(EXTEND, (id, now.millis(), expires_at.millis())).map(|_| ())
}

/// Ends one session of a user. False where there is no such living one.
pub fn revoke(tx: &WriteTx<'_>, _permit: &Permit, user: UserId, id: i64, now: Timestamp) -> Result<bool, AppError> {
    Ok(tx.execute(REVOKE, (id, user.0, now.millis()))? == 1)
}

/// Ends every session of a user, but for the one that is kept. Gives how many there were.
pub fn revoke_all(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    user: UserId,
    keep: Option<i64>,
    now: Timestamp,
) -> Result<usize, AppError> {
    tx.execute(REVOKE_ALL, (user.0, now.millis(), keep.unwrap_or(0)))
}

/// Ends every session of everybody. Gives how many there were.
pub fn end_all(tx: &WriteTx<'_>, _permit: &Permit, now: Timestamp) -> Result<usize, AppError> {
    tx.execute(END_ALL, [now.millis()])
}

/// The living sessions of a user, newest first.
pub fn list(tx: &ReadTx<'_>, user: UserId, now: Timestamp) -> Result<Vec<Session>, AppError> {
    listed(tx, LIST, (user.0, now.millis()))
}

pub fn find(tx: &ReadTx<'_>, user: UserId, id: i64, now: Timestamp) -> Result<Option<Session>, AppError> {
    Ok(listed(tx, FIND, (user.0, now.millis(), id))?.pop())
}

fn listed(tx: &ReadTx<'_>, statement: &'static str, params: impl Params) -> Result<Vec<Session>, AppError> {
    let read = |row: &Row<'_>| {
        Ok(Session {
            id: row.get(0)?,
            audience: row.get(1)?,
            ip: row.get(2)?,
            user_agent: row.get(3)?,
            created_at: Timestamp(row.get(4)?),
            renewed_at: Timestamp(row.get(5)?),
            expires_at: Timestamp(row.get(6)?),
        })
    };
    let mut statement = tx.prepare(statement)?;
    let rows = statement.query_map(params, read).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

/// A refresh token with the session it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    pub session: i64,
    pub user: UserId,
    pub expires_at: Timestamp,
    pub rotated_at: Option<Timestamp>,
    pub session_is_over: bool,
    pub id_hash: [u8; 32],
}

pub fn insert_refresh(
    tx: &WriteTx<'_>,
    session: i64,
    hash: &[u8; 32],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), AppError> {
    tx.execute(INSERT_REFRESH, (hash, session, now.millis(), expires_at.millis())).map(|_| ())
}

pub fn find_refresh(tx: &ReadTx<'_>, hash: &[u8; 32]) -> Result<Option<Refresh>, AppError> {
    let read = |row: &Row<'_>| {
        Ok(Refresh {
            session: row.get(0)?,
            user: UserId(row.get(1)?),
            expires_at: Timestamp(row.get(2)?),
            rotated_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
            session_is_over: row.get(4)?,
            id_hash: row.get(5)?,
        })
    };
    tx.prepare(FIND_REFRESH)?.query_row([hash], read).optional().map_err(|e| store_error(&e))
}

pub fn rotate_refresh(tx: &WriteTx<'_>, hash: &[u8; 32], now: Timestamp) -> Result<(), AppError> {
    tx.execute(ROTATE_REFRESH, (hash, now.millis())).map(|_| ())
}

/// Forgets sessions that have run out, with their refresh tokens.
pub fn delete_old(tx: &WriteTx<'_>, now: Timestamp) -> Result<(), AppError> {
    tx.unaudited("retention");
    tx.execute(DELETE_OLD_REFRESH, [now.millis()])?;
    tx.execute(DELETE_OLD, [now.millis()]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans::check;

    #[test]
    fn every_list_and_look_up_is_served_by_an_index() {
        check(FIND_FACTS, &["SEARCH s USING INDEX sessions_by_token (token_hash=?)"]);
        check(LIST, &["SEARCH sessions USING INDEX sessions_by_user (user_id=?)"]);
        check(REVOKE_ALL, &["SEARCH sessions USING INDEX sessions_by_user (user_id=?"]);
        check(FIND_REFRESH, &["SEARCH t USING PRIMARY KEY (token_hash=?)"]);
        check(DELETE_OLD, &["sessions_by_expiry (expires_at<?)"]);
        check(DELETE_OLD_REFRESH, &["refresh_tokens_by_expiry (expires_at<?)", "sessions_by_expiry (expires_at<?)"]);
    }
}
