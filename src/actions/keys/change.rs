//! Changing a key's settings, and giving it a new secret.

use serde_json::json;

use super::{columns, get};
use crate::actions::audit::{self, Object};
use crate::domain::error::{AppError, Conflict, Invalid};
use crate::domain::keys::{Grants, Key, KeyId, KeySettings, NewSecret, Style, check_expiry};
use crate::domain::policy::{Permit, escalation};
use crate::domain::time::Timestamp;
use crate::domain::users::Role;
use crate::store::{self, ReadTx, WriteTx};

/// A change: what it does to the settings as they are.
pub type KeyChange<'a> = dyn Fn(&mut KeySettings) -> Result<(), AppError> + Send + 'a;

/// Changes a key. Answers with the key as it is now.
pub fn update(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: KeyId,
    change: &KeyChange<'_>,
    default_rate: u32,
    now: Timestamp,
) -> Result<Key, AppError> {
    let key = get(tx, permit, id)?;
    refuse_revoked(&key)?;
    let mut settings = key.settings.clone();
    change(&mut settings)?;
    check(permit, &key, &settings, default_rate, now)?;
    let disabled_by_admin =
        !settings.enabled && (key.disabled_by_admin || (permit.role() == Role::Admin && disables(&key, change)));
    if settings == key.settings && disabled_by_admin == key.disabled_by_admin {
        return Ok(key);
    }
    store::keys::update(tx, permit, id, &settings, disabled_by_admin, now)?;
    let (before, after) = audit::changed(columns(&key.settings), columns(&settings));
    let object = Object { action: "keys.update", kind: "key", id: id.0 };
    audit::record(tx, permit, now, object, Some(&before), Some(&after))?;
    get(tx, permit, id)
}

/// Whether a change asks for a disabled key, or leaves one as it found it.
fn disables(key: &Key, change: &KeyChange<'_>) -> bool {
    let mut settings = KeySettings { enabled: true, ..key.settings.clone() };
    change(&mut settings).is_ok() && !settings.enabled
}

fn check(
    permit: &Permit,
    key: &Key,
    settings: &KeySettings,
    default_rate: u32,
    now: Timestamp,
) -> Result<(), AppError> {
    if settings.grants.style() != key.settings.grants.style() {
        return Err(AppError::Internal("a change turned one style of key into another".to_owned()));
    }
    if settings.grants.style() == Style::External && !settings.enabled {
        return Err(Invalid::new("enabled", "is not for external keys; revoke the key").into());
    }
    if settings.enabled && key.disabled_by_admin && permit.role() != Role::Admin {
        return Err(AppError::FieldForbidden {
            field: "enabled",
            problem: "was switched off by an admin, who alone may switch it on",
        });
    }
    // Somebody with a shell may raise the level before the role: until both are there the gates refuse the key.
    if settings.grants != key.settings.grants && !permit.is_operator() {
        settings.grants.check_owner(key.owner_role)?;
    }
    if settings.expires_at != key.settings.expires_at {
        settings.expires_at.map_or(Ok(()), |end| check_expiry("expires", end, now))?;
    }
    escalation::check(permit, key.owner_role, Some(&key.settings), settings, default_rate)
}

/// Whether the key that acts may do anything to this one: none reaches what may more than itself, not to end it either
/// (contract: keys.md, Escalation). Whoever is no key may.
pub fn check_reach(tx: &ReadTx<'_>, permit: &Permit, id: KeyId, default_rate: u32) -> Result<(), AppError> {
    if permit.key().is_none() {
        return Ok(());
    }
    let key = get(tx, permit, id)?;
    escalation::check(permit, key.owner_role, Some(&key.settings), &key.settings, default_rate)
}

fn refuse_revoked(key: &Key) -> Result<(), AppError> {
    if key.revoked_at.is_some() {
        let text = format!("API key {} is revoked for good; mint a new one", key.reference());
        return Err(AppError::Conflict(Conflict::InTheWay(text)));
    }
    Ok(())
}

/// Gives a key a new secret. The old one works until its grace is over; those before it end now.
pub fn rotate(
    tx: &WriteTx<'_>,
    permit: &Permit,
    id: KeyId,
    secret: &NewSecret,
    grace_millis: i64,
    default_rate: u32,
    now: Timestamp,
) -> Result<Key, AppError> {
    let key = get(tx, permit, id)?;
    refuse_revoked(&key)?;
    // Whoever rotates learns the secret, so it must be one that it could have made itself.
    escalation::check(permit, key.owner_role, Some(&key.settings), &key.settings, default_rate)?;
    let display = match key.settings.grants {
        // The identifier of a pair stays.
        Grants::Billing { .. } => None,
        Grants::External(_) | Grants::Panel(_) => Some(secret.display.as_str()),
    };
    let ends_at = now.plus_millis(grace_millis);
    if grace_millis < 0 || ends_at >= Timestamp::END {
        return Err(Invalid::new("grace", "must end before the year 10000").into());
    }
    let generation = store::keys::rotate(tx, permit, id, &secret.hash, display, now, ends_at)?;
    let before = json!({"generation": key.generation});
    let after = json!({"generation": generation, "old_works_until": ends_at.rfc3339()});
    let object = Object { action: "keys.rotate", kind: "key", id: id.0 };
    audit::record(tx, permit, now, object, Some(&before), Some(&after))?;
    get(tx, permit, id)
}
