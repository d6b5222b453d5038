//! `/services`: the plans.

use actix_web::http::StatusCode;
use serde::Serialize;

use super::envelope;
use crate::actions;
use crate::domain::error::Noun;
use crate::domain::money::Money;
use crate::domain::services::{Service, ServiceId};
use crate::http::answer::Answer;
use crate::http::call::Call;

#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    name: &'a str,
    download_speed: i64,
    upload_speed: i64,
    price: Money,
    daily_quota: i64,
    monthly_quota: i64,
    period_value: u32,
    period_unit: &'static str,
}

impl<'a> From<&'a Service> for Row<'a> {
    fn from(of: &'a Service) -> Self {
        Self {
            id: of.id.0,
            name: &of.name,
            download_speed: of.download_speed,
            upload_speed: of.upload_speed,
            price: of.price,
            daily_quota: of.daily_quota,
            monthly_quota: of.monthly_quota,
            period_value: of.period.value(),
            period_unit: of.period.unit(),
        }
    }
}

/// GET /api/v1/external/services
pub async fn list(call: Call) -> Answer {
    let services = call.read(actions::services::list)?;
    let rows: Vec<_> = services.iter().map(Row::from).collect();
    Ok(envelope::one(StatusCode::OK, &rows, call.now)?)
}

/// GET /api/v1/external/services/{id}
pub async fn get(call: Call) -> Answer {
    let id = ServiceId(call.id(Noun::Service)?);
    let service = call.read(|tx| actions::services::get(tx, id))?;
    Ok(envelope::one(StatusCode::OK, &Row::from(&service), call.now)?)
}
