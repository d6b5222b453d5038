//! The least that explains what a key was seen to do: settings under which every call that counts passes again, and that
//! allow as little else as they can. They never allow what the key may not do today.

mod addresses;
mod evidence;
mod grants;
mod seen;
#[cfg(test)]
mod tests;

use super::{KeyFacts, gates};
use crate::domain::addresses::AllowList;
use crate::domain::keys::{BillingScope, Grants, Level, Permission, join};

pub use addresses::SETTLED;
pub use evidence::Evidence;
pub use seen::{Seen, Used};

/// Why a word stands in a suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// By its name on the admin surface: `permission_level`, `scopes`, `permissions` or `allowed_ips`.
    pub setting: &'static str,
    pub word: String,
    /// Calls that would be refused without it.
    pub calls: i64,
    /// The route with most of them.
    pub example: Option<Used>,
    /// What the log alone does not say.
    pub besides: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub grants: Grants,
    pub allowed_ips: AllowList,
    pub reasons: Vec<Reason>,
    /// What somebody should know before following it: whole sentences.
    pub notes: Vec<String>,
}

/// `None`: no call counts, so nothing is explained.
pub fn suggest(seen: &Seen, evidence: &Evidence) -> Option<Suggestion> {
    if seen.used().is_empty() {
        return None;
    }
    let (key, mut notes) = (seen.key(), Vec::new());
    let kept = evidence.level_to_keep(seen);
    let floor = kept.as_ref().map_or(Level::ReadOnly, |_| Level::SuperAdmin);
    let grants = grants::least(&key.grants, seen.used(), floor);
    let mut reasons = grants::reasons(&grants, seen.used());
    if let (Some(kept), Some(level)) = (kept, reasons.iter_mut().find(|reason| reason.setting == "permission_level")) {
        level.besides = Some(kept.why);
        notes.extend(kept.note);
    }
    let (allowed_ips, of_addresses) = addresses::least(seen, &mut notes);
    reasons.extend(of_addresses);
    Some(Suggestion { grants, allowed_ips, reasons, notes })
}

impl Suggestion {
    /// Whether it asks for another key than this one is.
    pub fn changes(&self, key: &KeyFacts) -> bool {
        self.grants != key.grants || self.allowed_ips != key.allowed_ips
    }

    /// The command that follows it: one line, because between two lines a key whose list is exchanged would be open to
    /// everybody or to nobody. `None`: there is nothing to change.
    pub fn command(&self, key: &KeyFacts) -> Option<String> {
        if !self.changes(key) {
            return None;
        }
        let mut line = format!("panel key update {}", key.reference());
        let mut add = |option: &str, word: &str| {
            // Nothing after a space would be no word at all.
            line.extend([" --", option, if word.is_empty() { "=" } else { " " }, word]);
        };
        match (&self.grants, &key.grants) {
            (new, old) if new == old => {}
            (Grants::External(scope), _) => add("scopes", scope.as_str()),
            (Grants::Panel(list), _) => add("permissions", &join(list, Permission::as_str)),
            (Grants::Billing { level, scopes }, Grants::Billing { level: old, scopes: before }) => {
                if level != old {
                    add("level", level.as_str());
                }
                if scopes != before {
                    add("scopes", &join(scopes, BillingScope::as_str));
                }
            }
            (Grants::Billing { .. }, Grants::External(_) | Grants::Panel(_)) => {}
        }
        let (new, old) = (self.allowed_ips.to_strings(), key.allowed_ips.to_strings());
        old.iter().filter(|entry| !new.contains(entry)).for_each(|entry| add("remove-ip", entry));
        new.iter().filter(|entry| !old.contains(entry)).for_each(|entry| add("add-ip", entry));
        Some(line)
    }
}
