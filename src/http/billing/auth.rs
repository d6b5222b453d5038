//! Where this surface's credential is: in two headers.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::actions::keys::Credential;
use crate::http::answer::Edge;
use crate::http::visit;

pub fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Edge> {
    let key = visit::single(headers, &HeaderName::from_static("x-api-key"), "X-API-Key is given twice")?;
    let secret = visit::single(headers, &HeaderName::from_static("x-api-secret"), "X-API-Secret is given twice")?;
    Ok(match (key, secret) {
        (None, None) => Credential::Absent,
        (Some(key), Some(secret)) => Credential::Pair { key, secret },
        // Known is who asks, and the log is to say so.
        (Some(key), None) => Credential::Pair { key, secret: b"" },
        (None, Some(_)) => Credential::Foreign,
    })
}

/// Health judges whoever sends one of the headers, be it empty (contract: billing.md, Calls): a client without its key
/// shows red in its connection test.
pub fn for_health(headers: &HeaderMap) -> Result<Credential<'_>, Edge> {
    let named = headers.contains_key("x-api-key") || headers.contains_key("x-api-secret");
    Ok(match credential(headers)? {
        Credential::Absent if named => Credential::Foreign,
        credential => credential,
    })
}
