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
        (Some(_), None) | (None, Some(_)) => Credential::Foreign,
    })
}
