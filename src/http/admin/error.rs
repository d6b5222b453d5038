//! The face of this surface's refusals: `{success, message}`.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::domain::error::AppError;
use crate::domain::policy::{Denial, Gate};
use crate::http::answer::Failure;
use crate::http::visit::Visit;

pub fn render(_visit: &Visit, failure: &Failure) -> (StatusCode, Map<String, Value>) {
    let (status, message) = match failure {
        Failure::Denied(denial) => denied(denial),
        Failure::App(error) => app(error),
        Failure::Edge(edge) => (edge.status(), edge.text()),
    };
    (status, Map::from_iter([("success".to_owned(), json!(false)), ("message".to_owned(), json!(message))]))
}

fn denied(denial: &Denial) -> (StatusCode, String) {
    match denial.gate() {
        Gate::Credential => (StatusCode::UNAUTHORIZED, "Missing authorization".to_owned()),
        Gate::Key | Gate::Secret | Gate::Revoked | Gate::Enabled | Gate::Owner => {
            (StatusCode::UNAUTHORIZED, "invalid token".to_owned())
        }
        Gate::Expired => (StatusCode::UNAUTHORIZED, "token expired".to_owned()),
        Gate::OwnerActive => (StatusCode::FORBIDDEN, "Account is suspended".to_owned()),
        Gate::Rate => (StatusCode::TOO_MANY_REQUESTS, "Too many requests".to_owned()),
        Gate::ApiAccess | Gate::Ip | Gate::Level | Gate::Scope | Gate::Permission | Gate::Role => {
            (StatusCode::FORBIDDEN, "Admin access required".to_owned())
        }
    }
}

fn app(error: &AppError) -> (StatusCode, String) {
    let status = match error {
        AppError::Invalid(_) | AppError::Malformed(_) | AppError::WrongPassword { .. } => StatusCode::BAD_REQUEST,
        AppError::FieldForbidden { .. }
        | AppError::Forbidden(_)
        | AppError::LimitReached { .. }
        | AppError::Denied(_) => StatusCode::FORBIDDEN,
        AppError::BadCredentials => StatusCode::UNAUTHORIZED,
        AppError::NotFound(_) => StatusCode::NOT_FOUND,
        AppError::Conflict(_) => StatusCode::CONFLICT,
        AppError::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
        AppError::Unavailable(_) => {
            return (StatusCode::SERVICE_UNAVAILABLE, "The database cannot be used at the moment".to_owned());
        }
        AppError::Internal(_) => {
            let text = "Something went wrong on our side; the request id leads to the log".to_owned();
            return (StatusCode::INTERNAL_SERVER_ERROR, text);
        }
    };
    (status, error.to_string())
}
