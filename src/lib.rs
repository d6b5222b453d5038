//! `panel`: the control panel of a small ISP in one binary and one SQLite file. The rooms, in reading order:
//! `domain` (what the business is), `store` (the database), `crypto` (what needs a secret), `actions` (what somebody can
//! do), `http` (the network's door), `cli` (the operator's door), `jobs` (what runs by the clock), `integrations` (what is
//! written out for other systems), `metrics` (what monitoring is told), `backups` and `doctor` (copies of the
//! database, and what is looked at when something is wrong), `config` (settings). `app`, `limits`, `health`, `tls`, `logging`,
//! `panics` and `running` are what the doors share.

pub mod actions;
pub mod app;
pub mod backups;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod doctor;
pub mod domain;
pub mod health;
pub mod http;
pub mod integrations;
pub mod jobs;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod panics;
pub mod running;
pub mod store;
pub mod tls;
