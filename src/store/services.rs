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
const FIND_BY_NAME: &str = "
    SELECT id, name, download_speed, upload_speed, price, daily_quota, monthly_quota, period_value, period_unit
    FROM services WHERE name_key = ?1 AND deleted_at IS NULL";
const IS_BOUGHT: &str = "SELECT 1 FROM subscribers WHERE service_id = ?1 AND deleted_at IS NULL LIMIT 1";
const INSERT: &str = "
    INSERT INTO services (name, name_key, download_speed, upload_speed, price, daily_quota, monthly_quota, period_value,
                          period_unit, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)
    ON CONFLICT DO NOTHING
    RETURNING id";
const UPDATE: &str = "
    UPDATE services SET name = ?2, name_key = ?3, download_speed = ?4, upload_speed = ?5, price = ?6, daily_quota = ?7,
           monthly_quota = ?8, period_value = ?9, period_unit = ?10, updated_at = ?11
    WHERE id = ?1 AND deleted_at IS NULL";
const DELETE: &str = "UPDATE services SET deleted_at = ?2, updated_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";

pub fn find(tx: &ReadTx<'_>, id: ServiceId) -> Result<Option<Service>, AppError> {
    tx.prepare(FIND)?.query_row([id.0], from_row).optional().map_err(|e| store_error(&e))
}

/// Finds a living service by name, whatever its case.
pub fn find_by_name(tx: &ReadTx<'_>, name: &str) -> Result<Option<Service>, AppError> {
    tx.prepare(FIND_BY_NAME)?.query_row([fold(name)], from_row).optional().map_err(|e| store_error(&e))
}

/// Whether a living subscriber has it.
pub fn is_bought(tx: &ReadTx<'_>, id: ServiceId) -> Result<bool, AppError> {
    tx.prepare(IS_BOUGHT)?.exists([id.0]).map_err(|e| store_error(&e))
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

/// Stores what was changed. A name that belongs to another service must have been refused before.
pub fn update(tx: &WriteTx<'_>, _permit: &Permit, service: &Service, now: Timestamp) -> Result<(), AppError> {
    let row = rusqlite::params![
        service.id.0,
        service.name,
        fold(&service.name),
        service.download_speed,
        service.upload_speed,
        service.price.0,
        service.daily_quota,
        service.monthly_quota,
        service.period.value(),
        service.period.unit(),
        now.millis()
    ];
    tx.execute(UPDATE, row).map(|_| ())
}

/// Deletes softly: the name is free again, the row stays for the audit.
pub fn delete(tx: &WriteTx<'_>, _permit: &Permit, id: ServiceId, now: Timestamp) -> Result<(), AppError> {
    tx.execute(DELETE, (id.0, now.millis())).map(|_| ())
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
