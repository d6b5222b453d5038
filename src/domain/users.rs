//! People who log in: roles, names, and the flags an account may have.

use std::fmt;

use super::error::Invalid;
use super::features::Flags;
use super::quotas::Quotas;
use super::text::is_unseen;
use super::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Low to high: a role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    User,
    Reseller,
    Admin,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::User, Role::Reseller, Role::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Reseller => "reseller",
            Role::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    Active,
    Suspended,
}

impl AccountStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            AccountStatus::Active => "active",
            AccountStatus::Suspended => "suspended",
        }
    }
}

/// 2-32 of `[A-Za-z0-9._-]`, starting with a letter; kept as sent, found case-insensitively (contract: panel.md, Users).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.is_empty() {
            return Err(Invalid::required(field));
        }
        if !(2..=32).contains(&text.len())
            || !text.starts_with(|c: char| c.is_ascii_alphabetic())
            || !text.bytes().all(allowed)
        {
            return Err(Invalid::new(field, "must be 2-32 of A-Z a-z 0-9 . _ - and begin with a letter"));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which uniqueness is decided.
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

/// Folds a name to the form in which it is unique and found.
pub fn fold(name: &str) -> String {
    // Letter by letter: a whole word's lower case depends on where a letter stands (Greek sigma), a part of it must not.
    name.chars().flat_map(char::to_lowercase).collect()
}

/// An e-mail address, checked for its shape only: whether it is somebody's, only a mail could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::required(field));
        }
        let shaped = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.len() <= 64
                && !domain.is_empty()
                && !domain.contains('@')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
        });
        let clean = text.chars().all(|c| !is_unseen(c) && !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | ','));
        if !shaped || !clean || text.len() > 254 {
            return Err(Invalid::new(field, "must be an e-mail address such as name@example.com, at most 254 bytes"));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

/// A user as the command line and the surfaces show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub role: Role,
    pub status: AccountStatus,
    pub creator_id: Option<UserId>,
    pub creator: Option<String>,
    pub package_id: i64,
    pub package: String,
    /// What the package says, for whoever stands under it.
    pub package_quotas: Quotas<i64>,
    pub package_grants: Flags<bool>,
    /// The account's own flags; `None` is inherited.
    pub flags: Flags<Option<bool>>,
    /// What is in force.
    pub effective_flags: Flags<bool>,
    /// The account's own quotas; `None` is inherited. Only those of an account are ever set.
    pub quotas: Quotas<Option<i64>>,
    /// What is in force.
    pub effective_quotas: Quotas<i64>,
    pub profile: Profile,
    pub has_password: bool,
    pub last_login_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// What a billing system keeps with an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    pub full_name: Option<String>,
    pub phone: Option<String>,
    pub company: Option<String>,
    /// The billing system's own id.
    pub billing_id: Option<String>,
    /// The billing system's own JSON object, as it came.
    pub metadata: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_outside_the_rule_are_refused() {
        for text in ["", "a", "1ab", "a b", "-ab", "ab\u{0}", "ab/..", "añb", "a;rm", &"a".repeat(33)] {
            assert!(Username::parse("username", text).is_err(), "{text:?}");
        }
        for text in ["ab", "Admin", "a.b_c-9", &"a".repeat(32)] {
            assert!(Username::parse("username", text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn emails_without_the_shape_of_one_are_refused() {
        for text in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@.c", "a@c.", "a\n@c", "<a@c>"] {
            assert!(Email::parse("email", text).is_err(), "{text:?}");
        }
        for text in ["a@b", "name+tag@example.com", "ü@example.com"] {
            assert!(Email::parse("email", text).is_ok(), "{text:?}");
        }
    }
}
