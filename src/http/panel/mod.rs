//! The panel surface: `/api/v1`, `Authorization: Bearer wsp_…` or a session's token (contract: panel.md).

pub mod auth;
pub mod describe;
pub mod error;
mod features;
mod keys;
mod packages;
mod resellers;
mod session;
mod users;
mod view;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[
    ("auth.login", |call| Box::pin(session::log_in(call))),
    ("auth.logout", |call| Box::pin(session::log_out(call))),
    ("auth.refresh", |call| Box::pin(session::refresh(call))),
    ("auth.me", |call| Box::pin(session::me(call))),
    ("users.list", |call| Box::pin(users::list(call))),
    ("users.create", |call| Box::pin(users::create(call))),
    ("users.get", |call| Box::pin(users::get(call))),
    ("users.update", |call| Box::pin(users::update(call))),
    ("users.delete", |call| Box::pin(users::delete(call))),
    ("users.suspend", |call| Box::pin(users::suspend(call))),
    ("users.unsuspend", |call| Box::pin(users::unsuspend(call))),
    ("features.get", |call| Box::pin(features::get(call))),
    ("features.update", |call| Box::pin(features::update(call))),
    ("keys.create", |call| Box::pin(keys::create(call))),
    ("keys.list", |call| Box::pin(keys::list(call))),
    ("keys.update", |call| Box::pin(keys::update(call))),
    ("keys.toggle", |call| Box::pin(keys::toggle(call))),
    ("keys.delete", |call| Box::pin(keys::delete(call))),
    ("resellers.list", |call| Box::pin(resellers::list(call))),
    ("resellers.create", |call| Box::pin(resellers::create(call))),
    ("resellers.get", |call| Box::pin(resellers::get(call))),
    ("resellers.update", |call| Box::pin(resellers::update(call))),
    ("resellers.delete", |call| Box::pin(resellers::delete(call))),
    ("resellers.limits", |call| Box::pin(resellers::get(call))),
    ("resellers.update_limits", |call| Box::pin(resellers::update_limits(call))),
    ("resellers.users", |call| Box::pin(resellers::users(call))),
    ("packages.list", |call| Box::pin(packages::list(call))),
    ("packages.create", |call| Box::pin(packages::create(call))),
    ("packages.get", |call| Box::pin(packages::get(call))),
    ("packages.update", |call| Box::pin(packages::update(call))),
    ("packages.delete", |call| Box::pin(packages::delete(call))),
];
