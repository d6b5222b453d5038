//! Users: adding, listing, setting a password.

use serde_json::json;

use super::audit::{self, Object};
use crate::domain::audit::MASKED;
use crate::domain::error::{AppError, Conflict, Invalid, Noun};
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::{Email, Role, User, UserId, Username};
use crate::store::users::NewUser;
use crate::store::{self, ReadTx, WriteTx};

/// What an add asks for; the password is hashed already.
#[derive(Debug, Clone)]
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
        return Err(AppError::Conflict(if store::users::is_email_taken(tx, &draft.email)? {
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
