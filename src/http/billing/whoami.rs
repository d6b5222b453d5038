//! `GET /whoami`: what the key that asks is, and what each call of this surface would say to it.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::actions;
use crate::domain::error::{AppError, Noun};
use crate::domain::keys::Grants;
use crate::domain::policy::{Denial, Window};
use crate::domain::routes::{Route, Surface};
use crate::domain::time::Timestamp;
use crate::http::answer::{self, Answer, Reply};
use crate::http::call::Call;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BillingWhoami")]
pub(super) struct View<'a> {
    name: &'a str,
    level: &'static str,
    scopes: Vec<&'static str>,
    /// Empty: anywhere.
    allowed_ips: Vec<String>,
    ip: Option<IpAddr>,
    expires_at: Option<String>,
    limits: Limits,
    routes: Vec<Verdict>,
}

/// Null: no limit.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BillingLimits")]
struct Limits {
    minute: Option<Limit>,
    hour: Option<Limit>,
    day: Option<Limit>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BillingLimit")]
struct Limit {
    limit: u32,
    used: u32,
    left: u32,
    resets_at: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BillingRouteVerdict")]
struct Verdict {
    method: &'static str,
    path: &'static str,
    allowed: bool,
    #[schemars(with = "Vec<serde_json::Map<String, Value>>")]
    denied: Value,
}

impl Limits {
    fn of(windows: &[Window]) -> Self {
        let find = |period: &str| {
            let window = windows.iter().find(|window| window.period == period)?;
            Some(Limit {
                limit: window.limit,
                used: window.used,
                left: window.left(),
                resets_at: window.resets_at.rfc3339(),
            })
        };
        Self { minute: find("minute"), hour: find("hour"), day: find("day") }
    }
}

impl From<&(&'static Route, Option<Denial>)> for Verdict {
    fn from((route, denial): &(&'static Route, Option<Denial>)) -> Self {
        Self {
            method: route.method.as_str(),
            path: route.path,
            allowed: denial.is_none(),
            denied: denial.as_ref().map_or_else(|| Value::Array(Vec::new()), answer::denied),
        }
    }
}

/// GET /api/v1/billing/whoami
pub async fn whoami(call: Call) -> Answer {
    let key = call.permit.key().ok_or(AppError::NotFound(Noun::Key))?;
    // As they stand after this request, which has been counted.
    let windows = call.state.limits.peek(key, call.now);
    let told = call.read(|tx| actions::keys::whoami(tx, &call.permit, Surface::Billing, &windows, call.now))?;
    let Grants::Billing { level, .. } = &told.key.grants else { return Err(AppError::NotFound(Noun::Key).into()) };
    let view = View {
        name: &told.name,
        level: level.as_str(),
        scopes: told.key.grants.words(),
        allowed_ips: told.key.allowed_ips.to_strings(),
        ip: call.permit.origin().ip,
        expires_at: told.key.expires_at.map(Timestamp::rfc3339),
        limits: Limits::of(&windows),
        routes: told.routes.iter().map(Verdict::from).collect(),
    };
    Ok(Reply::json(StatusCode::OK, &view)?)
}
