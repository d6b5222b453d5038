//! `packages`: limits and flags that accounts inherit.

use rusqlite::{OptionalExtension, Row};

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::features::Flags;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::fold;

const INSERT: &str = "
    INSERT INTO packages (name, name_key, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
    ON CONFLICT DO NOTHING
    RETURNING id";
macro_rules! select_packages {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, max_users, can_use_api, can_use_php, can_use_cgi, can_use_ssl, can_use_ssh, can_use_cron, ",
            "can_use_spam, can_use_catchall, can_use_dnscontrol, can_use_sysinfo FROM packages ",
            $rest
        )
    };
}
const LIST: &str = select_packages!("ORDER BY id");
const FIND: &str = select_packages!("WHERE name_key = ?1");
const SET_FLAGS: &str = "
    UPDATE packages SET can_use_api = ?2, can_use_php = ?3, can_use_cgi = ?4, can_use_ssl = ?5, can_use_ssh = ?6,
           can_use_cron = ?7, can_use_spam = ?8, can_use_catchall = ?9, can_use_dnscontrol = ?10, can_use_sysinfo = ?11,
           updated_at = ?12
    WHERE id = ?1";
const FIND_ID: &str = "SELECT id FROM packages WHERE name_key = ?1";

/// Makes a package in which everything is allowed and nothing limited; `None` where the name is taken.
pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, name: &str, now: Timestamp) -> Result<Option<i64>, AppError> {
    tx.prepare(INSERT)?
        .query_row((name, fold(name), now.millis()), |row| row.get(0))
        .optional()
        .map_err(|e| store_error(&e))
}

/// A package as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    pub id: i64,
    pub name: String,
    pub max_users: i64,
    pub flags: Flags<bool>,
}

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Package>, AppError> {
    let mut statement = tx.prepare(LIST)?;
    let rows = statement.query_map([], from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

pub fn find(tx: &ReadTx<'_>, name: &str) -> Result<Option<Package>, AppError> {
    tx.prepare(FIND)?.query_row([fold(name)], from_row).optional().map_err(|e| store_error(&e))
}

pub fn set_flags(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    id: i64,
    flags: &Flags<bool>,
    now: Timestamp,
) -> Result<(), AppError> {
    let f = &flags.0;
    let row = rusqlite::params![id, f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], now.millis()];
    tx.execute(SET_FLAGS, row).map(|_| ())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Package> {
    let mut flags = Flags::default();
    for place in 0..10 {
        flags.0[place] = row.get(3 + place)?;
    }
    Ok(Package { id: row.get(0)?, name: row.get(1)?, max_users: row.get(2)?, flags })
}

pub fn find_id(tx: &ReadTx<'_>, name: &str) -> Result<Option<i64>, AppError> {
    tx.prepare(FIND_ID)?.query_row([fold(name)], |row| row.get(0)).optional().map_err(|e| store_error(&e))
}
