//! What the business is, as pure values. Never: actix, rusqlite, the clock, any other room.

pub mod accounts;
pub mod addresses;
pub mod audit;
pub mod backups;
pub mod encoding;
pub mod error;
pub mod features;
pub mod keys;
pub mod limits;
pub mod money;
pub mod nas;
pub mod packages;
pub mod passwords;
pub mod policy;
pub mod quotas;
pub mod request_logs;
pub mod resellers;
pub mod routes;
pub mod services;
pub mod sessions;
pub mod sheets;
pub mod subscribers;
pub mod text;
pub mod time;
pub mod transactions;
pub mod users;
