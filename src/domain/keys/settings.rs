//! What of a key can be set.

use super::{Grants, Level, Permission, Scope};
use crate::domain::addresses::AllowList;
use crate::domain::error::Invalid;
use crate::domain::time::Timestamp;
use crate::domain::users::Role;

/// Everything that can be set, as it is to be from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    pub name: String,
    pub description: Option<String>,
    pub grants: Grants,
    /// Empty: anywhere.
    pub allowed_ips: AllowList,
    /// `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Requests; `None`: the configured default, 0: no limit.
    pub rate_per_minute: Option<u32>,
    /// Requests; `None` and 0: no limit.
    pub rate_per_hour: Option<u32>,
    /// Requests; `None` and 0: no limit.
    pub rate_per_day: Option<u32>,
    pub enabled: bool,
}

/// What minting asks for. A field that was left out takes the bounds of an acting key, else the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDraft {
    /// The owner's username.
    pub owner: String,
    pub name: String,
    pub description: Option<String>,
    pub grants: Grants,
    pub allowed_ips: Option<AllowList>,
    /// `Some(None)`: never, said so.
    pub expires_at: Option<Option<Timestamp>>,
    pub rate_per_minute: Option<u32>,
    pub rate_per_hour: Option<u32>,
    pub rate_per_day: Option<u32>,
    /// The settings let a reseller mint panel keys for the users it owns, if its own lever does.
    pub delegation: bool,
    pub now: Timestamp,
}

impl KeyDraft {
    /// A draft that leaves out everything that can be left out.
    pub fn new(owner: &str, name: &str, grants: Grants, now: Timestamp) -> Self {
        Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            description: None,
            grants,
            allowed_ips: None,
            expires_at: None,
            rate_per_minute: None,
            rate_per_hour: None,
            rate_per_day: None,
            delegation: false,
            now,
        }
    }
}

impl Grants {
    /// What an owner of this role may hold: an external key acts for an admin or a reseller, and a level never exceeds
    /// its owner's role (contract: billing.md, Levels and scopes).
    pub fn check_owner(&self, role: Role) -> Result<(), Invalid> {
        match self {
            Grants::External(_) if role < Role::Reseller => {
                Err(Invalid::new("user", "must be an admin or a reseller to own an external key"))
            }
            Grants::Billing { level, .. } if *level > Level::highest_of(role) => {
                let highest = Level::highest_of(role).as_str();
                Err(Invalid::new("permission_level", format!("may be at most {highest} for an owner of role {role}")))
            }
            Grants::External(_) | Grants::Billing { .. } | Grants::Panel(_) => Ok(()),
        }
    }

    /// Whether whoever holds `other` may do all that these allow.
    pub fn is_within(&self, other: &Grants) -> bool {
        match (self, other) {
            (Grants::External(mine), Grants::External(theirs)) => mine <= theirs,
            (Grants::Panel(mine), Grants::Panel(theirs)) => {
                theirs.contains(&Permission::All) || mine.iter().all(|permission| theirs.contains(permission))
            }
            (Grants::Billing { level, scopes }, Grants::Billing { level: highest, scopes: theirs }) => {
                let all = theirs.contains(&super::BillingScope::FullAccess);
                level <= highest && (all || scopes.iter().all(|scope| theirs.contains(scope)))
            }
            _ => false,
        }
    }

    /// The words of what was given, for lists and audit.
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Grants::External(scope) => vec![Scope::as_str(*scope)],
            Grants::Panel(list) => list.iter().map(|permission| permission.as_str()).collect(),
            Grants::Billing { scopes, .. } => scopes.iter().map(|scope| scope.as_str()).collect(),
        }
    }
}
