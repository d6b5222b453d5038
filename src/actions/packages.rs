//! Packages: limits and flags that accounts inherit.

use serde_json::{Map, Value, json};

use super::audit::{self, Object};
use crate::domain::error::{AppError, Noun};
use crate::domain::features::{Feature, Flags};
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::store::packages::Package;
use crate::store::{self, ReadTx, WriteTx};

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Package>, AppError> {
    store::packages::list(tx)
}

pub fn get(tx: &ReadTx<'_>, name: &str) -> Result<Package, AppError> {
    store::packages::find(tx, name)?.ok_or(AppError::NotFound(Noun::Package))
}

/// Sets flags of a package; `None` leaves one as it is.
pub fn set_flags(
    tx: &WriteTx<'_>,
    permit: &Permit,
    name: &str,
    change: &Flags<Option<bool>>,
    now: Timestamp,
) -> Result<Package, AppError> {
    let package = get(tx, name)?;
    let flags = change.over(&package.flags);
    if flags == package.flags {
        return Ok(package);
    }
    store::packages::set_flags(tx, permit, package.id, &flags, now)?;
    let object = Object { action: "packages.update", kind: "package", id: package.id };
    audit::record(tx, permit, now, object, Some(&columns(&package.flags)), Some(&columns(&flags)))?;
    Ok(Package { flags, ..package })
}

fn columns(flags: &Flags<bool>) -> Value {
    let columns: Map<_, _> =
        flags.iter().map(|(feature, on)| (Feature::as_str(feature).to_owned(), json!(on))).collect();
    json!({"flags": columns})
}
