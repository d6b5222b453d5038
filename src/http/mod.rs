//! The network's door. Never: SQL, business rules.

pub mod admin;
mod aftermath;
pub mod answer;
pub mod billing;
pub mod body;
pub mod call;
#[cfg(test)]
mod cost;
pub mod describe;
mod descriptors;
mod door;
pub mod external;
pub mod fields;
mod finish;
mod listener;
mod login;
mod metrics;
pub mod openapi;
pub mod panel;
mod patience;
pub mod query;
mod report;
mod server;
mod shield;
mod state;
mod unix_socket;
pub mod visit;

pub use descriptors::raise as raise_limits;
pub use server::{Serving, drain, start};
pub use state::State;
