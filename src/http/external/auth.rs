//! Where this surface's credential is.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::actions::keys::Credential;
use crate::http::answer::Edge;
use crate::http::visit;

pub fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Edge> {
    let name = HeaderName::from_static("x-api-key");
    let value = visit::single(headers, &name, "X-API-Key is given twice")?;
    Ok(value.map_or(Credential::Absent, Credential::Whole))
}
