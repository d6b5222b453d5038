//! Minting: one rule for all styles.

use serde_json::json;

use super::{columns, may_mint};
use crate::actions::audit::{self, Object};
use crate::domain::error::{AppError, Conflict, Invalid};
use crate::domain::features::Feature;
use crate::domain::keys::{KeyDraft, KeyId, NewKey, NewSecret, check_expiry};
use crate::domain::policy::{self, Permit, escalation};
use crate::store::{self, WriteTx};

/// Stores a key whose secret was made before; the plaintext never comes here. `default_rate`: the configured requests a
/// minute of a key without a limit of its own.
pub fn mint(
    tx: &WriteTx<'_>,
    permit: &Permit,
    draft: &KeyDraft,
    secret: &NewSecret,
    panel_id: Option<&str>,
    default_rate: u32,
) -> Result<KeyId, AppError> {
    let owner = store::users::find_by_username(tx, permit, &draft.owner)?;
    let owner = owner.ok_or_else(|| Invalid::new("user", "does not exist"))?;
    may_mint(tx, permit, draft.grants.style(), &owner, draft.delegation)?;
    draft.grants.check_owner(owner.role)?;
    if !owner.effective_flags.get(Feature::Api) {
        return Err(policy::api_access_off(&owner.username));
    }
    let settings = escalation::fill(permit, draft);
    escalation::check(permit, owner.role, None, &settings, default_rate)?;
    settings.expires_at.map_or(Ok(()), |end| check_expiry("expires", end, draft.now))?;
    if store::keys::count_living(tx, owner.id)? >= escalation::KEYS_OF_A_USER {
        let text =
            format!("{} has {} living keys already; revoke one first", owner.username, escalation::KEYS_OF_A_USER);
        return Err(AppError::Conflict(Conflict::InTheWay(text)));
    }
    let new = NewKey {
        owner: owner.id,
        created_by: permit.user(),
        panel_id: panel_id.map(str::to_owned),
        display: secret.display.clone(),
        hash: secret.hash,
        settings,
        now: draft.now,
    };
    let id = store::keys::insert(tx, permit, &new)?;
    let mut after = columns(&new.settings);
    after.insert("style".to_owned(), json!(draft.grants.style().as_str()));
    after.insert("owner".to_owned(), json!(owner.username));
    after.insert("display".to_owned(), json!(new.display));
    audit::record(
        tx,
        permit,
        draft.now,
        Object { action: "keys.create", kind: "key", id: id.0 },
        None,
        Some(&after.into()),
    )?;
    Ok(id)
}
