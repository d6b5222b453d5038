//! Users: adding, listing, changing, suspending, deleting.

mod add;
mod change;
mod levers;

use serde_json::{Map, Value, json};

use super::audit::{self, Object};
use crate::domain::audit::MASKED;
use crate::domain::error::{AppError, Conflict, Invalid, Noun};
use crate::domain::policy::{self, Permit};
use crate::domain::quotas::Quota;
use crate::domain::resellers::Heir;
use crate::domain::time::Timestamp;
use crate::domain::users::{AccountStatus, Role, User, UserId};
use crate::store::{self, ReadTx, WriteTx};

pub use add::{Draft, add};
pub use change::{Change, update};
pub(super) use levers::columns as columns_of_reseller;

pub fn get(tx: &ReadTx<'_>, permit: &Permit, username: &str) -> Result<User, AppError> {
    store::users::find_by_username(tx, permit, username)?.ok_or(AppError::NotFound(Noun::User))
}

pub fn get_by_id(tx: &ReadTx<'_>, permit: &Permit, id: UserId) -> Result<User, AppError> {
    store::users::find_by_id(tx, permit, id)?.ok_or(AppError::NotFound(Noun::User))
}

pub fn list(tx: &ReadTx<'_>, permit: &Permit) -> Result<Vec<User>, AppError> {
    store::users::list(tx, permit)
}

/// The user of a name as accounts may stand under it.
fn find_above(tx: &ReadTx<'_>, permit: &Permit, field: &'static str, name: &str) -> Result<User, AppError> {
    match store::users::find_by_username(tx, permit, name)? {
        Some(user) if user.role >= Role::Reseller => Ok(user),
        Some(_) => Err(Invalid::new(field, "must be an admin or a reseller").into()),
        None => Err(Invalid::new(field, "does not exist").into()),
    }
}

/// Sets a password (hashed already), ends the sessions of the user but for the one that is kept, and its setup links.
pub fn set_password(
    tx: &WriteTx<'_>,
    permit: &Permit,
    user: UserId,
    hash: &str,
    keep_session: Option<i64>,
    now: Timestamp,
) -> Result<(), AppError> {
    store_password(tx, permit, user, hash, keep_session, now)?;
    let after = json!({"password": MASKED});
    audit::record(tx, permit, now, Object { action: "users.password", kind: "user", id: user.0 }, None, Some(&after))
}

fn store_password(
    tx: &WriteTx<'_>,
    permit: &Permit,
    user: UserId,
    hash: &str,
    keep_session: Option<i64>,
    now: Timestamp,
) -> Result<(), AppError> {
    if !store::users::set_password(tx, permit, user, hash, keep_session, now)? {
        return Err(AppError::NotFound(Noun::User));
    }
    store::setup_links::use_all(tx, user, now).map(|_| ())
}

/// Whoever is not an admin suspends, deletes and changes the flags of the users it owns, and not its own.
fn may_manage(permit: &Permit, user: &User) -> Result<(), AppError> {
    if permit.role() == Role::Admin || permit.user() != Some(user.id) {
        return Ok(());
    }
    Err(policy::admin_required(permit))
}

