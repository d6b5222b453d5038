//! Subscribers: creating, finding, listing, changing.

mod change;
pub mod import;
pub mod password;
mod renew;

use serde_json::{Map, Value, json};

use super::audit::{self, Object};
use crate::domain::audit::MASKED;
use crate::domain::error::{AppError, Conflict, Invalid, Noun};
use crate::domain::policy::{Permit, Rows};
use crate::domain::subscribers::view::Related;
use crate::domain::subscribers::{
    Draft, Filter, Listed, ListedSubscriber, NewSubscriber, PageOf, Subscriber, SubscriberId, Usage,
};
use crate::domain::time::Date;
use crate::domain::users::{Role, UserId};
use crate::store::subscribers::Exported;
use crate::store::{self, ReadTx, WriteTx};

pub use change::{Change, Switch, delete, switch, uid, update};
pub use renew::{Renew, Renewed, renew};

/// A create's outcome.
#[derive(Debug)]
pub struct Created {
    pub subscriber: Subscriber,
    /// False for a retry that found the row its first try made.
    pub fresh: bool,
}

/// Creates a subscriber, or answers a retry (same `external_id`, same values) with the row of its first try.
pub fn create(tx: &WriteTx<'_>, permit: &Permit, new: &NewSubscriber) -> Result<Created, AppError> {
    let draft = &new.draft;
    if let Some(external_id) = &draft.external_id
        && let Some((id, created)) =
            store::subscribers::find_by_external_id(tx, permit.owner_of_new_rows(), external_id)?
    {
        let differing = differing(draft, &created)?;
        if !differing.is_empty() {
            return Err(AppError::Conflict(Conflict::ExternalIdTaken { fields: differing }));
        }
        return Ok(Created { subscriber: get(tx, permit, id, new.today)?, fresh: false });
    }
    let service = store::services::find(tx, draft.service_id)?;
    let service = service.ok_or_else(|| Invalid::new("service_id", "does not exist"))?;
    if let Some(nas) = draft.nas_id
        && !store::nas::exists(tx, permit, nas)?
    {
        return Err(Invalid::new("nas_id", "does not exist").into());
    }
    let expiry = match draft.expiry_date {
        Some(date) => date,
        None => service
            .period
            .after(new.today)
            .ok_or_else(|| Invalid::new("expiry_date", "would be beyond the year 9999"))?,
    };
    let created = Value::Object(values(draft, expiry));
    let Some(id) = store::subscribers::insert(tx, permit, new, expiry, &created.to_string())? else {
        return Err(AppError::Conflict(Conflict::UsernameTaken { username: draft.username.as_str().to_owned() }));
    };
    let mut after = created;
    for (column, value) in [("status", json!(1)), ("balance", json!("0.00")), ("password", json!(MASKED))] {
        after[column] = value;
    }
    let object = Object { action: "subscribers.create", kind: "subscriber", id: id.0 };
    audit::record(tx, permit, new.now, object, None, Some(&after))?;
    Ok(Created { subscriber: get(tx, permit, id, new.today)?, fresh: true })
}

/// The values a row is created with, by the names that callers use.
fn values(draft: &Draft, expiry: Date) -> Values {
    let text = |value: &Option<String>| json!(value.clone().unwrap_or_default());
    Values::from_iter([
        ("username".to_owned(), json!(draft.username.as_str())),
        ("service_id".to_owned(), json!(draft.service_id.0)),
        ("full_name".to_owned(), text(&draft.full_name)),
        ("phone".to_owned(), text(&draft.phone)),
        ("address".to_owned(), text(&draft.address)),
        ("email".to_owned(), text(&draft.email)),
        ("note".to_owned(), text(&draft.note)),
        ("expiry_date".to_owned(), json!(expiry.iso())),
        ("nas_id".to_owned(), json!(draft.nas_id)),
        ("mac_address".to_owned(), json!(draft.mac_address)),
        ("external_id".to_owned(), json!(draft.external_id)),
    ])
}

type Values = Map<String, Value>;

