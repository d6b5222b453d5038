//! API keys: recognising, minting, changing, rotating and revoking them, and asking what one may do.

mod can;
mod change;
mod mint;
mod suggest;
mod whoami;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::audit::{self, Object};
use crate::domain::error::{AppError, Conflict, Noun};
use crate::domain::features::Feature;
use crate::domain::keys::{self, Grants, Key, KeyId, KeySettings, Style};
use crate::domain::limits::Count;
use crate::domain::policy::{Caller, Generation, Permit, Rows, escalation};
use crate::domain::sessions::Audience;
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, User};
use crate::store::keys::Reference;
use crate::store::{self, ReadTx, WriteTx};

pub use can::{Answered, Question, can, long_windows};
pub use change::{KeyChange, check_reach, rotate, update};
pub use mint::mint;
pub use suggest::{evidence, facts, follow};
pub use whoami::{Whoami, whoami};

/// What a request showed. Where it stands in the request is the surface's knowledge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    Absent,
    /// A key that is its own secret.
    Whole(&'a [u8]),
    /// An identifier and its secret.
    Pair {
        key: &'a [u8],
        secret: &'a [u8],
    },
    /// The token of a session.
    Session(&'a [u8], Audience),
    /// Something that no key of this surface looks like.
    Foreign,
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Absent => "Absent",
            Credential::Whole(_) => "Whole(…)",
            Credential::Pair { .. } => "Pair(…)",
            Credential::Session(..) => "Session(…)",
            Credential::Foreign => "Foreign",
        })
    }
}

/// Recognises a key. Whether it may do anything is the evaluator's question.
pub fn verify(tx: &ReadTx<'_>, credential: &Credential<'_>) -> Result<Caller, AppError> {
    match credential {
        Credential::Absent => Ok(Caller::Anonymous),
        // Its signature is looked at before the database is.
        Credential::Session(..) => Ok(Caller::NoSession),
        Credential::Foreign => Ok(Caller::Unknown),
        Credential::Whole(presented) => {
            let found = store::keys::find_facts(tx, &keys::hash_of(presented))?;
            // The secret of a billing pair opens nothing when it stands alone.
            let whole = found.filter(|key| key.grants.style() != Style::Billing);
            Ok(whole.map_or(Caller::Unknown, Caller::Key))
        }
        Credential::Pair { key, secret } => verify_pair(tx, key, secret),
    }
}

/// The identifier is no secret and finds the row; the secret is compared in constant time. An unknown identifier is held
/// against another key's row, so that both refusals do the same work.
fn verify_pair(tx: &ReadTx<'_>, key: &[u8], secret: &[u8]) -> Result<Caller, AppError> {
    let hash = keys::hash_of(secret);
    let Some((display, generations)) = store::keys::find_pair(tx, &String::from_utf8_lossy(key), &hash)? else {
        return Ok(Caller::Unknown);
    };
    let known = bool::from(display.as_bytes().ct_eq(key));
    let mut matching = None;
    let mut newest = None;
    for (facts, stored) in generations {
        let matches = bool::from(stored.ct_eq(&hash));
        let place = if matches { &mut matching } else { &mut newest };
        *place = Some(facts);
    }
    Ok(match (known, matching, newest) {
        (true, Some(facts), _) => Caller::Key(Arc::new(facts)),
        (true, None, Some(facts)) => Caller::WrongSecret(Arc::new(facts)),
        (true, None, None) | (false, _, _) => Caller::Unknown,
    })
}

/// All keys, or those of one style.
pub fn list(tx: &ReadTx<'_>, style: Option<Style>) -> Result<Vec<Key>, AppError> {
    store::keys::list(tx, style)
}

/// The generations of a key's secret, newest first.
pub fn generations(tx: &ReadTx<'_>, id: KeyId) -> Result<Vec<Generation>, AppError> {
    store::keys::list_generations(tx, id)
}

