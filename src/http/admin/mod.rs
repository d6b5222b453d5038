//! The admin surface: `/api` and everything that no other surface claims (contract: admin.md).

mod audit;
pub mod auth;
pub mod describe;
mod envelope;
pub mod error;
mod key_changes;
mod keys;
mod nas;
mod openapi;
mod pages;
mod services;
mod session;
mod setup;
mod subscribers;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[
    ("setup.form", |call| Box::pin(setup::form(call))),
    ("setup.set_password", |call| Box::pin(setup::set_password(call))),
    ("openapi.document", |call| Box::pin(openapi::document(call))),
    ("openapi.page", |call| Box::pin(openapi::page(call))),
    ("auth.login", |call| Box::pin(session::log_in(call))),
    ("auth.login_json", |call| Box::pin(session::log_in_json(call))),
    ("auth.refresh", |call| Box::pin(session::refresh(call))),
    ("auth.logout", |call| Box::pin(session::log_out(call))),
    ("auth.me", |call| Box::pin(session::me(call))),
    ("auth.password", |call| Box::pin(session::password(call))),
    ("sessions.list", |call| Box::pin(session::sessions(call))),
    ("sessions.get", |call| Box::pin(session::session(call))),
    ("sessions.delete", |call| Box::pin(session::end_session(call))),
    ("sessions.delete_all", |call| Box::pin(session::end_other_sessions(call))),
    ("keys.list", |call| Box::pin(keys::list(call))),
    ("keys.create", |call| Box::pin(keys::create(call))),
    ("keys.stats", |call| Box::pin(keys::stats(call))),
    ("keys.get", |call| Box::pin(keys::get(call))),
    ("keys.update", |call| Box::pin(key_changes::update(call))),
    ("keys.revoke", |call| Box::pin(keys::revoke(call))),
    ("keys.logs", |call| Box::pin(keys::logs(call))),
    ("keys.rotate", |call| Box::pin(keys::rotate(call))),
    ("keys.can", |call| Box::pin(key_changes::can(call))),
    ("services.list", |call| Box::pin(services::list(call))),
    ("services.create", |call| Box::pin(services::create(call))),
    ("services.get", |call| Box::pin(services::get(call))),
    ("services.update", |call| Box::pin(services::update(call))),
    ("services.delete", |call| Box::pin(services::delete(call))),
    ("nas.list", |call| Box::pin(nas::list(call))),
    ("nas.create", |call| Box::pin(nas::create(call))),
    ("nas.get", |call| Box::pin(nas::get(call))),
    ("nas.update", |call| Box::pin(nas::update(call))),
    ("nas.delete", |call| Box::pin(nas::delete(call))),
    ("subscribers.list", |call| Box::pin(subscribers::list(call))),
    ("subscribers.create", |call| Box::pin(subscribers::create(call))),
    ("subscribers.get", |call| Box::pin(subscribers::get(call))),
    ("subscribers.update", |call| Box::pin(subscribers::update(call))),
    ("subscribers.delete", |call| Box::pin(subscribers::delete(call))),
    ("audit.list", |call| Box::pin(audit::list(call))),
];
