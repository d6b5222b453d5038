//! `/openapi.json` and `/docs`: the interface description, for programs and for people.

use actix_web::http::StatusCode;

use crate::http::answer::{Answer, JSON, Reply};
use crate::http::call::Call;
use crate::http::openapi;

/// GET /openapi.json
pub async fn document(_: Call) -> Answer {
    let body = openapi::text().as_bytes().to_vec();
    Ok(Reply { status: StatusCode::OK, content_type: JSON, body, headers: Vec::new() })
}

/// GET /docs
pub async fn page(_: Call) -> Answer {
    Ok(Reply::html(StatusCode::OK, openapi::page().to_owned()))
}