/// The fields of a retry that differ from what the row was created with; a field that was not sent differs from nothing.
fn differing(draft: &Draft, created: &str) -> Result<Vec<&'static str>, AppError> {
    let created: Values =
        serde_json::from_str(created).map_err(|e| AppError::Internal(format!("unreadable created_values: {e}")))?;
    let sent = |name: &'static str, value: Option<Value>| (name, value);
    let fields = [
        sent("username", Some(json!(draft.username.as_str()))),
        sent("service_id", Some(json!(draft.service_id.0))),
        sent("full_name", draft.full_name.as_ref().map(|text| json!(text))),
        sent("phone", draft.phone.as_ref().map(|text| json!(text))),
        sent("address", draft.address.as_ref().map(|text| json!(text))),
        sent("email", draft.email.as_ref().map(|text| json!(text))),
        sent("note", draft.note.as_ref().map(|text| json!(text))),
        sent("expiry_date", draft.expiry_date.map(|date| json!(date.iso()))),
        sent("nas_id", draft.nas_id.map(|id| json!(id))),
        sent("mac_address", draft.mac_address.as_ref().map(|text| json!(text))),
    ];
    let differs =
        |(name, value): &(&'static str, Option<Value>)| value.is_some() && value.as_ref() != created.get(*name);
    Ok(fields.into_iter().filter(differs).map(|(name, _)| name).collect())
}

pub fn get(tx: &ReadTx<'_>, permit: &Permit, id: SubscriberId, today: Date) -> Result<Subscriber, AppError> {
    store::subscribers::find(tx, permit, id, today)?.ok_or(AppError::NotFound(Noun::Subscriber))
}

/// A subscriber with what stands behind its ids.
pub fn told(
    tx: &ReadTx<'_>,
    permit: &Permit,
    id: SubscriberId,
    today: Date,
) -> Result<(Subscriber, Related), AppError> {
    let found = get(tx, permit, id, today)?;
    let related = related(tx, permit, &found)?;
    Ok((found, related))
}

pub fn related(tx: &ReadTx<'_>, permit: &Permit, of: &Subscriber) -> Result<Related, AppError> {
    let owner = match of.owner {
        Some(id) => store::users::find_by_id(tx, permit, id)?.map(|user| user.username),
        None => None,
    };
    let nas = match of.nas_id {
        Some(id) => store::nas::find_name(tx, permit, id)?,
        None => None,
    };
    Ok(Related { owner, nas })
}

/// The permit with which somebody who sees all rows makes one for a reseller; everybody else makes its own.
pub fn making_for(tx: &ReadTx<'_>, permit: &Permit, reseller: Option<i64>) -> Result<Permit, AppError> {
    let Some(id) = reseller.filter(|_| permit.rows() == Rows::All) else { return Ok(permit.clone()) };
    let found = store::users::find_by_id(tx, permit, UserId(id))?.filter(|user| user.role == Role::Reseller);
    let found = found.ok_or_else(|| Invalid::new("reseller_id", "does not exist"))?;
    Ok(permit.for_owner(Some(found.id)))
}

pub fn usage(tx: &ReadTx<'_>, permit: &Permit, id: SubscriberId, today: Date) -> Result<Usage, AppError> {
    get(tx, permit, id, today)?;
    store::subscribers::usage(tx, id, today)?.ok_or(AppError::NotFound(Noun::Subscriber))
}

pub fn get_by_username(tx: &ReadTx<'_>, permit: &Permit, username: &str, today: Date) -> Result<Subscriber, AppError> {
    let id = store::subscribers::find_id_by_username(tx, permit, username)?;
    get(tx, permit, id.ok_or(AppError::NotFound(Noun::Subscriber))?, today)
}

/// The next rows of an export, from the one after this id.
pub fn export(tx: &ReadTx<'_>, permit: &Permit, after: i64) -> Result<Vec<Exported>, AppError> {
    store::subscribers::list_exported(tx, permit, after)
}

/// By what an operator types: an id, else a username. Logins of digits (telephone numbers) are found where no id is.
pub fn get_by_reference(
    tx: &ReadTx<'_>,
    permit: &Permit,
    reference: &str,
    today: Date,
) -> Result<Subscriber, AppError> {
    if let Ok(id) = reference.parse()
        && let Some(found) = store::subscribers::find(tx, permit, SubscriberId(id), today)?
    {
        return Ok(found);
    }
    get_by_username(tx, permit, reference, today)
}

pub fn list(
    tx: &ReadTx<'_>,
    permit: &Permit,
    filter: &Filter,
    page: PageOf,
    today: Date,
) -> Result<Listed<ListedSubscriber>, AppError> {
    store::subscribers::list(tx, permit, filter, page, today)
}
