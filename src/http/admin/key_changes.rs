//! `PUT /api/api-keys/{id}` and `POST …/can`: changing a key, and asking what it may do.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::envelope;
use super::keys::{allow_list, billing_scopes, description, expiry, find, level, scope};
use crate::actions::{self, keys::Question};
use crate::domain::error::{AppError, Invalid};
use crate::domain::keys::view::View;
use crate::domain::keys::{self, Grants, Key, KeySettings, Style, parse_permissions};
use crate::domain::policy::{Permit, verdict};
use crate::domain::routes::Method;
use crate::domain::time::Timestamp;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::fields::{Sent, sent};
use crate::store::{self, WriteTx};

#[derive(Deserialize, JsonSchema)]
pub(super) struct UpdateBody {
    name: Option<String>,
    /// One word for an external key, a list for a billing key.
    #[schemars(extend("type" = ["string", "array", "null"], "items" = {"type": "string"}))]
    scopes: Option<Value>,
    /// Of a panel key.
    permissions: Option<Vec<String>>,
    /// Of a billing key.
    permission_level: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    description: Sent<String>,
    /// `YYYY-MM-DD`, which is the end of that day, or RFC 3339; null: never.
    #[serde(default, deserialize_with = "sent")]
    expires_at: Sent<String>,
    /// Addresses and networks; empty or null: anywhere.
    #[serde(default, deserialize_with = "sent")]
    allowed_ips: Sent<Vec<String>>,
    /// 0: no limit; null: the default.
    #[serde(default, deserialize_with = "sent")]
    rate_limit_per_minute: Sent<u32>,
    #[serde(default, deserialize_with = "sent")]
    rate_limit_per_hour: Sent<u32>,
    #[serde(default, deserialize_with = "sent")]
    rate_limit_per_day: Sent<u32>,
    /// False revokes an external key for good, and switches another off.
    is_active: Option<bool>,
}

impl UpdateBody {
    /// What the key is given from now on, in the terms of its style.
    fn grants(&self, key: &Key) -> Result<Option<Grants>, Invalid> {
        let style = key.settings.grants.style();
        let foreign = [
            ("permissions", self.permissions.is_some() && style != Style::Panel),
            ("permission_level", self.permission_level.is_some() && style != Style::Billing),
            ("scopes", self.scopes.as_ref().is_some_and(|value| !value.is_null()) && style == Style::Panel),
        ];
        if let Some((field, _)) = foreign.into_iter().find(|(_, sent)| *sent) {
            return Err(Invalid::new(field, format!("is not for a key of style {}", style.as_str())));
        }
        let scopes = self.scopes.as_ref().filter(|value| !value.is_null());
        Ok(match &key.settings.grants {
            Grants::External(_) => scopes.map(scope).transpose()?.map(Grants::External),
            Grants::Panel(_) => match &self.permissions {
                Some(words) => {
                    let (list, _) = parse_permissions("permissions", words.iter().map(String::as_str))?;
                    Some(Grants::Panel(list))
                }
                None => None,
            },
            Grants::Billing { .. } if self.permission_level.is_none() && scopes.is_none() => None,
            Grants::Billing { level: have, scopes: held } => {
                let level = self.permission_level.as_deref().map_or(Ok(*have), level)?;
                let scopes = scopes.map_or_else(|| Ok(held.clone()), billing_scopes)?;
                Some(Grants::Billing { level, scopes })
            }
        })
    }

    /// An external key is not switched off: it is revoked, and that is final.
    fn revokes(&self, key: &Key) -> bool {
        key.settings.grants.style() == Style::External && self.is_active == Some(false)
    }

