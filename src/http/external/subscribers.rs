//! `/subscribers`: wire in, action, wire out.

use actix_web::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::envelope;
use crate::actions;
use crate::crypto::random;
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::money::Money;
use crate::domain::policy::Permit;
use crate::domain::services::ServiceId;
use crate::domain::subscribers::{
    self, Draft, Filter, ListedSubscriber, Login, NewSubscriber, PageOf, Place, Status, Subscriber, SubscriberId,
};
use crate::domain::time::{Date, Timestamp};
use crate::domain::users::fold;
use crate::http::answer::{Answer, Failure};
use crate::http::call::{Call, Secrets};
use crate::store::WriteTx;

/// A password that asks for a random one (contract: external.md, Decided).
const GENERATE: &str = "auto-generate";

#[derive(Deserialize)]
struct CreateBody {
    username: Option<String>,
    service_id: Option<i64>,
    password: Option<String>,
    full_name: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    email: Option<String>,
    note: Option<String>,
    expiry_date: Option<String>,
    nas_id: Option<i64>,
    external_id: Option<String>,
    status: Option<i64>,
    balance: Option<serde_json::Number>,
}

impl CreateBody {
    fn draft(&self) -> Result<Draft, AppError> {
        let username = Login::parse("username", self.username.as_deref().unwrap_or_default())?;
        let service_id = self.service_id.ok_or_else(|| Invalid::required("service_id"))?;
        self.refuse_what_is_not_settable()?;
        let line = |field, value: &Option<String>, max| {
            value.as_deref().map(|text| subscribers::line(field, text, max)).transpose()
        };
        let lines = |field, value: &Option<String>, max| {
            value.as_deref().map(|text| subscribers::lines(field, text, max)).transpose()
        };
        Ok(Draft {
            username,
            service_id: ServiceId(service_id),
            full_name: line("full_name", &self.full_name, 200)?,
            phone: line("phone", &self.phone, 50)?,
            address: lines("address", &self.address, 500)?,
            email: line("email", &self.email, 254)?,
            note: lines("note", &self.note, 2_000)?,
            expiry_date: self.expiry_date.as_deref().map(|text| Date::parse("expiry_date", text)).transpose()?,
            nas_id: self.nas_id,
            external_id: self
                .external_id
                .as_deref()
                .map(|id| subscribers::external_id("external_id", id))
                .transpose()?,
        })
    }

    /// A new subscriber is active and owes nothing; other values have calls of their own.
    fn refuse_what_is_not_settable(&self) -> Result<(), AppError> {
        if self.status.is_some_and(|status| status != Status::Active.number()) {
            let problem = "cannot be set here; create the subscriber, then use suspend";
            return Err(AppError::FieldForbidden { field: "status", problem });
        }
        if self.balance.as_ref().is_some_and(|balance| balance.as_f64() != Some(0.0)) {
            let problem = "cannot be set; post a transaction";
            return Err(AppError::FieldForbidden { field: "balance", problem });
        }
        Ok(())
    }

    /// The password to store, and whether it must be shown because we made it.
    fn password(&self) -> Result<(SecretString, bool), AppError> {
        match self.password.as_deref() {
            None | Some("" | GENERATE) => Ok((random::password()?, true)),
            Some(text) => {
                subscribers::password("password", text)?;
                Ok((text.into(), false))
            }
        }
    }
}

#[derive(Serialize)]
struct Detail<'a> {
    id: i64,
    username: &'a str,
    full_name: &'a str,
    phone: &'a str,
    address: &'a str,
    email: &'a str,
    note: &'a str,
    external_id: Option<&'a str>,
    status: i64,
    service_id: i64,
    service_name: &'a str,
    nas_id: Option<i64>,
    is_online: bool,
    ip_address: Option<&'a str>,
    mac_address: Option<&'a str>,
    expiry_date: String,
    balance: Money,
    daily_download_used: i64,
    monthly_download_used: i64,
    created_at: String,
    updated_at: String,
    /// Only in the answer that made it; null where that answer is replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
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

#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    username: &'a str,
    full_name: &'a str,
    phone: &'a str,
    status: i64,
    service_id: i64,
    is_online: bool,
    ip_address: Option<&'a str>,
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

/// POST /api/v1/external/subscribers
pub async fn create(call: Call) -> Answer {
    let body: CreateBody = call.json()?;
    let draft = body.draft()?;
    let (password, generated) = body.password()?;
    let uid = random::uid()?;
    let password_sealed = call.state.app.sealer.seal("subscribers", "password_sealed", &uid, &password)?;
    let (now, today) = (call.now, call.today());
    let new = NewSubscriber { draft, uid, password_sealed, now, today };
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::subscribers::create(tx, permit, &new);
    call.write(action, move |made, secrets| {
        let mut detail = Detail::from(&made.subscriber);
        if generated && made.fresh {
            detail.password = Some(Some(password.expose_secret()).filter(|_| secrets == Secrets::Shown));
        }
        envelope::one(StatusCode::CREATED, &detail, now)
    })
    .await
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

/// GET /api/v1/external/subscribers
pub async fn list(call: Call) -> Answer {
    let (filter, page, today) = (filter(&call)?, page(&call)?, call.today());
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

fn page(call: &Call) -> Result<PageOf, Invalid> {
    let query = &call.query;
    let limit = query.integer("limit", 1, 100)?.unwrap_or(20);
    let number = query.integer("page", 1, i64::MAX)?;
    let after = query
        .integer("cursor", 0, i64::MAX)
        .map_err(|_| Invalid::new("cursor", "must be a next_cursor of an earlier answer"))?;
    let place = match (number, after) {
        (Some(_), Some(_)) => return Err(Invalid::new("cursor", "cannot be combined with page")),
        (None, Some(id)) => Place::After(id),
        (number, None) => Place::Page(number.unwrap_or(1)),
    };
    Ok(PageOf { place, limit })
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
    })
}
