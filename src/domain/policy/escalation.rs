//! Escalation is impossible: what a key makes or changes may never do more than the key itself (contract: keys.md,
//! Life cycle beyond the seeds).

use super::{KeyFacts, Permit, Rows, admin_required};
use crate::domain::error::AppError;
use crate::domain::keys::{KeyDraft, KeySettings, Style};
use crate::domain::limits;
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, User, UserId};

/// Living keys that a user may have.
pub const KEYS_OF_A_USER: i64 = 50;

/// Whether the caller may mint a key of this style for this owner (contract: keys.md, minted by). `delegated`: the
/// settings and the reseller's lever let a reseller mint panel keys for the users it owns.
pub fn may_mint(permit: &Permit, style: Style, owner: &User, delegated: bool) -> Result<(), AppError> {
    let own = permit.user() == Some(owner.id);
    let of_its_users = delegated && permit.rows() == Rows::OfReseller(owner.creator_id.unwrap_or(UserId(0)));
    if permit.role() == Role::Admin || (style == Style::Panel && (own || of_its_users)) {
        return Ok(());
    }
    Err(admin_required(permit))
}

/// What a draft asks for, where a field that was left out takes the bounds of the acting key.
pub fn fill(permit: &Permit, draft: &KeyDraft) -> KeySettings {
    let key = permit.key();
    let ips = || key.map(|key| key.allowed_ips.clone()).unwrap_or_default();
    KeySettings {
        name: draft.name.clone(),
        description: draft.description.clone(),
        grants: draft.grants.clone(),
        allowed_ips: draft.allowed_ips.clone().unwrap_or_else(ips),
        expires_at: draft.expires_at.unwrap_or_else(|| key.and_then(end_of)),
        rate_per_minute: draft.rate_per_minute.or_else(|| key.and_then(|key| key.rate_per_minute)),
        rate_per_hour: draft.rate_per_hour.or_else(|| key.and_then(|key| key.rate_per_hour)),
        rate_per_day: draft.rate_per_day.or_else(|| key.and_then(|key| key.rate_per_day)),
        enabled: true,
    }
}

/// Whether the caller may see to it that a key of such an owner has these settings. `before`: those that it has; a rate that
/// an admin gave stays. `default_rate`: requests a minute of a key without a limit of its own.
pub fn check(
    permit: &Permit,
    owner: Role,
    before: Option<&KeySettings>,
    wanted: &KeySettings,
    default_rate: u32,
) -> Result<(), AppError> {
    if owner > permit.role() {
        return Err(admin_required(permit));
    }
    let default_rate = limits::default_of(wanted.grants.style(), default_rate);
    let rate = per_minute(wanted.rate_per_minute, default_rate);
    let sets_rate = before.is_none_or(|before| before.rate_per_minute != wanted.rate_per_minute);
    if sets_rate && permit.role() != Role::Admin && rate > per_minute(None, default_rate) {
        return Err(beyond("rate_limit", "may not be above the configured default"));
    }
    permit.key().map_or(Ok(()), |key| check_against(key, wanted, default_rate))
}

fn check_against(key: &KeyFacts, wanted: &KeySettings, default_rate: u32) -> Result<(), AppError> {
    if !wanted.grants.is_within(&key.grants) {
        return Err(beyond("permissions", "may not exceed those of the API key that asks"));
    }
    let inside = !wanted.allowed_ips.is_empty() && wanted.allowed_ips.is_subset_of(&key.allowed_ips);
    if !key.allowed_ips.is_empty() && !inside {
        return Err(beyond("ip_whitelist", "must lie within that of the API key that asks"));
    }
    if let Some(end) = end_of(key)
        && wanted.expires_at.is_none_or(|wanted| wanted > end)
    {
        return Err(beyond("expires_in", "may not be later than the expiry of the API key that asks"));
    }
    let higher = per_minute(wanted.rate_per_minute, default_rate) > per_minute(key.rate_per_minute, default_rate)
        || longer(wanted.rate_per_hour) > longer(key.rate_per_hour)
        || longer(wanted.rate_per_day) > longer(key.rate_per_day);
    if higher {
        return Err(beyond("rate_limit", "may not be above that of the API key that asks"));
    }
    Ok(())
}

/// When the secret that acts stops working: at the key's expiry, or at the end of its grace after a rotation.
fn end_of(key: &KeyFacts) -> Option<Timestamp> {
    let grace = key.generation.replaced.map(|replaced| replaced.ends_at);
    [key.expires_at, grace].into_iter().flatten().min()
}

fn beyond(field: &'static str, problem: &'static str) -> AppError {
    AppError::FieldForbidden { field, problem }
}

/// Requests a minute, where no limit is the highest.
fn per_minute(own: Option<u32>, default_rate: u32) -> u64 {
    unlimited_is_highest(own.unwrap_or(default_rate))
}

/// Requests an hour or a day: a key without a limit of its own has none.
fn longer(own: Option<u32>) -> u64 {
    unlimited_is_highest(own.unwrap_or(0))
}

fn unlimited_is_highest(rate: u32) -> u64 {
    if rate == 0 { u64::MAX } else { u64::from(rate) }
}
