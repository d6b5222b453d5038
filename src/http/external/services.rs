//! `/services`: the plans.

use actix_web::http::StatusCode;

use super::envelope;
use crate::actions;
use crate::domain::error::Noun;
use crate::domain::services::{ServiceId, View};
use crate::http::answer::Answer;
use crate::http::call::Call;

/// GET /api/v1/external/services
pub async fn list(call: Call) -> Answer {
    let services = call.read(actions::services::list)?;
    let rows: Vec<_> = services.iter().map(View::from).collect();
    Ok(envelope::one(StatusCode::OK, &rows, call.now)?)
}

/// GET /api/v1/external/services/{id}
pub async fn get(call: Call) -> Answer {
    let id = ServiceId(call.id(Noun::Service)?);
    let service = call.read(|tx| actions::services::get(tx, id))?;
    Ok(envelope::one(StatusCode::OK, &View::from(&service), call.now)?)
}
