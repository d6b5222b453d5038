//! What tries to break the panel: the real binary under kills, power cuts, abuse and overload. `cargo test` runs the short
//! form; `tests/trust/run` runs the long one, and tests/TRUST.md says what is promised and gives the last figures.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a helper that cannot go on fails the test that called it; the long form tells its figures"
)]
#![expect(clippy::disallowed_types, reason = "looks into the files behind the binary's back")]

/// The same that the HTTP tests look for secrets with.
#[path = "../api/support/secrets.rs"]
mod detector;
/// The same that the HTTP tests hold every answer to.
#[path = "../api/support/document.rs"]
mod document;
#[expect(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/home.rs"]
mod home;
/// The same that the targets of cargo-fuzz run.
#[path = "../fuzz/parsers/mod.rs"]
mod parsers;
#[expect(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/raw_http.rs"]
mod raw_http;
#[expect(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/server.rs"]
mod server;
mod size;

mod fuzz;
mod outside;
mod sync_order;
