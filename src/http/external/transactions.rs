//! `/transactions`: the ledger.

use std::sync::Arc;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::envelope;
use crate::actions;
use crate::domain::error::{AppError, Invalid};
use crate::domain::money::Money;
use crate::domain::policy::Permit;
use crate::domain::subscribers::{self, SubscriberId};
use crate::domain::time::{Date, Timestamp};
use crate::domain::transactions::{Filter, Kind, NewTransaction, Transaction, parse_amount};
use crate::http::answer::{Answer, Failure};
use crate::http::call::Call;
use crate::store::WriteTx;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalTransaction")]
pub(super) struct Row<'a> {
    id: i64,
    subscriber_id: i64,
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["payment", "charge", "renewal", "refund"]))]
    kind: &'static str,
    amount: Money,
    balance_before: Money,
    balance_after: Money,
    description: &'a str,
    external_id: Option<&'a str>,
    created_at: String,
}

impl<'a> From<&'a Transaction> for Row<'a> {
    fn from(of: &'a Transaction) -> Self {
        Self {
            id: of.id.0,
            subscriber_id: of.subscriber_id.0,
            kind: of.kind.as_str(),
            amount: of.amount,
            balance_before: of.balance_before,
            balance_after: of.balance_after,
            description: &of.description,
            external_id: of.external_id.as_deref(),
            created_at: of.created_at.rfc3339(),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct CreateBody {
    #[schemars(required)]
    subscriber_id: Option<i64>,
    /// `payment` and `refund` raise the balance, `charge` and `renewal` lower it.
    #[serde(rename = "type")]
    #[schemars(required, extend("enum" = ["payment", "charge", "renewal", "refund"]))]
    kind: Option<String>,
    /// Above 0, at most two decimals, at most 9999999.99.
    #[schemars(with = "f64")]
    amount: Option<Box<RawValue>>,
    description: Option<String>,
    /// Your own id, unique among the rows of the owner; makes a retry safe.
    external_id: Option<String>,
}

impl CreateBody {
    fn transaction(&self, now: Timestamp) -> Result<NewTransaction, AppError> {
        let required = Invalid::required;
        let subscriber_id = self.subscriber_id.ok_or_else(|| required("subscriber_id"))?;
        let kind = Kind::parse("type", self.kind.as_deref().ok_or_else(|| required("type"))?)?;
        let amount = self.amount.as_ref().map(|raw| raw.get()).filter(|text| *text != "null");
        Ok(NewTransaction {
            subscriber_id: SubscriberId(subscriber_id),
            kind,
            amount: parse_amount("amount", amount.ok_or_else(|| required("amount"))?)?,
            description: self
                .description
                .as_deref()
                .map(|text| subscribers::lines("description", text, 500))
                .transpose()?,
            external_id: self
                .external_id
                .as_deref()
                .map(|id| subscribers::external_id("external_id", id))
                .transpose()?,
            now,
        })
    }
}

/// POST /api/v1/external/transactions
pub async fn create(call: Call) -> Answer {
    let now = call.now;
    let new = call.json::<CreateBody>()?.transaction(now)?;
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::transactions::create(tx, permit, &new);
    call.write(action, move |made, _| envelope::one(StatusCode::CREATED, &Row::from(made), now)).await
}

/// GET /api/v1/external/transactions
pub async fn list(call: Call) -> Answer {
    let (filter, page) = (filter(&call)?, envelope::asked_page(&call.query)?);
    let listed = if filter.is_empty() && !page.is_far() {
        call.read(|tx| actions::transactions::list(tx, &call.permit, &filter, page))?
    } else {
        let permit = Arc::clone(&call.permit);
        call.read_slowly(move |tx| actions::transactions::list(tx, &permit, &filter, page)).await?
    };
    let rows: Vec<_> = listed.rows.iter().map(Row::from).collect();
    Ok(envelope::page(&listed, &rows, page, call.now)?)
}

/// Both days of the range count whole, in the configured zone.
fn filter(call: &Call) -> Result<Filter, Failure> {
    let query = &call.query;
    let zone = call.state.app.zone();
    let date = |field| query.text(field)?.map(|text| Date::parse(field, text)).transpose();
    let until: Option<Date> = date("date_to")?;
    Ok(Filter {
        subscriber_id: query.integer("subscriber_id", 1, i64::MAX)?,
        kind: query.text("type")?.map(|text| Kind::parse("type", text)).transpose()?,
        since: date("date_from")?.map(|day| day.start_in(zone)),
        before: until.map(|day| day.last_second_in(zone).plus_millis(Timestamp::SECOND)),
    })
}
