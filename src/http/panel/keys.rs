//! `/users/{username}/api-keys`: the panel keys of an account (seed: "Step 1", "Manage").

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::users::username;
use super::view::{self, KeyView};
use crate::actions::{self, keys::KeyChange};
use crate::crypto::random;
use crate::domain::addresses::AllowList;
use crate::domain::error::{AppError, Invalid};
use crate::domain::keys::{self, Grants, Key, KeyDraft, KeySettings, Style, parse_permissions};
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::http::answer::{Answer, Failure, Reply};
use crate::http::call::{Call, Secrets};
use crate::http::fields::{Sent, sent};
use crate::store::WriteTx;

/// The seed's words; the dash is U+2014.
const CREATED: &str = "API key created. Save the secret key now \u{2014} it won't be shown again!";

#[derive(Deserialize, JsonSchema)]
pub(super) struct CreateBody {
    /// 1-64 characters.
    #[schemars(required)]
    name: Option<String>,
    /// Of `all, read, domains, dns, ssl, database, email, files, ftp, backup`. Default `read`.
    permissions: Option<Vec<String>>,
    /// Addresses and networks; empty: anywhere.
    ip_whitelist: Option<Vec<String>>,
    /// Days from now; 0: never.
    expires_in: Option<i64>,
    /// Requests a minute; 0: no limit.
    rate_limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Created<'a> {
    #[schemars(extend("const" = true))]
    success: bool,
    message: &'a str,
    /// Shown once; null where the answer is replayed.
    secret_key: Option<&'a str>,
    /// The same secret.
    api_key: Option<&'a str>,
    key: KeyView<'a>,
    /// What was written in another word than it is kept.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

fn permissions(words: &[String]) -> Result<(Grants, Vec<String>), Invalid> {
    let (list, warnings) = parse_permissions("permissions", words.iter().map(String::as_str))?;
    Ok((Grants::Panel(list), warnings))
}

fn allow_list(entries: &[String]) -> Result<AllowList, Invalid> {
    AllowList::parse("ip_whitelist", entries.iter().map(String::as_str))
}

/// Days from now; 0: never.
fn expiry(days: i64, now: Timestamp) -> Result<Option<Timestamp>, Invalid> {
    match days {
        0 => Ok(None),
        1.. => {
            let at = now.plus_millis(days.saturating_mul(Timestamp::DAY));
            keys::check_expiry("expires_in", at, now)?;
            Ok(Some(at))
        }
        _ => Err(Invalid::new("expires_in", "must be days from now, 0 for never")),
    }
}

/// POST /api/v1/users/{username}/api-keys
pub async fn create(call: Call) -> Answer {
    let owner = call.read(|tx| actions::keys::managed_owner(tx, &call.permit, &username(&call), delegation(&call)))?;
    let body: CreateBody = call.json()?;
    let name = keys::parse_name("name", body.name.as_deref().ok_or_else(|| Invalid::required("name"))?)?;
    let (grants, warnings) = match &body.permissions {
        Some(words) => permissions(words)?,
        None => permissions(&["read".to_owned()])?,
    };
    let draft = KeyDraft {
        allowed_ips: body.ip_whitelist.as_deref().map(allow_list).transpose()?,
        expires_at: body.expires_in.map(|days| expiry(days, call.now)).transpose()?,
        rate_per_minute: body.rate_limit,
        delegation: delegation(&call),
        ..KeyDraft::new(&owner.username, &name, grants, call.now)
    };
    let secret = random::secret(Style::Panel)?;
    let plain = secret.key.clone();
    let panel_id = random::panel_id()?;
    let (default_rate, zone) = (call.state.app.config().limits.per_key_per_minute, call.state.app.zone());
    let mint = move |tx: &WriteTx<'_>, permit: &Permit| {
        let id = actions::keys::mint(tx, permit, &draft, &secret, Some(&panel_id), default_rate)?;
        actions::keys::get(tx, permit, id)
    };
    call.write(mint, move |key, secrets| {
        let shown = Some(secrecy::ExposeSecret::expose_secret(&plain)).filter(|_| secrets == Secrets::Shown);
        let key = KeyView::of(key, zone);
        let created =
            Created { success: true, message: CREATED, secret_key: shown, api_key: shown, key, warnings: &warnings };
        Reply::json(StatusCode::CREATED, &created)
    })
    .await
}

fn delegation(call: &Call) -> bool {
    call.state.app.config().keys.reseller_delegation
}

