//! What is SQLite's alone: connections, PRAGMAs, the writer thread, migrations, the search index.

pub mod checkpoint;
pub mod connection;
pub mod copies;
#[cfg(test)]
pub mod cost;
pub mod look;
pub mod migrate;
pub mod reader;
pub mod search;
pub mod tally;
pub mod writer;
