//! `api_keys` and `api_key_secrets`: the keys, and the hashes by which they are recognised.

use std::net::IpAddr;

use rusqlite::Row;

use super::{ReadTx, WriteTx, store_error};
use crate::domain::addresses::AllowList;
use crate::domain::error::AppError;
use crate::domain::keys::{self, BillingScope, Grants, Key, KeyId, Level, NewKey, Permission, Scope, SecretHash};
use crate::domain::policy::{CreatorFacts, Generation, KeyFacts, OwnerFacts, Permit};
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, UserId};

const FIND_FACTS: &str = "
    SELECT k.id, k.panel_id, k.display, k.style, k.scope, k.permissions, k.level, k.scopes, k.allowed_ips,
           k.rate_per_minute, k.rate_per_hour, k.rate_per_day, k.enabled, k.expires_at, k.revoked_at IS NOT NULL,
           x.generation, x.ends_at,
           u.id, u.username, u.role, u.status, u.deleted_at IS NULL, coalesce(u.can_use_api, p.can_use_api),
           c.username, c.role, c.status
    FROM api_key_secrets x
    JOIN api_keys k ON k.id = x.key_id
    JOIN users u ON u.id = k.user_id
    JOIN packages p ON p.id = u.package_id
    LEFT JOIN users c ON c.id = u.creator_id
    WHERE x.secret_hash = ?1";
const INSERT: &str = "
    INSERT INTO api_keys (style, panel_id, user_id, name, display, scope, permissions, level, scopes, allowed_ips,
                          rate_per_minute, expires_at, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)
    RETURNING id";
const INSERT_SECRET: &str = "
    INSERT INTO api_key_secrets (key_id, generation, secret_hash, created_at) VALUES (?1, 1, ?2, ?3)";
macro_rules! select_listed {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.panel_id, u.username, k.name, k.display, k.style, k.scope, k.permissions, k.level, k.scopes, ",
            "k.allowed_ips, k.rate_per_minute, k.enabled, k.expires_at, k.revoked_at, k.last_used_at, k.last_used_ip, ",
            "k.created_at FROM api_keys k JOIN users u ON u.id = k.user_id ",
            $rest
        )
    };
}
const LIST_ALL: &str = select_listed!("ORDER BY k.id");
const LIST_BY_ID: &str = select_listed!("WHERE k.id = ?1");
const LIST_BY_PANEL_ID: &str = select_listed!("WHERE k.panel_id = ?1");
const LIST_BY_PREFIX: &str =
    select_listed!("WHERE k.display >= ?1 AND k.display < ?2 ORDER BY k.display, k.id LIMIT 20");
const REVOKE: &str = "UPDATE api_keys SET revoked_at = ?2, updated_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
const TOUCH: &str = "
    UPDATE api_keys SET last_used_at = ?2, last_used_ip = ?3 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";

/// Everything the decision needs, found by the SHA-256 of a presented secret, in one indexed join.
pub fn find_facts(tx: &ReadTx<'_>, hash: &SecretHash) -> Result<Option<KeyFacts>, AppError> {
    let mut statement = tx.prepare(FIND_FACTS)?;
    let mut rows = statement.query([hash]).map_err(|e| store_error(&e))?;
    match rows.next().map_err(|e| store_error(&e))? {
        Some(row) => facts_from_row(row).map(Some),
        None => Ok(None),
    }
}

/// Stores a key with the first generation of its secret.
pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, new: &NewKey) -> Result<KeyId, AppError> {
    let (scope, permissions, level, scopes) = match &new.grants {
        Grants::External(scope) => (Some(scope.as_str()), None, None, None),
        Grants::Panel(list) => (None, Some(keys::join(list, Permission::as_str)), None, None),
        Grants::Billing { level, scopes } => {
            (None, None, Some(level.as_str()), Some(keys::join(scopes, BillingScope::as_str)))
        }
    };
    let row = rusqlite::params![
        new.grants.style().as_str(),
        new.panel_id,
        new.owner.0,
        new.name,
        new.display,
        scope,
        permissions,
        level,
        scopes,
        new.allowed_ips.to_text(),
        new.rate_per_minute,
        new.expires_at.map(Timestamp::millis),
        new.now.millis()
    ];
    let id: i64 = tx.prepare(INSERT)?.query_row(row, |row| row.get(0)).map_err(|e| store_error(&e))?;
    tx.execute(INSERT_SECRET, (id, new.hash, new.now.millis()))?;
    Ok(KeyId(id))
}