/// GET /api/v1/users/{username}/api-keys
pub async fn list(call: Call) -> Answer {
    let keys = call.read(|tx| {
        let owner = actions::users::get(tx, &call.permit, &username(&call))?;
        actions::keys::list_of_user(tx, &owner)
    })?;
    let zone = call.state.app.zone();
    let views: Vec<_> = keys.iter().map(|key| KeyView::of(key, zone)).collect();
    Ok(Reply::json(StatusCode::OK, &json!({"success": true, "keys": views, "total": views.len()}))?)
}

/// The key of the path, which its account's manager may change.
fn find(call: &Call) -> Result<Key, AppError> {
    let id = call.params.get("id").unwrap_or_default();
    call.read(|tx| {
        actions::users::get(tx, &call.permit, &username(call))?;
        let key = actions::keys::get_of_user(tx, &call.permit, &username(call), id)?;
        actions::keys::managed_owner(tx, &call.permit, &username(call), delegation(call))?;
        Ok(key)
    })
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct UpdateBody {
    name: Option<String>,
    permissions: Option<Vec<String>>,
    /// Addresses and networks; empty or null: anywhere.
    #[serde(default, deserialize_with = "sent")]
    ip_whitelist: Sent<Vec<String>>,
    /// Days from now; 0 or null: never.
    #[serde(default, deserialize_with = "sent")]
    expires_in: Sent<i64>,
    enabled: Option<bool>,
    /// Requests a minute; 0: no limit; null: the default.
    #[serde(default, deserialize_with = "sent")]
    rate_limit: Sent<u32>,
}

/// PUT /api/v1/users/{username}/api-keys/{id}
pub async fn update(call: Call) -> Answer {
    let key = find(&call)?;
    let body: UpdateBody = call.json()?;
    let name = body.name.as_deref().map(|name| keys::parse_name("name", name)).transpose()?;
    let granted = body.permissions.as_deref().map(permissions).transpose()?.map(|(grants, _)| grants);
    let ips = body.ip_whitelist.map(|list| allow_list(list.as_deref().unwrap_or_default())).transpose()?;
    let expires_at = body.expires_in.map(|days| expiry(days.unwrap_or(0), call.now)).transpose()?;
    let change = move |settings: &mut KeySettings| {
        if let Some(name) = &name {
            settings.name.clone_from(name);
        }
        if let Some(granted) = &granted {
            settings.grants.clone_from(granted);
        }
        if let Some(ips) = &ips {
            settings.allowed_ips.clone_from(ips);
        }
        if let Some(expires_at) = expires_at {
            settings.expires_at = expires_at;
        }
        if let Some(rate) = body.rate_limit {
            settings.rate_per_minute = rate;
        }
        settings.enabled = body.enabled.unwrap_or(settings.enabled);
        Ok(())
    };
    let zone = call.state.app.zone();
    store(call, &key, Box::new(change), move |key| {
        let body = json!({"success": true, "message": "API key updated", "key": KeyView::of(key, zone)});
        Reply::json(StatusCode::OK, &body)
    })
    .await
}

/// POST /api/v1/users/{username}/api-keys/{id}/toggle
pub async fn toggle(call: Call) -> Answer {
    let key = find(&call)?;
    let change = |settings: &mut KeySettings| {
        settings.enabled = !settings.enabled;
        Ok(())
    };
    let zone = call.state.app.zone();
    store(call, &key, Box::new(change), move |key| {
        let enabled = key.settings.enabled;
        let message = if enabled { "API key enabled" } else { "API key disabled" };
        let body = json!({"success": true, "message": message, "enabled": enabled, "key": KeyView::of(key, zone)});
        Reply::json(StatusCode::OK, &body)
    })
    .await
}

async fn store(
    call: Call,
    key: &Key,
    change: Box<KeyChange<'static>>,
    render: impl Fn(&Key) -> Result<Reply, AppError> + Send + 'static,
) -> Answer {
    let (id, now, default_rate) = (key.id, call.now, call.state.app.config().limits.per_key_per_minute);
    let update =
        move |tx: &WriteTx<'_>, permit: &Permit| actions::keys::update(tx, permit, id, &change, default_rate, now);
    call.write(update, move |key, _| render(key)).await
}

/// DELETE /api/v1/users/{username}/api-keys/{id}
pub async fn delete(call: Call) -> Answer {
    let key = find(&call).map_err(Failure::from)?;
    let (now, default_rate) = (call.now, call.state.app.config().limits.per_key_per_minute);
    let revoke = move |tx: &WriteTx<'_>, permit: &Permit| {
        actions::keys::check_reach(tx, permit, key.id, default_rate)?;
        if !actions::keys::revoke(tx, permit, key.id, now)? {
            tx.unaudited("it was deleted before");
        }
        Ok(())
    };
    call.write(revoke, |(), _| view::done("API key deleted")).await
}
