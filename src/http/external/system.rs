//! `/system`: health.

use actix_web::http::StatusCode;
use serde::Serialize;

use super::envelope;
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    database: &'static str,
    version: &'static str,
    timestamp: String,
}

#[derive(Serialize)]
struct Unhealthy {
    success: bool,
    error: Explained,
    data: Health,
    timestamp: String,
}

#[derive(Serialize)]
struct Explained {
    code: &'static str,
    message: &'static str,
}

/// GET /api/v1/external/system/health
pub async fn health(call: Call) -> Answer {
    let good = call.state.health.is_good().await;
    let (healthy, database) = if good { ("healthy", "connected") } else { ("unhealthy", "unavailable") };
    let timestamp = call.now.rfc3339();
    let data = Health { status: healthy, database, version: env!("CARGO_PKG_VERSION"), timestamp: timestamp.clone() };
    if good {
        return Ok(envelope::one(StatusCode::OK, &data, call.now)?);
    }
    let error = Explained { code: "DATABASE_UNAVAILABLE", message: "The database cannot be used at the moment" };
    Ok(Reply::json(StatusCode::SERVICE_UNAVAILABLE, &Unhealthy { success: false, error, data, timestamp })?)
}
