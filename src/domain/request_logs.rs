//! One row for each request that presented a key that exists.

use std::borrow::Cow;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::keys::KeyId;
use super::time::Timestamp;

/// A request as it is handed over to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLog<'a> {
    pub at: Timestamp,
    /// The key that was shown and the generation of its secret. `None`: a credential that opens nothing, which is counted
    /// and not kept (contract: keys.md).
    pub key: Option<(KeyId, i64)>,
    pub method: &'a str,
    /// The path template.
    pub route: &'static str,
    pub path: &'a str,
    pub status: u16,
    /// The gate that refused, if one did.
    pub gate: Option<&'static str>,
    pub ip: Option<IpAddr>,
    pub latency_us: i64,
    pub request_id: &'a str,
}

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

/// Rows of one key that are alike in all that a suggestion of settings looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    pub method: String,
    /// The path template.
    pub route: String,
    pub status: u16,
    /// The gate that refused, if one did.
    pub gate: Option<String>,
    pub ip: Option<String>,
    pub calls: i64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// A row as the admin surface and the command line show it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "AdminKeyCall")]
pub struct View<'a> {
    pub timestamp: String,
    pub method: &'a str,
    pub path: &'a str,
    pub status_code: u16,
    pub ip: Option<&'a str>,
    /// With three decimals.
    #[schemars(with = "f64")]
    pub latency_ms: Value,
    /// The gate that refused, if one did.
    pub gate: Option<&'a str>,
    /// Which secret of the key it was.
    pub generation: i64,
    pub request_id: &'a str,
}

impl<'a> From<&'a RequestLog> for View<'a> {
    fn from(log: &'a RequestLog) -> Self {
        let micros = log.latency_us;
        Self {
            timestamp: log.at.rfc3339(),
            method: &log.method,
            path: &log.path,
            status_code: log.status,
            ip: log.ip.as_deref(),
            latency_ms: format!("{}.{:03}", micros / 1000, micros % 1000).parse().unwrap_or_default(),
            gate: log.gate.as_deref(),
            generation: log.generation,
            request_id: &log.request_id,
        }
    }
}
