//! The admin surface: `/api` and everything that no other surface claims (contract: admin.md).

pub mod auth;
pub mod error;
mod setup;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[
    ("setup.form", |call| Box::pin(setup::form(call))),
    ("setup.set_password", |call| Box::pin(setup::set_password(call))),
];
