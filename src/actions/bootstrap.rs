//! What a fresh database begins with.

use serde_json::json;

use super::audit::{self, Object};
use crate::domain::error::AppError;
use crate::domain::features::Flags;
use crate::domain::packages::{DEFAULT, PackageName, Values};
use crate::domain::policy;
use crate::domain::quotas::Quotas;
use crate::domain::services::NewService;
use crate::domain::time::Timestamp;
use crate::domain::users::{Email, Profile, Role, Username};
use crate::store::users::NewUser;
use crate::store::{self, ReadTx, WriteTx};

/// The administrator's name; its password is set through a setup link.
pub const ADMIN: &str = "admin";

/// The package `default` cannot be deleted, so it tells.
pub fn is_done(tx: &ReadTx<'_>) -> Result<bool, AppError> {
    Ok(store::packages::find(tx, DEFAULT)?.is_some())
}

/// Makes the package `default`, the service `default` (both id 1) and the user `admin`, whose password nobody knows.
/// Does nothing where they are: of two processes that start at once, one makes them.
pub fn run(tx: &WriteTx<'_>, uid: [u8; 16], now: Timestamp) -> Result<(), AppError> {
    let permit = policy::system();
    let name = PackageName::parse("name", DEFAULT)?;
    let Some(package_id) = store::packages::insert(tx, &permit, &name, &Values::OPEN, now)? else { return Ok(()) };
    store::services::insert(tx, &permit, &NewService::default_service(), now)?;
    let new = NewUser {
        uid,
        username: Username::parse("username", ADMIN)?,
        email: Email::parse("email", "admin@localhost")?,
        password_hash: None,
        role: Role::Admin,
        creator: None,
        package_id,
        profile: Profile::default(),
        quotas: Quotas::default(),
        flags: Flags::default(),
        now,
    };
    let Some(id) = store::users::insert(tx, &permit, &new)? else { return Ok(()) };
    let after = json!({"username": ADMIN, "role": "admin", "package": DEFAULT, "service": DEFAULT});
    audit::record(tx, &permit, now, Object { action: "bootstrap", kind: "user", id: id.0 }, None, Some(&after))
}
