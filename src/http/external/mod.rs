//! The external surface: `/api/v1/external`, `X-API-Key: pk_live_…` (contract: external.md).

pub mod auth;
pub mod envelope;
pub mod error;
mod subscribers;
mod system;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[
    ("subscribers.list", |call| Box::pin(subscribers::list(call))),
    ("subscribers.get", |call| Box::pin(subscribers::get(call))),
    ("subscribers.get_by_username", |call| Box::pin(subscribers::get_by_username(call))),
    ("subscribers.create", |call| Box::pin(subscribers::create(call))),
    ("system.health", |call| Box::pin(system::health(call))),
];
