//! Adding, changing and deleting routers.

use rusqlite::{OptionalExtension, Row};

use crate::domain::error::AppError;
use crate::domain::nas::Kind;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::{UserId, fold};
use crate::store::{ReadTx, WriteTx, store_error};

/// A router about to be stored.
#[derive(Clone)]
pub struct NewNas {
    pub uid: [u8; 16],
    pub name: String,
    pub ip_address: String,
    /// Sealed for this row.
    pub secret_sealed: Option<Vec<u8>>,
    pub kind: Kind,
    pub coa_port: u16,
    pub is_active: bool,
}

/// A reseller who sees a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reseller {
    pub id: UserId,
    pub username: String,
}

/// The columns that can be changed, as they are stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: i64,
    pub uid: [u8; 16],
    pub name: String,
    pub ip_address: String,
    pub secret_sealed: Option<Vec<u8>>,
    pub kind: Kind,
    pub coa_port: u16,
    pub is_active: bool,
    /// By username.
    pub resellers: Vec<Reseller>,
}

macro_rules! hidden_secret {
    ($type:ident) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type)).field("name", &self.name).finish_non_exhaustive()
            }
        }
    };
}
hidden_secret!(NewNas);
hidden_secret!(Stored);

macro_rules! select_stored {
    ($rest:literal) => {
        concat!("SELECT id, uid, name, ip_address, secret_sealed, type, coa_port, is_active FROM nas ", $rest)
    };
}
const FIND: &str = select_stored!("WHERE id = ?1 AND deleted_at IS NULL");
const FIND_BY_NAME: &str = select_stored!("WHERE name_key = ?1 AND deleted_at IS NULL");
const FIND_BY_IP_ADDRESS: &str = select_stored!("WHERE ip_address = ?1 AND deleted_at IS NULL");
const LIST: &str = select_stored!("WHERE deleted_at IS NULL ORDER BY id");
const RESELLERS: &str = "
    SELECT u.id, u.username FROM nas_resellers r JOIN users u ON u.id = r.user_id
    WHERE r.nas_id = ?1 AND u.deleted_at IS NULL ORDER BY u.username_key";
const INSERT: &str = "
    INSERT INTO nas (uid, name, name_key, ip_address, secret_sealed, type, coa_port, is_active, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
    ON CONFLICT DO NOTHING
    RETURNING id";
const UPDATE: &str = "
    UPDATE nas SET name = ?2, name_key = ?3, ip_address = ?4, secret_sealed = ?5, type = ?6, coa_port = ?7, is_active = ?8,
           updated_at = ?9
    WHERE id = ?1 AND deleted_at IS NULL";
const LINK: &str = "INSERT INTO nas_resellers (nas_id, user_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const UNLINK_ALL: &str = "DELETE FROM nas_resellers WHERE nas_id = ?1";
const IS_ASSIGNED: &str = "SELECT 1 FROM subscribers WHERE nas_id = ?1 AND deleted_at IS NULL LIMIT 1";
const DELETE: &str = "UPDATE nas SET deleted_at = ?2, updated_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";

pub fn find_stored(tx: &ReadTx<'_>, _permit: &Permit, id: i64) -> Result<Option<Stored>, AppError> {
    let found = tx.prepare(FIND)?.query_row([id], from_row).optional();
    with_resellers(tx, found)
}

pub fn find_stored_by_name(tx: &ReadTx<'_>, _permit: &Permit, name: &str) -> Result<Option<Stored>, AppError> {
    let found = tx.prepare(FIND_BY_NAME)?.query_row([fold(name)], from_row).optional();
    with_resellers(tx, found)
}

pub fn find_stored_by_ip_address(tx: &ReadTx<'_>, _permit: &Permit, ip: &str) -> Result<Option<Stored>, AppError> {
    let found = tx.prepare(FIND_BY_IP_ADDRESS)?.query_row([ip], from_row).optional();
    with_resellers(tx, found)
}

/// Every living router, for whoever administers them.
pub fn list_stored(tx: &ReadTx<'_>, _permit: &Permit) -> Result<Vec<Stored>, AppError> {
    let mut statement = tx.prepare(LIST)?;
    let rows = statement.query_map([], from_row).map_err(|e| store_error(&e))?;
    let mut all: Vec<Stored> = rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))?;
    for nas in &mut all {
        nas.resellers = resellers(tx, nas.id)?;
    }
    Ok(all)
}

/// `None` where the name or the address is taken.
pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, new: &NewNas, now: Timestamp) -> Result<Option<i64>, AppError> {
    let row = rusqlite::params![
        new.uid,
        new.name,
        fold(&new.name),
        new.ip_address,
        new.secret_sealed,
        new.kind.as_str(),
        new.coa_port,
        new.is_active,
        now.millis()
    ];
    tx.prepare(INSERT)?.query_row(row, |row| row.get(0)).optional().map_err(|e| store_error(&e))
}

/// Stores what was changed. A name or an address of another router must have been refused before.
pub fn update(tx: &WriteTx<'_>, permit: &Permit, after: &Stored, now: Timestamp) -> Result<(), AppError> {
    let row = rusqlite::params![
        after.id,
        after.name,
        fold(&after.name),
        after.ip_address,
        after.secret_sealed,
        after.kind.as_str(),
        after.coa_port,
        after.is_active,
        now.millis()
    ];
    tx.execute(UPDATE, row)?;
    set_resellers(tx, permit, after.id, &after.resellers)
}

/// Lets these resellers see a router, and nobody else.
pub fn set_resellers(tx: &WriteTx<'_>, _permit: &Permit, id: i64, resellers: &[Reseller]) -> Result<(), AppError> {
    tx.execute(UNLINK_ALL, [id])?;
    resellers.iter().try_for_each(|reseller| tx.execute(LINK, (id, reseller.id.0)).map(|_| ()))
}

/// Whether a living subscriber is on it.
pub fn is_assigned(tx: &ReadTx<'_>, id: i64) -> Result<bool, AppError> {
    tx.prepare(IS_ASSIGNED)?.exists([id]).map_err(|e| store_error(&e))
}

/// Deletes softly: name and address are free again, the row stays for the accounting.
pub fn delete(tx: &WriteTx<'_>, _permit: &Permit, id: i64, now: Timestamp) -> Result<(), AppError> {
    tx.execute(DELETE, (id, now.millis())).map(|_| ())
}

fn with_resellers(tx: &ReadTx<'_>, found: rusqlite::Result<Option<Stored>>) -> Result<Option<Stored>, AppError> {
    let Some(mut nas) = found.map_err(|e| store_error(&e))? else { return Ok(None) };
    nas.resellers = resellers(tx, nas.id)?;
    Ok(Some(nas))
}

fn resellers(tx: &ReadTx<'_>, id: i64) -> Result<Vec<Reseller>, AppError> {
    let mut statement = tx.prepare(RESELLERS)?;
    let read = |row: &Row<'_>| Ok(Reseller { id: UserId(row.get(0)?), username: row.get(1)? });
    let rows = statement.query_map([id], read).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let kind: String = row.get(5)?;
    Ok(Stored {
        id: row.get(0)?,
        uid: row.get(1)?,
        name: row.get(2)?,
        ip_address: row.get(3)?,
        secret_sealed: row.get(4)?,
        // The column's CHECK allows these two words only.
        kind: if kind == "generic" { Kind::Generic } else { Kind::Mikrotik },
        coa_port: row.get(6)?,
        is_active: row.get(7)?,
        resellers: Vec::new(),
    })
}
