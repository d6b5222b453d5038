//! `users`: who logs in.

use rusqlite::{OptionalExtension, Row};

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::features::Flags;
use crate::domain::policy::{Permit, Rows};
use crate::domain::time::Timestamp;
use crate::domain::users::{AccountStatus, Email, Role, User, UserId, Username, fold};

/// A user about to be stored.
#[derive(Clone)]
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

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("username", &self.username).field("role", &self.role).finish_non_exhaustive()
    }
}

macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.username, u.email, u.role, u.status, u.creator_id, c.username, u.package_id, p.name, ",
            "u.password_hash IS NOT NULL, u.created_at, ",
            "u.can_use_api, u.can_use_php, u.can_use_cgi, u.can_use_ssl, u.can_use_ssh, ",
            "u.can_use_cron, u.can_use_spam, u.can_use_catchall, u.can_use_dnscontrol, u.can_use_sysinfo, ",
            "p.can_use_api, p.can_use_php, p.can_use_cgi, p.can_use_ssl, p.can_use_ssh, ",
            "p.can_use_cron, p.can_use_spam, p.can_use_catchall, p.can_use_dnscontrol, p.can_use_sysinfo ",
            "FROM users u JOIN packages p ON p.id = u.package_id LEFT JOIN users c ON c.id = u.creator_id ",
            $rest
        )
    };
}
const FIND_BY_USERNAME: &str = select_users!("WHERE u.username_key = ?1 AND u.deleted_at IS NULL");
const LIST_ALL: &str = select_users!("WHERE u.deleted_at IS NULL ORDER BY u.id");
const INSERT: &str = "
    INSERT INTO users (uid, username, username_key, email, email_key, password_hash, role, creator_id, package_id,
                       created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)
    ON CONFLICT DO NOTHING
    RETURNING id";
const UPDATE: &str = "
    UPDATE users SET email = ?2, email_key = ?3, role = ?4, package_id = ?5,
           can_use_api = ?6, can_use_php = ?7, can_use_cgi = ?8, can_use_ssl = ?9, can_use_ssh = ?10,
           can_use_cron = ?11, can_use_spam = ?12, can_use_catchall = ?13, can_use_dnscontrol = ?14, can_use_sysinfo = ?15,
           updated_at = ?16
    WHERE id = ?1 AND deleted_at IS NULL";
const SET_PASSWORD: &str = "UPDATE users SET password_hash = ?2, updated_at = ?3 WHERE id = ?1 AND deleted_at IS NULL";
const SET_STATUS: &str = "UPDATE users SET status = ?2, updated_at = ?3 WHERE id = ?1 AND deleted_at IS NULL";
const DELETE: &str = "UPDATE users SET deleted_at = ?2, updated_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";
const EMAIL_OWNER: &str = "SELECT id FROM users WHERE email_key = ?1 AND deleted_at IS NULL";
const REVOKE_SESSIONS: &str = "UPDATE sessions SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL";
const OTHER_ACTIVE_ADMIN: &str = "
    SELECT 1 FROM users WHERE role = 'admin' AND deleted_at IS NULL AND status = 'active' AND id <> ?1 LIMIT 1";
const OWNS_USERS: &str = "SELECT 1 FROM users WHERE creator_id = ?1 AND deleted_at IS NULL LIMIT 1";
const OWNS_SUBSCRIBERS: &str = "SELECT 1 FROM subscribers WHERE owner_id = ?1 AND deleted_at IS NULL LIMIT 1";
const MAY_USE_API: &str = "
    SELECT coalesce(u.can_use_api, p.can_use_api) FROM users u JOIN packages p ON p.id = u.package_id WHERE u.id = ?1";

