//! The real binary, run as an operator runs it: each test in a folder of its own, on a port the system chose.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a helper that cannot go on fails the test that called it"
)]
#![expect(clippy::disallowed_types, reason = "looks into the files behind the binary's back")]

/// The same that the HTTP tests look for secrets with.
#[path = "../api/support/secrets.rs"]
mod detector;
/// The same that the HTTP tests hold every answer to.
#[path = "../api/support/document.rs"]
mod document;
mod home;
mod mounts;
mod raw_http;
mod server;

mod backup;
mod bench;
mod config;
mod definitions;
mod disk_full;
mod disk_full_copies;
mod doctor;
mod exit_codes;
mod healthcheck;
mod keyfile;
mod keys;
mod keys_commands;
mod keys_propagation;
mod keys_suggest;
mod keys_used;
mod ledger;
mod licenses;
mod main_job;
mod metrics;
mod migrate;
mod nas;
mod openapi;
mod owner;
mod provisioning;
mod refusals;
mod reload;
mod restore;
mod secrets;
mod services;
mod setup;
mod stopping;
mod subscribers;
mod systemd;
mod tls;
mod two_processes;
mod unix_socket;
mod users;
mod whmcs;
mod whmcs_hosting;
