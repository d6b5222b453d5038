//! The panel surface: `/api/v1`, `Authorization: Bearer wsp_…` (contract: panel.md).

pub mod auth;
pub mod error;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[];
