//! Lists of this surface: pages of at most 500, newest or smallest first, with their totals.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::error::{AppError, Invalid};
use crate::http::answer::Reply;
use crate::http::query::Query;

const LARGEST: i64 = 500;
const USUAL: i64 = 50;

/// Which page of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// From 1.
    pub page: i64,
    pub limit: i64,
}

impl Asked {
    pub fn of(query: &Query) -> Result<Self, Invalid> {
        let page = query.integer("page", 1, i64::MAX)?.unwrap_or(1);
        Ok(Self { page, limit: query.integer("limit", 1, LARGEST)?.unwrap_or(USUAL) })
    }

    /// The rows of this page among all.
    fn cut<T>(self, rows: Vec<T>) -> Vec<T> {
        let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let first = self.page.saturating_sub(1).saturating_mul(self.limit);
        rows.into_iter().skip(size(first)).take(size(self.limit)).collect()
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Page<'a, T> {
    success: bool,
    data: &'a [T],
    pagination: Pagination,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdminPagination")]
pub(super) struct Pagination {
    page: i64,
    limit: i64,
    total: i64,
    pages: i64,
}

/// A page that was read as one.
pub fn page<T: Serialize>(rows: &[T], total: i64, asked: Asked) -> Result<Reply, AppError> {
    let pages = total.saturating_add(asked.limit - 1) / asked.limit;
    let pagination = Pagination { page: asked.page, limit: asked.limit, total, pages };
    Reply::json(StatusCode::OK, &Page { success: true, data: rows, pagination })
}

/// A page of a list that is small enough to be read whole.
pub fn cut<T: Serialize>(rows: Vec<T>, asked: Asked) -> Result<Reply, AppError> {
    let total = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    page(&asked.cut(rows), total, asked)
}

/// True: downwards.
pub fn descending(query: &Query) -> Result<bool, Invalid> {
    match query.text("order")? {
        None | Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        Some(_) => Err(Invalid::new("order", "must be asc or desc")),
    }
}

/// One of the words a list may be sorted by; the first where none is given.
pub fn sort<'a>(query: &Query, words: &[&'a str]) -> Result<&'a str, Invalid> {
    let first = words.first().copied().unwrap_or_default();
    match query.text("sort")? {
        None => Ok(first),
        Some(text) => words
            .iter()
            .find(|word| **word == text)
            .copied()
            .ok_or_else(|| Invalid::new("sort", format!("must be one of {}", words.join(", ")))),
    }
}

/// Whether a row's text holds what is looked for, in whatever case.
pub fn matches(search: Option<&str>, texts: &[&str]) -> bool {
    search.is_none_or(|search| {
        let search = crate::domain::users::fold(search);
        texts.iter().any(|text| crate::domain::users::fold(text).contains(&search))
    })
}
