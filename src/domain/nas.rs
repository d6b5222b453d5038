//! NAS: the routers that authenticate subscribers.

use super::time::Timestamp;

/// A router as callers see it; its secret is never among what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nas {
    pub id: i64,
    pub name: String,
    /// An address or a network.
    pub ip_address: String,
    /// `mikrotik` or `generic`.
    pub kind: String,
    pub active_sessions: i64,
    pub last_seen_at: Option<Timestamp>,
}

impl Nas {
    /// A router is taken for reachable this long after it was last heard of: two of the five-minute interim updates that
    /// RFC 2869 (5.16) recommends as a minimum of ten.
    const REACHABLE_MILLIS: i64 = 10 * Timestamp::MINUTE;

    pub fn is_online(&self, now: Timestamp) -> bool {
        self.last_seen_at.is_some_and(|seen| now.millis() - seen.millis() <= Self::REACHABLE_MILLIS)
    }
}