    /// Only what was sent is set: what another request changed meanwhile stays.
    fn apply(&self, zone: Tz, now: Timestamp, key: &Key, settings: &mut KeySettings) -> Result<(), AppError> {
        if let Some(name) = &self.name {
            settings.name = keys::parse_name("name", name)?;
        }
        if let Some(grants) = self.grants(key)? {
            settings.grants = grants;
        }
        if let Some(text) = &self.description {
            settings.description = text.as_deref().map(description).transpose()?;
        }
        if let Some(ips) = &self.allowed_ips {
            settings.allowed_ips = allow_list(ips.as_deref().unwrap_or_default())?;
        }
        if let Some(end) = &self.expires_at {
            settings.expires_at = end.as_deref().map(|text| expiry(zone, now, text)).transpose()?;
        }
        settings.rate_per_minute = self.rate_limit_per_minute.unwrap_or(settings.rate_per_minute);
        settings.rate_per_hour = self.rate_limit_per_hour.unwrap_or(settings.rate_per_hour);
        settings.rate_per_day = self.rate_limit_per_day.unwrap_or(settings.rate_per_day);
        if let Some(active) = self.is_active.filter(|_| !self.revokes(key)) {
            settings.enabled = active;
        }
        Ok(())
    }
}

/// PUT /api/api-keys/{id}
pub async fn update(call: Call) -> Answer {
    let key = find(&call)?;
    let body: UpdateBody = call.json()?;
    let revokes = body.revokes(&key);
    let (zone, now) = (call.state.app.zone(), call.now);
    // A wrong field is refused before anything waits for the writer.
    body.apply(zone, now, &key, &mut key.settings.clone())?;
    let (id, default_rate) = (key.id, call.state.app.config().limits.per_key_per_minute);
    let update = move |tx: &WriteTx<'_>, permit: &Permit| {
        let key = actions::keys::get(tx, permit, id)?;
        let set = |settings: &mut KeySettings| body.apply(zone, now, &key, settings);
        let key = actions::keys::update(tx, permit, id, &set, default_rate, now)?;
        if !revokes {
            return Ok(key);
        }
        actions::keys::revoke(tx, permit, id, now)?;
        actions::keys::get(tx, permit, id)
    };
    call.write(update, |key, _| envelope::data(StatusCode::OK, &View::from(key))).await
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct CanBody {
    /// `GET`, `HEAD`, `POST`, `PUT` or `DELETE`.
    #[schemars(required)]
    method: Option<String>,
    /// Without the query.
    #[schemars(required)]
    path: Option<String>,
    /// From where.
    ip: Option<String>,
    /// When, RFC 3339. Default: now.
    at: Option<String>,
}

/// POST /api/api-keys/{id}/can
pub async fn can(call: Call) -> Answer {
    let key = find(&call)?;
    let body: CanBody = call.json()?;
    let method = body.method.ok_or_else(|| Invalid::required("method"))?;
    let method = Method::parse(&method.to_uppercase())
        .ok_or_else(|| Invalid::new("method", "must be GET, HEAD, POST, PUT or DELETE"))?;
    let path = body.path.ok_or_else(|| Invalid::required("path"))?;
    let path = path.split('?').next().unwrap_or_default();
    let ip = body.ip.map(|text| text.parse::<IpAddr>().map_err(|_| Invalid::new("ip", "must be an IP address")));
    let zone = call.state.app.zone();
    let at = body.at.map_or(Ok(call.now), |text| Timestamp::parse_instant("at", &text, zone))?;
    let facts = call.read(|tx| store::keys::find_newest_facts(tx, key.id))?;
    let limits = facts.map(|facts| call.state.limits.peek(&facts, at)).unwrap_or_default();
    let question = Question { key: key.id, method, path, ip: ip.transpose()?, at, limits: &limits };
    let answered = call.read(|tx| actions::keys::can(tx, &question))?;
    let data = json!({
        "allowed": answered.is_allowed(), "verdict": answered.verdict(), "route": answered.route_name(),
        "gates": verdict::table(key.settings.grants.style(), answered.denial.as_ref()),
    });
    Ok(envelope::data(StatusCode::OK, &data)?)
}
