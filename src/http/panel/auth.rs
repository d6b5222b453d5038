//! Where this surface's credential is.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use crate::actions::keys::Credential;
use crate::domain::sessions::Audience;
use crate::http::answer::Edge;
use crate::http::visit;

pub fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Edge> {
    let Some(value) = visit::single(headers, &AUTHORIZATION, "Authorization is given twice")? else {
        return Ok(Credential::Absent);
    };
    // What begins with `wsp_` is a key, anything else a session's token (contract: panel.md).
    Ok(match visit::bearer(value) {
        None => Credential::Foreign,
        Some(key) if key.starts_with(b"wsp_") => Credential::Whole(key),
        Some(token) => Credential::Session(token, Audience::Panel),
    })
}
