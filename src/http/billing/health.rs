//! `GET /api/health`: what a billing system tests a connection with. The door has judged the credential.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::error::AppError;
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BillingHealth")]
pub(super) struct Health {
    status: &'static str,
    database: &'static str,
    version: &'static str,
}

/// GET /api/health
pub async fn health(call: Call) -> Answer {
    if !call.state.health.is_good().await {
        return Err(AppError::Unavailable("health: the database cannot be used".to_owned()).into());
    }
    let body = Health { status: "healthy", database: "connected", version: env!("CARGO_PKG_VERSION") };
    Ok(Reply::json(StatusCode::OK, &body)?)
}
