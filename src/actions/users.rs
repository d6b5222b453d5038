//! Users: adding, listing, changing, suspending, deleting.

use serde_json::{Value, json};

use super::audit::{self, Object};
use crate::domain::audit::MASKED;
use crate::domain::error::{AppError, Conflict, Invalid, Noun};
use crate::domain::features::{Feature, Flags};
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::{AccountStatus, Email, Role, User, UserId, Username};
use crate::store::users::NewUser;
use crate::store::{self, ReadTx, WriteTx};

/// What an add asks for; the password is hashed already.
#[derive(Clone)]
pub struct Draft {
    pub uid: [u8; 16],
    pub username: Username,
    pub email: Email,
    pub password_hash: String,
    pub role: Role,
    /// Under whom the account stands; `None`: nobody.
    pub creator: Option<String>,
    pub package: String,
    pub now: Timestamp,
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("username", &self.username).field("role", &self.role).finish_non_exhaustive()
    }
}

pub fn add(tx: &WriteTx<'_>, permit: &Permit, draft: &Draft) -> Result<UserId, AppError> {
    let package = store::packages::find_id(tx, &draft.package)?;
    let package_id = package.ok_or_else(|| Invalid::new("package", "does not exist"))?;
    let creator = match &draft.creator {
        Some(name) => Some(creator_of(tx, permit, name)?),
        None => None,
    };
    let new = NewUser {
        uid: draft.uid,
        username: draft.username.clone(),
        email: draft.email.clone(),
        password_hash: Some(draft.password_hash.clone()),
        role: draft.role,
        creator,
        package_id,
        now: draft.now,
    };
    let Some(id) = store::users::insert(tx, permit, &new)? else {
        return Err(AppError::Conflict(if store::users::find_email_owner(tx, &draft.email)?.is_some() {
            Conflict::EmailTaken { email: draft.email.as_str().to_owned() }
        } else {
            Conflict::UsernameTaken { username: draft.username.as_str().to_owned() }
        }));
    };
    let after = json!({
        "username": draft.username.as_str(), "email": draft.email.as_str(), "role": draft.role.as_str(),
        "creator": draft.creator, "package": draft.package, "password": MASKED,
    });
    audit::record(
        tx,
        permit,
        draft.now,
        Object { action: "users.create", kind: "user", id: id.0 },
        None,
        Some(&after),
    )?;
    Ok(id)
}

/// Accounts stand under an admin or a reseller, never under a user.
fn creator_of(tx: &ReadTx<'_>, permit: &Permit, name: &str) -> Result<UserId, AppError> {
    match store::users::find_by_username(tx, permit, name)? {
        Some(user) if user.role >= Role::Reseller => Ok(user.id),
        Some(_) => Err(Invalid::new("creator", "must be an admin or a reseller").into()),
        None => Err(Invalid::new("creator", "does not exist").into()),
    }
}

pub fn get(tx: &ReadTx<'_>, permit: &Permit, username: &str) -> Result<User, AppError> {
    store::users::find_by_username(tx, permit, username)?.ok_or(AppError::NotFound(Noun::User))
}

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<User>, AppError> {
    store::users::list_all(tx)
}

/// Sets a password (hashed already) and ends every session and setup link of the user.
pub fn set_password(
    tx: &WriteTx<'_>,
    permit: &Permit,
    user: UserId,
    hash: &str,
    now: Timestamp,
) -> Result<(), AppError> {
    if !store::users::set_password(tx, permit, user, hash, now)? {
        return Err(AppError::NotFound(Noun::User));
    }
    store::setup_links::use_all(tx, user, now)?;
    let after = json!({"password": MASKED});
    audit::record(tx, permit, now, Object { action: "users.password", kind: "user", id: user.0 }, None, Some(&after))
}

/// What an update asks for; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub email: Option<Email>,
    pub role: Option<Role>,
    pub package: Option<String>,
    /// `Some(None)` goes back to the package's value.
    pub flags: Flags<Option<Option<bool>>>,
}

