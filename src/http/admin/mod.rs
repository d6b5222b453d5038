//! The admin surface: `/api` and everything that no other surface claims (contract: admin.md).

pub mod auth;
mod envelope;
pub mod error;
mod key_changes;
mod keys;
mod session;
mod setup;

use super::call::Handler;

/// What is built, by the action of its row.
pub const HANDLERS: &[(&str, Handler)] = &[
    ("setup.form", |call| Box::pin(setup::form(call))),
    ("setup.set_password", |call| Box::pin(setup::set_password(call))),
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
];
