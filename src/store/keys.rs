//! `api_keys` and `api_key_secrets`: the keys, and the hashes by which they are recognised.

pub mod carried;
mod facts;
mod listed;
mod states;

use std::net::IpAddr;

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::keys::{
    self, BillingScope, Grants, KeyId, KeySettings, Level, NewKey, Permission, Scope, SecretHash,
};
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;

pub use facts::{find_facts, find_generation_facts, find_newest_facts, find_pair};
pub use listed::{Reference, list, list_by_reference, list_generations, list_of_user};
pub use states::{ByState, count_by_state};

// Both statements take the settings in the order of `setting_values`.
const INSERT: &str = "
    INSERT INTO api_keys (name, description, scope, permissions, level, scopes, allowed_ips, rate_per_minute, rate_per_hour,
                          rate_per_day, enabled, expires_at, style, panel_id, user_id, created_by, display, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?18)
    RETURNING id";
const UPDATE: &str = "
    UPDATE api_keys SET name = ?1, description = ?2, scope = ?3, permissions = ?4, level = ?5, scopes = ?6, allowed_ips = ?7,
           rate_per_minute = ?8, rate_per_hour = ?9, rate_per_day = ?10, enabled = ?11, expires_at = ?12,
           disabled_by_admin = ?13, updated_at = ?14
    WHERE id = ?15";
const INSERT_SECRET: &str = "
    INSERT INTO api_key_secrets (key_id, generation, secret_hash, created_at) VALUES (?1, ?2, ?3, ?4)";
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

/// The columns of a key's settings. Those that say what it was given are NULL where they belong to other styles.
fn setting_values(settings: &KeySettings) -> Vec<Value> {
    let (mut scope, mut permissions, mut level, mut scopes) = (None, None, None, None);
    match &settings.grants {
        Grants::External(given) => scope = Some(given.as_str().to_owned()),
        Grants::Panel(given) => permissions = Some(keys::join(given, Permission::as_str)),
        Grants::Billing { level: given, scopes: list } => {
            level = Some(given.as_str().to_owned());
            scopes = Some(keys::join(list, BillingScope::as_str));
        }
    }
    vec![
        settings.name.clone().into(),
        settings.description.clone().into(),
        scope.into(),
        permissions.into(),
        level.into(),
        scopes.into(),
        settings.allowed_ips.to_text().into(),
        settings.rate_per_minute.into(),
        settings.rate_per_hour.into(),
        settings.rate_per_day.into(),
        settings.enabled.into(),
        settings.expires_at.map(Timestamp::millis).into(),
    ]
}

/// Stores a key with the first generation of its secret.
pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, new: &NewKey) -> Result<KeyId, AppError> {
    let mut row = setting_values(&new.settings);
    row.extend::<[Value; 6]>([
        new.settings.grants.style().as_str().to_owned().into(),
        new.panel_id.clone().into(),
        new.owner.0.into(),
        new.created_by.map(|id| id.0).into(),
        new.display.clone().into(),
        new.now.millis().into(),
    ]);
    let mut insert = tx.prepare(INSERT)?;
    let id: i64 = insert.query_row(params_from_iter(row), |row| row.get(0)).map_err(|e| store_error(&e))?;
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
    let mut row = setting_values(settings);
    row.extend::<[Value; 3]>([disabled_by_admin.into(), now.millis().into(), id.0.into()]);
    tx.execute(UPDATE, params_from_iter(row)).map(|_| ())
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
