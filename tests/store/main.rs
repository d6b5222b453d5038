//! What only a real SQLite file can prove: the schema, the one writer, snapshots, search, retention.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on fails the test that called it")]
#![expect(clippy::disallowed_types, reason = "looks into the files behind the store's back")]

mod place;

mod backups;
mod counters;
mod import;
mod readers;
mod request_logs;
mod retention;
mod retries;
mod schema;
mod search;
mod two_processes;
mod writer;