/// Finds a living user by name, whatever its case, among those the caller may see.
pub fn find_by_username(tx: &ReadTx<'_>, permit: &Permit, username: &str) -> Result<Option<User>, AppError> {
    let found = tx.prepare(FIND_BY_USERNAME)?.query_row([fold(username)], from_row).optional();
    let found = found.map_err(|e| store_error(&e))?;
    Ok(found.filter(|user| match permit.rows() {
        Rows::All => true,
        Rows::OfReseller(id) => user.id == id || (user.creator_id == Some(id) && user.role == Role::User),
        Rows::OfUser(id) => user.id == id,
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

/// Stores what can be changed of a user: e-mail, role, package and own flags.
pub fn update(tx: &WriteTx<'_>, _permit: &Permit, user: &User, now: Timestamp) -> Result<(), AppError> {
    let flags = &user.flags.0;
    let row = rusqlite::params![
        user.id.0,
        user.email,
        fold(&user.email),
        user.role.as_str(),
        user.package_id,
        flags[0],
        flags[1],
        flags[2],
        flags[3],
        flags[4],
        flags[5],
        flags[6],
        flags[7],
        flags[8],
        flags[9],
        now.millis()
    ];
    tx.execute(UPDATE, row).map(|_| ())
}

/// Whose e-mail address it is.
pub fn find_email_owner(tx: &ReadTx<'_>, email: &Email) -> Result<Option<UserId>, AppError> {
    let found = tx.prepare(EMAIL_OWNER)?.query_row([email.key()], |row| row.get(0).map(UserId)).optional();
    found.map_err(|e| store_error(&e))
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

/// Sets the status; a suspension ends every session of the user.
pub fn set_status(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    id: UserId,
    status: AccountStatus,
    now: Timestamp,
) -> Result<(), AppError> {
    if status == AccountStatus::Suspended {
        tx.execute(REVOKE_SESSIONS, (id.0, now.millis()))?;
    }
    tx.execute(SET_STATUS, (id.0, status.as_str(), now.millis())).map(|_| ())
}

/// Deletes softly: the row stays for the keys that name it and for the audit.
pub fn delete(tx: &WriteTx<'_>, _permit: &Permit, id: UserId, now: Timestamp) -> Result<(), AppError> {
    tx.execute(REVOKE_SESSIONS, (id.0, now.millis()))?;
    tx.execute(DELETE, (id.0, now.millis())).map(|_| ())
}

/// Whether an active admin would be left without this one.
pub fn has_other_active_admin(tx: &ReadTx<'_>, than: UserId) -> Result<bool, AppError> {
    exists(tx, OTHER_ACTIVE_ADMIN, than)
}

pub fn owns_users(tx: &ReadTx<'_>, id: UserId) -> Result<bool, AppError> {
    exists(tx, OWNS_USERS, id)
}

pub fn owns_subscribers(tx: &ReadTx<'_>, id: UserId) -> Result<bool, AppError> {
    exists(tx, OWNS_SUBSCRIBERS, id)
}

/// `can_use_api` as it is in force.
pub fn may_use_api(tx: &ReadTx<'_>, id: UserId) -> Result<bool, AppError> {
    tx.prepare(MAY_USE_API)?.query_row([id.0], |row| row.get(0)).map_err(|e| store_error(&e))
}

fn exists(tx: &ReadTx<'_>, statement: &'static str, id: UserId) -> Result<bool, AppError> {
    let found: Option<i64> =
        tx.prepare(statement)?.query_row([id.0], |row| row.get(0)).optional().map_err(|e| store_error(&e))?;
    Ok(found.is_some())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<User> {
    let (role, status): (String, String) = (row.get(3)?, row.get(4)?);
    let (mut flags, mut package) = (Flags::default(), Flags::default());
    for place in 0..10 {
        flags.0[place] = row.get(11 + place)?;
        package.0[place] = row.get(21 + place)?;
    }
    Ok(User {
        id: UserId(row.get(0)?),
        username: row.get(1)?,
        email: row.get(2)?,
        // The column's CHECK allows the known words only; the least is assumed of any other.
        role: Role::parse(&role).unwrap_or(Role::User),
        status: if status == "active" { AccountStatus::Active } else { AccountStatus::Suspended },
        creator_id: row.get::<_, Option<i64>>(5)?.map(UserId),
        creator: row.get(6)?,
        package_id: row.get(7)?,
        package: row.get(8)?,
        has_password: row.get(9)?,
        created_at: Timestamp(row.get(10)?),
        flags,
        effective_flags: flags.over(&package),
    })
}
