//! Changing an account: who may change what of whom.

use serde_json::json;

use super::levers;
use super::{
    columns, find_above, get_by_id, has_admin, keep_an_admin, may_manage, refuse_last_admin, refuse_owners,
    store_password,
};
use crate::actions::audit::{self, Object};
use crate::domain::audit::MASKED;
use crate::domain::error::{AppError, Conflict, Invalid};
use crate::domain::features::Flags;
use crate::domain::policy::{self, Permit};
use crate::domain::quotas::{Quota, Quotas};
use crate::domain::time::Timestamp;
use crate::domain::users::{Email, Profile, Role, User, fold};
use crate::store::{self, ReadTx, WriteTx};

/// What an update asks for; `None` leaves it as it is.
#[derive(Clone, Default)]
pub struct Change {
    pub email: Option<Email>,
    /// Hashed already.
    pub password_hash: Option<String>,
    pub role: Option<Role>,
    /// `Some(None)`: under nobody.
    pub creator: Option<Option<String>>,
    pub package: Option<String>,
    /// `Some(None)` goes back to the package's value, here and in the flags.
    pub quotas: Quotas<Option<Option<i64>>>,
    pub flags: Flags<Option<Option<bool>>>,
    /// As it is to be.
    pub profile: Option<Profile>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change").field("email", &self.email).field("role", &self.role).finish_non_exhaustive()
    }
}

pub fn update(
    tx: &WriteTx<'_>,
    permit: &Permit,
    before: &User,
    change: &Change,
    now: Timestamp,
) -> Result<User, AppError> {
    let after = apply(tx, permit, before, change)?;
    check(permit, before, &after, change)?;
    if let Some(levers) = levers::of(tx, permit)? {
        levers.check(before, &after)?;
    }
    if before.role == Role::Admin && after.role != Role::Admin {
        refuse_last_admin(tx, before)?;
    }
    // A reseller's users would stand under a user, an admin's under a reseller.
    if after.role < before.role {
        refuse_owners(tx, before)?;
    }
    if after == *before && change.password_hash.is_none() {
        return Ok(after);
    }
    if after != *before {
        let had_admin = has_admin(tx)?;
        store::users::update(tx, permit, &after, now)?;
        keep_an_admin(tx, had_admin)?;
    }
    if before.role == Role::Reseller && after.role != Role::Reseller {
        leave_business(tx, permit, before, &after, now)?;
    }
    if let Some(hash) = &change.password_hash {
        store_password(tx, permit, before.id, hash, None, now)?;
    }
    let (was, mut is) = audit::changed(columns(before), columns(&after));
    if change.password_hash.is_some() {
        is["password"] = json!(MASKED);
    }
    let object = Object { action: "users.update", kind: "user", id: before.id.0 };
    audit::record(tx, permit, now, object, Some(&was), Some(&is))?;
    get_by_id(tx, permit, before.id)
}

/// What a reseller had goes with the role; an admin's subscribers are the house's.
fn leave_business(
    tx: &WriteTx<'_>,
    permit: &Permit,
    before: &User,
    after: &User,
    now: Timestamp,
) -> Result<(), AppError> {
    if after.role == Role::Admin
        && let Err(clashing) = store::users::give_to_house(tx, permit, before.id, now)?
    {
        let text = format!(
            "{clashing} subscribers, transactions or renewals of {} have an external_id that the house uses too; change those first",
            before.username
        );
        return Err(AppError::Conflict(Conflict::InTheWay(text)));
    }
    store::resellers::forget(tx, permit, before.id)
}

