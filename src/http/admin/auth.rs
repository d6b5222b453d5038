//! Where this surface's credential is.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use crate::actions::keys::Credential;
use crate::domain::sessions::Audience;
use crate::http::answer::Edge;
use crate::http::visit;

pub fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Edge> {
    let value = visit::single(headers, &AUTHORIZATION, "Authorization is given twice")?;
    Ok(match value.map(visit::bearer) {
        None => Credential::Absent,
        Some(None) => Credential::Foreign,
        Some(Some(token)) => Credential::Session(token, Audience::Admin),
    })
}
