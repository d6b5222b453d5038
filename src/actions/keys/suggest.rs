//! What a suggestion of settings needs of the database, and following one.

use super::update;
use crate::domain::accounts::RETRY_MILLIS;
use crate::domain::error::{AppError, Conflict, Noun};
use crate::domain::keys::{Key, KeyId, KeySettings};
use crate::domain::policy::suggest::{Evidence, Suggestion};
use crate::domain::policy::{KeyFacts, Permit};
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;
use crate::store::{self, ReadTx, WriteTx};

/// The key as the gates see it.
pub fn facts(tx: &ReadTx<'_>, id: KeyId) -> Result<KeyFacts, AppError> {
    store::keys::find_newest_facts(tx, id)?.ok_or(AppError::NotFound(Noun::Key))
}

/// What the database remembers of calls since an instant whose need the log does not say. `changed`: the hosting accounts
/// that the key found to change or delete.
pub fn evidence(
    tx: &ReadTx<'_>,
    permit: &Permit,
    key: &Key,
    changed: impl IntoIterator<Item = UserId>,
    since: Timestamp,
) -> Result<Evidence, AppError> {
    let before = since.plus_millis(-RETRY_MILLIS);
    let [made, resellers_made, resellers_of_owner] =
        store::audit::count_accounts_made(tx, permit, (key.owner_id, key.id), before, since)?;
    let mut evidence = Evidence { made, resellers_made, resellers_of_owner, resellers_changed: 0 };
    for id in changed {
        evidence.resellers_changed += i64::from(store::audit::was_reseller(tx, permit, id)?);
    }
    Ok(evidence)
}

/// Gives a key what was suggested for it, as `panel key update` would. Fails where it has other settings by now.
pub fn follow(
    tx: &WriteTx<'_>,
    permit: &Permit,
    looked_at: &KeyFacts,
    suggestion: &Suggestion,
    default_rate: u32,
    now: Timestamp,
) -> Result<Key, AppError> {
    let change = |settings: &mut KeySettings| {
        if settings.grants != looked_at.grants || settings.allowed_ips != looked_at.allowed_ips {
            let text = "the key was changed by somebody else meanwhile; ask again".to_owned();
            return Err(AppError::Conflict(Conflict::InTheWay(text)));
        }
        settings.grants.clone_from(&suggestion.grants);
        settings.allowed_ips.clone_from(&suggestion.allowed_ips);
        Ok(())
    };
    update(tx, permit, looked_at.id, &change, default_rate, now)
}
