//! Changing a subscriber: its fields, its status, its end.

use serde_json::{Value, json};

use super::get;
use crate::actions::audit::{self, Object};
use crate::domain::audit::MASKED;
use crate::domain::error::{AppError, Conflict, Invalid, Noun};
use crate::domain::money::Money;
use crate::domain::policy::Permit;
use crate::domain::services::ServiceId;
use crate::domain::subscribers::{Draft, Login, Status, Subscriber, SubscriberId};
use crate::domain::time::{Date, Timestamp};
use crate::store::subscribers::Stored;
use crate::store::{self, ReadTx, WriteTx};

/// What an update asks for; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Only the value it has is taken.
    pub username: Option<String>,
    /// Only the value it has is taken.
    pub status: Option<i64>,
    /// The text of a JSON number; only the value it has is taken.
    pub balance: Option<String>,
    pub full_name: Option<String>,
    pub phone: Option<String>,
    pub address: Option<String>,
    pub email: Option<String>,
    pub note: Option<String>,
    pub service_id: Option<ServiceId>,
    /// Sealed for this row.
    pub password_sealed: Option<Vec<u8>>,
    pub expiry_date: Option<Date>,
    /// `Some(None)`: none from now on.
    pub external_id: Option<Option<String>>,
    /// `Some(None)`: none from now on.
    pub nas_id: Option<Option<i64>>,
    /// `Some(None)`: none from now on.
    pub mac_address: Option<Option<String>>,
}

impl Change {
    /// A new subscriber with these values.
    pub fn into_draft(self, username: Login, service_id: ServiceId) -> Draft {
        Draft {
            username,
            service_id,
            full_name: self.full_name,
            phone: self.phone,
            address: self.address,
            email: self.email,
            note: self.note,
            expiry_date: self.expiry_date,
            nas_id: self.nas_id.flatten(),
            mac_address: self.mac_address.flatten(),
            external_id: self.external_id.flatten(),
        }
    }
}

/// The name a row's sealed columns are bound to, which whoever seals a new password needs before the write.
pub fn uid(tx: &ReadTx<'_>, permit: &Permit, id: SubscriberId) -> Result<[u8; 16], AppError> {
    Ok(stored(tx, permit, id)?.uid)
}

pub(super) fn stored(tx: &ReadTx<'_>, permit: &Permit, id: SubscriberId) -> Result<Stored, AppError> {
    store::subscribers::find_stored(tx, permit, id)?.ok_or(AppError::NotFound(Noun::Subscriber))
}

pub fn update(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: SubscriberId,
    change: &Change,
    now: Timestamp,
    today: Date,
) -> Result<Subscriber, AppError> {
    let before = stored(tx, permit, id)?;
    refuse_what_stays(&before, change, today)?;
    let after = changed(tx, permit, &before, change)?;
    if after != before {
        store::subscribers::update(tx, permit, &before, &after, now)?;
        let (was, is) = differences(&before, &after);
        let object = Object { action: "subscribers.update", kind: "subscriber", id: id.0 };
        audit::record(tx, permit, now, object, Some(&was), Some(&is))?;
    }
    get(tx, permit, id, today)
}

/// The login, the status and the balance have calls of their own, or none: only the value they have is taken.
fn refuse_what_stays(before: &Stored, change: &Change, today: Date) -> Result<(), AppError> {
    if change.balance.as_ref().is_some_and(|text| Money::parse_signed(text) != Some(before.balance)) {
        return Err(AppError::FieldForbidden { field: "balance", problem: "cannot be set; post a transaction" });
    }
    if change.username.as_ref().is_some_and(|username| *username != before.username) {
        return Err(Invalid::new("username", "cannot be changed").into());
    }
    let status = Status::of(before.status, before.expiry_date, today).number();
    if change.status.is_some_and(|wanted| wanted != status) {
        return Err(Invalid::new("status", "cannot be changed here; use suspend, activate or renew").into());
    }
    Ok(())
}

