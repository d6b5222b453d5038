//! Load, overload, brute force and tight limits: what is acknowledged stays, what is refused is refused soon and not done,
//! and whoever has a right to be served is.
#![expect(clippy::float_arithmetic, reason = "statistics are not money")]

mod attack;
mod client;
mod figures;
mod handshakes;
mod house;
mod likeness;
/// The certificates and the client that the tests of TLS have.
#[expect(dead_code, reason = "the tests of TLS use all of it")]
#[path = "../cli/tls/made.rs"]
mod made;
mod mixed;
mod mixture;
mod overload;
mod tight;
#[expect(dead_code, reason = "the tests of TLS use all of it")]
#[path = "../cli/tls/client.rs"]
mod tls_client;
