//! The certificates and the client that the tests of TLS have.

#[expect(dead_code, reason = "the tests of TLS use all of it")]
#[path = "../cli/tls/client.rs"]
pub mod client;
#[expect(dead_code, reason = "the tests of TLS use all of it")]
#[path = "../cli/tls/made.rs"]
pub mod made;
