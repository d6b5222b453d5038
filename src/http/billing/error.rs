//! The face of this surface's refusals: `{detail, request_id}`; the detail alone says what to change.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::domain::error::{AppError, Conflict, Noun};
use crate::domain::policy::{Denial, Gate};
use crate::http::answer::Failure;
use crate::http::visit::Visit;

pub fn render(visit: &Visit, failure: &Failure) -> (StatusCode, Map<String, Value>) {
    let (status, detail) = match failure {
        Failure::Denied(denial) => denied(visit, denial),
        Failure::App(error) => app(error),
        Failure::Edge(edge) => (edge.status(), edge.text()),
    };
    let body = [("detail".to_owned(), json!(detail)), ("request_id".to_owned(), json!(visit.request_id()))];
    (status, Map::from_iter(body))
}

/// The billing column of the contract's gate table.
fn denied(visit: &Visit, denial: &Denial) -> (StatusCode, String) {
    let unauthorized = |text: &str| (StatusCode::UNAUTHORIZED, text.to_owned());
    let forbidden = |text: &str| (StatusCode::FORBIDDEN, text.to_owned());
    match denial.gate() {
        Gate::Credential | Gate::Key | Gate::Secret | Gate::Owner => unauthorized("Invalid API key or secret"),
        Gate::Revoked => unauthorized("API key is revoked"),
        Gate::Enabled => unauthorized("API key is inactive"),
        Gate::Expired => unauthorized("API key has expired"),
        Gate::OwnerActive => forbidden("Account is suspended"),
        Gate::ApiAccess => forbidden("API access is disabled for this account"),
        Gate::Ip => {
            let ip = visit.origin.ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
            forbidden(&format!("IP address not allowed: {ip}"))
        }
        Gate::Rate => (StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded".to_owned()),
        Gate::Scope => forbidden(&format!("Missing scope: {}", denial.first().need.as_deref().unwrap_or_default())),
        Gate::Level | Gate::Permission | Gate::Role => forbidden("The user doesn't have super admin privileges"),
    }
}

fn app(error: &AppError) -> (StatusCode, String) {
    match error {
        AppError::Invalid(invalid) => (StatusCode::BAD_REQUEST, format!("{}: {}", invalid.field, invalid.problem)),
        AppError::Malformed(_) | AppError::WrongPassword { .. } => (StatusCode::BAD_REQUEST, error.to_string()),
        AppError::FieldForbidden { field, problem } => (StatusCode::FORBIDDEN, format!("{field}: {problem}")),
        AppError::Denied(_) => (StatusCode::FORBIDDEN, error.to_string()),
        AppError::Forbidden(refusal) => (StatusCode::FORBIDDEN, refusal.text.clone()),
        AppError::LimitReached { .. } => (StatusCode::BAD_REQUEST, error.to_string()),
        AppError::BadCredentials => (StatusCode::UNAUTHORIZED, error.to_string()),
        // What this surface calls an account is a user everywhere else.
        AppError::NotFound(Noun::User) => (StatusCode::NOT_FOUND, "Account not found".to_owned()),
        AppError::NotFound(noun) => (StatusCode::NOT_FOUND, format!("{} not found", noun.name())),
        AppError::Conflict(Conflict::UsernameTaken { .. }) => {
            (StatusCode::BAD_REQUEST, "Username already exists".to_owned())
        }
        AppError::Conflict(Conflict::EmailTaken { .. }) => (StatusCode::BAD_REQUEST, "Email already exists".to_owned()),
        AppError::Conflict(_) => (StatusCode::CONFLICT, error.to_string()),
        AppError::Overloaded { .. } => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        AppError::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "The database cannot be used at the moment".to_owned())
        }
        AppError::Internal(_) => {
            let text = "Something went wrong on our side; the request id leads to the log".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, text)
        }
    }
}
