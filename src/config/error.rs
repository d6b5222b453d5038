//! Why the settings were refused: one line that says where and what, one line that says what to do.

use std::fmt;

/// A refused setting or file. `Display` is two lines: the origin, the key and what is wrong; then what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    origin: String,
    key: Option<String>,
    problem: String,
    remedy: String,
}

impl ConfigError {
    /// A file that cannot be read or parsed.
    pub(super) fn of_file(origin: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { origin: origin.into(), key: None, problem: problem.into(), remedy: remedy.into() }
    }

    /// One setting, named by its dotted key.
    pub(super) fn of_key(
        origin: impl Into<String>,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { key: Some(key.into()), ..Self::of_file(origin, problem, remedy) }
    }

    /// The dotted key, when one setting is to blame.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}\n{}", self.problem, self.remedy)
    }
}

impl std::error::Error for ConfigError {}

/// The known keys that `wrong` was most likely meant to be: none, one, or several equally near ones.
///
/// A right name in the wrong section counts as near, because that is how settings get lost when a file is edited.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let name_of = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let wrong = wrong.to_lowercase();
    let mut best = usize::MAX;
    let mut near = Vec::new();
    for key in known {
        let whole = distance(&wrong, key);
        let moved = if name_of(&wrong) == name_of(key) { 1 } else { usize::MAX };
        let far = whole.min(moved);
        if far > 3 || far > best {
            continue;
        }
        if far < best {
            best = far;
            near.clear();
        }
        near.push(key);
    }
    near
}

/// Levenshtein's distance, in characters.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, left) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
