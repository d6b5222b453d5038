//! `/accounts`: wire in, action, wire out.

pub(super) mod change;
pub(super) mod create;
mod fields;

use std::sync::Arc;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

pub use change::{delete, suspend, unsuspend, update};
pub use create::create;

use crate::actions;
use crate::domain::accounts::{self, Filter, Part};
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::time::Timestamp;
use crate::domain::users::{AccountStatus, Role, User, UserId, fold};
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;

/// So many rows from the beginning are read where they are asked for; more may have to be walked past.
const NEAR: i64 = 100;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BillingAccount")]
pub(super) struct View<'a> {
    id: i64,
    username: &'a str,
    email: &'a str,
    full_name: Option<&'a str>,
    phone: Option<&'a str>,
    company: Option<&'a str>,
    package_id: i64,
    is_admin: bool,
    is_active: bool,
    status: &'static str,
    billing_id: Option<&'a str>,
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    metadata: Option<&'a RawValue>,
    created_at: String,
}

impl<'a> View<'a> {
    fn of(user: &'a User) -> Result<Self, AppError> {
        let profile = &user.profile;
        let metadata = profile.metadata.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            id: user.id.0,
            username: &user.username,
            email: &user.email,
            full_name: profile.full_name.as_deref(),
            phone: profile.phone.as_deref(),
            company: profile.company.as_deref(),
            package_id: user.package_id,
            is_admin: user.role == Role::Reseller,
            is_active: user.status == AccountStatus::Active,
            status: user.status.as_str(),
            billing_id: profile.billing_id.as_deref(),
            metadata: metadata.map_err(|e| AppError::Internal(format!("metadata of user {}: {e}", user.id)))?,
            created_at: user.created_at.rfc3339(),
        })
    }
}

fn account(status: StatusCode, user: &User) -> Result<Reply, AppError> {
    Reply::json(status, &View::of(user)?)
}

/// The id in the path.
fn id_of(call: &Call) -> Result<UserId, AppError> {
    call.id(Noun::User).map(UserId)
}

/// GET /api/v1/billing/accounts/{id}
pub async fn get(call: Call) -> Answer {
    let id = id_of(&call)?;
    let found = call.read(|tx| actions::accounts::get(tx, &call.permit, id))?;
    Ok(account(StatusCode::OK, &found)?)
}

/// GET /api/v1/billing/accounts
pub async fn list(call: Call) -> Answer {
    let (filter, part) = (filter(&call)?, part(&call)?);
    let users = if part.skip.saturating_add(part.limit) <= NEAR {
        call.read(|tx| actions::accounts::list(tx, &call.permit, &filter, part))?
    } else {
        let permit = Arc::clone(&call.permit);
        call.read_slowly(move |tx| actions::accounts::list(tx, &permit, &filter, part)).await?
    };
    let rows = users.iter().map(View::of).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &rows)?)
}

fn filter(call: &Call) -> Result<Filter, Invalid> {
    Ok(Filter {
        username: call.query.text("username")?.map(fold),
        billing_id: call.query.text("billing_id")?.map(str::to_owned),
    })
}

fn part(call: &Call) -> Result<Part, Invalid> {
    let skip = call.query.integer("skip", 0, i64::MAX);
    let skip = skip.map_err(|_| Invalid::new("skip", "must be an integer from 0 on"))?;
    Ok(Part { skip: skip.unwrap_or(0), limit: call.query.integer("limit", 1, 1000)?.unwrap_or(100) })
}

/// Nothing is hosted yet, so the counts are 0.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BillingAccountStats")]
pub(super) struct Stats<'a> {
    user_id: i64,
    username: &'a str,
    email: &'a str,
    total_domains: i64,
    total_databases: i64,
    total_email_accounts: i64,
    total_ssl_certificates: i64,
    /// Bytes.
    storage_used: i64,
    last_login: Option<String>,
    account_age_days: i64,
}

/// GET /api/v1/billing/accounts/{id}/stats
pub async fn stats(call: Call) -> Answer {
    let id = id_of(&call)?;
    let user = call.read(|tx| actions::accounts::get(tx, &call.permit, id))?;
    let stats = Stats {
        user_id: user.id.0,
        username: &user.username,
        email: &user.email,
        total_domains: 0,
        total_databases: 0,
        total_email_accounts: 0,
        total_ssl_certificates: 0,
        storage_used: 0,
        last_login: user.last_login_at.map(Timestamp::rfc3339),
        account_age_days: accounts::age_days(user.created_at, call.now),
    };
    Ok(Reply::json(StatusCode::OK, &stats)?)
}
