//! NAS: reading the routers, adding, changing and deleting them.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::audit::{self, Object};
use crate::crypto::Sealer;
use crate::domain::audit::MASKED;
use crate::domain::error::{AppError, Conflict, Invalid, Noun};
use crate::domain::nas::{self, Kind, Nas};
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::Role;
use crate::store::nas::{NewNas, Reseller, Stored};
use crate::store::{self, ReadTx, WriteTx};

pub fn list(tx: &ReadTx<'_>, permit: &Permit) -> Result<Vec<Nas>, AppError> {
    store::nas::list(tx, permit)
}

pub fn get(tx: &ReadTx<'_>, permit: &Permit, id: i64) -> Result<Nas, AppError> {
    list(tx, permit)?.into_iter().find(|nas| nas.id == id).ok_or(AppError::NotFound(Noun::Nas))
}

/// Every router with its settings, for whoever administers them.
pub fn list_stored(tx: &ReadTx<'_>, permit: &Permit) -> Result<Vec<Stored>, AppError> {
    store::nas::list_stored(tx, permit)
}

/// A router with its settings.
pub fn get_stored(tx: &ReadTx<'_>, permit: &Permit, id: i64) -> Result<Stored, AppError> {
    store::nas::find_stored(tx, permit, id)?.ok_or(AppError::NotFound(Noun::Nas))
}

/// By what an operator types: digits are an id, anything else a name.
pub fn get_by_reference(tx: &ReadTx<'_>, permit: &Permit, reference: &str) -> Result<Stored, AppError> {
    let found = if reference.bytes().all(|b| b.is_ascii_digit()) {
        store::nas::find_stored(tx, permit, reference.parse().map_err(|_| AppError::NotFound(Noun::Nas))?)?
    } else {
        store::nas::find_stored_by_name(tx, permit, reference)?
    };
    found.ok_or(AppError::NotFound(Noun::Nas))
}

/// The secret shared with a router, sealed for the row of this uid.
pub fn seal_secret(sealer: &Sealer, uid: &[u8; 16], secret: &SecretString) -> Result<Vec<u8>, AppError> {
    nas::secret("secret", secret.expose_secret())?;
    sealer.seal("nas", "secret_sealed", uid, secret)
}

/// Adds a router that these resellers see.
pub fn add(
    tx: &WriteTx<'_>,
    permit: &Permit,
    new: &NewNas,
    resellers: &[String],
    now: Timestamp,
) -> Result<i64, AppError> {
    let mut linked = Vec::new();
    for name in resellers {
        link(&mut linked, reseller(tx, permit, name)?);
    }
    let Some(id) = store::nas::insert(tx, permit, new, now)? else {
        refuse_taken(tx, permit, None, &new.name, &new.ip_address)?;
        return Err(AppError::Internal("a NAS was refused by no other".to_owned()));
    };
    store::nas::set_resellers(tx, permit, id, &linked)?;
    let after = json!({
        "name": new.name, "ip_address": new.ip_address, "type": new.kind.as_str(), "coa_port": new.coa_port, "is_active": new.is_active,
        "secret": new.secret_sealed.as_ref().map(|_| MASKED), "resellers": names(&linked),
    });
    let object = Object { action: "nas.create", kind: "nas", id };
    audit::record(tx, permit, now, object, None, Some(&after))?;
    Ok(id)
}

fn reseller(tx: &ReadTx<'_>, permit: &Permit, name: &str) -> Result<Reseller, AppError> {
    match store::users::find_by_username(tx, permit, name)? {
        Some(user) if user.role == Role::Reseller => Ok(Reseller { id: user.id, username: user.username }),
        Some(user) => {
            Err(Invalid::new("resellers", format!("must be resellers, which {} is not", user.username)).into())
        }
        None => Err(Invalid::new("resellers", format!("must exist, {name} does not")).into()),
    }
}

fn link(linked: &mut Vec<Reseller>, reseller: Reseller) {
    if !linked.contains(&reseller) {
        linked.push(reseller);
    }
}

fn names(resellers: &[Reseller]) -> Vec<&str> {
    resellers.iter().map(|reseller| reseller.username.as_str()).collect()
}

