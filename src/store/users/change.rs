//! Storing what becomes of a user.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};

use crate::domain::error::AppError;
use crate::domain::features::Flags;
use crate::domain::policy::Permit;
use crate::domain::quotas::{Quota, Quotas};
use crate::domain::time::Timestamp;
use crate::domain::users::{AccountStatus, Email, Profile, Role, User, UserId, Username, fold};
use crate::store::{WriteTx, sessions, store_error};

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
    pub profile: Profile,
    pub quotas: Quotas<Option<i64>>,
    pub flags: Flags<Option<bool>>,
    pub now: Timestamp,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("username", &self.username).field("role", &self.role).finish_non_exhaustive()
    }
}

// Both statements take what can be changed in the order of `changeable`.
const INSERT: &str = "
    INSERT INTO users (email, email_key, role, creator_id, package_id, full_name, phone, company, billing_id, metadata,
        max_domains, max_databases, max_email_accounts, max_ftp_accounts,
        can_use_api, can_use_php, can_use_cgi, can_use_ssl, can_use_ssh,
        can_use_cron, can_use_spam, can_use_catchall, can_use_dnscontrol, can_use_sysinfo, updated_at,
        uid, username, username_key, password_hash, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
            ?25, ?26, ?27, ?28, ?29, ?25)
    ON CONFLICT DO NOTHING
    RETURNING id";
const UPDATE: &str = "
    UPDATE users SET email = ?1, email_key = ?2, role = ?3, creator_id = ?4, package_id = ?5, full_name = ?6, phone = ?7,
        company = ?8, billing_id = ?9, metadata = ?10,
        max_domains = ?11, max_databases = ?12, max_email_accounts = ?13, max_ftp_accounts = ?14,
        can_use_api = ?15, can_use_php = ?16, can_use_cgi = ?17, can_use_ssl = ?18, can_use_ssh = ?19,
        can_use_cron = ?20, can_use_spam = ?21, can_use_catchall = ?22, can_use_dnscontrol = ?23, can_use_sysinfo = ?24,
        updated_at = ?25
    WHERE id = ?26 AND deleted_at IS NULL";
const SET_PASSWORD: &str = "UPDATE users SET password_hash = ?2, updated_at = ?3 WHERE id = ?1 AND deleted_at IS NULL";
const SET_STATUS: &str = "
    UPDATE users SET status = ?2, suspend_reason = ?3, updated_at = ?4 WHERE id = ?1 AND deleted_at IS NULL";
const SET_LAST_LOGIN: &str = "UPDATE users SET last_login_at = ?2 WHERE id = ?1";
const DELETE: &str = "UPDATE users SET deleted_at = ?2, updated_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";

struct Changeable<'a> {
    email: &'a str,
    role: Role,
    creator: Option<UserId>,
    package_id: i64,
    profile: &'a Profile,
    quotas: &'a Quotas<Option<i64>>,
    flags: &'a Flags<Option<bool>>,
}

fn changeable(of: &Changeable<'_>, now: Timestamp) -> Vec<Value> {
    let profile = of.profile.clone();
    let mut row: Vec<Value> = vec![
        of.email.to_owned().into(),
        fold(of.email).into(),
        of.role.as_str().to_owned().into(),
        of.creator.map(|id| id.0).into(),
        of.package_id.into(),
        profile.full_name.into(),
        profile.phone.into(),
        profile.company.into(),
        profile.billing_id.into(),
        profile.metadata.into(),
    ];
    row.extend(Quota::OF_ACCOUNT.map(|quota| Value::from(of.quotas.get(quota))));
    row.extend(of.flags.0.map(Value::from));
    row.push(now.millis().into());
    row
}

/// `None` where the username or the e-mail is taken.
pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, new: &NewUser) -> Result<Option<UserId>, AppError> {
    let changeable_of_new = Changeable {
        email: new.email.as_str(),
        role: new.role,
        creator: new.creator,
        package_id: new.package_id,
        profile: &new.profile,
        quotas: &new.quotas,
        flags: &new.flags,
    };
    let mut row = changeable(&changeable_of_new, new.now);
    row.extend::<[Value; 4]>([
        new.uid.to_vec().into(),
        new.username.as_str().to_owned().into(),
        new.username.key().into(),
        new.password_hash.clone().into(),
    ]);
    let mut insert = tx.prepare(INSERT)?;
    insert.query_row(params_from_iter(row), |row| row.get(0).map(UserId)).optional().map_err(|e| store_error(&e))
}

/// Stores what can be changed of a user.
pub fn update(tx: &WriteTx<'_>, _permit: &Permit, user: &User, now: Timestamp) -> Result<(), AppError> {
    let changeable_of_user = Changeable {
        email: &user.email,
        role: user.role,
        creator: user.creator_id,
        package_id: user.package_id,
        profile: &user.profile,
        quotas: &user.quotas,
        flags: &user.flags,
    };
    let mut row = changeable(&changeable_of_user, now);
    row.push(user.id.0.into());
    tx.execute(UPDATE, params_from_iter(row)).map(|_| ())
}

/// Sets the hash and ends every session of the user, but for the one that is kept.
pub fn set_password(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: UserId,
    hash: &str,
    keep_session: Option<i64>,
    now: Timestamp,
) -> Result<bool, AppError> {
    sessions::revoke_all(tx, permit, id, keep_session, now)?;
    Ok(tx.execute(SET_PASSWORD, (id.0, hash, now.millis()))? == 1)
}

/// Sets the status; a suspension ends every session of the user.
pub fn set_status(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: UserId,
    status: AccountStatus,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), AppError> {
    if status == AccountStatus::Suspended {
        sessions::revoke_all(tx, permit, id, None, now)?;
    }
    tx.execute(SET_STATUS, (id.0, status.as_str(), reason, now.millis())).map(|_| ())
}

/// Remembers that somebody logged in.
pub fn set_last_login(tx: &WriteTx<'_>, id: UserId, now: Timestamp) -> Result<(), AppError> {
    tx.execute(SET_LAST_LOGIN, (id.0, now.millis())).map(|_| ())
}

/// Deletes softly: the row stays for the keys that name it and for the audit.
pub fn delete(tx: &WriteTx<'_>, permit: &Permit, id: UserId, now: Timestamp) -> Result<(), AppError> {
    sessions::revoke_all(tx, permit, id, None, now)?;
    tx.execute(DELETE, (id.0, now.millis())).map(|_| ())
}