pub fn update(
    tx: &WriteTx<'_>,
    permit: &Permit,
    username: &str,
    change: &Change,
    now: Timestamp,
) -> Result<User, AppError> {
    let before = get(tx, permit, username)?;
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
    if let Some(package) = &change.package {
        let id = store::packages::find_id(tx, package)?;
        after.package_id = id.ok_or_else(|| Invalid::new("package", "does not exist"))?;
    }
    for (feature, flag) in change.flags.iter() {
        if let Some(flag) = flag {
            after.flags.set(feature, flag);
        }
    }
    if before.role == Role::Admin && after.role != Role::Admin {
        keep_an_admin(tx, before.id)?;
    }
    if before.role > Role::User && after.role == Role::User {
        refuse_owners(tx, &before)?;
    }
    if after == before {
        return Ok(before);
    }
    store::users::update(tx, permit, &after, now)?;
    let after = get(tx, permit, username)?;
    let object = Object { action: "users.update", kind: "user", id: before.id.0 };
    audit::record(tx, permit, now, object, Some(&columns(&before)), Some(&columns(&after)))?;
    Ok(after)
}

fn columns(user: &User) -> Value {
    let flags: serde_json::Map<_, _> =
        user.flags.iter().map(|(feature, flag)| (Feature::as_str(feature).to_owned(), json!(flag))).collect();
    json!({"email": user.email, "role": user.role.as_str(), "package": user.package, "flags": flags})
}

/// Suspends or lets work again. Already so is done too.
pub fn set_status(
    tx: &WriteTx<'_>,
    permit: &Permit,
    username: &str,
    status: AccountStatus,
    now: Timestamp,
) -> Result<User, AppError> {
    let user = get(tx, permit, username)?;
    if user.status == status {
        return Ok(user);
    }
    if status == AccountStatus::Suspended && user.role == Role::Admin {
        keep_an_admin(tx, user.id)?;
    }
    store::users::set_status(tx, permit, user.id, status, now)?;
    let action = match status {
        AccountStatus::Active => "users.unsuspend",
        AccountStatus::Suspended => "users.suspend",
    };
    let (before, after) = (json!({"status": user.status.as_str()}), json!({"status": status.as_str()}));
    audit::record(tx, permit, now, Object { action, kind: "user", id: user.id.0 }, Some(&before), Some(&after))?;
    get(tx, permit, username)
}

/// Deletes softly: its keys stay and answer that their owner is gone, and a new user of the name inherits nothing.
pub fn delete(tx: &WriteTx<'_>, permit: &Permit, username: &str, now: Timestamp) -> Result<(), AppError> {
    let user = get(tx, permit, username)?;
    if user.role == Role::Admin {
        keep_an_admin(tx, user.id)?;
    }
    refuse_owners(tx, &user)?;
    store::users::delete(tx, permit, user.id, now)?;
    let before =
        json!({"username": user.username, "email": user.email, "role": user.role.as_str(), "package": user.package});
    let object = Object { action: "users.delete", kind: "user", id: user.id.0 };
    audit::record(tx, permit, now, object, Some(&before), None)
}

/// The last active admin cannot be demoted, suspended or deleted by any path (contract: panel.md, Users).
fn keep_an_admin(tx: &ReadTx<'_>, id: UserId) -> Result<(), AppError> {
    if store::users::has_other_active_admin(tx, id)? {
        return Ok(());
    }
    Err(in_the_way("This is the last active admin; make another one first"))
}

/// Who stands under an account must stand under another before it goes.
fn refuse_owners(tx: &ReadTx<'_>, user: &User) -> Result<(), AppError> {
    if store::users::owns_users(tx, user.id)? {
        return Err(in_the_way(&format!("{} still owns users", user.username)));
    }
    if store::users::owns_subscribers(tx, user.id)? {
        return Err(in_the_way(&format!("{} still owns subscribers", user.username)));
    }
    Ok(())
}

fn in_the_way(text: &str) -> AppError {
    AppError::Conflict(Conflict::InTheWay(text.to_owned()))
}
