//! Services: adding and listing plans.

use serde_json::json;

use super::audit::{self, Object};
use crate::domain::error::{AppError, Conflict, Noun};
use crate::domain::policy::Permit;
use crate::domain::services::{NewService, Service, ServiceId};
use crate::domain::time::Timestamp;
use crate::store::{self, ReadTx, WriteTx};

pub fn add(tx: &WriteTx<'_>, permit: &Permit, new: &NewService, now: Timestamp) -> Result<ServiceId, AppError> {
    let made = store::services::insert(tx, permit, new, now)?;
    let id = made.ok_or_else(|| {
        AppError::Conflict(Conflict::InTheWay(format!("A service named {} exists already", new.name)))
    })?;
    let after = json!({
        "name": new.name, "download_speed": new.download_speed, "upload_speed": new.upload_speed,
        "price": new.price.decimal(), "daily_quota": new.daily_quota, "monthly_quota": new.monthly_quota,
        "period_value": new.period.value(), "period_unit": new.period.unit(),
    });
    audit::record(
        tx,
        permit,
        now,
        Object { action: "services.create", kind: "service", id: id.0 },
        None,
        Some(&after),
    )?;
    Ok(id)
}

pub fn get(tx: &ReadTx<'_>, id: ServiceId) -> Result<Service, AppError> {
    store::services::find(tx, id)?.ok_or(AppError::NotFound(Noun::Service))
}

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Service>, AppError> {
    store::services::list(tx)
}
