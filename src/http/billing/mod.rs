//! The billing surface: `/api/v1/billing` and `/api/health`, `X-API-Key` with `X-API-Secret` (contract: billing.md).

pub mod auth;
pub mod error;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[];
