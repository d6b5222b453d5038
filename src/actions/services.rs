//! Services: adding, finding, changing, deleting plans.

use serde_json::{Value, json};

use super::audit::{self, Object};
use crate::domain::error::{AppError, Conflict, Noun};
use crate::domain::money::Money;
use crate::domain::policy::Permit;
use crate::domain::services::{NewService, Period, Service, ServiceId};
use crate::domain::time::Timestamp;
use crate::store::{self, ReadTx, WriteTx};

pub fn add(tx: &WriteTx<'_>, permit: &Permit, new: &NewService, now: Timestamp) -> Result<ServiceId, AppError> {
    let made = store::services::insert(tx, permit, new, now)?;
    let id = made.ok_or_else(|| name_taken(&new.name))?;
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

fn name_taken(name: &str) -> AppError {
    AppError::Conflict(Conflict::InTheWay(format!("A service named {name} exists already")))
}

pub fn get(tx: &ReadTx<'_>, id: ServiceId) -> Result<Service, AppError> {
    store::services::find(tx, id)?.ok_or(AppError::NotFound(Noun::Service))
}

/// By what an operator types: digits are an id, anything else a name.
pub fn get_by_reference(tx: &ReadTx<'_>, reference: &str) -> Result<Service, AppError> {
    if reference.bytes().all(|b| b.is_ascii_digit()) {
        return get(tx, ServiceId(reference.parse().map_err(|_| AppError::NotFound(Noun::Service))?));
    }
    store::services::find_by_name(tx, reference)?.ok_or(AppError::NotFound(Noun::Service))
}

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Service>, AppError> {
    store::services::list(tx)
}

/// What an update asks for; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub name: Option<String>,
    /// kbit/s.
    pub download_speed: Option<i64>,
    /// kbit/s.
    pub upload_speed: Option<i64>,
    pub price: Option<Money>,
    /// Bytes; 0 is unlimited.
    pub daily_quota: Option<i64>,
    /// Bytes; 0 is unlimited.
    pub monthly_quota: Option<i64>,
    pub period_value: Option<i64>,
    pub period_unit: Option<&'static str>,
}

/// Changes a plan for everybody who has it, from the next renewal on for price and period.
pub fn update(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: ServiceId,
    change: &Change,
    now: Timestamp,
) -> Result<Service, AppError> {
    let before = get(tx, id)?;
    let after = changed(&before, change)?;
    if store::services::find_by_name(tx, &after.name)?.is_some_and(|other| other.id != id) {
        return Err(name_taken(&after.name));
    }
    if after != before {
        store::services::update(tx, permit, &after, now)?;
        let (was, is) = differences(&before, &after);
        let object = Object { action: "services.update", kind: "service", id: id.0 };
        audit::record(tx, permit, now, object, Some(&was), Some(&is))?;
    }
    Ok(after)
}

fn changed(before: &Service, change: &Change) -> Result<Service, AppError> {
    let value = change.period_value.unwrap_or_else(|| before.period.value().into());
    Ok(Service {
        id: before.id,
        name: change.name.clone().unwrap_or_else(|| before.name.clone()),
        download_speed: change.download_speed.unwrap_or(before.download_speed),
        upload_speed: change.upload_speed.unwrap_or(before.upload_speed),
        price: change.price.unwrap_or(before.price),
        daily_quota: change.daily_quota.unwrap_or(before.daily_quota),
        monthly_quota: change.monthly_quota.unwrap_or(before.monthly_quota),
        period: Period::parse("period_value", value, change.period_unit.unwrap_or(before.period.unit()))?,
    })
}

fn differences(before: &Service, after: &Service) -> (Value, Value) {
    let columns = |of: &Service| {
        audit::columns([
            ("name", json!(of.name)),
            ("download_speed", json!(of.download_speed)),
            ("upload_speed", json!(of.upload_speed)),
            ("price", json!(of.price.decimal())),
            ("daily_quota", json!(of.daily_quota)),
            ("monthly_quota", json!(of.monthly_quota)),
            ("period_value", json!(of.period.value())),
            ("period_unit", json!(of.period.unit())),
        ])
    };
    audit::changed(columns(before), columns(after))
}

/// The service that every database begins with; callers that name none may count on it.
const DEFAULT: ServiceId = ServiceId(1);

/// Deletes softly. Refused while a living subscriber has it, and for the default one.
pub fn delete(tx: &WriteTx<'_>, permit: &Permit, id: ServiceId, now: Timestamp) -> Result<(), AppError> {
    let before = get(tx, id)?;
    let in_the_way = |text: String| Err(AppError::Conflict(Conflict::InTheWay(text)));
    if id == DEFAULT {
        return in_the_way(format!("The default service {} cannot be deleted", before.name));
    }
    if store::services::is_bought(tx, id)? {
        return in_the_way(format!("Subscribers have the service {}; give them another one first", before.name));
    }
    store::services::delete(tx, permit, id, now)?;
    let was = json!({"name": before.name, "price": before.price.decimal()});
    let object = Object { action: "services.delete", kind: "service", id: id.0 };
    audit::record(tx, permit, now, object, Some(&was), None)
}
