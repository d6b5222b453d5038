//! `counters`: how many living subscribers there are, kept in the same write as the rows.

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::Rows;
use crate::domain::time::Date;
use crate::domain::users::UserId;

const EVERYBODY: i64 = -1;
const HOUSE: i64 = 0;

const ADD: &str = "
    INSERT INTO counters (owner_key, status, expiry_date, subscribers) VALUES (?1, ?2, ?3, 1)
    ON CONFLICT (owner_key, status, expiry_date) DO UPDATE SET subscribers = subscribers + 1";
const TOTAL: &str = "SELECT coalesce(sum(subscribers), 0) FROM counters WHERE owner_key = ?1";

/// Counts one more subscriber for its owner and for everybody.
pub fn add(tx: &WriteTx<'_>, owner: Option<UserId>, stored_status: i64, expiry: Date) -> Result<(), AppError> {
    for key in [EVERYBODY, owner.map_or(HOUSE, |id| id.0)] {
        tx.execute(ADD, (key, stored_status, expiry.days()))?;
    }
    Ok(())
}

/// How many subscribers these rows have.
pub fn total(tx: &ReadTx<'_>, rows: Rows) -> Result<i64, AppError> {
    let key = match rows {
        Rows::All => EVERYBODY,
        Rows::OfReseller(id) => id.0,
        Rows::OfUser(_) | Rows::Nobodys => return Ok(0),
    };
    tx.prepare(TOTAL)?.query_row([key], |row| row.get(0)).map_err(|e| store_error(&e))
}
