//! The face of this surface's refusals: `{success, code, error, message, status}`, where error and message are one text.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::domain::error::{AppError, Conflict};
use crate::domain::policy::{Denial, Gate};
use crate::http::answer::{Edge, Failure};
use crate::http::visit::Visit;

pub fn render(visit: &Visit, failure: &Failure) -> (StatusCode, Map<String, Value>) {
    let (status, code, text) = match failure {
        Failure::Denied(denial) => denied(visit, denial),
        Failure::App(error) => app(error),
        Failure::Edge(edge) => (edge.status(), edge_code(edge), edge.text()),
    };
    let body = [
        ("success".to_owned(), json!(false)),
        ("code".to_owned(), json!(code)),
        ("error".to_owned(), json!(text)),
        ("message".to_owned(), json!(text)),
        ("status".to_owned(), json!(status.as_u16())),
    ];
    (status, Map::from_iter(body))
}

/// The panel column of the contract's gate table.
fn denied(visit: &Visit, denial: &Denial) -> (StatusCode, &'static str, String) {
    let unauthorized = |text: &str| (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", text.to_owned());
    let forbidden = |text: &str| (StatusCode::FORBIDDEN, "FORBIDDEN", text.to_owned());
    match denial.gate() {
        Gate::Key | Gate::Expired if denial.is_of_session() => unauthorized("Invalid or expired session"),
        Gate::Credential => unauthorized("Missing authorization"),
        Gate::Key | Gate::Secret | Gate::Revoked | Gate::Owner => unauthorized("Invalid API key"),
        Gate::Enabled => unauthorized("API key has been disabled"),
        Gate::Expired => unauthorized("API key has expired"),
        Gate::OwnerActive => forbidden("Account is suspended"),
        Gate::ApiAccess => forbidden("API access is disabled for this account"),
        Gate::Ip => {
            let ip = visit.origin.ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
            forbidden(&format!("IP address {ip} is not allowed for this API key"))
        }
        Gate::Rate => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "Rate limit exceeded".to_owned()),
        Gate::Permission if denial.first().need.as_deref() == Some("a session") => forbidden("Session required"),
        Gate::Level | Gate::Scope | Gate::Permission => {
            let segment = visit.path().split('/').nth(3).unwrap_or_default();
            forbidden(&format!("API key is not scoped for '{segment}' on this request"))
        }
        Gate::Role => forbidden("Admin access required"),
    }
}

fn app(error: &AppError) -> (StatusCode, &'static str, String) {
    match error {
        AppError::Invalid(_) | AppError::Malformed(_) | AppError::WrongPassword { .. } => {
            (StatusCode::BAD_REQUEST, "VALIDATION_ERROR", error.to_string())
        }
        AppError::FieldForbidden { .. } => (StatusCode::FORBIDDEN, "FORBIDDEN", error.to_string()),
        AppError::Denied(_) => (StatusCode::FORBIDDEN, "FORBIDDEN", error.to_string()),
        AppError::Forbidden(refusal) => (StatusCode::FORBIDDEN, "FORBIDDEN", refusal.text.clone()),
        AppError::LimitReached { .. } => (StatusCode::FORBIDDEN, "FORBIDDEN", error.to_string()),
        AppError::BadCredentials => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", error.to_string()),
        AppError::NotFound(noun) => (StatusCode::NOT_FOUND, "NOT_FOUND", format!("{} not found", noun.name())),
        AppError::Conflict(Conflict::IdempotencyKeyReused) => {
            (StatusCode::CONFLICT, "IDEMPOTENCY_CONFLICT", error.to_string())
        }
        AppError::Conflict(_) => (StatusCode::CONFLICT, "CONFLICT", error.to_string()),
        AppError::Overloaded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", error.to_string()),
        AppError::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "The database cannot be used at the moment".to_owned())
        }
        AppError::Internal(_) => {
            let text = "Something went wrong on our side; the request id leads to the log".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", text)
        }
    }
}

fn edge_code(edge: &Edge) -> &'static str {
    match edge {
        Edge::MethodNotAllowed(_) => "METHOD_NOT_ALLOWED",
        Edge::BodyTimeout => "REQUEST_TIMEOUT",
        Edge::BodyTooLarge { .. } => "PAYLOAD_TOO_LARGE",
        Edge::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        Edge::NotImplemented => "NOT_IMPLEMENTED",
        Edge::BadHeader(_) => "VALIDATION_ERROR",
    }
}
