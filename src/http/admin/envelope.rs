//! The face of this surface's answers: `{success, data}`.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::domain::error::AppError;
use crate::http::answer::Reply;

#[derive(Serialize, JsonSchema)]
pub(super) struct Data<'a, T> {
    #[schemars(extend("const" = true))]
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
