//! The panel surface (contract: panel.md): accounts, their keys and flags, resellers, packages.

mod concurrency;
mod delegation;
mod features;
mod gates_story;
mod golden;
mod keys_change;
mod keys_create;
mod last_admin;
mod later;
mod limits;
mod login;
mod login_ladder;
mod matrix;
mod matrix_table;
mod packages;
mod repeats;
mod resellers;
mod resellers_transfer;
mod sessions;
mod users;

use crate::support::TestApp;
use panel::domain::users::Role;

pub const USERS: &str = "/api/v1/users";
pub const RESELLERS: &str = "/api/v1/resellers";
pub const PACKAGES: &str = "/api/v1/packages";
pub const ME: &str = "/api/v1/auth/me";

/// Every limit and every flag of the contract, written out so that one which goes missing in the code is missed here.
pub const QUOTAS: [&str; 7] = [
    "max_users",
    "max_domains",
    "max_databases",
    "max_email_accounts",
    "max_ftp_accounts",
    "disk_quota_mb",
    "bandwidth_quota_mb",
];
pub const FLAGS: [&str; 10] = ["api", "php", "cgi", "ssl", "ssh", "cron", "spam", "catchall", "dnscontrol", "sysinfo"];

/// Two resellers with a user each, and a user of the house's.
pub fn people(app: &TestApp) {
    app.reseller("rita");
    app.reseller("rolf");
    app.user("ulla", Role::User, Some("rita"));
    app.user("uwe", Role::User, Some("rolf"));
    app.user("vera", Role::User, Some("admin"));
}

pub fn keys_of(user: &str) -> String {
    format!("{USERS}/{user}/api-keys")
}

pub fn features_of(user: &str) -> String {
    format!("{USERS}/{user}/features")
}
