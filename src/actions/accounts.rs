//! Hosting accounts: the users that a billing system sells to. Admins, and whoever the key belongs to, do not exist here
//! (contract: billing.md, Calls).

mod create;

use super::users;
use crate::domain::accounts::{Filter, Part};
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::keys::{Grants, Level};
use crate::domain::packages::Package;
use crate::domain::policy::{self, Permit};
use crate::domain::time::Timestamp;
use crate::domain::users::{AccountStatus, Email, Profile, Role, User, UserId, fold};
use crate::store::{self, ReadTx, WriteTx};

pub use create::{Draft, Verified, create, find_original};

pub fn get(tx: &ReadTx<'_>, permit: &Permit, id: UserId) -> Result<User, AppError> {
    let found = store::users::find_by_id(tx, permit, id)?;
    let account = found.filter(|user| user.role != Role::Admin && permit.user() != Some(user.id));
    account.ok_or(AppError::NotFound(Noun::User))
}

pub fn list(tx: &ReadTx<'_>, permit: &Permit, filter: &Filter, part: Part) -> Result<Vec<User>, AppError> {
    store::users::list_accounts(tx, permit, filter, part)
}

/// Whether the caller may make, change or delete an account of this role.
pub fn check_level(permit: &Permit, role: Role) -> Result<(), AppError> {
    let Some(key) = permit.key().filter(|_| role > Role::User) else { return Ok(()) };
    match &key.grants {
        Grants::Billing { level, .. } if *level < Level::SuperAdmin => Err(policy::super_admin_required(key, *level)),
        Grants::Billing { .. } | Grants::External(_) | Grants::Panel(_) => Ok(()),
    }
}

/// What an update asks for; `None` leaves it as it is, `Some(None)` clears it.
#[derive(Clone, Default)]
pub struct Change {
    pub email: Option<Email>,
    /// Hashed already.
    pub password_hash: Option<String>,
    pub full_name: Option<Option<String>>,
    pub phone: Option<Option<String>>,
    pub company: Option<Option<String>>,
    pub billing_id: Option<Option<String>>,
    pub metadata: Option<Option<String>>,
    /// Id or name.
    pub package_id: Option<String>,
    /// What cannot be changed may be sent as it is.
    pub username: Option<String>,
    pub is_admin: Option<bool>,
    pub is_active: Option<bool>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change").field("email", &self.email).finish_non_exhaustive()
    }
}

impl Change {
    fn refuse_what_stays(&self, account: &User) -> Result<(), Invalid> {
        if self.username.as_ref().is_some_and(|name| fold(name) != fold(&account.username)) {
            return Err(Invalid::new("username", "cannot be changed"));
        }
        if self.is_admin.is_some_and(|is_admin| is_admin != (account.role == Role::Reseller)) {
            return Err(Invalid::new("is_admin", "cannot be changed"));
        }
        if self.is_active.is_some_and(|is_active| is_active != (account.status == AccountStatus::Active)) {
            return Err(Invalid::new("is_active", "cannot be changed here; use suspend or unsuspend"));
        }
        Ok(())
    }

    fn over(&self, profile: &Profile) -> Profile {
        let value = |change: &Option<Option<String>>, old: &Option<String>| change.as_ref().unwrap_or(old).clone();
        Profile {
            full_name: value(&self.full_name, &profile.full_name),
            phone: value(&self.phone, &profile.phone),
            company: value(&self.company, &profile.company),
            billing_id: value(&self.billing_id, &profile.billing_id),
            metadata: value(&self.metadata, &profile.metadata),
        }
    }
}

pub fn update(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: UserId,
    change: &Change,
    now: Timestamp,
) -> Result<User, AppError> {
    let before = get(tx, permit, id)?;
    check_level(permit, before.role)?;
    change.refuse_what_stays(&before)?;
    let package = change.package_id.as_deref().map(|text| package(tx, text)).transpose()?;
    let of_user = users::Change {
        email: change.email.clone(),
        password_hash: change.password_hash.clone(),
        package: package.map(|package| package.name),
        profile: Some(change.over(&before.profile)),
        ..users::Change::default()
    };
    users::update(tx, permit, &before, &of_user, now).map_err(in_own_words)
}

/// Suspends or lets work again. Already so is done too.
pub fn set_status(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: UserId,
    status: AccountStatus,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<User, AppError> {
    let account = get(tx, permit, id)?;
    users::set_status(tx, permit, &account, status, reason, now)
}

pub fn delete(tx: &WriteTx<'_>, permit: &Permit, id: UserId, now: Timestamp) -> Result<(), AppError> {
    let account = get(tx, permit, id)?;
    check_level(permit, account.role)?;
    users::delete(tx, permit, &account, None, now)
}

/// The package of an id or, where no id is meant, of a name: billing systems send what they were configured with.
fn package(tx: &ReadTx<'_>, text: &str) -> Result<Package, AppError> {
    let id = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let by_id = id.map_or(Ok(None), |id| store::packages::find_by_id(tx, id))?;
    let found = by_id.map_or_else(|| store::packages::find(tx, text), |package| Ok(Some(package)))?;
    found.ok_or_else(|| Invalid::new("package_id", "unknown package").into())
}

/// What other surfaces call the package is this one's `package_id`.
fn in_own_words(error: AppError) -> AppError {
    match error {
        AppError::FieldForbidden { field: "package", problem } => {
            AppError::FieldForbidden { field: "package_id", problem }
        }
        other => other,
    }
}
