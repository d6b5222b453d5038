//! What a reseller has beyond a user: ceilings on what it may own, and the levers to switch flags on for its users.

use super::features::Flags;
use super::quotas::Quotas;
use super::users::{Role, User, UserId};

/// A reseller's own values; what is `None` it inherits from its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Own {
    pub quotas: Quotas<Option<i64>>,
    /// `can_grant_*`
    pub grants: Flags<Option<bool>>,
}

/// A reseller with what is in force for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reseller {
    pub user: User,
    pub own: Own,
    pub quotas: Quotas<i64>,
    pub grants: Flags<bool>,
}

/// Who takes over what somebody owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heir {
    pub id: UserId,
    pub role: Role,
}

impl Heir {
    /// The owner of subscribers that it takes over: an admin's are the house's.
    pub fn owner_of_subscribers(self) -> Option<UserId> {
        (self.role == Role::Reseller).then_some(self.id)
    }
}
