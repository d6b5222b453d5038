//! `/system`: health and figures.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::envelope;
use crate::actions;
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalHealth")]
pub(super) struct Health {
    #[schemars(extend("enum" = ["healthy", "unhealthy"]))]
    status: &'static str,
    #[schemars(extend("enum" = ["connected", "unavailable"]))]
    database: &'static str,
    version: &'static str,
    timestamp: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Unhealthy {
    #[schemars(extend("const" = false))]
    success: bool,
    error: Explained,
    data: Health,
    timestamp: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Explained {
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

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalStats")]
pub(super) struct Stats {
    online_users: i64,
    total_subscribers: i64,
    active_subscribers: i64,
    expired_subscribers: i64,
    suspended_subscribers: i64,
    nas_count: i64,
}

/// GET /api/v1/external/system/stats
pub async fn stats(call: Call) -> Answer {
    let stats = call.read(|tx| actions::system::stats(tx, &call.permit, call.today()))?;
    let view = Stats {
        online_users: stats.online_users,
        total_subscribers: stats.subscribers.total,
        active_subscribers: stats.subscribers.active,
        expired_subscribers: stats.subscribers.expired,
        suspended_subscribers: stats.subscribers.suspended,
        nas_count: stats.nas_count,
    };
    Ok(envelope::one(StatusCode::OK, &view, call.now)?)
}
