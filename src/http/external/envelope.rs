//! The envelope of this surface's successes.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::error::{AppError, Invalid};
use crate::domain::subscribers::{Listed, PageOf, Place, Sort};
use crate::domain::time::Timestamp;
use crate::http::answer::Reply;
use crate::http::query::Query;

#[derive(Serialize, JsonSchema)]
pub(super) struct Envelope<'a, T> {
    #[schemars(extend("const" = true))]
    success: bool,
    data: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pagination: Option<Pagination>,
    timestamp: String,
}

/// `total` and `pages` come with a page, and are absent when walking by cursor.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Pagination")]
struct Pagination {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    page: Option<i64>,
    limit: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    total: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pages: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    next_cursor: Option<String>,
}

pub fn one(status: StatusCode, data: &impl Serialize, now: Timestamp) -> Result<Reply, AppError> {
    Reply::json(status, &Envelope { success: true, data, pagination: None, timestamp: now.rfc3339() })
}

pub fn page<T>(listed: &Listed<T>, data: &impl Serialize, page: PageOf, now: Timestamp) -> Result<Reply, AppError> {
    let pagination = Pagination {
        page: match page.place {
            Place::Page(number) => Some(number),
            Place::After(_) => None,
        },
        limit: page.limit,
        total: listed.total,
        pages: listed.total.map(|total| total.saturating_add(page.limit - 1) / page.limit),
        next_cursor: listed.next.map(|id| id.to_string()),
    };
    let body = Envelope { success: true, data, pagination: Some(pagination), timestamp: now.rfc3339() };
    Reply::json(StatusCode::OK, &body)
}

/// Which part of a list the query asks for.
pub fn asked_page(query: &Query) -> Result<PageOf, Invalid> {
    let limit = query.integer("limit", 1, 100)?.unwrap_or(20);
    let number = query.integer("page", 1, i64::MAX)?;
    let after = query
        .integer("cursor", 0, i64::MAX)
        .map_err(|_| Invalid::new("cursor", "must be a next_cursor of an earlier answer"))?;
    let place = match (number, after) {
        (Some(_), Some(_)) => return Err(Invalid::new("cursor", "cannot be combined with page")),
        (None, Some(id)) => Place::After(id),
        (number, None) => Place::Page(number.unwrap_or(1)),
    };
    Ok(PageOf { place, limit, sort: Sort::default() })
}