/// Finds the one key that an operator means: 16 hex digits are a panel key's id, other digits an id, the rest a prefix.
pub fn resolve(tx: &ReadTx<'_>, reference: &str) -> Result<Key, AppError> {
    let digits = !reference.is_empty() && reference.bytes().all(|b| b.is_ascii_digit());
    let hex = reference.len() == 16 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    let meant = match reference.parse() {
        _ if reference.is_empty() => return Err(AppError::NotFound(Noun::Key)),
        _ if hex => Reference::PanelId(reference),
        Ok(id) if digits => Reference::Id(id),
        // Of a whole key only its beginning is known.
        _ if reference.starts_with("pk_live_") || reference.starts_with("wsp_") => {
            Reference::Prefix(reference.get(..keys::SHOWN).unwrap_or(reference))
        }
        _ => Reference::Prefix(reference),
    };
    let mut found = store::keys::list_by_reference(tx, &meant)?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(AppError::NotFound(Noun::Key)),
        (Some(key), true) => Ok(key),
        (Some(last), false) => {
            let all = found.iter().chain([&last]);
            let names = all.map(|key| format!("{} ({} {})", key.reference(), key.display, key.settings.name));
            let names = names.collect::<Vec<_>>().join(", ");
            let text = format!("{reference} may be any of these keys, name one by its id: {names}");
            Err(AppError::Conflict(Conflict::InTheWay(text)))
        }
    }
}

/// The panel keys of a user that are not deleted.
pub fn list_of_user(tx: &ReadTx<'_>, owner: &User) -> Result<Vec<Key>, AppError> {
    store::keys::list_of_user(tx, owner.id, Style::Panel)
}

/// A user's panel key by its id of 16 hex digits; one that was deleted is found too.
pub fn get_of_user(tx: &ReadTx<'_>, permit: &Permit, username: &str, panel_id: &str) -> Result<Key, AppError> {
    let owner = super::users::get(tx, permit, username)?;
    let found = store::keys::list_by_reference(tx, &Reference::PanelId(panel_id))?.pop();
    found.filter(|key| key.owner_id == owner.id).ok_or(AppError::NotFound(Noun::Key))
}

/// The user whose panel keys the caller may mint and change: an admin's anybody, else its own, and a reseller's users where
/// that is delegated (contract: keys.md, Delegation).
pub fn managed_owner(tx: &ReadTx<'_>, permit: &Permit, username: &str, delegation: bool) -> Result<User, AppError> {
    let owner = super::users::get(tx, permit, username)?;
    may_mint(tx, permit, Style::Panel, &owner, delegation)?;
    Ok(owner)
}

fn may_mint(tx: &ReadTx<'_>, permit: &Permit, style: Style, owner: &User, delegation: bool) -> Result<(), AppError> {
    let lever = match permit.rows() {
        Rows::OfReseller(_) if delegation => super::resellers::may_grant(tx, permit, Feature::Api)?,
        _ => false,
    };
    escalation::may_mint(permit, style, owner, lever)
}

/// The key of an id, where the caller may see it: its own, those of its users, or all.
pub fn get(tx: &ReadTx<'_>, permit: &Permit, id: KeyId) -> Result<Key, AppError> {
    let found = store::keys::list_by_reference(tx, &Reference::Id(id.0))?.pop();
    let visible = found.filter(|key| match permit.rows() {
        Rows::All => true,
        Rows::OfReseller(me) => key.owner_id == me || (key.owner_creator == Some(me) && key.owner_role == Role::User),
        Rows::OfUser(me) => key.owner_id == me,
        Rows::Nobodys => false,
    });
    visible.ok_or(AppError::NotFound(Noun::Key))
}

/// Revokes for good. False where the key was revoked before.
pub fn revoke(tx: &WriteTx<'_>, permit: &Permit, id: KeyId, now: Timestamp) -> Result<bool, AppError> {
    get(tx, permit, id)?;
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

/// Stores the counts of limits that must outlive a restart.
pub fn store_counts(tx: &WriteTx<'_>, counts: &[(KeyId, [Count; 3])]) -> Result<(), AppError> {
    counts.iter().try_for_each(|(id, counts)| store::key_usage::store(tx, *id, counts))
}

/// A key's settings by the names of the audit.
fn columns(settings: &KeySettings) -> Map<String, Value> {
    let level = match &settings.grants {
        Grants::Billing { level, .. } => Some(level.as_str()),
        Grants::External(_) | Grants::Panel(_) => None,
    };
    let columns = [
        ("name", json!(settings.name)),
        ("description", json!(settings.description)),
        ("grants", json!(settings.grants.words())),
        ("level", json!(level)),
        ("allowed_ips", json!(settings.allowed_ips.to_strings())),
        ("expires_at", json!(settings.expires_at.map(Timestamp::rfc3339))),
        ("rate_per_minute", json!(settings.rate_per_minute)),
        ("rate_per_hour", json!(settings.rate_per_hour)),
        ("rate_per_day", json!(settings.rate_per_day)),
        ("enabled", json!(settings.enabled)),
    ];
    audit::columns(columns)
}
