//! Load, overload, brute force and tight limits: what is acknowledged stays, what is refused is refused soon and not done,
//! and whoever has a right to be served is.
#![expect(clippy::float_arithmetic, reason = "statistics are not money")]

mod attack;
mod client;
mod figures;
mod handshakes;
mod house;
mod likeness;
mod mixed;
mod mixture;
mod overload;
mod tight;