/// Suspends or lets work again. Already so is done too.
pub fn set_status(
    tx: &WriteTx<'_>,
    permit: &Permit,
    user: &User,
    status: AccountStatus,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<User, AppError> {
    may_manage(permit, user)?;
    if user.status == status {
        return Ok(user.clone());
    }
    let had_admin = has_admin(tx)?;
    store::users::set_status(tx, permit, user.id, status, reason, now)?;
    keep_an_admin(tx, had_admin)?;
    let action = match status {
        AccountStatus::Active => "users.unsuspend",
        AccountStatus::Suspended => "users.suspend",
    };
    let (before, mut after) = (json!({"status": user.status.as_str()}), json!({"status": status.as_str()}));
    if let Some(reason) = reason {
        after["reason"] = json!(reason);
    }
    audit::record(tx, permit, now, Object { action, kind: "user", id: user.id.0 }, Some(&before), Some(&after))?;
    get_by_id(tx, permit, user.id)
}

/// Deletes softly: its keys stay and answer that their owner is gone, and a new user of the name inherits nothing.
/// `transfer_to` takes over what it owns.
pub fn delete(
    tx: &WriteTx<'_>,
    permit: &Permit,
    user: &User,
    transfer_to: Option<&str>,
    now: Timestamp,
) -> Result<(), AppError> {
    may_manage(permit, user)?;
    refuse_last_admin(tx, user)?;
    let had_admin = has_admin(tx)?;
    let mut before =
        json!({"username": user.username, "email": user.email, "role": user.role.as_str(), "package": user.package});
    match transfer_to {
        None => refuse_owners(tx, user)?,
        Some(heir) => {
            let (users, subscribers) = hand_over(tx, permit, user, heir, now)?;
            before["transferred_to"] = json!(get(tx, permit, heir)?.username);
            before["transferred_users"] = json!(users);
            before["transferred_subscribers"] = json!(subscribers);
        }
    }
    store::users::delete(tx, permit, user.id, now)?;
    store::resellers::forget(tx, permit, user.id)?;
    keep_an_admin(tx, had_admin)?;
    let object = Object { action: "users.delete", kind: "user", id: user.id.0 };
    audit::record(tx, permit, now, object, Some(&before), None)
}

fn hand_over(
    tx: &WriteTx<'_>,
    permit: &Permit,
    user: &User,
    heir: &str,
    now: Timestamp,
) -> Result<(usize, usize), AppError> {
    let heir = find_above(tx, permit, "transfer_to", heir)?;
    if heir.id == user.id || heir.creator_id == Some(user.id) {
        return Err(Invalid::new("transfer_to", "must be another account, and not stand under this one").into());
    }
    let to = Heir { id: heir.id, role: heir.role };
    match store::users::hand_over(tx, permit, user.id, to, now)? {
        Ok(given) => Ok(given),
        Err(clashing) => Err(in_the_way(&format!(
            "{clashing} subscribers, transactions or renewals of {} have an external_id that {} uses too; change those first",
            user.username, heir.username
        ))),
    }
}

/// The last active admin cannot be demoted, suspended or deleted by any path (contract: panel.md, Users): not by suspending
/// the reseller above it either. `before`: whether there was one.
fn keep_an_admin(tx: &ReadTx<'_>, before: bool) -> Result<(), AppError> {
    if !before || has_admin(tx)? {
        return Ok(());
    }
    Err(no_admin_left())
}

/// The same said first, before anything else that stands in the way.
fn refuse_last_admin(tx: &ReadTx<'_>, user: &User) -> Result<(), AppError> {
    let last = user.role == Role::Admin && has_admin(tx)? && !store::users::has_active_admin(tx, Some(user.id))?;
    if last { Err(no_admin_left()) } else { Ok(()) }
}

fn no_admin_left() -> AppError {
    in_the_way("This is the last active admin, or stands above it; make another one first")
}

/// Whether an admin is there whom nothing keeps from working.
fn has_admin(tx: &ReadTx<'_>) -> Result<bool, AppError> {
    store::users::has_active_admin(tx, None)
}

/// Who stands under an account must stand under another before it goes.
fn refuse_owners(tx: &ReadTx<'_>, user: &User) -> Result<(), AppError> {
    let owned = store::users::owned_by(tx, user.id)?;
    if owned.users {
        return Err(in_the_way(&format!("{} still owns users; transfer them to another account first", user.username)));
    }
    if owned.subscribers {
        return Err(in_the_way(&format!(
            "{} still owns subscribers; transfer them to another account first",
            user.username
        )));
    }
    Ok(())
}

fn in_the_way(text: &str) -> AppError {
    AppError::Conflict(Conflict::InTheWay(text.to_owned()))
}

/// What the audit says of an account.
fn columns(user: &User) -> Map<String, Value> {
    let mut columns = Map::new();
    let mut put = |name: &str, value: Value| columns.insert(name.to_owned(), value);
    put("email", json!(user.email));
    put("role", json!(user.role.as_str()));
    put("creator", json!(user.creator));
    put("package", json!(user.package));
    for quota in Quota::OF_ACCOUNT {
        put(quota.as_str(), json!(user.quotas.get(quota)));
    }
    for (feature, own) in user.flags.iter() {
        put(&format!("can_use_{}", feature.as_str()), json!(own));
    }
    let profile = &user.profile;
    let texts = [
        ("full_name", &profile.full_name),
        ("phone", &profile.phone),
        ("company", &profile.company),
        ("billing_id", &profile.billing_id),
        ("metadata", &profile.metadata),
    ];
    for (name, text) in texts {
        put(name, json!(text));
    }
    columns
}
