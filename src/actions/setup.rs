//! Setup links: how the first password is set without there ever being a default one.

use std::sync::Arc;

use serde_json::json;

use super::audit::{self, Object};
use crate::domain::error::{AppError, Noun};
use crate::domain::keys;
use crate::domain::policy::{self, Origin, Permit};
use crate::domain::time::Timestamp;
use crate::domain::users::User;
use crate::store::setup_links::SetupLink;
use crate::store::{self, ReadTx, WriteTx};

/// How long a link works.
pub const VALID_MILLIS: i64 = 30 * Timestamp::MINUTE;

/// Makes a link for a user; the token's hash is all that is kept.
pub fn make_link(tx: &WriteTx<'_>, permit: &Permit, user: &User, token: &str, now: Timestamp) -> Result<(), AppError> {
    let hash = keys::hash_of(token.as_bytes());
    // One link at a time: the newest.
    store::setup_links::use_all(tx, user.id, now)?;
    store::setup_links::insert(tx, permit, &hash, user.id, now, now.plus_millis(VALID_MILLIS))?;
    let object = Object { action: "setup.link", kind: "user", id: user.id.0 };
    audit::record(tx, permit, now, object, None, Some(&json!({"username": user.username})))
}

/// Whom a token is for.
pub fn find(tx: &ReadTx<'_>, token: &str, now: Timestamp) -> Result<SetupLink, AppError> {
    store::setup_links::find(tx, &keys::hash_of(token.as_bytes()), now)?.ok_or(AppError::NotFound(Noun::SetupLink))
}

/// Sets the password with a link, which dies with its use.
pub fn use_link(
    tx: &WriteTx<'_>,
    token: &str,
    hash: &str,
    origin: &Arc<Origin>,
    now: Timestamp,
) -> Result<(), AppError> {
    let link = find(tx, token, now)?;
    let permit = policy::setup(link.user, &link.username, Arc::clone(origin));
    super::users::set_password(tx, &permit, link.user, hash, None, now)
}
