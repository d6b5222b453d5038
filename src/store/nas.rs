//! `nas`: the routers, and which of them a caller sees.

use rusqlite::{OptionalExtension, Params, Row};

mod change;

use super::{ReadTx, store_error};
use crate::domain::error::AppError;
use crate::domain::nas::Nas;
use crate::domain::policy::{Permit, Rows};
use crate::domain::time::Timestamp;

macro_rules! select_nas {
    ($rest:literal) => {
        concat!(
            "SELECT n.id, n.name, n.ip_address, n.type, n.last_seen_at, ",
            "(SELECT count(*) FROM access_sessions a WHERE a.nas_id = n.id AND a.stopped_at IS NULL) FROM nas n ",
            $rest
        )
    };
}
const LIST_ALL: &str = select_nas!("WHERE n.deleted_at IS NULL ORDER BY n.id");
const LIST_OF_RESELLER: &str =
    select_nas!("JOIN nas_resellers r ON r.nas_id = n.id WHERE r.user_id = ?1 AND n.deleted_at IS NULL ORDER BY n.id");
const NAME: &str = "SELECT name FROM nas WHERE id = ?1";
const EXISTS: &str = "SELECT 1 FROM nas WHERE id = ?1 AND deleted_at IS NULL";
const EXISTS_FOR_RESELLER: &str = "
    SELECT 1 FROM nas_resellers r JOIN nas n ON n.id = r.nas_id
    WHERE r.user_id = ?2 AND r.nas_id = ?1 AND n.deleted_at IS NULL";
const COUNT: &str = "SELECT count(*) FROM nas WHERE deleted_at IS NULL";
const COUNT_FOR_RESELLER: &str = "
    SELECT count(*) FROM nas_resellers r JOIN nas n ON n.id = r.nas_id WHERE r.user_id = ?1 AND n.deleted_at IS NULL";

pub use change::{
    NewNas, Reseller, Stored, delete, find_stored, find_stored_by_ip_address, find_stored_by_name, insert, is_assigned,
    list_stored, set_resellers, update,
};

/// The routers that the caller sees: all, or those linked to the reseller.
pub fn list(tx: &ReadTx<'_>, permit: &Permit) -> Result<Vec<Nas>, AppError> {
    match permit.rows() {
        Rows::All => listed(tx, LIST_ALL, []),
        Rows::OfReseller(user) => listed(tx, LIST_OF_RESELLER, [user.0]),
        Rows::OfUser(_) | Rows::Nobodys => Ok(Vec::new()),
    }
}

pub fn count(tx: &ReadTx<'_>, permit: &Permit) -> Result<i64, AppError> {
    match permit.rows() {
        Rows::All => tx.prepare(COUNT)?.query_row([], |row| row.get(0)),
        Rows::OfReseller(user) => tx.prepare(COUNT_FOR_RESELLER)?.query_row([user.0], |row| row.get(0)),
        Rows::OfUser(_) | Rows::Nobodys => Ok(0),
    }
    .map_err(|e| store_error(&e))
}

/// The name of a router that the caller sees.
pub fn find_name(tx: &ReadTx<'_>, permit: &Permit, id: i64) -> Result<Option<String>, AppError> {
    if !exists(tx, permit, id)? {
        return Ok(None);
    }
    tx.prepare(NAME)?.query_row([id], |row| row.get(0)).optional().map_err(|e| store_error(&e))
}

/// Whether the caller sees this router.
pub fn exists(tx: &ReadTx<'_>, permit: &Permit, id: i64) -> Result<bool, AppError> {
    let found: Option<i64> = match permit.rows() {
        Rows::All => tx.prepare(EXISTS)?.query_row([id], |row| row.get(0)).optional(),
        Rows::OfReseller(user) => tx.prepare(EXISTS_FOR_RESELLER)?.query_row([id, user.0], |row| row.get(0)).optional(),
        Rows::OfUser(_) | Rows::Nobodys => Ok(None),
    }
    .map_err(|e| store_error(&e))?;
    Ok(found.is_some())
}

fn listed(tx: &ReadTx<'_>, statement: &'static str, params: impl Params) -> Result<Vec<Nas>, AppError> {
    let mut statement = tx.prepare(statement)?;
    let rows = statement.query_map(params, from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Nas> {
    Ok(Nas {
        id: row.get(0)?,
        name: row.get(1)?,
        ip_address: row.get(2)?,
        kind: row.get(3)?,
        last_seen_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        active_sessions: row.get(5)?,
    })
}
