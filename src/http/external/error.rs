//! The face of this surface's refusals: `{success, error: {code, message}, timestamp}`.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::domain::error::{AppError, Conflict};
use crate::domain::policy::{Denial, Gate};
use crate::http::answer::{Edge, Failure};
use crate::http::visit::Visit;

pub fn render(visit: &Visit, failure: &Failure) -> (StatusCode, Map<String, Value>) {
    let (status, code, message) = match failure {
        Failure::Denied(denial) => denied(visit, denial),
        Failure::App(error) => app(error),
        Failure::Edge(edge) => (edge.status(), edge_code(edge), edge.text()),
    };
    let body = [
        ("success".to_owned(), json!(false)),
        ("error".to_owned(), json!({"code": code, "message": message})),
        ("timestamp".to_owned(), json!(visit.now.rfc3339())),
    ];
    (status, Map::from_iter(body))
}

/// The external column of the contract's gate table.
fn denied(visit: &Visit, denial: &Denial) -> (StatusCode, &'static str, String) {
    let text = |text: &str| text.to_owned();
    match denial.gate() {
        Gate::Credential => {
            (StatusCode::UNAUTHORIZED, "MISSING_API_KEY", text("Missing API key: send it in the X-API-Key header"))
        }
        Gate::Key | Gate::Secret => (StatusCode::UNAUTHORIZED, "INVALID_API_KEY", text("Invalid API key")),
        // This surface has no key that is merely switched off: one that does not work is a revoked one.
        Gate::Revoked | Gate::Enabled => {
            (StatusCode::UNAUTHORIZED, "API_KEY_REVOKED", text("API key has been revoked"))
        }
        Gate::Expired => (StatusCode::UNAUTHORIZED, "API_KEY_EXPIRED", text("API key has expired")),
        Gate::Owner => (StatusCode::UNAUTHORIZED, "INVALID_USER", text("The owner of this API key no longer exists")),
        Gate::OwnerActive => {
            (StatusCode::FORBIDDEN, "USER_SUSPENDED", text("The account of this API key is suspended"))
        }
        Gate::ApiAccess => {
            (StatusCode::FORBIDDEN, "API_ACCESS_DISABLED", text("API access is disabled for this account"))
        }
        Gate::Ip => {
            let ip = visit.origin.ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
            (StatusCode::FORBIDDEN, "IP_NOT_ALLOWED", format!("IP address {ip} is not allowed for this API key"))
        }
        Gate::Rate => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED", text("Rate limit exceeded")),
        Gate::Level | Gate::Scope | Gate::Permission => {
            let first = denial.first();
            let word = |word: &Option<String>| word.clone().unwrap_or_default();
            let message =
                format!("This call needs the scope {}, the API key has {}", word(&first.need), word(&first.have));
            (StatusCode::FORBIDDEN, "SCOPE_REQUIRED", message)
        }
        Gate::Role => {
            (StatusCode::FORBIDDEN, "FORBIDDEN", text("The owner of this API key must be an admin or a reseller"))
        }
    }
}

fn app(error: &AppError) -> (StatusCode, &'static str, String) {
    match error {
        AppError::Invalid(invalid) => (StatusCode::BAD_REQUEST, "INVALID_PARAMETER", invalid.to_string()),
        AppError::WrongPassword { .. } => (StatusCode::BAD_REQUEST, "INVALID_PARAMETER", error.to_string()),
        AppError::Malformed(text) => {
            (StatusCode::BAD_REQUEST, "INVALID_JSON", format!("The body is not valid JSON: {text}"))
        }
        AppError::FieldForbidden { .. } => (StatusCode::FORBIDDEN, "FORBIDDEN", error.to_string()),
        AppError::Denied(_) => (StatusCode::FORBIDDEN, "FORBIDDEN", error.to_string()),
        AppError::Forbidden(refusal) => (StatusCode::FORBIDDEN, "FORBIDDEN", refusal.text.clone()),
        AppError::LimitReached { .. } => (StatusCode::FORBIDDEN, "FORBIDDEN", error.to_string()),
        AppError::BadCredentials => (StatusCode::UNAUTHORIZED, "INVALID_API_KEY", error.to_string()),
        AppError::NotFound(noun) => (StatusCode::NOT_FOUND, "NOT_FOUND", format!("{} not found", noun.name())),
        AppError::Conflict(conflict) => (StatusCode::CONFLICT, conflict_code(conflict), error.to_string()),
        AppError::Overloaded { retry_after_seconds } => {
            (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", format!("Too busy, try again in {retry_after_seconds} s"))
        }
        AppError::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "DATABASE_UNAVAILABLE",
            "The database cannot be used at the moment".to_owned(),
        ),
        AppError::Internal(_) => {
            let message = "Something went wrong on our side; the request id leads to the log".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
        }
    }
}

fn conflict_code(conflict: &Conflict) -> &'static str {
    match conflict {
        Conflict::UsernameTaken { .. } => "USERNAME_TAKEN",
        Conflict::ExternalIdTaken { .. } => "EXTERNAL_ID_TAKEN",
        Conflict::IdempotencyKeyReused => "IDEMPOTENCY_CONFLICT",
        Conflict::EmailTaken { .. } | Conflict::InTheWay(_) => "CONFLICT",
    }
}

fn edge_code(edge: &Edge) -> &'static str {
    match edge {
        Edge::MethodNotAllowed(_) => "METHOD_NOT_ALLOWED",
        Edge::BodyTimeout => "REQUEST_TIMEOUT",
        Edge::BodyTooLarge { .. } => "PAYLOAD_TOO_LARGE",
        Edge::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        Edge::NotImplemented => "NOT_FOUND",
        Edge::BadHeader(_) => "INVALID_PARAMETER",
    }
}