/// How somebody names a key on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference<'a> {
    Id(i64),
    PanelId(&'a str),
    /// The beginning of what lists show.
    Prefix(&'a str),
}

pub fn list_all(tx: &ReadTx<'_>) -> Result<Vec<Key>, AppError> {
    listed(tx, LIST_ALL, [])
}

/// The keys that a reference may mean; one that begins with a prefix may be several (the first 20).
pub fn list_by_reference(tx: &ReadTx<'_>, reference: &Reference<'_>) -> Result<Vec<Key>, AppError> {
    match reference {
        Reference::Id(id) => listed(tx, LIST_BY_ID, [id]),
        Reference::PanelId(id) => listed(tx, LIST_BY_PANEL_ID, [id]),
        Reference::Prefix(prefix) => listed(tx, LIST_BY_PREFIX, [*prefix, &format!("{prefix}\u{10ffff}")]),
    }
}

/// False where the key was revoked before.
pub fn revoke(tx: &WriteTx<'_>, _permit: &Permit, id: KeyId, now: Timestamp) -> Result<bool, AppError> {
    Ok(tx.execute(REVOKE, (id.0, now.millis()))? == 1)
}

/// Remembers when and from where a key was last used.
pub fn touch(tx: &WriteTx<'_>, id: KeyId, at: Timestamp, ip: Option<IpAddr>) -> Result<(), AppError> {
    tx.unaudited("use is not a change");
    tx.execute(TOUCH, (id.0, at.millis(), ip.map(|ip| ip.to_string()))).map(|_| ())
}

fn listed(tx: &ReadTx<'_>, statement: &'static str, params: impl rusqlite::Params) -> Result<Vec<Key>, AppError> {
    let mut statement = tx.prepare(statement)?;
    let mut rows = statement.query(params).map_err(|e| store_error(&e))?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().map_err(|e| store_error(&e))? {
        keys.push(key_from_row(row)?);
    }
    Ok(keys)
}

fn damaged(id: i64, column: &str) -> AppError {
    AppError::Internal(format!("key {id} has an unreadable {column}"))
}

/// Reads what a key was given from the columns of its style.
fn grants(
    id: i64,
    (scope, permissions, level, scopes): (Option<String>, Option<String>, Option<String>, Option<String>),
) -> Result<Grants, AppError> {
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

fn facts_from_row(row: &Row<'_>) -> Result<KeyFacts, AppError> {
    let engine = |e: rusqlite::Error| store_error(&e);
    let id: i64 = row.get(0).map_err(engine)?;
    let read = || -> rusqlite::Result<_> { Ok((row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?)) };
    let grants = grants(id, read().map_err(engine)?)?;
    let ips: String = row.get(8).map_err(engine)?;
    let allowed_ips = AllowList::from_text(&ips)?;
    let facts = || -> rusqlite::Result<KeyFacts> {
        Ok(KeyFacts {
            id: KeyId(id),
            panel_id: row.get(1)?,
            display: row.get(2)?,
            grants,
            allowed_ips,
            rate_per_minute: row.get(9)?,
            rate_per_hour: row.get(10)?,
            rate_per_day: row.get(11)?,
            enabled: row.get(12)?,
            expires_at: row.get::<_, Option<i64>>(13)?.map(Timestamp),
            revoked: row.get(14)?,
            generation: Generation { number: row.get(15)?, ends_at: row.get::<_, Option<i64>>(16)?.map(Timestamp) },
            owner: owner_from_row(row)?,
        })
    };
    facts().map_err(engine)
}

fn owner_from_row(row: &Row<'_>) -> rusqlite::Result<Option<OwnerFacts>> {
    let exists: bool = row.get(21)?;
    let role: String = row.get(19)?;
    let Some(role) = Role::parse(&role).filter(|_| exists) else { return Ok(None) };
    let suspended = |column| -> rusqlite::Result<bool> { Ok(row.get::<_, String>(column)? != "active") };
    let creator = match row.get::<_, Option<String>>(23)? {
        Some(username) => {
            let role: String = row.get(24)?;
            let role = Role::parse(&role).unwrap_or(Role::User);
            Some(CreatorFacts { username, role, suspended: suspended(25)? })
        }
        None => None,
    };
    Ok(Some(OwnerFacts {
        id: UserId(row.get(17)?),
        username: row.get(18)?,
        role,
        suspended: suspended(20)?,
        api_access: row.get(22)?,
        creator,
    }))
}

fn key_from_row(row: &Row<'_>) -> Result<Key, AppError> {
    let engine = |e: rusqlite::Error| store_error(&e);
    let id: i64 = row.get(0).map_err(engine)?;
    let read = || -> rusqlite::Result<_> { Ok((row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?)) };
    let grants = grants(id, read().map_err(engine)?)?;
    let key = || -> rusqlite::Result<Key> {
        Ok(Key {
            id: KeyId(id),
            panel_id: row.get(1)?,
            owner: row.get(2)?,
            name: row.get(3)?,
            display: row.get(4)?,
            grants,
            allowed_ips: row.get(10)?,
            rate_per_minute: row.get(11)?,
            enabled: row.get(12)?,
            expires_at: row.get::<_, Option<i64>>(13)?.map(Timestamp),
            revoked_at: row.get::<_, Option<i64>>(14)?.map(Timestamp),
            last_used_at: row.get::<_, Option<i64>>(15)?.map(Timestamp),
            last_used_ip: row.get(16)?,
            created_at: Timestamp(row.get(17)?),
        })
    };
    key().map_err(engine)
}
