//! The words of what a key may be given, by style.

use crate::domain::error::Invalid;
use crate::domain::users::Role;

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

/// Bases of the legacy `resource.read` and `resource.write` strings that have a permission of their own, and those that
/// are gated without one.
const LEGACY: [(&str, Option<Permission>); 19] = [
    ("domains", Some(Permission::Domains)),
    ("subdomains", Some(Permission::Domains)),
    ("dns", Some(Permission::Dns)),
    ("ssl", Some(Permission::Ssl)),
    ("database", Some(Permission::Database)),
    ("databases", Some(Permission::Database)),
    ("email", Some(Permission::Email)),
    ("files", Some(Permission::Files)),
    ("ftp", Some(Permission::Ftp)),
    ("backup", Some(Permission::Backup)),
    ("backups", Some(Permission::Backup)),
    ("restore", Some(Permission::Backup)),
    ("backup-schedules", Some(Permission::Backup)),
    ("users", None),
    ("resellers", None),
    ("packages", None),
    ("system", None),
    ("security", None),
    ("webhooks", None),
];

/// Reads a list of permissions: in the order given, each once, legacy strings normalised. Also gives what to tell the
/// caller about those (contract: panel.md, Permissions).
pub fn parse_permissions<'a>(
    field: &'static str,
    words: impl IntoIterator<Item = &'a str>,
) -> Result<(Vec<Permission>, Vec<String>), Invalid> {
    let (mut list, mut warnings) = (Vec::new(), Vec::new());
    for word in words {
        let permission = match Permission::parse(word) {
            Some(permission) => permission,
            None => {
                let permission = legacy(field, word)?;
                let name = permission.as_str();
                warnings.push(format!("'{word}' was normalised to '{name}', which includes writes"));
                permission
            }
        };
        if !list.contains(&permission) {
            list.push(permission);
        }
    }
    if list.is_empty() {
        return Err(Invalid::new(field, "must not be empty"));
    }
    Ok((list, warnings))
}

fn legacy(field: &'static str, word: &str) -> Result<Permission, Invalid> {
    let base = word.strip_suffix(".read").or_else(|| word.strip_suffix(".write"));
    let known = base.and_then(|base| LEGACY.iter().find(|(name, _)| *name == base));
    match known {
        Some((_, Some(permission))) => Ok(*permission),
        Some((base, None)) => {
            Err(Invalid::new(field, format!("'{base}' has no permission of its own; use read or all")))
        }
        None => {
            let shown: String = word.chars().filter(|c| !c.is_control()).take(64).collect();
            let vocabulary = Permission::ALL.map(Permission::as_str).join(", ");
            Err(Invalid::new(field, format!("'{shown}' is not one of {vocabulary}")))
        }
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

    /// What a new key of this level is given when nobody says: all that the level may use.
    pub fn default_scopes(self) -> Vec<BillingScope> {
        let may_use = |scope: &BillingScope| *scope != BillingScope::FullAccess || self == Level::SuperAdmin;
        let all = BillingScope::ALL.into_iter().filter(may_use);
        if self >= Level::Billing { all.collect() } else { Vec::new() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_in_any_case_and_viewer_is_read_only() {
        assert_eq!(Level::parse("super_admin"), Some(Level::SuperAdmin));
        assert_eq!(Level::parse("Viewer"), Some(Level::ReadOnly));
        assert_eq!(Level::parse("ROOT"), None);
        assert!(Level::ReadOnly < Level::User && Level::Billing < Level::SuperAdmin);
    }

    #[test]
    fn a_level_brings_the_scopes_it_may_use() {
        assert!(Level::Developer.default_scopes().is_empty());
        assert_eq!(Level::Billing.default_scopes().len(), 4);
        assert_eq!(Level::SuperAdmin.default_scopes(), BillingScope::ALL);
    }

    #[test]
    fn legacy_permissions_are_normalised_and_reported() {
        let (list, warnings) =
            parse_permissions("permissions", ["domains.read", "databases.write", "read", "domains"]).unwrap();
        assert_eq!(list, [Permission::Domains, Permission::Database, Permission::Read]);
        assert_eq!(warnings.len(), 2);
        assert_eq!(warnings[0], "'domains.read' was normalised to 'domains', which includes writes");
        for (word, text) in [
            ("users.read", "permissions: 'users' has no permission of its own; use read or all"),
            (
                "Domains",
                "permissions: 'Domains' is not one of all, read, domains, dns, ssl, database, email, files, ftp, backup",
            ),
            (
                "domains.delete",
                "permissions: 'domains.delete' is not one of all, read, domains, dns, ssl, database, email, files, ftp, backup",
            ),
        ] {
            let refused = parse_permissions("permissions", [word]).unwrap_err();
            assert_eq!(format!("{}: {}", refused.field, refused.problem), text);
        }
        assert!(parse_permissions("permissions", []).is_err());
    }
}
