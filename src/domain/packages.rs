//! Packages: the quotas and flags that accounts inherit, and the levers that resellers inherit.

use super::error::Invalid;
use super::features::Flags;
use super::quotas::Quotas;
use super::text::is_unseen;
use super::time::Timestamp;
use super::users::fold;

/// The package that always exists (id 1).
pub const DEFAULT: &str = "default";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    pub id: i64,
    pub name: String,
    pub values: Values,
    pub created_at: Timestamp,
}

/// What of a package can be set beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values {
    pub quotas: Quotas<i64>,
    /// `can_use_*`
    pub flags: Flags<bool>,
    /// `can_grant_*`: what resellers of this package may switch on for the users they own.
    pub grants: Flags<bool>,
}

impl Values {
    /// Everything allowed and nothing limited.
    pub const OPEN: Self = Self { quotas: Quotas::UNLIMITED, flags: Flags([true; 10]), grants: Flags([true; 10]) };
}

/// 1-64 characters without control characters and slashes (it stands in paths), found in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageName(String);

impl PackageName {
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::required(field));
        }
        let edges = text.trim() != text || text == "." || text == "..";
        // Digits are an id wherever a package is named.
        let edges = edges || text.bytes().all(|b| b.is_ascii_digit());
        let barred = |c: char| is_unseen(c) || matches!(c, '/' | '\\');
        if text.chars().count() > 64 || edges || text.chars().any(barred) {
            let problem =
                "must be 1-64 characters, not only digits, without slashes, control characters or blanks around it";
            return Err(Invalid::new(field, problem));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_path_could_carry_are_refused() {
        for text in ["", "7", " a", "a ", "a/b", "a\\b", ".", "..", "a\nb", "a\u{0}", &"a".repeat(65)] {
            assert!(PackageName::parse("name", text).is_err(), "{text:?}");
        }
        for text in ["a", "Gold 100", "Größe", &"a".repeat(64)] {
            assert!(PackageName::parse("name", text).is_ok(), "{text:?}");
        }
    }
}
