//! The billing surface: `/api/v1/billing` and `/api/health`, `X-API-Key` with `X-API-Secret` (contract: billing.md).

mod accounts;
pub mod auth;
pub mod describe;
pub mod error;
mod health;
mod whoami;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[
    ("accounts.list", |call| Box::pin(accounts::list(call))),
    ("accounts.create", |call| Box::pin(accounts::create(call))),
    ("accounts.get", |call| Box::pin(accounts::get(call))),
    ("accounts.update", |call| Box::pin(accounts::update(call))),
    ("accounts.delete", |call| Box::pin(accounts::delete(call))),
    ("accounts.suspend", |call| Box::pin(accounts::suspend(call))),
    ("accounts.unsuspend", |call| Box::pin(accounts::unsuspend(call))),
    ("accounts.stats", |call| Box::pin(accounts::stats(call))),
    ("whoami", |call| Box::pin(whoami::whoami(call))),
    ("health", |call| Box::pin(health::health(call))),
];
