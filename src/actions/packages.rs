//! Packages: limits and flags that accounts inherit.

use serde_json::{Map, Value};

use super::audit::{self, Object};
use crate::domain::error::{AppError, Conflict, Noun};
use crate::domain::features::Flags;
use crate::domain::packages::{self, Package, PackageName, Values};
use crate::domain::policy::Permit;
use crate::domain::quotas::Quotas;
use crate::domain::time::Timestamp;
use crate::store::{self, ReadTx, WriteTx};

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Package>, AppError> {
    store::packages::list(tx)
}

pub fn get(tx: &ReadTx<'_>, name: &str) -> Result<Package, AppError> {
    store::packages::find(tx, name)?.ok_or(AppError::NotFound(Noun::Package))
}

/// What an update asks for; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub name: Option<PackageName>,
    pub quotas: Quotas<Option<i64>>,
    pub flags: Flags<Option<bool>>,
    pub grants: Flags<Option<bool>>,
}

impl Change {
    fn over(&self, values: &Values) -> Values {
        Values {
            quotas: self.quotas.over(&values.quotas),
            flags: self.flags.over(&values.flags),
            grants: self.grants.over(&values.grants),
        }
    }
}

/// What is not said is allowed and without limit.
pub fn add(
    tx: &WriteTx<'_>,
    permit: &Permit,
    name: &PackageName,
    change: &Change,
    now: Timestamp,
) -> Result<Package, AppError> {
    let values = change.over(&Values::OPEN);
    let id = store::packages::insert(tx, permit, name, &values, now)?.ok_or_else(|| taken(name))?;
    let object = Object { action: "packages.create", kind: "package", id };
    audit::record(tx, permit, now, object, None, Some(&columns(name.as_str(), &values).into()))?;
    get(tx, name.as_str())
}

pub fn update(
    tx: &WriteTx<'_>,
    permit: &Permit,
    name: &str,
    change: &Change,
    now: Timestamp,
) -> Result<Package, AppError> {
    let package = get(tx, name)?;
    let values = change.over(&package.values);
    let wanted = change.name.as_ref().map_or(package.name.as_str(), PackageName::as_str);
    if values == package.values && wanted == package.name {
        return Ok(package);
    }
    let wanted = PackageName::parse("name", wanted)?;
    if wanted.as_str() != package.name && package.name == packages::DEFAULT {
        return Err(AppError::Conflict(Conflict::InTheWay("The package default keeps its name".to_owned())));
    }
    if store::packages::find(tx, wanted.as_str())?.is_some_and(|other| other.id != package.id) {
        return Err(taken(&wanted));
    }
    store::packages::update(tx, permit, package.id, &wanted, &values, now)?;
    let (was, is) = audit::changed(columns(&package.name, &package.values), columns(wanted.as_str(), &values));
    let object = Object { action: "packages.update", kind: "package", id: package.id };
    audit::record(tx, permit, now, object, Some(&was), Some(&is))?;
    get(tx, wanted.as_str())
}

pub fn delete(tx: &WriteTx<'_>, permit: &Permit, name: &str, now: Timestamp) -> Result<(), AppError> {
    let package = get(tx, name)?;
    if package.name == packages::DEFAULT {
        return Err(AppError::Conflict(Conflict::InTheWay("The package default always exists".to_owned())));
    }
    if store::packages::is_used(tx, package.id)? {
        let text = format!("Accounts have the package {}; give them another one first", package.name);
        return Err(AppError::Conflict(Conflict::InTheWay(text)));
    }
    store::packages::delete(tx, permit, package.id)?;
    let object = Object { action: "packages.delete", kind: "package", id: package.id };
    let before = columns(&package.name, &package.values).into();
    audit::record(tx, permit, now, object, Some(&before), None)
}

fn taken(name: &PackageName) -> AppError {
    AppError::Conflict(Conflict::InTheWay(format!("A package {} exists already", name.as_str())))
}

fn columns(name: &str, values: &Values) -> Map<String, Value> {
    let mut columns = Map::from_iter([("name".to_owned(), name.into())]);
    columns.extend(values.quotas.iter().map(|(quota, value)| (quota.as_str().to_owned(), value.into())));
    columns.extend(values.flags.iter().map(|(feature, on)| (format!("can_use_{}", feature.as_str()), on.into())));
    columns.extend(values.grants.iter().map(|(feature, on)| (format!("can_grant_{}", feature.as_str()), on.into())));
    columns
}
