//! Refusals that the gates cannot decide, because they hang on the target or on what the body says. Each names the gate
//! it belongs to, so that it explains itself as a gate's does.

use super::gates::{denied, level_too_low, no_api_access, role_too_low};
use super::{Denied, Gate, KeyFacts, Permit};
use crate::domain::error::AppError;
use crate::domain::features::Feature;
use crate::domain::keys::Level;
use crate::domain::users::Role;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A whole sentence.
    pub text: String,
    /// At least one.
    pub denied: Vec<Denied>,
}

fn refused(text: impl Into<String>, denied: Denied) -> AppError {
    AppError::Forbidden(Box::new(Refusal { text: text.into(), denied: vec![denied] }))
}

/// Visible, but only an admin may do this to it.
pub fn admin_required(permit: &Permit) -> AppError {
    let denied = match permit.account() {
        Some(account) => role_too_low(Role::Admin, account),
        None => denied(Gate::Role, Role::Admin.as_str(), permit.role().as_str(), None),
    };
    refused("Admin access required", denied)
}

/// What a billing key does only at the highest level. A key cannot be raised above its owner (contract: billing.md,
/// Levels and scopes), so an owner that is in the way stands first: each fix works when those before it were run.
pub fn super_admin_required(key: &KeyFacts, have: Level) -> AppError {
    let owner = key.owner.as_ref().filter(|owner| owner.role < Role::Admin);
    let mut denied: Vec<_> = owner.map(|owner| role_too_low(Role::Admin, owner)).into_iter().collect();
    denied.push(level_too_low(key, Level::SuperAdmin, have));
    let text = "The user doesn't have super admin privileges".to_owned();
    AppError::Forbidden(Box::new(Refusal { text, denied }))
}

/// What only a person may do: no key changes who it acts for.
pub fn session_required() -> AppError {
    refused("Session required", denied(Gate::Permission, "a session", "an API key", None))
}

/// A key for an account that may not use the API.
pub fn api_access_off(username: &str) -> AppError {
    refused("API access is disabled for this account", no_api_access(username))
}

/// A reseller without the lever switches a flag on for somebody.
pub fn cannot_grant(feature: Feature, reseller: &str) -> AppError {
    let name = feature.as_str();
    let fix = format!("panel reseller update {reseller} --grant {name}=on");
    let denied = denied(Gate::Role, format!("can_grant_{name} on"), format!("can_grant_{name} off"), Some(fix));
    let text =
        format!("Permission denied: cannot grant {} (not allowed by your reseller package)", name.to_uppercase());
    refused(text, denied)
}
