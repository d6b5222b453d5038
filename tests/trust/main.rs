//! What tries to break the panel: the real binary under kills, power cuts, abuse and overload. `cargo test` runs the short
//! form; `tests/trust/run` runs the long one, and tests/TRUST.md says what is promised and gives the last figures.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a helper that cannot go on fails the test that called it"
)]
#![expect(clippy::disallowed_types, reason = "looks into the files behind the binary's back")]

#[macro_use]
mod size;

/// The same that the HTTP tests look for secrets with.
#[path = "../api/support/secrets.rs"]
mod detector;
/// The same that the HTTP tests hold every answer to.
#[path = "../api/support/document.rs"]
mod document;
#[expect(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/home.rs"]
mod home;
#[expect(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/mounts.rs"]
mod mounts;
/// The same that the targets of cargo-fuzz run.
#[path = "../fuzz/parsers/mod.rs"]
mod parsers;
#[expect(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/raw_http.rs"]
mod raw_http;
#[expect(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/server.rs"]
mod server;

mod client;
mod disk;
mod tls;
mod traced;
mod truth;
mod work;

mod authority;
mod clock;
mod crash;
mod fuzz;
mod load;
mod outgoing;
mod outside;
mod page;
mod power_cut;
mod secrets;
mod supply;
mod sync_order;
mod tokens;
mod values;
mod wire;
