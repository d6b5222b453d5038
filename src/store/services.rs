//! `services`: the plans; every caller sees all of them.

use rusqlite::{OptionalExtension, Row};

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::money::Money;
use crate::domain::policy::Permit;
use crate::domain::services::{NewService, Period, Service, ServiceId};
use crate::domain::time::Timestamp;
use crate::domain::users::fold;

const FIND: &str = "
    SELECT id, name, download_speed, upload_speed, price, daily_quota, monthly_quota, period_value, period_unit
    FROM services WHERE id = ?1 AND deleted_at IS NULL";
const LIST: &str = "
    SELECT id, name, download_speed, upload_speed, price, daily_quota, monthly_quota, period_value, period_unit
    FROM services WHERE deleted_at IS NULL ORDER BY id";
const INSERT: &str = "
    INSERT INTO services (name, name_key, download_speed, upload_speed, price, daily_quota, monthly_quota, period_value,
                          period_unit, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)
    ON CONFLICT DO NOTHING
    RETURNING id";

pub fn find(tx: &ReadTx<'_>, id: ServiceId) -> Result<Option<Service>, AppError> {
    tx.prepare(FIND)?.query_row([id.0], from_row).optional().map_err(|e| store_error(&e))
}

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Service>, AppError> {
    let mut statement = tx.prepare(LIST)?;
    let rows = statement.query_map([], from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

/// `None` where the name is taken.
pub fn insert(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    new: &NewService,
    now: Timestamp,
) -> Result<Option<ServiceId>, AppError> {
    let row = rusqlite::params![
        new.name,
        fold(&new.name),
        new.download_speed,
        new.upload_speed,
        new.price.0,
        new.daily_quota,
        new.monthly_quota,
        new.period.value(),
        new.period.unit(),
        now.millis()
    ];
    tx.prepare(INSERT)?.query_row(row, |row| row.get(0).map(ServiceId)).optional().map_err(|e| store_error(&e))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Service> {
    let unit: String = row.get(8)?;
    let value = row.get(7)?;
    Ok(Service {
        id: ServiceId(row.get(0)?),
        name: row.get(1)?,
        download_speed: row.get(2)?,
        upload_speed: row.get(3)?,
        price: Money(row.get(4)?),
        daily_quota: row.get(5)?,
        monthly_quota: row.get(6)?,
        // The column's CHECK allows these two words only.
        period: if unit == "day" { Period::Days(value) } else { Period::Months(value) },
    })
}
