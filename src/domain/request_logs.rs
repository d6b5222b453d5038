//! One row for each request that presented a key that exists.

use std::borrow::Cow;

use super::keys::KeyId;
use super::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLog {
    pub at: Timestamp,
    pub key_id: KeyId,
    pub generation: i64,
    pub method: String,
    /// The path template.
    pub route: Cow<'static, str>,
    pub path: String,
    pub status: u16,
    /// The gate that refused, if one did.
    pub gate: Option<Cow<'static, str>>,
    pub ip: Option<String>,
    pub latency_us: i64,
    pub request_id: String,
}