/// The account as it is to be, with what would be in force for it.
fn apply(tx: &ReadTx<'_>, permit: &Permit, before: &User, change: &Change) -> Result<User, AppError> {
    let mut after = before.clone();
    if let Some(email) = &change.email {
        if store::users::find_email_owner(tx, email)?.is_some_and(|owner| owner != before.id) {
            return Err(AppError::Conflict(Conflict::EmailTaken { email: email.as_str().to_owned() }));
        }
        email.as_str().clone_into(&mut after.email);
    }
    if let Some(role) = change.role {
        after.role = role;
    }
    let mut package = None;
    if let Some(name) = &change.package {
        let found = store::packages::find(tx, name)?.ok_or_else(|| Invalid::new("package", "does not exist"))?;
        after.package_id = found.id;
        after.package.clone_from(&found.name);
        package = Some(found.values);
    }
    if let Some(name) = &change.creator {
        change_creator(tx, permit, &mut after, name.as_deref())?;
    }
    for quota in Quota::OF_ACCOUNT {
        // What is in force is accepted from whoever may not change it.
        let current = |own: &Option<i64>| *own == Some(before.effective_quotas.get(quota));
        let sent = change.quotas.get(quota).filter(|own| permit.role() == Role::Admin || !current(own));
        if let Some(own) = sent {
            after.quotas.set(quota, own);
        }
    }
    for (feature, sent) in change.flags.iter() {
        let current = |own: &Option<bool>| *own == Some(before.effective_flags.get(feature));
        if let Some(own) = sent.filter(|own| permit.role() == Role::Admin || !current(own)) {
            after.flags.set(feature, own);
        }
    }
    if let Some(profile) = &change.profile {
        after.profile = profile.clone();
    }
    let values = match package {
        Some(values) => values,
        None => {
            store::packages::find_by_id(tx, after.package_id)?
                .ok_or_else(|| AppError::Internal("an account has no package".to_owned()))?
                .values
        }
    };
    after.package_quotas = values.quotas;
    after.package_grants = values.grants;
    after.effective_quotas = after.quotas.over(&values.quotas);
    after.effective_flags = after.flags.over(&values.flags);
    Ok(after)
}

/// The current name is always accepted, also from whoever may not change it.
fn change_creator(tx: &ReadTx<'_>, permit: &Permit, after: &mut User, name: Option<&str>) -> Result<(), AppError> {
    let Some(name) = name else {
        (after.creator_id, after.creator) = (None, None);
        return Ok(());
    };
    if after.creator.as_ref().is_some_and(|current| fold(current) == fold(name)) {
        return Ok(());
    }
    if permit.role() != Role::Admin {
        return Err(AppError::FieldForbidden { field: "creator", problem: "may be changed by an admin only" });
    }
    let above = find_above(tx, permit, "creator", name)?;
    let mut next = Some(above.clone());
    while let Some(user) = next {
        if user.id == after.id {
            return Err(Invalid::new("creator", "must not be the account itself, or stand under it").into());
        }
        next = user.creator_id.map_or(Ok(None), |id| store::users::find_by_id(tx, permit, id))?;
    }
    after.creator_id = Some(above.id);
    after.creator = Some(above.username);
    Ok(())
}

/// Who may change what of whom (contract: panel.md, Users; keys.md, Escalation). The current value is always accepted.
fn check(permit: &Permit, before: &User, after: &User, change: &Change) -> Result<(), AppError> {
    let own = permit.user() == Some(before.id);
    if permit.key().is_some() {
        let takes_over = (own || before.role == Role::Admin) && change.password_hash.is_some();
        let renames_owner = own && after.email != before.email;
        let promotes = after.role == Role::Admin && before.role != Role::Admin;
        if takes_over || renames_owner || promotes {
            return Err(policy::session_required());
        }
    }
    if permit.role() == Role::Admin {
        return Ok(());
    }
    if after.flags != before.flags {
        may_manage(permit, before)?;
    }
    let quota = Quota::OF_ACCOUNT.into_iter().find(|quota| after.quotas.get(*quota) != before.quotas.get(*quota));
    let changed = [
        ("role", after.role != before.role),
        ("creator", after.creator_id != before.creator_id),
        ("package", own && after.package_id != before.package_id),
        (quota.map_or("max_domains", Quota::as_str), quota.is_some()),
    ];
    match changed.into_iter().find(|(_, changed)| *changed) {
        None => Ok(()),
        Some((field, _)) => Err(AppError::FieldForbidden { field, problem: "may be changed by an admin only" }),
    }
}
