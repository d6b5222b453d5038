//! `/subscribers`: wire in, action, wire out.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

pub(super) mod change;
pub(super) mod create;

pub use change::{activate, delete, renew, suspend, update};
pub use create::create;

use super::envelope;
use crate::actions;
use crate::domain::error::Noun;
use crate::domain::money::Money;
use crate::domain::subscribers::{Filter, ListedSubscriber, Status, Subscriber, SubscriberId};
use crate::domain::time::{Date, Timestamp};
use crate::domain::users::fold;
use crate::http::answer::{Answer, Failure};
use crate::http::call::Call;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalSubscriber")]
pub(super) struct Detail<'a> {
    id: i64,
    username: &'a str,
    full_name: &'a str,
    phone: &'a str,
    address: &'a str,
    email: &'a str,
    note: &'a str,
    /// Your own id, unique among the rows of the owner; makes a retry safe.
    external_id: Option<&'a str>,
    /// 1 active, 2 inactive (suspended), 3 expired, 4 stopped.
    #[schemars(range(min = 1, max = 4))]
    status: i64,
    service_id: i64,
    service_name: &'a str,
    nas_id: Option<i64>,
    /// Has an open session.
    is_online: bool,
    ip_address: Option<&'a str>,
    mac_address: Option<&'a str>,
    /// The last day that works, as midnight UTC.
    expiry_date: String,
    /// Below zero: owed.
    balance: Money,
    /// Bytes.
    daily_download_used: i64,
    /// Bytes.
    monthly_download_used: i64,
    created_at: String,
    updated_at: String,
    /// Only in the answer that made it; null where that answer is replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    password: Option<Option<&'a str>>,
}

impl<'a> From<&'a Subscriber> for Detail<'a> {
    fn from(of: &'a Subscriber) -> Self {
        Self {
            id: of.id.0,
            username: &of.username,
            full_name: &of.full_name,
            phone: &of.phone,
            address: &of.address,
            email: &of.email,
            note: &of.note,
            external_id: of.external_id.as_deref(),
            status: of.status.number(),
            service_id: of.service_id.0,
            service_name: &of.service_name,
            nas_id: of.nas_id,
            is_online: of.is_online,
            ip_address: of.ip_address.as_deref(),
            mac_address: of.mac_address.as_deref(),
            expiry_date: of.expiry_date.midnight_z(),
            balance: of.balance,
            daily_download_used: of.daily_download_used,
            monthly_download_used: of.monthly_download_used,
            created_at: of.created_at.rfc3339(),
            updated_at: of.updated_at.rfc3339(),
            password: None,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalSubscriberRow")]
pub(super) struct Row<'a> {
    id: i64,
    username: &'a str,
    full_name: &'a str,
    phone: &'a str,
    /// 1 active, 2 inactive (suspended), 3 expired, 4 stopped.
    #[schemars(range(min = 1, max = 4))]
    status: i64,
    service_id: i64,
    is_online: bool,
    ip_address: Option<&'a str>,
    /// The last day that works, as midnight UTC.
    expiry_date: String,
    created_at: String,
}

impl<'a> From<&'a ListedSubscriber> for Row<'a> {
    fn from(of: &'a ListedSubscriber) -> Self {
        Self {
            id: of.id.0,
            username: &of.username,
            full_name: &of.full_name,
            phone: &of.phone,
            status: of.status.number(),
            service_id: of.service_id.0,
            is_online: of.is_online,
            ip_address: of.ip_address.as_deref(),
            expiry_date: of.expiry_date.midnight_z(),
            created_at: of.created_at.rfc3339(),
        }
    }
}

/// GET /api/v1/external/subscribers/{id}
pub async fn get(call: Call) -> Answer {
    let id = SubscriberId(call.id(Noun::Subscriber)?);
    let found = call.read(|tx| actions::subscribers::get(tx, &call.permit, id, call.today()))?;
    Ok(envelope::one(StatusCode::OK, &Detail::from(&found), call.now)?)
}

/// GET /api/v1/external/subscribers/by-username/{username}
pub async fn get_by_username(call: Call) -> Answer {
    let username = call.params.get("username").unwrap_or_default();
    let found = call.read(|tx| actions::subscribers::get_by_username(tx, &call.permit, username, call.today()))?;
    Ok(envelope::one(StatusCode::OK, &Detail::from(&found), call.now)?)
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalUsage")]
pub(super) struct UsageView {
    daily_download_used: i64,
    daily_upload_used: i64,
    monthly_download_used: i64,
    monthly_upload_used: i64,
    /// Bytes; 0 is unlimited.
    daily_quota: i64,
    /// Bytes; 0 is unlimited.
    monthly_quota: i64,
    /// How far the speed is lowered; 0 is not.
    fup_level: i64,
}

/// GET /api/v1/external/subscribers/{id}/usage
pub async fn usage(call: Call) -> Answer {
    let id = SubscriberId(call.id(Noun::Subscriber)?);
    let of = call.read(|tx| actions::subscribers::usage(tx, &call.permit, id, call.today()))?;
    let view = UsageView {
        daily_download_used: of.daily_download,
        daily_upload_used: of.daily_upload,
        monthly_download_used: of.monthly_download,
        monthly_upload_used: of.monthly_upload,
        daily_quota: of.daily_quota,
        monthly_quota: of.monthly_quota,
        fup_level: of.fup_level,
    };
    Ok(envelope::one(StatusCode::OK, &view, call.now)?)
}

/// GET /api/v1/external/subscribers
pub async fn list(call: Call) -> Answer {
    let (filter, page, today) = (filter(&call)?, envelope::asked_page(&call.query)?, call.today());
    // A near page without a filter costs microseconds; a far one, or a filter, may have to look at many rows.
    let listed = if filter.is_empty() && !page.is_far() {
        call.read(|tx| actions::subscribers::list(tx, &call.permit, &filter, page, today))?
    } else {
        let permit = std::sync::Arc::clone(&call.permit);
        call.read_slowly(move |tx| actions::subscribers::list(tx, &permit, &filter, page, today)).await?
    };
    let rows: Vec<_> = listed.rows.iter().map(Row::from).collect();
    Ok(envelope::page(&listed, &rows, page, call.now)?)
}

fn filter(call: &Call) -> Result<Filter, Failure> {
    let query = &call.query;
    let zone = call.state.app.zone();
    Ok(Filter {
        username: query.text("username")?.map(fold),
        status: query.integer("status", 1, 4)?.and_then(Status::from_number),
        service_id: query.integer("service_id", 1, i64::MAX)?,
        nas_id: query.integer("nas_id", 1, i64::MAX)?,
        is_online: query.boolean("is_online")?,
        external_id: query.text("external_id")?.map(str::to_owned),
        expires_before: query.text("expires_before")?.map(|text| Date::parse("expires_before", text)).transpose()?,
        updated_since: query
            .text("updated_since")?
            // In a query an unescaped + of the offset arrives as a space.
            .map(|text| Timestamp::parse_instant("updated_since", &text.replace(' ', "+"), zone))
            .transpose()?,
        owner: None,
    })
}
