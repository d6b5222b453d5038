//! Adding an account.

use serde_json::json;

use super::levers::{self, Levers};
use super::{columns, find_above, get_by_id};
use crate::actions::audit::{self, Object};
use crate::domain::audit::MASKED;
use crate::domain::error::{AppError, Conflict, Invalid};
use crate::domain::packages::{self, Package};
use crate::domain::policy::{self, Permit, Rows};
use crate::domain::quotas::Quotas;
use crate::domain::resellers;
use crate::domain::time::Timestamp;
use crate::domain::users::{Email, Profile, Role, User, UserId, Username};
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
    /// Under whom the account stands; `None`: under whoever adds it.
    pub creator: Option<String>,
    pub package: String,
    pub profile: Profile,
    pub quotas: Quotas<Option<i64>>,
    /// What a new reseller has of its own.
    pub reseller: resellers::Own,
    pub now: Timestamp,
}

impl Draft {
    /// A draft that leaves out everything that can be left out.
    pub fn new(uid: [u8; 16], username: Username, email: Email, password_hash: String, now: Timestamp) -> Self {
        Self {
            uid,
            username,
            email,
            password_hash,
            role: Role::User,
            creator: None,
            package: packages::DEFAULT.to_owned(),
            profile: Profile::default(),
            quotas: Quotas::default(),
            reseller: resellers::Own::default(),
            now,
        }
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("username", &self.username).field("role", &self.role).finish_non_exhaustive()
    }
}

pub fn add(tx: &WriteTx<'_>, permit: &Permit, draft: &Draft) -> Result<User, AppError> {
    check_role(permit, draft.role)?;
    let creator = creator(tx, permit, draft)?;
    let package = store::packages::find(tx, &draft.package)?;
    let package = package.ok_or_else(|| Invalid::new("package", "does not exist"))?;
    let levers = levers::of(tx, permit)?;
    let new = new_user(draft, creator, &package, levers.as_ref())?;
    if let Some(levers) = &levers {
        levers.check_room(tx)?;
    }
    let Some(id) = store::users::insert(tx, permit, &new)? else {
        return Err(AppError::Conflict(if store::users::find_email_owner(tx, &draft.email)?.is_some() {
            Conflict::EmailTaken { email: draft.email.as_str().to_owned() }
        } else {
            Conflict::UsernameTaken { username: draft.username.as_str().to_owned() }
        }));
    };
    if draft.role == Role::Reseller && draft.reseller != resellers::Own::default() {
        store::resellers::store(tx, permit, id, &draft.reseller, draft.now)?;
    }
    let user = get_by_id(tx, permit, id)?;
    let mut after = columns(&user);
    after.retain(|_, value| !value.is_null());
    after.insert("username".to_owned(), json!(user.username));
    after.insert("password".to_owned(), json!(MASKED));
    after.extend(levers::columns(&draft.reseller).into_iter().filter(|(_, value)| !value.is_null()));
    let object = Object { action: "users.create", kind: "user", id: id.0 };
    audit::record(tx, permit, draft.now, object, None, Some(&after.into()))?;
    Ok(user)
}

/// Only an admin makes more than a user, and no key makes an admin (contract: keys.md, Escalation).
fn check_role(permit: &Permit, role: Role) -> Result<(), AppError> {
    if role > Role::User && permit.role() != Role::Admin {
        return Err(policy::admin_required(permit));
    }
    if role == Role::Admin && permit.key().is_some() {
        return Err(policy::session_required());
    }
    Ok(())
}

fn creator(tx: &ReadTx<'_>, permit: &Permit, draft: &Draft) -> Result<Option<UserId>, AppError> {
    match (permit.rows(), &draft.creator) {
        (Rows::OfReseller(me), None) => Ok(Some(me)),
        (Rows::OfReseller(me), Some(name)) => {
            let named = store::users::find_by_username(tx, permit, name)?;
            if named.is_some_and(|user| user.id == me) {
                return Ok(Some(me));
            }
            Err(AppError::FieldForbidden { field: "creator", problem: "may be set by an admin only" })
        }
        (Rows::All, None) => Ok(permit.user()),
        (Rows::All, Some(name)) => Ok(Some(find_above(tx, permit, "creator", name)?.id)),
        (Rows::OfUser(_) | Rows::Nobodys, _) => Err(policy::admin_required(permit)),
    }
}

/// What a reseller may not grant is stored off on the new account, and quotas beyond its own are stored at its own.
fn new_user(
    draft: &Draft,
    creator: Option<UserId>,
    package: &Package,
    levers: Option<&Levers>,
) -> Result<NewUser, AppError> {
    let mut new = NewUser {
        uid: draft.uid,
        username: draft.username.clone(),
        email: draft.email.clone(),
        password_hash: Some(draft.password_hash.clone()),
        role: draft.role,
        creator,
        package_id: package.id,
        profile: draft.profile.clone(),
        quotas: draft.quotas,
        flags: crate::domain::features::Flags::default(),
        now: draft.now,
    };
    if let Some(levers) = levers {
        levers.refuse_quotas(&draft.quotas)?;
        levers.bound(package, &mut new.flags, &mut new.quotas);
    }
    Ok(new)
}
