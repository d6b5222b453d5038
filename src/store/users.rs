//! `users`: who logs in.

use rusqlite::{OptionalExtension, Row};

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::{Permit, Rows};
use crate::domain::time::Timestamp;
use crate::domain::users::{AccountStatus, Email, Role, User, UserId, Username, fold};

/// A user about to be stored.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub uid: [u8; 16],
    pub username: Username,
    pub email: Email,
    /// argon2id; `None`: nobody can log in yet.
    pub password_hash: Option<String>,
    pub role: Role,
    pub creator: Option<UserId>,
    pub package_id: i64,
    pub now: Timestamp,
}

const FIND_BY_USERNAME: &str = "
    SELECT u.id, u.username, u.email, u.role, u.status, c.username, p.name, u.password_hash IS NOT NULL, u.created_at
    FROM users u JOIN packages p ON p.id = u.package_id LEFT JOIN users c ON c.id = u.creator_id
    WHERE u.username_key = ?1 AND u.deleted_at IS NULL";
const LIST_ALL: &str = "
    SELECT u.id, u.username, u.email, u.role, u.status, c.username, p.name, u.password_hash IS NOT NULL, u.created_at
    FROM users u JOIN packages p ON p.id = u.package_id LEFT JOIN users c ON c.id = u.creator_id
    WHERE u.deleted_at IS NULL ORDER BY u.id";
const INSERT: &str = "
    INSERT INTO users (uid, username, username_key, email, email_key, password_hash, role, creator_id, package_id,
                       created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)
    ON CONFLICT DO NOTHING
    RETURNING id";
const SET_PASSWORD: &str = "UPDATE users SET password_hash = ?2, updated_at = ?3 WHERE id = ?1 AND deleted_at IS NULL";
const EMAIL_TAKEN: &str = "SELECT 1 FROM users WHERE email_key = ?1 AND deleted_at IS NULL";
const REVOKE_SESSIONS: &str = "UPDATE sessions SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL";

/// Finds a living user by name, whatever its case. The command line and the bootstrap see everybody.
pub fn find_by_username(tx: &ReadTx<'_>, permit: &Permit, username: &str) -> Result<Option<User>, AppError> {
    let found = tx.prepare(FIND_BY_USERNAME)?.query_row([fold(username)], from_row).optional();
    let found = found.map_err(|e| store_error(&e))?;
    Ok(found.filter(|user| match permit.rows() {
        Rows::All => true,
        Rows::OfReseller(id) | Rows::OfUser(id) => user.id == id,
        Rows::Nobodys => false,
    }))
}

pub fn list_all(tx: &ReadTx<'_>) -> Result<Vec<User>, AppError> {
    let mut statement = tx.prepare(LIST_ALL)?;
    let rows = statement.query_map([], from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

/// `None` where the username or the e-mail is taken.
pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, new: &NewUser) -> Result<Option<UserId>, AppError> {
    let row = rusqlite::params![
        new.uid,
        new.username.as_str(),
        new.username.key(),
        new.email.as_str(),
        new.email.key(),
        new.password_hash,
        new.role.as_str(),
        new.creator.map(|id| id.0),
        new.package_id,
        new.now.millis()
    ];
    tx.prepare(INSERT)?.query_row(row, |row| row.get(0).map(UserId)).optional().map_err(|e| store_error(&e))
}

pub fn is_email_taken(tx: &ReadTx<'_>, email: &Email) -> Result<bool, AppError> {
    let found: Option<i64> =
        tx.prepare(EMAIL_TAKEN)?.query_row([email.key()], |row| row.get(0)).optional().map_err(|e| store_error(&e))?;
    Ok(found.is_some())
}

/// Sets the hash and ends every session of the user.
pub fn set_password(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    id: UserId,
    hash: &str,
    now: Timestamp,
) -> Result<bool, AppError> {
    tx.execute(REVOKE_SESSIONS, (id.0, now.millis()))?;
    Ok(tx.execute(SET_PASSWORD, (id.0, hash, now.millis()))? == 1)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<User> {
    let role: String = row.get(3)?;
    let status: String = row.get(4)?;
    Ok(User {
        id: UserId(row.get(0)?),
        username: row.get(1)?,
        email: row.get(2)?,
        // The column's CHECK allows the known words only; the least is assumed of any other.
        role: Role::parse(&role).unwrap_or(Role::User),
        status: if status == "active" { AccountStatus::Active } else { AccountStatus::Suspended },
        creator: row.get(5)?,
        package: row.get(6)?,
        has_password: row.get(7)?,
        created_at: Timestamp(row.get(8)?),
    })
}
