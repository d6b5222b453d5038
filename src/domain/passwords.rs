//! Passwords of people who log in: what is accepted when one is set.

use std::fmt;

use secrecy::SecretString;

use super::error::Invalid;

const SHORTEST: usize = 8;
const LONGEST: usize = 128;

/// Counted among passwords of 8 characters and more: of the 3 000 commonest of any length only about 700 are that long,
/// and the length rule would do most of this rule's work.
const COMMONEST: &str = include_str!("common_passwords.txt");

/// A password that may be set: 8 to 128 characters (Unicode scalar values), no U+0000, not among the 3 000 commonest in
/// whatever case. Log-ins do not parse one: an old password stays good until it is changed. Contract: panel.md, users.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// `field` is the name the caller gave it: `password`, `new_password`.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        if text.contains('\0') {
            return Err(Invalid::new(field, "must not contain U+0000"));
        }
        let length = text.chars().count();
        if length < SHORTEST {
            return Err(Invalid::new(field, "must have at least 8 characters"));
        }
        if length > LONGEST {
            return Err(Invalid::new(field, "must have at most 128 characters"));
        }
        if is_common(text) {
            return Err(Invalid::new(
                field,
                "is one of the 3000 commonest passwords; choose one that nobody else uses",
            ));
        }
        Ok(Self(SecretString::from(text)))
    }

    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

/// Walks the list: some 20 µs before 35 ms of hashing, and neither a table nor a lower-case copy of the password stays
/// in memory. The entries are ASCII.
fn is_common(text: &str) -> bool {
    commonest().any(|common| common.eq_ignore_ascii_case(text))
}

fn commonest() -> impl Iterator<Item = &'static str> {
    COMMONEST.lines().filter(|line| !line.starts_with('#'))
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use secrecy::ExposeSecret;

    use super::*;

    fn problem(text: &str) -> String {
        let invalid = Password::parse("password", text).unwrap_err();
        assert_eq!(invalid.field, "password");
        invalid.problem.into_owned()
    }

    #[test]
    fn a_password_of_less_than_8_or_more_than_128_characters_is_refused() {
        for text in ["", "x", "xY7-q2.", "пароль7"] {
            assert_eq!(problem(text), "must have at least 8 characters");
        }
        for text in ["x".repeat(129), "é".repeat(129), "x".repeat(1_000_000)] {
            assert_eq!(problem(&text), "must have at most 128 characters");
        }
    }

    #[test]
    fn a_nul_anywhere_is_refused() {
        for text in ["\0xY7-q2.zz", "xY7-\0q2.zz", "xY7-q2.zz\0"] {
            assert_eq!(problem(text), "must not contain U+0000");
        }
    }

    #[test]
    fn every_password_of_the_list_is_refused_in_any_case() {
        for common in commonest() {
            assert!(problem(common).contains("commonest"), "{common}");
            assert!(problem(&common.to_uppercase()).contains("commonest"), "{common}");
        }
        assert!(problem("PassWord").contains("commonest"));
    }

    #[test]
    fn the_list_has_3000_different_entries_in_lower_case_that_the_length_rule_lets_through() {
        let entries: Vec<&str> = commonest().collect();
        assert_eq!(entries.len(), 3000);
        assert_eq!(entries.iter().collect::<HashSet<_>>().len(), 3000);
        for entry in entries {
            assert!(entry.is_ascii() && (SHORTEST..=LONGEST).contains(&entry.len()), "{entry}");
            assert!(!entry.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_whitespace()), "{entry}");
        }
    }

    #[test]
    fn a_password_within_the_rules_is_kept_as_sent() {
        let longest = "é".repeat(128);
        for text in ["xY7-q2.z", "  spaces  ", "password-of-ada", "пароль78", "# Licence: MIT", &longest] {
            let password = Password::parse("password", text).unwrap();
            assert_eq!(password.secret().expose_secret(), text);
            assert_eq!(password.into_secret().expose_secret(), text);
        }
    }

    #[test]
    fn debug_prints_nothing_secret() {
        assert_eq!(format!("{:?}", Password::parse("password", "xY7-q2.z").unwrap()), "Password");
    }
}
