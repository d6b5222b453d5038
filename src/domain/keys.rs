//! API keys: the three styles, what each may be granted, how a secret is made, shown and recognised (contract: keys.md).

mod secret;
mod settings;
pub mod view;
mod vocabulary;

use std::fmt;

use super::error::Invalid;
use super::text::is_unseen;
use super::time::Timestamp;
use super::users::{Role, UserId};

pub use secret::{NewSecret, SHOWN, SecretHash, hash_of};
pub use settings::{KeyDraft, KeySettings};
pub use vocabulary::{BillingScope, Level, Permission, Scope, parse_permissions};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub i64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    External,
    Panel,
    Billing,
}

impl Style {
    pub const ALL: [Style; 3] = [Style::External, Style::Panel, Style::Billing];

    pub fn as_str(self) -> &'static str {
        match self {
            Style::External => "external",
            Style::Panel => "panel",
            Style::Billing => "billing",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|style| style.as_str() == text)
    }
}

/// What a key was given, in the terms of its style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    External(Scope),
    Panel(Vec<Permission>),
    Billing { level: Level, scopes: Vec<BillingScope> },
}

impl Grants {
    pub fn style(&self) -> Style {
        match self {
            Grants::External(_) => Style::External,
            Grants::Panel(_) => Style::Panel,
            Grants::Billing { .. } => Style::Billing,
        }
    }
}

/// Joins words of a vocabulary the way the database stores them.
pub fn join<T: Copy>(words: &[T], as_str: fn(T) -> &'static str) -> String {
    words.iter().map(|word| as_str(*word)).collect::<Vec<_>>().join(",")
}

/// A key as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: KeyId,
    pub panel_id: Option<String>,
    pub owner_id: UserId,
    /// Still a name after the owner was deleted.
    pub owner: String,
    pub owner_role: Role,
    pub owner_creator: Option<UserId>,
    pub display: String,
    pub settings: KeySettings,
    pub disabled_by_admin: bool,
    pub generation: i64,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub last_used_ip: Option<String>,
    pub created_at: Timestamp,
}

impl Key {
    /// How the command line names this key.
    pub fn reference(&self) -> String {
        self.panel_id.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// A key about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    pub owner: UserId,
    pub created_by: Option<UserId>,
    /// Panel only: the id in URLs, 16 hex digits.
    pub panel_id: Option<String>,
    pub display: String,
    pub hash: SecretHash,
    pub settings: KeySettings,
    pub now: Timestamp,
}

/// An expiry is in the future, and in a year that RFC 3339 can write.
pub fn check_expiry(field: &'static str, at: Timestamp, now: Timestamp) -> Result<(), Invalid> {
    if at <= now || at >= Timestamp::END {
        return Err(Invalid::new(field, "must be in the future and before the year 10000"));
    }
    Ok(())
}

/// A label of 1-64 characters without control characters (contract: panel.md, Keys of a user).
pub fn parse_name(field: &'static str, text: &str) -> Result<String, Invalid> {
    let length = text.chars().count();
    if !(1..=64).contains(&length) || text.chars().any(is_unseen) {
        return Err(Invalid::new(field, "must be 1-64 characters without control characters"));
    }
    Ok(text.to_owned())
}
