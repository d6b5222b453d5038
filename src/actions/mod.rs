//! One function for each thing somebody can do, shared by all surfaces and the command line.
//! Never: actix, SQL, header names, status codes.

pub mod accounts;
pub mod audit;
pub mod backups;
pub mod bootstrap;
pub mod callers;
pub mod key_file;
pub mod keys;
pub mod nas;
pub mod packages;
pub mod resellers;
pub mod services;
pub mod sessions;
pub mod setup;
pub mod subscribers;
pub mod system;
pub mod transactions;
pub mod users;
