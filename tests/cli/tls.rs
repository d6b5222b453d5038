//! TLS with the real binary and a real client: what refuses to start, what is spoken, who is at the other end, renewal.

mod client;
mod healthcheck;
pub mod made;
mod peers;
mod renewal;
mod start;
mod wire;
