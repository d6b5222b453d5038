//! Resellers: their ceilings and the levers to grant flags.

use super::audit::{self, Object};
use super::users;
use crate::domain::error::{AppError, Noun};
use crate::domain::features::{Feature, Flags};
use crate::domain::policy::Permit;
use crate::domain::quotas::Quotas;
use crate::domain::resellers::Reseller;
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, User};
use crate::store::{self, ReadTx, WriteTx};

pub fn list(tx: &ReadTx<'_>, permit: &Permit) -> Result<Vec<Reseller>, AppError> {
    store::users::list_of_role(tx, permit, Role::Reseller)?.into_iter().map(|user| of(tx, user)).collect()
}

pub fn get(tx: &ReadTx<'_>, permit: &Permit, username: &str) -> Result<Reseller, AppError> {
    let user = store::users::find_by_username(tx, permit, username)?.filter(|user| user.role == Role::Reseller);
    of(tx, user.ok_or(AppError::NotFound(Noun::Reseller))?)
}

fn of(tx: &ReadTx<'_>, user: User) -> Result<Reseller, AppError> {
    let own = store::resellers::find(tx, user.id)?;
    let (quotas, grants) = (own.quotas.over(&user.package_quotas), own.grants.over(&user.package_grants));
    Ok(Reseller { user, own, quotas, grants })
}

/// The users that stand under a reseller.
pub fn users_of(tx: &ReadTx<'_>, permit: &Permit, username: &str) -> Result<Vec<User>, AppError> {
    let reseller = get(tx, permit, username)?;
    store::users::list_under(tx, permit, reseller.user.id)
}

/// Whether the reseller that acts may switch a flag on for its users.
pub fn may_grant(tx: &ReadTx<'_>, permit: &Permit, feature: Feature) -> Result<bool, AppError> {
    let Some(me) = permit.account() else { return Ok(false) };
    Ok(get(tx, permit, &me.username)?.grants.get(feature))
}

/// What an update asks for; `None` leaves it, `Some(None)` goes back to the package's value.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub account: users::Change,
    pub quotas: Quotas<Option<Option<i64>>>,
    pub grants: Flags<Option<Option<bool>>>,
}

pub fn update(
    tx: &WriteTx<'_>,
    permit: &Permit,
    username: &str,
    change: &Change,
    now: Timestamp,
) -> Result<Reseller, AppError> {
    let before = get(tx, permit, username)?;
    users::update(tx, permit, &before.user, &change.account, now)?;
    let mut own = before.own;
    for (quota, value) in change.quotas.iter() {
        if let Some(value) = value {
            own.quotas.set(quota, value);
        }
    }
    for (feature, value) in change.grants.iter() {
        if let Some(value) = value {
            own.grants.set(feature, value);
        }
    }
    if own != before.own {
        store::resellers::store(tx, permit, before.user.id, &own, now)?;
        let (was, is) = audit::changed(users::columns_of_reseller(&before.own), users::columns_of_reseller(&own));
        let object = Object { action: "resellers.update", kind: "user", id: before.user.id.0 };
        audit::record(tx, permit, now, object, Some(&was), Some(&is))?;
    } else {
        tx.unaudited("what changed of the account has its own entry");
    }
    get(tx, permit, &before.user.username)
}
