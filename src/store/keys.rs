//! `api_keys` and `api_key_secrets`: the keys, and the hashes by which they are recognised.

mod facts;
mod listed;

use std::net::IpAddr;

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::keys::{
    self, BillingScope, Grants, KeyId, KeySettings, Level, NewKey, Permission, Scope, SecretHash,
};
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;

pub use facts::{find_facts, find_facts_by_npk, find_newest_facts};
pub use listed::{Reference, list, list_by_reference, list_generations};

const INSERT: &str = "
    INSERT INTO api_keys (style, panel_id, user_id, created_by, name, description, display, scope, permissions, level, scopes,
                          allowed_ips, rate_per_minute, rate_per_hour, rate_per_day, enabled, expires_at, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?18)
    RETURNING id";
const INSERT_SECRET: &str = "
    INSERT INTO api_key_secrets (key_id, generation, secret_hash, created_at) VALUES (?1, ?2, ?3, ?4)";
const UPDATE: &str = "
    UPDATE api_keys SET name = ?2, description = ?3, scope = ?4, permissions = ?5, level = ?6, scopes = ?7, allowed_ips = ?8,
           rate_per_minute = ?9, rate_per_hour = ?10, rate_per_day = ?11, enabled = ?12, expires_at = ?13,
           disabled_by_admin = ?14, updated_at = ?15
    WHERE id = ?1";
const REVOKE: &str = "UPDATE api_keys SET revoked_at = ?2, updated_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
const RAISE_GENERATION: &str = "
    UPDATE api_keys SET generation = generation + 1, display = coalesce(?2, display), updated_at = ?3 WHERE id = ?1
    RETURNING generation";
const END_OLDER: &str = "
    UPDATE api_key_secrets SET ends_at = ?2 WHERE key_id = ?1 AND replaced_at IS NOT NULL AND ends_at > ?2";
const REPLACE_NEWEST: &str = "
    UPDATE api_key_secrets SET replaced_at = ?2, ends_at = ?3 WHERE key_id = ?1 AND replaced_at IS NULL";
const COUNT_LIVING: &str = "SELECT count(*) FROM api_keys WHERE user_id = ?1 AND revoked_at IS NULL";
const TOUCH: &str = "
    UPDATE api_keys SET last_used_at = ?2, last_used_ip = ?3 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";

/// The columns that say what a key was given; those of other styles are NULL.
struct GrantColumns {
    scope: Option<&'static str>,
    permissions: Option<String>,
    level: Option<&'static str>,
    scopes: Option<String>,
}

impl From<&Grants> for GrantColumns {
    fn from(grants: &Grants) -> Self {
        let none = Self { scope: None, permissions: None, level: None, scopes: None };
        match grants {
            Grants::External(scope) => Self { scope: Some(scope.as_str()), ..none },
            Grants::Panel(list) => Self { permissions: Some(keys::join(list, Permission::as_str)), ..none },
            Grants::Billing { level, scopes } => {
                Self { level: Some(level.as_str()), scopes: Some(keys::join(scopes, BillingScope::as_str)), ..none }
            }
        }
    }
}

/// Stores a key with the first generation of its secret.
pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, new: &NewKey) -> Result<KeyId, AppError> {
    let settings = &new.settings;
    let columns = GrantColumns::from(&settings.grants);
    let row = rusqlite::params![
        settings.grants.style().as_str(),
        new.panel_id,
        new.owner.0,
        new.created_by.map(|id| id.0),
        settings.name,
        settings.description,
        new.display,
        columns.scope,
        columns.permissions,
        columns.level,
        columns.scopes,
        settings.allowed_ips.to_text(),
        settings.rate_per_minute,
        settings.rate_per_hour,
        settings.rate_per_day,
        settings.enabled,
        settings.expires_at.map(Timestamp::millis),
        new.now.millis()
    ];
    let id: i64 = tx.prepare(INSERT)?.query_row(row, |row| row.get(0)).map_err(|e| store_error(&e))?;
    tx.execute(INSERT_SECRET, (id, 1, new.hash, new.now.millis()))?;
    Ok(KeyId(id))
}

