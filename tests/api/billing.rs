//! `/api/v1/billing` and `/api/health`.

mod bad_input;
mod calls;
mod change;
mod checklist;
mod create;
mod field_client;
mod health;
mod list;
mod matrix;
mod ownership;
mod repeats;
mod reseller_accounts;
mod statuses;
mod whoami;