fn refuse_taken(
    tx: &ReadTx<'_>,
    permit: &Permit,
    id: Option<i64>,
    name: &str,
    ip_address: &str,
) -> Result<(), AppError> {
    let other = |found: &Stored| Some(found.id) != id;
    let taken = if store::nas::find_stored_by_name(tx, permit, name)?.as_ref().is_some_and(other) {
        format!("A NAS named {name} exists already")
    } else if let Some(nas) = store::nas::find_stored_by_ip_address(tx, permit, ip_address)?.filter(other) {
        format!("The address {ip_address} is that of the NAS {}", nas.name)
    } else {
        return Ok(());
    };
    Err(AppError::Conflict(Conflict::InTheWay(taken)))
}

/// What an update asks for; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub name: Option<String>,
    pub ip_address: Option<String>,
    pub kind: Option<Kind>,
    pub coa_port: Option<u16>,
    pub is_active: Option<bool>,
    /// Sealed for this row.
    /// `Some(None)` takes it away.
    pub secret_sealed: Option<Option<Vec<u8>>>,
    /// Who sees it from now on, and nobody else.
    pub resellers: Option<Vec<String>>,
    pub add_resellers: Vec<String>,
    pub remove_resellers: Vec<String>,
}

pub fn update(tx: &WriteTx<'_>, permit: &Permit, id: i64, change: &Change, now: Timestamp) -> Result<Stored, AppError> {
    let before = store::nas::find_stored(tx, permit, id)?.ok_or(AppError::NotFound(Noun::Nas))?;
    let mut after = before.clone();
    after.name = change.name.clone().unwrap_or(after.name);
    after.ip_address = change.ip_address.clone().unwrap_or(after.ip_address);
    after.kind = change.kind.unwrap_or(after.kind);
    after.coa_port = change.coa_port.unwrap_or(after.coa_port);
    after.is_active = change.is_active.unwrap_or(after.is_active);
    after.secret_sealed = change.secret_sealed.clone().unwrap_or(after.secret_sealed);
    if let Some(names) = &change.resellers {
        after.resellers.clear();
        for name in names {
            link(&mut after.resellers, reseller(tx, permit, name)?);
        }
        // As they are read back.
        after.resellers.sort_by(|a, b| a.username.cmp(&b.username));
    }
    for name in &change.add_resellers {
        link(&mut after.resellers, reseller(tx, permit, name)?);
    }
    for name in &change.remove_resellers {
        let gone = reseller(tx, permit, name)?;
        after.resellers.retain(|linked| *linked != gone);
    }
    refuse_taken(tx, permit, Some(id), &after.name, &after.ip_address)?;
    if after != before {
        store::nas::update(tx, permit, &after, now)?;
        let (was, is) = differences(&before, &after);
        let object = Object { action: "nas.update", kind: "nas", id };
        audit::record(tx, permit, now, object, Some(&was), Some(&is))?;
    }
    Ok(after)
}

fn differences(before: &Stored, after: &Stored) -> (Value, Value) {
    let columns = |of: &Stored| {
        audit::columns([
            ("name", json!(of.name)),
            ("ip_address", json!(of.ip_address)),
            ("type", json!(of.kind.as_str())),
            ("coa_port", json!(of.coa_port)),
            ("is_active", json!(of.is_active)),
            ("resellers", json!(names(&of.resellers))),
        ])
    };
    let (mut was, mut is) = audit::changed(columns(before), columns(after));
    if before.secret_sealed != after.secret_sealed {
        was["secret"] = json!(before.secret_sealed.as_ref().map(|_| MASKED));
        is["secret"] = json!(after.secret_sealed.as_ref().map(|_| MASKED));
    }
    (was, is)
}

/// Deletes softly. Refused while a living subscriber is on it.
pub fn delete(tx: &WriteTx<'_>, permit: &Permit, id: i64, now: Timestamp) -> Result<(), AppError> {
    let before = store::nas::find_stored(tx, permit, id)?.ok_or(AppError::NotFound(Noun::Nas))?;
    if store::nas::is_assigned(tx, id)? {
        let text = format!("Subscribers are on the NAS {}; move them to another one first", before.name);
        return Err(AppError::Conflict(Conflict::InTheWay(text)));
    }
    store::nas::delete(tx, permit, id, now)?;
    let was = json!({"name": before.name, "ip_address": before.ip_address});
    let object = Object { action: "nas.delete", kind: "nas", id };
    audit::record(tx, permit, now, object, Some(&was), None)
}
