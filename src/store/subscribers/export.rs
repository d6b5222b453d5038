//! Reading all subscribers in parts, with the names that stand for the rows they point to.

use rusqlite::{Params, Row};

use super::date;
use crate::domain::error::AppError;
use crate::domain::money::Money;
use crate::domain::policy::{Permit, Rows};
use crate::domain::subscribers::SubscriberId;
use crate::domain::time::Date;
use crate::store::{ReadTx, store_error};

/// A subscriber as an export writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub id: SubscriberId,
    pub uid: [u8; 16],
    pub username: String,
    /// The reseller's username; `None`: the house.
    pub owner: Option<String>,
    pub password_sealed: Vec<u8>,
    pub full_name: String,
    pub phone: String,
    pub address: String,
    pub email: String,
    pub note: String,
    pub external_id: Option<String>,
    /// As stored: 1, 2 or 4.
    pub status: i64,
    pub service: String,
    pub nas: Option<String>,
    pub mac_address: Option<String>,
    pub expiry_date: Date,
    pub balance: Money,
}

macro_rules! select_exported {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.uid, s.username, u.username, s.password_sealed, s.full_name, s.phone, s.address, s.email, ",
            "s.note, s.external_id, s.status, v.name, n.name, s.mac_address, s.expiry_date, s.balance ",
            "FROM subscribers s JOIN services v ON v.id = s.service_id LEFT JOIN users u ON u.id = s.owner_id ",
            "LEFT JOIN nas n ON n.id = s.nas_id WHERE s.id > ?1 AND s.deleted_at IS NULL",
            $rest,
            " ORDER BY s.id LIMIT 1000"
        )
    };
}
const LIST_ALL: &str = select_exported!("");
const LIST_OF_OWNER: &str = select_exported!(" AND s.owner_id = ?2");

/// At most 1 000 subscribers after an id, by id; none are left where it gives none.
pub fn list_exported(tx: &ReadTx<'_>, permit: &Permit, after: i64) -> Result<Vec<Exported>, AppError> {
    match permit.rows() {
        Rows::All => listed(tx, LIST_ALL, [after]),
        Rows::OfReseller(owner) => listed(tx, LIST_OF_OWNER, [after, owner.0]),
        Rows::OfUser(_) | Rows::Nobodys => Ok(Vec::new()),
    }
}

fn listed(tx: &ReadTx<'_>, statement: &'static str, params: impl Params) -> Result<Vec<Exported>, AppError> {
    let mut statement = tx.prepare(statement)?;
    let rows = statement.query_map(params, from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Exported> {
    Ok(Exported {
        id: SubscriberId(row.get(0)?),
        uid: row.get(1)?,
        username: row.get(2)?,
        owner: row.get(3)?,
        password_sealed: row.get(4)?,
        full_name: row.get(5)?,
        phone: row.get(6)?,
        address: row.get(7)?,
        email: row.get(8)?,
        note: row.get(9)?,
        external_id: row.get(10)?,
        status: row.get(11)?,
        service: row.get(12)?,
        nas: row.get(13)?,
        mac_address: row.get(14)?,
        expiry_date: date(row, 15)?,
        balance: Money(row.get(16)?),
    })
}
