//! Renewing: more days, and the money for them, in one transaction.

use serde_json::{Value, json};

use super::change::stored;
use super::get;
use crate::actions::audit::{self, Object};
use crate::actions::transactions;
use crate::domain::error::{AppError, Conflict, Invalid};
use crate::domain::money::Money;
use crate::domain::policy::Permit;
use crate::domain::services::Period;
use crate::domain::subscribers::{Status, Subscriber, SubscriberId};
use crate::domain::time::{Date, Timestamp};
use crate::domain::transactions::{self as ledger, Kind, NewTransaction, Transaction};
use crate::domain::users::Role;
use crate::store::renewals::Renewal;
use crate::store::subscribers::Stored;
use crate::store::{self, ReadTx, WriteTx};

/// What a renewal asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renew {
    /// 1-24.
    pub periods: u32,
    pub external_id: Option<String>,
    /// Whether money is booked; only the house may say no.
    pub charge: Option<bool>,
    /// For one period instead of the service's price; only the house may say.
    pub price: Option<Money>,
}

/// What a renewal came to.
#[derive(Debug)]
pub struct Renewed {
    pub subscriber: Subscriber,
    /// `None`: there was nothing to pay.
    pub transaction: Option<Transaction>,
}

pub fn renew(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: SubscriberId,
    renew: &Renew,
    now: Timestamp,
    today: Date,
) -> Result<Renewed, AppError> {
    refuse_what_resellers_may_not_set(permit, renew)?;
    let before = stored(tx, permit, id)?;
    let asked = asked(renew);
    if let Some(external_id) = &renew.external_id
        && let Some(first) = store::renewals::find_by_external_id(tx, before.owner, external_id)?
    {
        return first_outcome(tx, permit, &before, &first, &asked, today);
    }
    let service = store::services::find(tx, before.service_id)?;
    let service = service.ok_or_else(|| AppError::Internal("a subscriber has a service that is gone".to_owned()))?;
    let expiry = extended(before.expiry_date.max(today), service.period, renew.periods)?;
    let mut after = before.clone();
    after.expiry_date = expiry;
    store::subscribers::update(tx, permit, &before, &after, now)?;
    let transaction = match due(renew, service.price)? {
        Some(amount) => Some(pay(tx, permit, &before, renew, amount, now)?),
        None => None,
    };
    let renewal = Renewal {
        subscriber: id,
        owner: before.owner,
        external_id: renew.external_id.clone(),
        asked,
        expiry_before: before.expiry_date,
        expiry_after: expiry,
        transaction: transaction.as_ref().map(|booked| booked.id),
    };
    store::renewals::insert(tx, permit, &renewal, now)?;
    let (was, is) = (json!({"expiry_date": before.expiry_date.iso()}), json!({"expiry_date": expiry.iso()}));
    let object = Object { action: "subscribers.renew", kind: "subscriber", id: id.0 };
    audit::record(tx, permit, now, object, Some(&was), Some(&is))?;
    Ok(Renewed { subscriber: get(tx, permit, id, today)?, transaction })
}

fn refuse_what_resellers_may_not_set(permit: &Permit, renew: &Renew) -> Result<(), AppError> {
    let problem = "may be set only with the API key of an admin";
    match (permit.role(), renew.charge, renew.price) {
        (Role::Admin, _, _) | (_, None | Some(true), None) => Ok(()),
        (_, Some(false), _) => Err(AppError::FieldForbidden { field: "charge", problem }),
        (_, _, Some(_)) => Err(AppError::FieldForbidden { field: "price", problem }),
    }
}

/// What was asked, to tell a retry from another request.
fn asked(renew: &Renew) -> String {
    json!({"periods": renew.periods, "charge": renew.charge.unwrap_or(true), "price": renew.price.map(Money::decimal)})
        .to_string()
}

/// From the later of today and the last day. All periods in one step: 31 January and two months are 31 March.
fn extended(from: Date, period: Period, periods: u32) -> Result<Date, AppError> {
    let whole = match period {
        Period::Days(days) => Period::Days(days.saturating_mul(periods)),
        Period::Months(months) => Period::Months(months.saturating_mul(periods)),
    };
    whole.after(from).ok_or_else(|| Invalid::new("periods", "would end beyond the year 9999").into())
}

fn due(renew: &Renew, price: Money) -> Result<Option<Money>, AppError> {
    if renew.charge == Some(false) {
        return Ok(None);
    }
    let amount = renew.price.unwrap_or(price).0.saturating_mul(i64::from(renew.periods));
    if amount > ledger::HIGHEST.0 {
        return Err(Invalid::new("periods", "would cost more than 9999999.99").into());
    }
    Ok(Some(Money(amount)).filter(|amount| amount.0 > 0))
}

fn pay(
    tx: &WriteTx<'_>,
    permit: &Permit,
    subscriber: &Stored,
    renew: &Renew,
    amount: Money,
    now: Timestamp,
) -> Result<Transaction, AppError> {
    let new = NewTransaction {
        subscriber_id: subscriber.id,
        kind: Kind::Renewal,
        amount,
        description: None,
        external_id: renew.external_id.clone(),
        now,
    };
    // The id may stand for a transaction that was posted: then this renewal is another request.
    if transactions::retried(tx, subscriber.owner, &new)?.is_some() {
        return Err(AppError::Conflict(Conflict::ExternalIdTaken { fields: vec!["external_id"] }));
    }
    transactions::book(tx, permit, subscriber.owner, &new)
}

/// What a retry asks differently from its first try.
fn differing(first: &Renewal, now: &Stored, asked: &str) -> Result<Vec<&'static str>, AppError> {
    let read = |text: &str| -> Result<Value, AppError> {
        serde_json::from_str(text).map_err(|e| AppError::Internal(format!("unreadable renewal: {e}")))
    };
    let (was, is) = (read(&first.asked)?, read(asked)?);
    let asked = ["periods", "charge", "price"].into_iter().filter(|field| was[field] != is[field]);
    Ok((first.subscriber != now.id).then_some("id").into_iter().chain(asked).collect())
}

/// A retry is answered with what the first try came to, whatever has happened since.
fn first_outcome(
    tx: &ReadTx<'_>,
    permit: &Permit,
    now: &Stored,
    first: &Renewal,
    asked: &str,
    today: Date,
) -> Result<Renewed, AppError> {
    let fields = differing(first, now, asked)?;
    if !fields.is_empty() {
        return Err(AppError::Conflict(Conflict::ExternalIdTaken { fields }));
    }
    let mut subscriber = get(tx, permit, now.id, today)?;
    let transaction = first.transaction.map(|id| store::transactions::get(tx, id)).transpose()?;
    subscriber.expiry_date = first.expiry_after;
    subscriber.status = Status::of(now.status, first.expiry_after, today);
    if let Some(transaction) = &transaction {
        subscriber.balance = transaction.balance_after;
    }
    Ok(Renewed { subscriber, transaction })
}