/// The row as the change would leave it.
pub(super) fn changed(tx: &ReadTx<'_>, permit: &Permit, before: &Stored, change: &Change) -> Result<Stored, AppError> {
    let mut after = before.clone();
    for (column, new) in [
        (&mut after.full_name, &change.full_name),
        (&mut after.phone, &change.phone),
        (&mut after.address, &change.address),
        (&mut after.email, &change.email),
        (&mut after.note, &change.note),
    ] {
        if let Some(text) = new {
            column.clone_from(text);
        }
    }
    if let Some(id) = change.service_id {
        store::services::find(tx, id)?.ok_or_else(|| Invalid::new("service_id", "does not exist"))?;
        after.service_id = id;
    }
    if let Some(nas) = change.nas_id {
        if let Some(id) = nas.filter(|_| nas != before.nas_id)
            && !store::nas::exists(tx, permit, id)?
        {
            return Err(Invalid::new("nas_id", "does not exist").into());
        }
        after.nas_id = nas;
    }
    if let Some(external_id) = &change.external_id {
        refuse_taken(tx, before, external_id.as_deref())?;
        after.external_id.clone_from(external_id);
    }
    if let Some(mac_address) = &change.mac_address {
        after.mac_address.clone_from(mac_address);
    }
    if let Some(sealed) = &change.password_sealed {
        after.password_sealed.clone_from(sealed);
    }
    after.expiry_date = change.expiry_date.unwrap_or(after.expiry_date);
    Ok(after)
}

/// An external id is unique among the rows of one owner.
fn refuse_taken(tx: &ReadTx<'_>, before: &Stored, external_id: Option<&str>) -> Result<(), AppError> {
    let Some(external_id) = external_id else { return Ok(()) };
    match store::subscribers::find_by_external_id(tx, before.owner, external_id)? {
        Some((other, _)) if other != before.id => {
            Err(AppError::Conflict(Conflict::ExternalIdTaken { fields: vec!["external_id"] }))
        }
        _ => Ok(()),
    }
}

fn differences(before: &Stored, after: &Stored) -> (Value, Value) {
    let columns = |of: &Stored| {
        audit::columns([
            ("full_name", json!(of.full_name)),
            ("phone", json!(of.phone)),
            ("address", json!(of.address)),
            ("email", json!(of.email)),
            ("note", json!(of.note)),
            ("external_id", json!(of.external_id)),
            ("service_id", json!(of.service_id.0)),
            ("nas_id", json!(of.nas_id)),
            ("mac_address", json!(of.mac_address)),
            ("expiry_date", json!(of.expiry_date.iso())),
        ])
    };
    let (mut was, mut is) = audit::changed(columns(before), columns(after));
    if before.password_sealed != after.password_sealed {
        was["password"] = json!(MASKED);
        is["password"] = json!(MASKED);
    }
    (was, is)
}

/// What an operator may do to the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// 1, 3, 4 → 2.
    Suspend,
    /// 2, 4 → 1, which shows as 3 where the date has passed.
    Activate,
    /// 1, 2, 3 → 4.
    Stop,
}

impl Switch {
    /// What leads to a stored status; `None` for one that is computed.
    pub fn to(status: Status) -> Option<Self> {
        match status {
            Status::Active => Some(Switch::Activate),
            Status::Inactive => Some(Switch::Suspend),
            Status::Stopped => Some(Switch::Stop),
            Status::Expired => None,
        }
    }

    pub(super) fn target(self) -> i64 {
        match self {
            Switch::Suspend => Status::Inactive.number(),
            Switch::Activate => Status::Active.number(),
            Switch::Stop => Status::Stopped.number(),
        }
    }

    fn action(self) -> &'static str {
        match self {
            Switch::Suspend => "subscribers.suspend",
            Switch::Activate => "subscribers.activate",
            Switch::Stop => "subscribers.stop",
        }
    }
}

/// Suspends, activates or stops. Already so is done too.
pub fn switch(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: SubscriberId,
    to: Switch,
    reason: Option<&str>,
    now: Timestamp,
    today: Date,
) -> Result<Subscriber, AppError> {
    let before = stored(tx, permit, id)?;
    if before.status != to.target() {
        store::subscribers::set_status(tx, permit, &before, to.target(), reason, now)?;
        let (was, is) = (json!({"status": before.status}), json!({"status": to.target(), "reason": reason}));
        let object = Object { action: to.action(), kind: "subscriber", id: id.0 };
        audit::record(tx, permit, now, object, Some(&was), Some(&is))?;
    }
    get(tx, permit, id, today)
}

/// Deletes softly. The row is gone for every caller; audit and ledger keep it.
pub fn delete(tx: &WriteTx<'_>, permit: &Permit, id: SubscriberId, now: Timestamp) -> Result<(), AppError> {
    let before = stored(tx, permit, id)?;
    store::subscribers::delete(tx, permit, &before, now)?;
    let was = json!({
        "username": before.username, "external_id": before.external_id, "status": before.status,
        "service_id": before.service_id.0, "expiry_date": before.expiry_date.iso(),
    });
    let object = Object { action: "subscribers.delete", kind: "subscriber", id: id.0 };
    audit::record(tx, permit, now, object, Some(&was), None)
}
