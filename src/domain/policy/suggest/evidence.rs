//! What the log does not say, because the body or the target decided: of a key's own settings that is two things.
//!
//! A billing key makes, changes and deletes accounts of resellers only at the highest level (contract: billing.md, Levels
//! and scopes): here, from rows of the database. A panel key makes and changes keys only within its own addresses (contract:
//! keys.md, Escalation): its list stays as it is, in `addresses.rs`. A test names every place that reads the acting key.

use super::Seen;
use crate::domain::keys::{Grants, Level};

/// Accounts of resellers, as far as the database remembers them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Accounts of any kind that this key made in the time.
    pub made: i64,
    /// Of resellers, in the time and the day before it: a create may be sent again for a day and is answered the same.
    pub resellers_made: i64,
    /// The same, made with any key of the owner.
    pub resellers_of_owner: i64,
    /// Accounts that it changed or deleted and that are, or were, a reseller's.
    pub resellers_changed: i64,
}

/// Why the highest level stays.
#[derive(Debug)]
pub(super) struct Kept {
    pub why: String,
    /// What to do where it need not.
    pub note: Option<String>,
}

impl Evidence {
    /// Whether rows of the database matter to a suggestion for this key.
    pub fn matters_to(grants: &Grants) -> bool {
        matches!(grants, Grants::Billing { level: Level::SuperAdmin, .. })
    }

    /// Asked of a key that has the highest level; any other has nothing to keep.
    pub(super) fn level_to_keep(&self, seen: &Seen) -> Option<Kept> {
        if !Self::matters_to(&seen.key().grants) {
            return None;
        }
        let known = |why: String| Some(Kept { why, note: None });
        if self.resellers_made > 0 {
            return known(format!("it made {} reseller accounts", self.resellers_made));
        }
        if self.resellers_changed > 0 {
            return known(format!("it changed or deleted {} accounts of resellers", self.resellers_changed));
        }
        // A create that was sent again leaves no second row, and may repeat one of another key of the owner.
        let repeated = seen.accounts_made > self.made && self.resellers_of_owner > 0;
        let cannot_tell = match (seen.accounts_failed, repeated) {
            (0, false) => return None,
            (0, true) => "a create that was sent again may have been a reseller's".to_owned(),
            (failed, _) => format!("{failed} creates failed, and the log does not say whether they were of resellers"),
        };
        let note = format!(
            "SUPER_ADMIN is kept although no call is known to need it: {cannot_tell}. If the key makes no resellers: \
             panel key update {} --level {}",
            seen.key().reference(),
            Level::Billing.as_str()
        );
        Some(Kept { why: cannot_tell, note: Some(note) })
    }
}
