//! The HTTP surfaces over real sockets and a real database: one module for each file of src/http.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise, in its helpers too"
)]
#![expect(clippy::disallowed_types, reason = "a test looks behind the answer, past the store that made it")]

mod support;

mod admin;
mod audit;
mod backups;
mod billing;
mod concurrency;
mod connections;
mod edge;
mod external;
mod gates;
mod idempotency;
mod keys;
mod log_lines;
mod metrics;
mod openapi;
mod panel;
mod request_log;
mod resets;
mod routes;
mod setup;
mod shield;
