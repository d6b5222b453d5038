//! What the decision needs of a key, in one indexed join.

use std::sync::Arc;

use rusqlite::{Params, Row};

use super::{damaged, grants};
use crate::domain::addresses::AllowList;
use crate::domain::error::AppError;
use crate::domain::keys::{KeyId, SecretHash};
use crate::domain::policy::{Generation, KeyFacts, OwnerFacts, Replaced};
use crate::domain::time::Timestamp;
use crate::store::users::account_at;
use crate::store::{ReadTx, store_error};

macro_rules! select_facts {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.panel_id, k.display, k.scope, k.permissions, k.level, k.scopes, k.allowed_ips, ",
            "k.rate_per_minute, k.rate_per_hour, k.rate_per_day, k.enabled, k.expires_at, k.revoked_at IS NOT NULL, ",
            "x.generation, x.replaced_at, x.ends_at, ",
            "u.id, u.username, u.role, u.status, coalesce(u.can_use_api, p.can_use_api), ",
            "c.username, c.role, c.status, x.secret_hash, u.deleted_at IS NULL ",
            "FROM api_key_secrets x JOIN api_keys k ON k.id = x.key_id JOIN users u ON u.id = k.user_id ",
            "JOIN packages p ON p.id = u.package_id LEFT JOIN users c ON c.id = u.creator_id ",
            $rest
        )
    };
}
const FIND: &str = select_facts!("WHERE x.secret_hash = ?1");
const FIND_GENERATION: &str = select_facts!("WHERE x.key_id = ?1 AND x.generation = ?2");
const FIND_NEWEST: &str = select_facts!("WHERE x.key_id = ?1 ORDER BY x.generation DESC LIMIT 1");
// The newest generation, and the one that was presented, dead or alive: a replaced secret is told from a wrong one.
const FIND_PAIR: &str = select_facts!(
    "WHERE k.display = ?1 AND k.style = 'billing' AND (x.generation = k.generation OR x.secret_hash = ?2) \
     ORDER BY x.generation DESC"
);
// Told by their beginning and not by their style, for which SQLite would walk all of them.
const NEIGHBOUR: &str = "
    SELECT (SELECT display FROM api_keys WHERE display >= ?1 AND display >= 'npk_' AND display < 'npl'
            ORDER BY display LIMIT 1),
           (SELECT display FROM api_keys WHERE display >= 'npk_' AND display < 'npl' ORDER BY display LIMIT 1)";

/// Finds a key by the SHA-256 of a secret that is the whole key.
pub fn find_facts(tx: &ReadTx<'_>, hash: &SecretHash) -> Result<Option<Arc<KeyFacts>>, AppError> {
    let find = || Ok(found(tx, FIND, [hash])?.pop().map(|(facts, _)| facts));
    match tx.known {
        Some(known) => known.key(tx, hash, find),
        None => Ok(find()?.map(Arc::new)),
    }
}

/// Finds a key with the generation of its secret that was presented.
pub fn find_generation_facts(tx: &ReadTx<'_>, id: KeyId, generation: i64) -> Result<Option<KeyFacts>, AppError> {
    Ok(found(tx, FIND_GENERATION, (id.0, generation))?.pop().map(|(facts, _)| facts))
}

/// Finds a key with its newest generation.
pub fn find_newest_facts(tx: &ReadTx<'_>, id: KeyId) -> Result<Option<KeyFacts>, AppError> {
    Ok(found(tx, FIND_NEWEST, [id.0])?.pop().map(|(facts, _)| facts))
}

/// Finds a billing key by its identifier: its newest generation and the presented one, with their hashes. Where there is
/// none of this identifier, gives the next one in the alphabet, so that a miss does the same work as a hit; the identifier
/// that was found comes back for the caller to compare. `None`: there is no billing key at all.
pub fn find_pair(tx: &ReadTx<'_>, npk: &str, hash: &SecretHash) -> Result<Option<(String, Found)>, AppError> {
    let mut neighbour = tx.prepare(NEIGHBOUR)?;
    let read = |row: &Row<'_>| -> rusqlite::Result<(Option<String>, Option<String>)> { Ok((row.get(0)?, row.get(1)?)) };
    let (next, first) = neighbour.query_row([npk], read).map_err(|e| store_error(&e))?;
    let Some(display) = next.or(first) else { return Ok(None) };
    let rows = found(tx, FIND_PAIR, rusqlite::params![display, hash])?;
    Ok(Some((display, rows)))
}

/// Keys with the hash of the generation that each row is about.
pub type Found = Vec<(KeyFacts, SecretHash)>;

fn found(
    tx: &ReadTx<'_>,
    statement: &'static str,
    params: impl Params,
) -> Result<Vec<(KeyFacts, SecretHash)>, AppError> {
    let mut statement = tx.prepare(statement)?;
    let mut rows = statement.query(params).map_err(|e| store_error(&e))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(|e| store_error(&e))? {
        found.push((from_row(row)?, row.get(25).map_err(|e| store_error(&e))?));
    }
    Ok(found)
}

fn from_row(row: &Row<'_>) -> Result<KeyFacts, AppError> {
    let engine = |e: rusqlite::Error| store_error(&e);
    let id: i64 = row.get(0).map_err(engine)?;
    let stored = || -> rusqlite::Result<_> { Ok((row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?)) };
    let grants = grants(id, stored().map_err(engine)?)?;
    let ips: String = row.get(7).map_err(engine)?;
    let allowed_ips = AllowList::from_text(&ips).map_err(|_| damaged(id, "allowed_ips"))?;
    let facts = || -> rusqlite::Result<KeyFacts> {
        Ok(KeyFacts {
            id: KeyId(id),
            panel_id: row.get(1)?,
            display: row.get(2)?,
            grants,
            allowed_ips,
            rate_per_minute: row.get(8)?,
            rate_per_hour: row.get(9)?,
            rate_per_day: row.get(10)?,
            enabled: row.get(11)?,
            expires_at: row.get::<_, Option<i64>>(12)?.map(Timestamp),
            revoked: row.get(13)?,
            generation: Generation {
                number: row.get(14)?,
                replaced: Replaced::from_columns(row.get(15)?, row.get(16)?),
            },
            owner: owner(row)?,
        })
    };
    facts().map_err(engine)
}

fn owner(row: &Row<'_>) -> rusqlite::Result<Option<OwnerFacts>> {
    let exists: bool = row.get(26)?;
    if exists { account_at(row, 17).map(Some) } else { Ok(None) }
}
