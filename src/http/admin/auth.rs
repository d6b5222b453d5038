//! Where this surface's credential is.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use crate::actions::keys::Credential;
use crate::http::answer::Edge;
use crate::http::visit;

pub fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Edge> {
    let value = visit::single(headers, &AUTHORIZATION, "Authorization is given twice")?;
    Ok(value.map_or(Credential::Absent, |_| Credential::Foreign))
}
