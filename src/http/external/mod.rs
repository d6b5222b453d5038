//! The external surface: `/api/v1/external`, `X-API-Key: pk_live_…` (contract: external.md).

pub mod auth;
pub mod describe;
pub mod envelope;
pub mod error;
mod nas;
mod services;
mod subscribers;
mod system;
mod transactions;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[
    ("subscribers.list", |call| Box::pin(subscribers::list(call))),
    ("subscribers.get", |call| Box::pin(subscribers::get(call))),
    ("subscribers.get_by_username", |call| Box::pin(subscribers::get_by_username(call))),
    ("subscribers.create", |call| Box::pin(subscribers::create(call))),
    ("subscribers.update", |call| Box::pin(subscribers::update(call))),
    ("subscribers.delete", |call| Box::pin(subscribers::delete(call))),
    ("subscribers.suspend", |call| Box::pin(subscribers::suspend(call))),
    ("subscribers.activate", |call| Box::pin(subscribers::activate(call))),
    ("subscribers.renew", |call| Box::pin(subscribers::renew(call))),
    ("subscribers.usage", |call| Box::pin(subscribers::usage(call))),
    ("services.list", |call| Box::pin(services::list(call))),
    ("services.get", |call| Box::pin(services::get(call))),
    ("nas.list", |call| Box::pin(nas::list(call))),
    ("nas.get", |call| Box::pin(nas::get(call))),
    ("transactions.list", |call| Box::pin(transactions::list(call))),
    ("transactions.create", |call| Box::pin(transactions::create(call))),
    ("system.stats", |call| Box::pin(system::stats(call))),
    ("system.health", |call| Box::pin(system::health(call))),
];
