//! Making an account. A create whose answer was lost is sent again: it finds what the first one made.

use super::{check_level, get, in_own_words, package};
use crate::actions::users;
use crate::domain::accounts::RETRY_MILLIS;
use crate::domain::error::{AppError, Conflict};
use crate::domain::policy::Permit;
use crate::domain::users::User;
use crate::store::users::Holder;
use crate::store::{self, ReadTx, WriteTx};

/// What a create asks for.
#[derive(Debug, Clone)]
pub struct Draft {
    pub user: users::Draft,
    /// Id or name.
    pub package_id: Option<String>,
}

/// Whether a hash that is stored is one of the draft's password: found out before the write, because it takes long.
#[derive(Clone)]
pub struct Verified {
    pub hash: String,
    pub is_same: bool,
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verified")
    }
}

/// The hash of the account that an earlier sending of this create made.
pub fn find_original(tx: &ReadTx<'_>, permit: &Permit, draft: &Draft) -> Result<Option<String>, AppError> {
    let holder = store::users::find_holder(tx, permit, &draft.user.username)?;
    Ok(holder.filter(|holder| is_same_create(permit, draft, holder)).and_then(|holder| holder.password_hash))
}

pub fn create(tx: &WriteTx<'_>, permit: &Permit, draft: &Draft, verified: Option<&Verified>) -> Result<User, AppError> {
    check_level(permit, draft.user.role)?;
    if let Some(holder) = store::users::find_holder(tx, permit, &draft.user.username)? {
        return again(tx, permit, draft, &holder, verified);
    }
    let mut user = draft.user.clone();
    if let Some(text) = &draft.package_id {
        user.package = package(tx, text)?.name;
    }
    users::add(tx, permit, &user).map_err(in_own_words)
}

/// Answers with the account that is there, where this is the create that made it. Its password is the one sent last, as
/// long as nobody has used another.
fn again(
    tx: &WriteTx<'_>,
    permit: &Permit,
    draft: &Draft,
    holder: &Holder,
    verified: Option<&Verified>,
) -> Result<User, AppError> {
    // A twin that was faster than the look before the write left a hash that nobody compared: it is replaced, which
    // comes to the same.
    let is_verified = |verified: &&Verified| holder.password_hash.as_ref() == Some(&verified.hash);
    let is_same_password = verified.filter(is_verified).is_some_and(|verified| verified.is_same);
    if !is_same_create(permit, draft, holder) || (!is_same_password && holder.last_login_at.is_some()) {
        let username = draft.user.username.as_str().to_owned();
        return Err(AppError::Conflict(Conflict::UsernameTaken { username }));
    }
    if !is_same_password {
        users::set_password(tx, permit, holder.id, &draft.user.password_hash, None, draft.user.now)?;
    }
    get(tx, permit, holder.id)
}

/// Same username, e-mail, `billing_id`, role and owner, within a day (contract: billing.md, Calls).
fn is_same_create(permit: &Permit, draft: &Draft, holder: &Holder) -> bool {
    let Draft { user, .. } = draft;
    let age = user.now.millis().saturating_sub(holder.created_at.millis());
    holder.email_key == user.email.key()
        && user.profile.billing_id.is_some()
        && holder.billing_id == user.profile.billing_id
        && holder.role == user.role
        && holder.creator == permit.user()
        && age < RETRY_MILLIS
}
