//! `renewals`: what each renewal came to.

use rusqlite::OptionalExtension;

use super::counters::owner_key;
use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::subscribers::SubscriberId;
use crate::domain::time::{Date, Timestamp};
use crate::domain::transactions::TransactionId;
use crate::domain::users::UserId;

/// A renewal as it was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    pub subscriber: SubscriberId,
    pub owner: Option<UserId>,
    pub external_id: Option<String>,
    /// What was asked for, to tell a retry from another request.
    pub asked: String,
    pub expiry_before: Date,
    pub expiry_after: Date,
    pub transaction: Option<TransactionId>,
}

const FIND: &str = "
    SELECT subscriber_id, asked, expiry_before, expiry_after, transaction_id FROM renewals
    WHERE external_id = ?1 AND coalesce(owner_id, 0) = ?2";
const INSERT: &str = "
    INSERT INTO renewals (subscriber_id, owner_id, external_id, asked, expiry_before, expiry_after, transaction_id, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// The owner's renewal of this external id.
pub fn find_by_external_id(
    tx: &ReadTx<'_>,
    owner: Option<UserId>,
    external_id: &str,
) -> Result<Option<Renewal>, AppError> {
    let date =
        |column: usize, days: i64| Date::from_days(days).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, days));
    tx.prepare(FIND)?
        .query_row((external_id, owner_key(owner)), |row| {
            Ok(Renewal {
                subscriber: SubscriberId(row.get(0)?),
                owner,
                external_id: Some(external_id.to_owned()),
                asked: row.get(1)?,
                expiry_before: date(2, row.get(2)?)?,
                expiry_after: date(3, row.get(3)?)?,
                transaction: row.get::<_, Option<i64>>(4)?.map(TransactionId),
            })
        })
        .optional()
        .map_err(|e| store_error(&e))
}

pub fn insert(tx: &WriteTx<'_>, _permit: &Permit, renewal: &Renewal, now: Timestamp) -> Result<(), AppError> {
    let row = rusqlite::params![
        renewal.subscriber.0,
        renewal.owner.map(|id| id.0),
        renewal.external_id,
        renewal.asked,
        renewal.expiry_before.days(),
        renewal.expiry_after.days(),
        renewal.transaction.map(|id| id.0),
        now.millis()
    ];
    tx.execute(INSERT, row).map(|_| ())
}
