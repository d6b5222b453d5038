//! `counters`: how many living subscribers there are, kept in the same write as the rows.

use rusqlite::Row;

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::Rows;
use crate::domain::subscribers::Status;
use crate::domain::time::Date;
use crate::domain::users::UserId;

const EVERYBODY: i64 = -1;
const HOUSE: i64 = 0;

const ADD: &str = "
    INSERT INTO counters (owner_key, status, expiry_date, subscribers) VALUES (?1, ?2, ?3, 1)
    ON CONFLICT (owner_key, status, expiry_date) DO UPDATE SET subscribers = subscribers + 1";
const TAKE: &str = "
    UPDATE counters SET subscribers = subscribers - 1 WHERE owner_key = ?1 AND status = ?2 AND expiry_date = ?3";
const FORGET_EMPTY: &str = "
    DELETE FROM counters WHERE owner_key = ?1 AND status = ?2 AND expiry_date = ?3 AND subscribers = 0";
const TOTAL: &str = "SELECT coalesce(sum(subscribers), 0) FROM counters WHERE owner_key = ?1";
const BY_STATUS: &str = "
    SELECT coalesce(sum(subscribers), 0),
           coalesce(sum(subscribers) FILTER (WHERE status = 1 AND expiry_date >= ?2), 0),
           coalesce(sum(subscribers) FILTER (WHERE status = 1 AND expiry_date < ?2), 0),
           coalesce(sum(subscribers) FILTER (WHERE status = 2), 0)
    FROM counters WHERE owner_key = ?1";

/// Where a subscriber is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub owner: Option<UserId>,
    /// As stored: 1, 2 or 4.
    pub status: i64,
    pub expiry: Date,
}

/// The number that stands for an owner where NULL would not be unique: 0 is the house.
pub fn owner_key(owner: Option<UserId>) -> i64 {
    owner.map_or(HOUSE, |id| id.0)
}

/// Under which numbers something of an owner's is counted: everybody's and its own.
pub fn keys_of_owner(owner: Option<UserId>) -> [i64; 2] {
    [EVERYBODY, owner_key(owner)]
}

/// Counts one more subscriber for its owner and for everybody.
pub fn add(tx: &WriteTx<'_>, place: Place) -> Result<(), AppError> {
    keys_of_owner(place.owner)
        .into_iter()
        .try_for_each(|key| tx.execute(ADD, (key, place.status, place.expiry.days())).map(|_| ()))
}

/// Counts one subscriber less.
pub fn take(tx: &WriteTx<'_>, place: Place) -> Result<(), AppError> {
    for key in keys_of_owner(place.owner) {
        let at = (key, place.status, place.expiry.days());
        tx.execute(TAKE, at)?;
        tx.execute(FORGET_EMPTY, at)?;
    }
    Ok(())
}

const GIVE: &str = "
    INSERT INTO counters (owner_key, status, expiry_date, subscribers)
    SELECT ?2, status, expiry_date, subscribers FROM counters WHERE owner_key = ?1
    ON CONFLICT (owner_key, status, expiry_date) DO UPDATE SET subscribers = subscribers + excluded.subscribers";
const FORGET_OWNER: &str = "DELETE FROM counters WHERE owner_key = ?1";

/// Counts all subscribers of one owner for another.
pub fn hand_over(tx: &WriteTx<'_>, from: UserId, to: Option<UserId>) -> Result<(), AppError> {
    tx.execute(GIVE, (from.0, owner_key(to)))?;
    tx.execute(FORGET_OWNER, [from.0]).map(|_| ())
}

/// Counts a subscriber elsewhere.
pub fn shift(tx: &WriteTx<'_>, from: Place, to: Place) -> Result<(), AppError> {
    if from == to {
        return Ok(());
    }
    take(tx, from)?;
    add(tx, to)
}

/// Subscribers by what they are today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByStatus {
    pub total: i64,
    pub active: i64,
    pub expired: i64,
    pub suspended: i64,
}

impl ByStatus {
    pub fn of(self, status: Status) -> i64 {
        match status {
            Status::Active => self.active,
            Status::Inactive => self.suspended,
            Status::Expired => self.expired,
            Status::Stopped => self.total - self.active - self.expired - self.suspended,
        }
    }
}

pub fn by_status(tx: &ReadTx<'_>, rows: Rows, today: Date) -> Result<ByStatus, AppError> {
    let Some(key) = key_of(rows) else { return Ok(ByStatus::default()) };
    let read = |row: &Row<'_>| {
        Ok(ByStatus { total: row.get(0)?, active: row.get(1)?, expired: row.get(2)?, suspended: row.get(3)? })
    };
    tx.prepare(BY_STATUS)?.query_row((key, today.days()), read).map_err(|e| store_error(&e))
}

/// Under which number what these rows have is counted; `None`: they have nothing.
pub fn key_of(rows: Rows) -> Option<i64> {
    match rows {
        Rows::All => Some(EVERYBODY),
        Rows::OfReseller(id) => Some(id.0),
        Rows::OfUser(_) | Rows::Nobodys => None,
    }
}

/// How many subscribers these rows have.
pub fn total(tx: &ReadTx<'_>, rows: Rows) -> Result<i64, AppError> {
    let Some(key) = key_of(rows) else { return Ok(0) };
    tx.prepare(TOTAL)?.query_row([key], |row| row.get(0)).map_err(|e| store_error(&e))
}
