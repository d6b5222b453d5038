//! Keys as lists show them, without their secrets.

use rusqlite::{Params, Row};

use super::{damaged, grants};
use crate::domain::addresses::AllowList;
use crate::domain::error::AppError;
use crate::domain::keys::{Key, KeyId, KeySettings, Style};
use crate::domain::policy::{Generation, Replaced};
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, UserId};
use crate::store::{ReadTx, store_error};

/// How somebody names a key on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference<'a> {
    Id(i64),
    PanelId(&'a str),
    /// The beginning of what lists show.
    Prefix(&'a str),
}

macro_rules! select_listed {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.panel_id, k.user_id, u.username, u.role, k.name, k.description, k.display, k.scope, k.permissions, ",
            "k.level, k.scopes, k.allowed_ips, k.rate_per_minute, k.rate_per_hour, k.rate_per_day, k.enabled, ",
            "k.disabled_by_admin, k.expires_at, k.revoked_at, k.generation, k.last_used_at, k.last_used_ip, k.created_at, ",
            "u.creator_id ",
            "FROM api_keys k JOIN users u ON u.id = k.user_id ",
            $rest
        )
    };
}
const LIST_ALL: &str = select_listed!("ORDER BY k.id");
const LIST_OF_STYLE: &str = select_listed!("WHERE k.style = ?1 ORDER BY k.id");
const LIST_OF_USER: &str =
    select_listed!("WHERE k.user_id = ?1 AND k.style = ?2 AND k.revoked_at IS NULL ORDER BY k.id");
const LIST_BY_ID: &str = select_listed!("WHERE k.id = ?1");
const LIST_BY_PANEL_ID: &str = select_listed!("WHERE k.panel_id = ?1");
const LIST_BY_PREFIX: &str =
    select_listed!("WHERE k.display >= ?1 AND k.display < ?2 ORDER BY k.display, k.id LIMIT 20");
const LIST_GENERATIONS: &str = "
    SELECT generation, replaced_at, ends_at FROM api_key_secrets WHERE key_id = ?1 ORDER BY generation DESC";

/// All keys, or those of one style.
pub fn list(tx: &ReadTx<'_>, style: Option<Style>) -> Result<Vec<Key>, AppError> {
    match style {
        Some(style) => listed(tx, LIST_OF_STYLE, [style.as_str()]),
        None => listed(tx, LIST_ALL, []),
    }
}

/// The living keys of a user, of one style.
pub fn list_of_user(tx: &ReadTx<'_>, user: UserId, style: Style) -> Result<Vec<Key>, AppError> {
    listed(tx, LIST_OF_USER, (user.0, style.as_str()))
}

/// The keys that a reference may mean; one that begins with a prefix may be several (the first 20).
pub fn list_by_reference(tx: &ReadTx<'_>, reference: &Reference<'_>) -> Result<Vec<Key>, AppError> {
    match reference {
        Reference::Id(id) => listed(tx, LIST_BY_ID, [id]),
        Reference::PanelId(id) => listed(tx, LIST_BY_PANEL_ID, [id]),
        Reference::Prefix(prefix) => listed(tx, LIST_BY_PREFIX, [*prefix, &format!("{prefix}\u{10ffff}")]),
    }
}

/// The generations of a key's secret, newest first.
pub fn list_generations(tx: &ReadTx<'_>, id: KeyId) -> Result<Vec<Generation>, AppError> {
    let mut statement = tx.prepare(LIST_GENERATIONS)?;
    let rows = statement.query_map([id.0], |row| {
        Ok(Generation { number: row.get(0)?, replaced: Replaced::from_columns(row.get(1)?, row.get(2)?) })
    });
    rows.and_then(Iterator::collect).map_err(|e| store_error(&e))
}

fn listed(tx: &ReadTx<'_>, statement: &'static str, params: impl Params) -> Result<Vec<Key>, AppError> {
    let mut statement = tx.prepare(statement)?;
    let mut rows = statement.query(params).map_err(|e| store_error(&e))?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().map_err(|e| store_error(&e))? {
        keys.push(from_row(row)?);
    }
    Ok(keys)
}

fn from_row(row: &Row<'_>) -> Result<Key, AppError> {
    let engine = |e: rusqlite::Error| store_error(&e);
    let id: i64 = row.get(0).map_err(engine)?;
    let stored = || -> rusqlite::Result<_> { Ok((row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?)) };
    let grants = grants(id, stored().map_err(engine)?)?;
    let ips: String = row.get(12).map_err(engine)?;
    let allowed_ips = AllowList::from_text(&ips).map_err(|_| damaged(id, "allowed_ips"))?;
    let role: String = row.get(4).map_err(engine)?;
    let owner_role = Role::parse(&role).ok_or_else(|| damaged(id, "owner"))?;
    let instant = |column| -> rusqlite::Result<_> { Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp)) };
    let key = || -> rusqlite::Result<Key> {
        Ok(Key {
            id: KeyId(id),
            panel_id: row.get(1)?,
            owner_id: UserId(row.get(2)?),
            owner: row.get(3)?,
            owner_role,
            display: row.get(7)?,
            settings: KeySettings {
                name: row.get(5)?,
                description: row.get(6)?,
                grants,
                allowed_ips,
                rate_per_minute: row.get(13)?,
                rate_per_hour: row.get(14)?,
                rate_per_day: row.get(15)?,
                enabled: row.get(16)?,
                expires_at: instant(18)?,
            },
            disabled_by_admin: row.get(17)?,
            revoked_at: instant(19)?,
            generation: row.get(20)?,
            last_used_at: instant(21)?,
            last_used_ip: row.get(22)?,
            created_at: Timestamp(row.get(23)?),
            owner_creator: row.get::<_, Option<i64>>(24)?.map(UserId),
        })
    };
    key().map_err(engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans::check;

    #[test]
    fn every_list_and_look_up_is_served_by_an_index() {
        check(LIST_ALL, &["SCAN k"]);
        check(LIST_OF_STYLE, &["SEARCH k USING INDEX api_keys_by_style (style=?)"]);
        check(LIST_OF_USER, &["SEARCH k USING INDEX api_keys_by_user (user_id=? AND style=?)"]);
        check(LIST_BY_PANEL_ID, &["SEARCH k USING INDEX api_keys_by_panel_id (panel_id=?)"]);
        check(LIST_BY_PREFIX, &["SEARCH k USING INDEX api_keys_by_display (display>? AND display<?)"]);
    }
}
