//! API keys: recognising one, minting, listing, revoking.

use std::net::IpAddr;

use serde_json::json;

use super::audit::{self, Object};
use crate::domain::addresses::AllowList;
use crate::domain::error::{AppError, Conflict, Invalid, Noun};
use crate::domain::keys::{self, Grants, Key, KeyId, NewKey, NewSecret, Scope, Style};
use crate::domain::policy::{Caller, Permit};
use crate::domain::time::Timestamp;
use crate::domain::users::Role;
use crate::store::keys::Reference;
use crate::store::{self, ReadTx, WriteTx};

/// What a request showed. Where it stands in the request is the surface's knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    Absent,
    /// A key that is its own secret.
    Whole(&'a [u8]),
    /// Something that no key of this surface looks like.
    Foreign,
}

/// Recognises a credential. Whether it may do anything is the evaluator's question.
pub fn verify(tx: &ReadTx<'_>, credential: &Credential<'_>) -> Result<Caller, AppError> {
    let presented = match credential {
        Credential::Absent => return Ok(Caller::Anonymous),
        Credential::Foreign => return Ok(Caller::Unknown),
        Credential::Whole(presented) => presented,
    };
    let found = store::keys::find_facts(tx, &keys::hash_of(presented))?;
    // The secret of a billing pair opens nothing when it stands alone.
    let whole = found.filter(|key| key.grants.style() != Style::Billing);
    Ok(whole.map_or(Caller::Unknown, |key| Caller::Key(Box::new(key))))
}

/// What minting an external key asks for.
#[derive(Debug, Clone)]
pub struct ExternalDraft {
    /// The owner's username.
    pub user: String,
    pub name: String,
    pub scope: Scope,
    pub allowed_ips: AllowList,
    pub expires_at: Option<Timestamp>,
    pub rate_per_minute: Option<u32>,
    pub now: Timestamp,
}

/// Stores a key whose secret was made before; the plaintext never comes here.
pub fn mint_external(
    tx: &WriteTx<'_>,
    permit: &Permit,
    draft: &ExternalDraft,
    secret: &NewSecret,
) -> Result<KeyId, AppError> {
    let owner = store::users::find_by_username(tx, permit, &draft.user)?;
    let owner = owner.ok_or_else(|| Invalid::new("user", "does not exist"))?;
    if owner.role < Role::Reseller {
        return Err(Invalid::new("user", "must be an admin or a reseller to own an external key").into());
    }
    let new = NewKey {
        owner: owner.id,
        name: draft.name.clone(),
        grants: Grants::External(draft.scope),
        panel_id: None,
        display: secret.display.clone(),
        hash: secret.hash,
        allowed_ips: draft.allowed_ips.clone(),
        rate_per_minute: draft.rate_per_minute,
        expires_at: draft.expires_at,
        now: draft.now,
    };
    let id = store::keys::insert(tx, permit, &new)?;
    let after = json!({
        "style": "external", "owner": owner.username, "name": new.name, "display": new.display,
        "scope": draft.scope.as_str(), "allowed_ips": new.allowed_ips.to_text(),
        "rate_per_minute": new.rate_per_minute, "expires_at": new.expires_at.map(Timestamp::rfc3339),
    });
    audit::record(tx, permit, draft.now, Object { action: "keys.create", kind: "key", id: id.0 }, None, Some(&after))?;
    Ok(id)
}

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Key>, AppError> {
    store::keys::list_all(tx)
}

/// Finds the one key that an operator means: 16 hex digits are a panel key's id, other digits an id, the rest a prefix.
pub fn resolve(tx: &ReadTx<'_>, reference: &str) -> Result<Key, AppError> {
    let digits = !reference.is_empty() && reference.bytes().all(|b| b.is_ascii_digit());
    let hex = reference.len() == 16 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    let meant = match reference.parse() {
        _ if hex => Reference::PanelId(reference),
        Ok(id) if digits => Reference::Id(id),
        _ => Reference::Prefix(reference),
    };
    let mut found = store::keys::list_by_reference(tx, &meant)?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(AppError::NotFound(Noun::Key)),
        (Some(key), true) => Ok(key),
        (Some(last), false) => {
            let all = found.iter().chain([&last]);
            let names =
                all.map(|key| format!("{} ({} {})", key.reference(), key.display, key.name)).collect::<Vec<_>>();
            let text = format!("{reference} may be any of these keys, name one by its id: {}", names.join(", "));
            Err(AppError::Conflict(Conflict::InTheWay(text)))
        }
    }
}

/// Revokes for good. False where the key was revoked before.
pub fn revoke(tx: &WriteTx<'_>, permit: &Permit, id: KeyId, now: Timestamp) -> Result<bool, AppError> {
    if !store::keys::revoke(tx, permit, id, now)? {
        return Ok(false);
    }
    let (before, after) = (json!({"revoked": false}), json!({"revoked": true}));
    let object = Object { action: "keys.revoke", kind: "key", id: id.0 };
    audit::record(tx, permit, now, object, Some(&before), Some(&after))?;
    Ok(true)
}

/// Stores when and from where keys were last used.
pub fn remember_uses(tx: &WriteTx<'_>, uses: &[(KeyId, Timestamp, Option<IpAddr>)]) -> Result<(), AppError> {
    uses.iter().try_for_each(|(id, at, ip)| store::keys::touch(tx, *id, *at, *ip))
}
