//! The face of this surface's answers: `{success, data}`.

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::domain::error::AppError;
use crate::http::answer::Reply;

#[derive(Serialize)]
struct Data<'a, T> {
    success: bool,
    data: &'a T,
}

pub fn data<T: Serialize>(status: StatusCode, data: &T) -> Result<Reply, AppError> {
    Reply::json(status, &Data { success: true, data })
}

/// An answer that is done and says so.
pub fn done(message: &str) -> Result<Reply, AppError> {
    Reply::json(StatusCode::OK, &json!({"success": true, "message": message}))
}
