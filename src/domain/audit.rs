//! What a change says of itself: one entry for each, with secrets masked.

use super::time::Timestamp;

/// The word that stands for a secret in `before` and `after`.
pub const MASKED: &str = "***";

/// What the trail is narrowed to; every condition must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The name of who acted.
    pub actor: Option<String>,
    pub action: Option<String>,
    pub object_kind: Option<String>,
    pub object_id: Option<i64>,
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// Rows before the one of this id.
    pub before: Option<i64>,
    pub limit: i64,
}

/// One row of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: i64,
    pub at: Timestamp,
    pub actor_kind: String,
    pub actor_user_id: Option<i64>,
    pub actor_key_id: Option<i64>,
    pub actor_name: String,
    pub surface: String,
    pub action: String,
    pub object_kind: String,
    pub object_id: Option<i64>,
    /// JSON text.
    pub before: Option<String>,
    /// JSON text.
    pub after: Option<String>,
    pub ip: Option<String>,
    pub request_id: Option<String>,
}

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
