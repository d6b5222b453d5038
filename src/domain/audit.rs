//! What a change says of itself: one entry for each, with secrets masked.

/// The word that stands for a secret in `before` and `after`.
pub const MASKED: &str = "***";

/// One change. `before` and `after` are JSON text of the columns that the change touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `noun.verb`, as in the route table.
    pub action: &'static str,
    pub object_kind: &'static str,
    pub object_id: Option<i64>,
    pub before: Option<String>,
    pub after: Option<String>,
}
