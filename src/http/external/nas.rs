//! `/nas`: the routers. Their secrets are never returned.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::envelope;
use crate::actions;
use crate::domain::error::Noun;
use crate::domain::nas::Nas;
use crate::domain::time::Timestamp;
use crate::http::answer::Answer;
use crate::http::call::Call;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalNas")]
pub(super) struct Row<'a> {
    id: i64,
    name: &'a str,
    ip_address: &'a str,
    /// `mikrotik` or `generic`.
    #[serde(rename = "type")]
    kind: &'a str,
    is_online: bool,
    /// Open sessions now.
    active_sessions: i64,
    last_seen_at: Option<String>,
}

impl<'a> Row<'a> {
    fn of(nas: &'a Nas, now: Timestamp) -> Self {
        Self {
            id: nas.id,
            name: &nas.name,
            ip_address: &nas.ip_address,
            kind: &nas.kind,
            is_online: nas.is_online(now),
            active_sessions: nas.active_sessions,
            last_seen_at: nas.last_seen_at.map(Timestamp::rfc3339),
        }
    }
}

/// GET /api/v1/external/nas
pub async fn list(call: Call) -> Answer {
    let all = call.read(|tx| actions::nas::list(tx, &call.permit))?;
    let rows: Vec<_> = all.iter().map(|nas| Row::of(nas, call.now)).collect();
    Ok(envelope::one(StatusCode::OK, &rows, call.now)?)
}

/// GET /api/v1/external/nas/{id}
pub async fn get(call: Call) -> Answer {
    let id = call.id(Noun::Nas)?;
    let nas = call.read(|tx| actions::nas::get(tx, &call.permit, id))?;
    Ok(envelope::one(StatusCode::OK, &Row::of(&nas, call.now), call.now)?)
}
