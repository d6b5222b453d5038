//! The admin surface (contract: admin.md): sessions of people, and keys of all styles.

mod cookie;
mod golden;
mod keys_ask;
mod keys_change;
mod keys_create;
mod keys_list;
mod keys_who;
mod nas;
mod refresh;
mod services;
mod sessions;

pub const API_KEYS: &str = "/api/api-keys";
pub const REFRESH: &str = "/api/auth/refresh";