/// Stores a key's settings as they are from now on.
pub fn update(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    id: KeyId,
    settings: &KeySettings,
    disabled_by_admin: bool,
    now: Timestamp,
) -> Result<(), AppError> {
    let columns = GrantColumns::from(&settings.grants);
    let row = rusqlite::params![
        id.0,
        settings.name,
        settings.description,
        columns.scope,
        columns.permissions,
        columns.level,
        columns.scopes,
        settings.allowed_ips.to_text(),
        settings.rate_per_minute,
        settings.rate_per_hour,
        settings.rate_per_day,
        settings.enabled,
        settings.expires_at.map(Timestamp::millis),
        disabled_by_admin,
        now.millis()
    ];
    tx.execute(UPDATE, row).map(|_| ())
}

/// Makes a secret the newest. The one before it works until `old_ends_at`, those before that end now.
pub fn rotate(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    id: KeyId,
    hash: &SecretHash,
    display: Option<&str>,
    now: Timestamp,
    old_ends_at: Timestamp,
) -> Result<i64, AppError> {
    tx.execute(END_OLDER, (id.0, now.millis()))?;
    tx.execute(REPLACE_NEWEST, (id.0, now.millis(), old_ends_at.millis()))?;
    let mut raise = tx.prepare(RAISE_GENERATION)?;
    let generation: i64 =
        raise.query_row((id.0, display, now.millis()), |row| row.get(0)).map_err(|e| store_error(&e))?;
    tx.execute(INSERT_SECRET, (id.0, generation, hash, now.millis()))?;
    Ok(generation)
}

/// False where the key was revoked before.
pub fn revoke(tx: &WriteTx<'_>, _permit: &Permit, id: KeyId, now: Timestamp) -> Result<bool, AppError> {
    Ok(tx.execute(REVOKE, (id.0, now.millis()))? == 1)
}

/// Keys of a user that are not revoked.
pub fn count_living(tx: &ReadTx<'_>, user: UserId) -> Result<i64, AppError> {
    tx.prepare(COUNT_LIVING)?.query_row([user.0], |row| row.get(0)).map_err(|e| store_error(&e))
}

/// Remembers when and from where a key was last used.
pub fn touch(tx: &WriteTx<'_>, id: KeyId, at: Timestamp, ip: Option<IpAddr>) -> Result<(), AppError> {
    tx.unaudited("use is not a change");
    tx.execute(TOUCH, (id.0, at.millis(), ip.map(|ip| ip.to_string()))).map(|_| ())
}

fn damaged(id: i64, column: &str) -> AppError {
    AppError::Internal(format!("key {id} has an unreadable {column}"))
}

/// scope, permissions, level, scopes.
type StoredGrants = (Option<String>, Option<String>, Option<String>, Option<String>);

/// Reads what a key was given from the columns of its style.
fn grants(id: i64, (scope, permissions, level, scopes): StoredGrants) -> Result<Grants, AppError> {
    if let Some(scope) = scope {
        return Scope::parse(&scope).map(Grants::External).ok_or_else(|| damaged(id, "scope"));
    }
    if let Some(permissions) = permissions {
        let words = permissions.split(',').map(Permission::parse).collect::<Option<Vec<_>>>();
        return words.map(Grants::Panel).ok_or_else(|| damaged(id, "permissions"));
    }
    let level = level.as_deref().and_then(Level::parse).ok_or_else(|| damaged(id, "level"))?;
    let scopes = scopes.unwrap_or_default();
    let words = scopes.split(',').filter(|word| !word.is_empty()).map(BillingScope::parse).collect::<Option<Vec<_>>>();
    Ok(Grants::Billing { level, scopes: words.ok_or_else(|| damaged(id, "scopes"))? })
}
