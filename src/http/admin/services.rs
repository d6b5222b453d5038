//! `/api/services`: the plans.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{envelope, pages};
use crate::actions::{self, services::Change};
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::policy::Permit;
use crate::domain::services::{self, NewService, Period, ServiceId, View};
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::store::WriteTx;

pub(super) const SORTS: [&str; 4] = ["id", "name", "price", "download_speed"];

/// A create and an update take the same; what a create leaves out is the default service's.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Body {
    name: Option<String>,
    download_speed: Option<i64>,
    upload_speed: Option<i64>,
    #[schemars(with = "Option<f64>")]
    price: Option<Box<RawValue>>,
    daily_quota: Option<i64>,
    monthly_quota: Option<i64>,
    period_value: Option<i64>,
    period_unit: Option<String>,
}

fn not_negative(field: &'static str, value: Option<i64>) -> Result<Option<i64>, Invalid> {
    match value {
        Some(value) if value < 0 => Err(Invalid::new(field, "must be 0 or more")),
        value => Ok(value),
    }
}

impl Body {
    fn change(&self) -> Result<Change, AppError> {
        let price = self.price.as_ref().map(|raw| raw.get()).filter(|text| *text != "null");
        let unit = match self.period_unit.as_deref() {
            None => None,
            Some("day") => Some("day"),
            Some("month") => Some("month"),
            Some(_) => return Err(Invalid::new("period_unit", "must be day or month").into()),
        };
        Ok(Change {
            name: self.name.as_deref().map(|name| services::parse_name("name", name)).transpose()?,
            download_speed: not_negative("download_speed", self.download_speed)?,
            upload_speed: not_negative("upload_speed", self.upload_speed)?,
            price: price.map(|text| services::parse_price("price", text)).transpose()?,
            daily_quota: not_negative("daily_quota", self.daily_quota)?,
            monthly_quota: not_negative("monthly_quota", self.monthly_quota)?,
            period_value: self.period_value,
            period_unit: unit,
        })
    }

    fn new_service(&self) -> Result<NewService, AppError> {
        let (change, of) = (self.change()?, NewService::default_service());
        let value = change.period_value.unwrap_or_else(|| of.period.value().into());
        Ok(NewService {
            name: change.name.ok_or_else(|| Invalid::required("name"))?,
            download_speed: change.download_speed.unwrap_or(of.download_speed),
            upload_speed: change.upload_speed.unwrap_or(of.upload_speed),
            price: change.price.unwrap_or(of.price),
            daily_quota: change.daily_quota.unwrap_or(of.daily_quota),
            monthly_quota: change.monthly_quota.unwrap_or(of.monthly_quota),
            period: Period::parse("period_value", value, change.period_unit.unwrap_or(of.period.unit()))?,
        })
    }
}

/// GET /api/services
pub async fn list(call: Call) -> Answer {
    let asked = pages::Asked::of(&call.query)?;
    let (sort, descending) = (pages::sort(&call.query, &SORTS)?, pages::descending(&call.query)?);
    let search = call.query.text("search")?;
    let mut all = call.read(actions::services::list)?;
    all.retain(|service| pages::matches(search, &[&service.name]));
    match sort {
        "name" => all.sort_by(|a, b| a.name.cmp(&b.name)),
        "price" => all.sort_by_key(|service| service.price),
        "download_speed" => all.sort_by_key(|service| service.download_speed),
        _ => {}
    }
    if descending {
        all.reverse();
    }
    Ok(pages::cut(all.iter().map(View::from).collect(), asked)?)
}

fn id(call: &Call) -> Result<ServiceId, AppError> {
    call.id(Noun::Service).map(ServiceId)
}

/// GET /api/services/{id}
pub async fn get(call: Call) -> Answer {
    let id = id(&call)?;
    let service = call.read(|tx| actions::services::get(tx, id))?;
    Ok(envelope::data(StatusCode::OK, &View::from(&service))?)
}

/// POST /api/services
pub async fn create(call: Call) -> Answer {
    let (new, now) = (call.json::<Body>()?.new_service()?, call.now);
    let add = move |tx: &WriteTx<'_>, permit: &Permit| {
        let id = actions::services::add(tx, permit, &new, now)?;
        actions::services::get(tx, id)
    };
    call.write(add, |service, _| envelope::data(StatusCode::CREATED, &View::from(service))).await
}

/// PUT /api/services/{id}
pub async fn update(call: Call) -> Answer {
    let (id, now) = (id(&call)?, call.now);
    call.read(|tx| actions::services::get(tx, id))?;
    let change = call.json::<Body>()?.change()?;
    let update = move |tx: &WriteTx<'_>, permit: &Permit| actions::services::update(tx, permit, id, &change, now);
    call.write(update, |service, _| envelope::data(StatusCode::OK, &View::from(service))).await
}

/// DELETE /api/services/{id}
pub async fn delete(call: Call) -> Answer {
    let (id, now) = (id(&call)?, call.now);
    let delete = move |tx: &WriteTx<'_>, permit: &Permit| actions::services::delete(tx, permit, id, now);
    call.write(delete, |(), _| envelope::done("Service deleted")).await
}
