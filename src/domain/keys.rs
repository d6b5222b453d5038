//! API keys: the three styles, what each may be granted, how a secret is made, shown and recognised (contract: keys.md).

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::addresses::AllowList;
use super::error::Invalid;
use super::time::Timestamp;
use super::users::{Role, UserId};

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

/// What an external key may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Read,
    Write,
    Delete,
}

impl Scope {
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Delete];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Delete => "delete",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The flat vocabulary of panel keys (seed: "Permission scope").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    All,
    Read,
    Domains,
    Dns,
    Ssl,
    Database,
    Email,
    Files,
    Ftp,
    Backup,
}

impl Permission {
    pub const ALL: [Permission; 10] = [
        Permission::All,
        Permission::Read,
        Permission::Domains,
        Permission::Dns,
        Permission::Ssl,
        Permission::Database,
        Permission::Email,
        Permission::Files,
        Permission::Ftp,
        Permission::Backup,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Permission::All => "all",
            Permission::Read => "read",
            Permission::Domains => "domains",
            Permission::Dns => "dns",
            Permission::Ssl => "ssl",
            Permission::Database => "database",
            Permission::Email => "email",
            Permission::Files => "files",
            Permission::Ftp => "ftp",
            Permission::Backup => "backup",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text)
    }
}

/// Levels of billing keys, low to high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    ReadOnly,
    User,
    Developer,
    Billing,
    Admin,
    SuperAdmin,
}

impl Level {
    pub const ALL: [Level; 6] =
        [Level::ReadOnly, Level::User, Level::Developer, Level::Billing, Level::Admin, Level::SuperAdmin];

    pub fn as_str(self) -> &'static str {
        match self {
            Level::ReadOnly => "READ_ONLY",
            Level::User => "USER",
            Level::Developer => "DEVELOPER",
            Level::Billing => "BILLING",
            Level::Admin => "ADMIN",
            Level::SuperAdmin => "SUPER_ADMIN",
        }
    }

    /// Any letter case; `VIEWER` is what some systems call `READ_ONLY`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("VIEWER") {
            return Some(Level::ReadOnly);
        }
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text))
    }

    /// The highest level that a key of this role's may use.
    pub fn highest_of(role: Role) -> Level {
        match role {
            Role::Admin => Level::SuperAdmin,
            Role::Reseller => Level::Billing,
            Role::User => Level::User,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BillingScope {
    UserManagement,
    AccountCreation,
    AccountManagement,
    BillingOperations,
    FullAccess,
}

impl BillingScope {
    pub const ALL: [BillingScope; 5] = [
        BillingScope::UserManagement,
        BillingScope::AccountCreation,
        BillingScope::AccountManagement,
        BillingScope::BillingOperations,
        BillingScope::FullAccess,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            BillingScope::UserManagement => "user_management",
            BillingScope::AccountCreation => "account_creation",
            BillingScope::AccountManagement => "account_management",
            BillingScope::BillingOperations => "billing_operations",
            BillingScope::FullAccess => "full_access",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
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

/// The SHA-256 by which a secret is recognised.
pub type SecretHash = [u8; 32];

/// How many characters of a key are shown after its creation.
const SHOWN: usize = 12;

/// A key that was just made: the only place where its plaintext exists.
#[derive(Debug)]
pub struct NewSecret {
    /// What the caller sends as its key (billing: the `npk_` identifier, which is no secret).
    pub key: SecretString,
    /// Billing only: the `nps_` half.
    pub secret: Option<SecretString>,
    /// What lists show: the first 12 characters; billing: the `npk_` value.
    pub display: String,
    pub hash: SecretHash,
}

impl NewSecret {
    /// `pk_live_` + 32 hex. The random bytes come from the operating system.
    pub fn external(random: &[u8; 16]) -> Self {
        Self::whole(format!("pk_live_{}", hex(random)))
    }

    /// `wsp_` + 48 hex.
    pub fn panel(random: &[u8; 24]) -> Self {
        Self::whole(format!("wsp_{}", hex(random)))
    }

    fn whole(key: String) -> Self {
        let display = key.chars().take(SHOWN).collect();
        Self { hash: hash_of(key.as_bytes()), key: key.into(), secret: None, display }
    }
}

/// Hashes what was presented, whatever its alphabet: the lookup decides, not the form.
pub fn hash_of(presented: &[u8]) -> SecretHash {
    Sha256::digest(presented).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

/// A key as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: KeyId,
    pub panel_id: Option<String>,
    pub owner: String,
    pub name: String,
    pub display: String,
    pub grants: Grants,
    pub allowed_ips: String,
    pub rate_per_minute: Option<u32>,
    pub enabled: bool,
    pub expires_at: Option<Timestamp>,
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
    pub name: String,
    pub grants: Grants,
    /// Panel only: the id in URLs, 16 hex digits.
    pub panel_id: Option<String>,
    pub display: String,
    pub hash: SecretHash,
    pub allowed_ips: AllowList,
    /// Requests; `None`: the configured default, 0: no limit.
    pub rate_per_minute: Option<u32>,
    pub expires_at: Option<Timestamp>,
    pub now: Timestamp,
}

/// A label of 1-64 characters without control characters (contract: panel.md, Keys of a user).
pub fn parse_name(field: &'static str, text: &str) -> Result<String, Invalid> {
    let length = text.chars().count();
    if !(1..=64).contains(&length) || text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "must be 1-64 characters without control characters"));
    }
    Ok(text.to_owned())
}

impl NewSecret {
    /// The plaintext, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        self.key.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_documented_shape() {
        let external = NewSecret::external(&[0xa8; 16]);
        assert_eq!(external.reveal(), format!("pk_live_{}", "a8".repeat(16)));
        assert_eq!(external.display, "pk_live_a8a8");
        assert_eq!(external.hash, hash_of(external.reveal().as_bytes()));
        let panel = NewSecret::panel(&[0x0f; 24]);
        assert_eq!(panel.reveal(), format!("wsp_{}", "0f".repeat(24)));
        assert_eq!(panel.display, "wsp_0f0f0f0f");
    }

    #[test]
    fn a_new_secret_never_shows_itself_in_debug_output() {
        let made = NewSecret::external(&[0xa8; 16]);
        assert!(!format!("{made:?}").contains(made.reveal()));
    }

    #[test]
    fn levels_are_read_in_any_case_and_viewer_is_read_only() {
        assert_eq!(Level::parse("super_admin"), Some(Level::SuperAdmin));
        assert_eq!(Level::parse("Viewer"), Some(Level::ReadOnly));
        assert_eq!(Level::parse("ROOT"), None);
        assert!(Level::ReadOnly < Level::User && Level::Billing < Level::SuperAdmin);
    }
}
