//! What can go wrong, in the words of the business: no status codes, no envelopes, no engine messages.

use std::borrow::Cow;
use std::fmt;

use super::policy::{Denial, Refusal};

/// A field that is missing, of the wrong type or out of range. `field` names it, `problem` completes the sentence: `is required`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub field: Cow<'static, str>,
    pub problem: Cow<'static, str>,
}

impl Invalid {
    pub fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    pub fn required(field: &'static str) -> Self {
        Self::new(field, "is required")
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

/// Things that callers name and that may not be there (or not for them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Route,
    User,
    Key,
    Package,
    Reseller,
    Subscriber,
    Service,
    Nas,
    SetupLink,
    Session,
}

impl Noun {
    pub fn name(self) -> &'static str {
        match self {
            Noun::Route => "Route",
            Noun::User => "User",
            Noun::Key => "API key",
            Noun::Package => "Package",
            Noun::Reseller => "Reseller",
            Noun::Subscriber => "Subscriber",
            Noun::Service => "Service",
            Noun::Nas => "NAS",
            Noun::SetupLink => "Setup link",
            Noun::Session => "Session",
        }
    }
}

/// Why a request that is well formed cannot be carried out as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    UsernameTaken {
        username: String,
    },
    EmailTaken {
        email: String,
    },
    /// The retry's values differ from those the row was created with; the fields that differ are named.
    ExternalIdTaken {
        fields: Vec<&'static str>,
    },
    /// The same `Idempotency-Key` came with another body.
    IdempotencyKeyReused,
    /// A whole sentence that says what stands in the way.
    InTheWay(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppError {
    Invalid(Invalid),
    /// The body is not a JSON object; the text says where it stops being one.
    Malformed(String),
    /// A known field that this caller may not set; the text completes "`field` …".
    FieldForbidden {
        field: &'static str,
        problem: &'static str,
    },
    /// A refusal decided by what the body or the target is (role, flag): a whole sentence, and the gate it belongs to.
    Forbidden(Box<Refusal>),
    /// A reseller owns as many accounts as it may.
    LimitReached {
        limit: i64,
    },
    /// A refusal of the gates, found out inside a transaction.
    Denied(Box<Denial>),
    /// A login with a name or a password that is not right; which of the two is nobody's business.
    BadCredentials,
    /// Somebody who is logged in does not know the password that goes with it; the field is where it was asked for.
    WrongPassword {
        field: &'static str,
    },
    NotFound(Noun),
    Conflict(Conflict),
    /// A queue is full; the same request may succeed later.
    Overloaded {
        retry_after_seconds: u32,
    },
    /// The database cannot be used; the text is for the log only.
    Unavailable(String),
    /// A fault of ours; the text is for the log only.
    Internal(String),
}

impl From<Invalid> for AppError {
    fn from(invalid: Invalid) -> Self {
        AppError::Invalid(invalid)
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppError::Invalid(invalid) => write!(f, "{invalid}"),
            AppError::Malformed(text) => write!(f, "the body is not valid JSON: {text}"),
            AppError::FieldForbidden { field, problem } => write!(f, "{field} {problem}"),
            AppError::Forbidden(refusal) => f.write_str(&refusal.text),
            AppError::LimitReached { limit } => write!(f, "Account limit reached ({limit})"),
            AppError::Denied(denial) => write!(f, "refused by the gate {}", denial.gate().as_str()),
            AppError::BadCredentials => f.write_str("Invalid credentials"),
            AppError::WrongPassword { field } => write!(f, "{field} is not the current password"),
            AppError::NotFound(noun) => write!(f, "{} not found", noun.name()),
            AppError::Conflict(conflict) => write!(f, "{conflict}"),
            AppError::Overloaded { retry_after_seconds } => {
                write!(f, "too busy, try again in {retry_after_seconds} s")
            }
            AppError::Unavailable(text) => write!(f, "the database cannot be used: {text}"),
            AppError::Internal(text) => write!(f, "internal error: {text}"),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::UsernameTaken { username } => write!(f, "username {username} is taken"),
            Conflict::EmailTaken { email } => write!(f, "email {email} is taken"),
            Conflict::ExternalIdTaken { fields } => {
                write!(f, "external_id is taken by a row created with other values of: {}", fields.join(", "))
            }
            Conflict::IdempotencyKeyReused => {
                f.write_str("this Idempotency-Key was used with another body; use a new one")
            }
            Conflict::InTheWay(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for AppError {}
