//! Transactions: booking one, listing them.

use serde_json::{Map, Value, json};

use super::audit::{self, Object};
use crate::domain::error::{AppError, Conflict, Invalid};
use crate::domain::policy::Permit;
use crate::domain::subscribers::{Listed, PageOf};
use crate::domain::transactions::{Filter, NewTransaction, Transaction, TransactionId};
use crate::domain::users::UserId;
use crate::store::{self, ReadTx, WriteTx};

/// Books a transaction, or answers a retry (same `external_id`, same values) with the row of its first try.
pub fn create(tx: &WriteTx<'_>, permit: &Permit, new: &NewTransaction) -> Result<Transaction, AppError> {
    let subscriber = store::subscribers::find_stored(tx, permit, new.subscriber_id)?;
    let subscriber = subscriber.ok_or_else(|| Invalid::new("subscriber_id", "does not exist"))?;
    if let Some(first) = retried(tx, subscriber.owner, new)? {
        return store::transactions::get(tx, first);
    }
    book(tx, permit, subscriber.owner, new)
}

/// Books without looking for an earlier try.
pub fn book(
    tx: &WriteTx<'_>,
    permit: &Permit,
    owner: Option<UserId>,
    new: &NewTransaction,
) -> Result<Transaction, AppError> {
    let created = Value::Object(values(new)).to_string();
    let made = store::transactions::insert(tx, permit, owner, new, &created)?;
    let made = made.ok_or_else(|| Invalid::new("subscriber_id", "does not exist"))?;
    let after = json!({
        "subscriber_id": made.subscriber_id.0, "type": made.kind.as_str(), "amount": made.amount.decimal(),
        "balance_before": made.balance_before.decimal(), "balance_after": made.balance_after.decimal(),
        "description": made.description, "external_id": made.external_id,
    });
    let object = Object { action: "transactions.create", kind: "transaction", id: made.id.0 };
    audit::record(tx, permit, new.now, object, None, Some(&after))?;
    Ok(made)
}

/// The transaction that this one repeats. The same external id with other values is refused.
pub fn retried(
    tx: &ReadTx<'_>,
    owner: Option<UserId>,
    new: &NewTransaction,
) -> Result<Option<TransactionId>, AppError> {
    let Some(external_id) = &new.external_id else { return Ok(None) };
    let Some((id, created)) = store::transactions::find_by_external_id(tx, owner, external_id)? else {
        return Ok(None);
    };
    let created: Map<String, Value> =
        serde_json::from_str(&created).map_err(|e| AppError::Internal(format!("unreadable created_values: {e}")))?;
    let sent = values(new);
    let differs = |name: &&'static str| match *name {
        // A description that was not sent differs from nothing.
        "description" if new.description.is_none() => false,
        name => sent.get(name) != created.get(name),
    };
    let fields: Vec<_> = ["subscriber_id", "type", "amount", "description"].into_iter().filter(differs).collect();
    if fields.is_empty() { Ok(Some(id)) } else { Err(AppError::Conflict(Conflict::ExternalIdTaken { fields })) }
}

/// The values a row is booked with, by the names that callers use.
fn values(new: &NewTransaction) -> Map<String, Value> {
    Map::from_iter([
        ("subscriber_id".to_owned(), json!(new.subscriber_id.0)),
        ("type".to_owned(), json!(new.kind.as_str())),
        ("amount".to_owned(), json!(new.amount.decimal())),
        ("description".to_owned(), json!(new.description.as_deref().unwrap_or_default())),
    ])
}

pub fn list(tx: &ReadTx<'_>, permit: &Permit, filter: &Filter, page: PageOf) -> Result<Listed<Transaction>, AppError> {
    store::transactions::list(tx, permit, filter, page)
}
