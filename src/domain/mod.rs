//! What the business is, as pure values. Never: actix, rusqlite, the clock, any other room.

pub mod addresses;
pub mod audit;
pub mod error;
pub mod keys;
pub mod money;
pub mod passwords;
pub mod policy;
pub mod request_logs;
pub mod routes;
pub mod services;
pub mod subscribers;
pub mod time;
pub mod users;
