//! Changing a subscriber, with the counters moved in the same write.

use rusqlite::{OptionalExtension, Row};

use super::{date, sees};
use crate::domain::error::AppError;
use crate::domain::money::Money;
use crate::domain::policy::Permit;
use crate::domain::services::ServiceId;
use crate::domain::subscribers::SubscriberId;
use crate::domain::time::{Date, Timestamp};
use crate::domain::users::UserId;
use crate::store::counters::{self, Place};
use crate::store::{ReadTx, WriteTx, store_error};

/// The columns that can be changed, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: SubscriberId,
    pub uid: [u8; 16],
    pub owner: Option<UserId>,
    pub username: String,
    pub password_sealed: Vec<u8>,
    pub full_name: String,
    pub phone: String,
    pub address: String,
    pub email: String,
    pub note: String,
    pub external_id: Option<String>,
    /// 1, 2 or 4: that an active one has expired is computed on read.
    pub status: i64,
    pub service_id: ServiceId,
    pub nas_id: Option<i64>,
    pub mac_address: Option<String>,
    pub expiry_date: Date,
    /// Moved by transactions alone.
    pub balance: Money,
}

impl Stored {
    fn place(&self) -> Place {
        Place { owner: self.owner, status: self.status, expiry: self.expiry_date }
    }
}

const FIND: &str = "
    SELECT id, uid, owner_id, username, password_sealed, full_name, phone, address, email, note, external_id, status,
           service_id, nas_id, expiry_date, mac_address, balance
    FROM subscribers WHERE id = ?1 AND deleted_at IS NULL";
const UPDATE: &str = "
    UPDATE subscribers SET password_sealed = ?2, full_name = ?3, phone = ?4, address = ?5, email = ?6, note = ?7,
           external_id = ?8, service_id = ?9, nas_id = ?10, expiry_date = ?11, updated_at = ?12, mac_address = ?13
    WHERE id = ?1 AND deleted_at IS NULL";
const SET_STATUS: &str = "
    UPDATE subscribers SET status = ?2, status_reason = ?3, updated_at = ?4 WHERE id = ?1 AND deleted_at IS NULL";
const DELETE: &str = "UPDATE subscribers SET deleted_at = ?2, updated_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";

/// Finds a living subscriber that the caller may see, as it is stored.
pub fn find_stored(tx: &ReadTx<'_>, permit: &Permit, id: SubscriberId) -> Result<Option<Stored>, AppError> {
    let found = tx.prepare(FIND)?.query_row([id.0], from_row).optional().map_err(|e| store_error(&e))?;
    Ok(found.filter(|stored| sees(permit, stored.owner)))
}

/// Stores what was changed. An external id that belongs to another row must have been refused before.
pub fn update(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    before: &Stored,
    after: &Stored,
    now: Timestamp,
) -> Result<(), AppError> {
    let row = rusqlite::params![
        after.id.0,
        after.password_sealed,
        after.full_name,
        after.phone,
        after.address,
        after.email,
        after.note,
        after.external_id,
        after.service_id.0,
        after.nas_id,
        after.expiry_date.days(),
        now.millis(),
        after.mac_address
    ];
    tx.execute(UPDATE, row)?;
    counters::shift(tx, before.place(), after.place())
}

pub fn set_status(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    before: &Stored,
    status: i64,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), AppError> {
    tx.execute(SET_STATUS, (before.id.0, status, reason, now.millis()))?;
    counters::shift(tx, before.place(), Place { status, ..before.place() })
}

/// Deletes softly: the login and the external id are free again, the row stays for the audit and the ledger.
pub fn delete(tx: &WriteTx<'_>, _permit: &Permit, before: &Stored, now: Timestamp) -> Result<(), AppError> {
    tx.execute(DELETE, (before.id.0, now.millis()))?;
    counters::take(tx, before.place())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: SubscriberId(row.get(0)?),
        uid: row.get(1)?,
        owner: row.get::<_, Option<i64>>(2)?.map(UserId),
        username: row.get(3)?,
        password_sealed: row.get(4)?,
        full_name: row.get(5)?,
        phone: row.get(6)?,
        address: row.get(7)?,
        email: row.get(8)?,
        note: row.get(9)?,
        external_id: row.get(10)?,
        status: row.get(11)?,
        service_id: ServiceId(row.get(12)?),
        nas_id: row.get(13)?,
        expiry_date: date(row, 14)?,
        balance: Money(row.get(16)?),
        mac_address: row.get(15)?,
    })
}
