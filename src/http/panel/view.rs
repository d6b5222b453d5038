//! What this surface's objects look like (seed: "Step 2", Response 201; contract: panel.md).

use actix_web::http::StatusCode;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::error::AppError;
use crate::domain::features::Flags;
use crate::domain::keys::{Grants, Key};
use crate::domain::packages::Package;
use crate::domain::quotas::Quota;
use crate::domain::resellers::Reseller;
use crate::domain::time::Timestamp;
use crate::domain::users::User;
use crate::http::answer::Reply;

/// How this surface says "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

fn instant(at: Option<Timestamp>, zone: Tz) -> String {
    at.map_or_else(|| NEVER.to_owned(), |at| at.rfc3339_in(zone))
}

/// An answer that is done and says so.
#[derive(Serialize, JsonSchema)]
pub(super) struct Done<'a> {
    #[schemars(extend("const" = true))]
    success: bool,
    message: &'a str,
}

pub fn done(message: &str) -> Result<Reply, AppError> {
    Reply::json(StatusCode::OK, &Done { success: true, message })
}

/// What was made, by its names.
#[derive(Serialize, JsonSchema)]
pub(super) struct Made<'a> {
    #[schemars(extend("const" = true))]
    success: bool,
    message: &'a str,
    username: &'a str,
    package: &'a str,
}

pub fn made(message: &str, user: &User) -> Result<Reply, AppError> {
    let made = Made { success: true, message, username: &user.username, package: &user.package };
    Reply::json(StatusCode::CREATED, &made)
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PanelMe")]
pub struct Me<'a> {
    username: &'a str,
    email: &'a str,
    #[schemars(extend("enum" = ["user", "reseller", "admin"]))]
    role: &'a str,
    #[schemars(extend("enum" = ["active", "suspended"]))]
    status: &'a str,
    /// Who owns the account; empty: nobody.
    creator: &'a str,
    package: &'a str,
    max_domains: i64,
    max_databases: i64,
    max_email_accounts: i64,
    max_ftp_accounts: i64,
}

impl<'a> From<&'a User> for Me<'a> {
    fn from(user: &'a User) -> Self {
        let quota = |quota| user.effective_quotas.get(quota);
        Self {
            username: &user.username,
            email: &user.email,
            role: user.role.as_str(),
            status: user.status.as_str(),
            creator: user.creator.as_deref().unwrap_or_default(),
            package: &user.package,
            max_domains: quota(Quota::Domains),
            max_databases: quota(Quota::Databases),
            max_email_accounts: quota(Quota::EmailAccounts),
            max_ftp_accounts: quota(Quota::FtpAccounts),
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PanelUser")]
pub struct UserView<'a> {
    #[serde(flatten)]
    me: Me<'a>,
    created_at: String,
}

impl<'a> UserView<'a> {
    pub fn of(user: &'a User, zone: Tz) -> Self {
        Self { me: Me::from(user), created_at: user.created_at.rfc3339_in(zone) }
    }
}

/// Users as a bare array.
pub fn users(users: &[User], zone: Tz) -> Result<Reply, AppError> {
    let rows: Vec<_> = users.iter().map(|user| UserView::of(user, zone)).collect();
    Reply::json(StatusCode::OK, &rows)
}

pub fn flags(flags: &Flags<bool>, prefix: &str) -> Map<String, Value> {
    flags.iter().map(|(feature, on)| (format!("{prefix}{}", feature.as_str()), json!(on))).collect()
}

pub fn reseller(reseller: &Reseller) -> Value {
    let user = &reseller.user;
    let mut object =
        Map::from_iter([("username".to_owned(), json!(user.username)), ("package".to_owned(), json!(user.package))]);
    object.extend(reseller.quotas.iter().map(|(quota, value)| (quota.as_str().to_owned(), json!(value))));
    object.extend(flags(&reseller.grants, "can_grant_"));
    object.into()
}

/// The flags stand under their short names too, which is how the seed names them in package data.
pub fn package(package: &Package) -> Value {
    let values = &package.values;
    let mut object = Map::from_iter([("id".to_owned(), json!(package.id)), ("name".to_owned(), json!(package.name))]);
    object.extend(values.quotas.iter().map(|(quota, value)| (quota.as_str().to_owned(), json!(value))));
    object.extend(flags(&values.flags, ""));
    object.extend(flags(&values.flags, "can_use_"));
    object.extend(flags(&values.grants, "can_grant_"));
    object.into()
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PanelKey")]
pub struct KeyView<'a> {
    id: &'a str,
    name: &'a str,
    key_prefix: &'a str,
    permissions: Vec<&'static str>,
    ip_whitelist: Vec<String>,
    /// `0001-01-01T00:00:00Z`: never.
    last_used: String,
    created_at: String,
    /// `0001-01-01T00:00:00Z`: never.
    expires_at: String,
    enabled: bool,
    /// Requests a minute, where the key has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    rate_limit: Option<u32>,
}

impl<'a> KeyView<'a> {
    pub fn of(key: &'a Key, zone: Tz) -> Self {
        let settings = &key.settings;
        Self {
            id: key.panel_id.as_deref().unwrap_or_default(),
            name: &settings.name,
            key_prefix: &key.display,
            permissions: match &settings.grants {
                Grants::Panel(_) => settings.grants.words(),
                Grants::External(_) | Grants::Billing { .. } => Vec::new(),
            },
            ip_whitelist: settings.allowed_ips.to_strings(),
            last_used: instant(key.last_used_at, zone),
            created_at: key.created_at.rfc3339_in(zone),
            expires_at: instant(settings.expires_at, zone),
            enabled: settings.enabled,
            rate_limit: settings.rate_per_minute,
        }
    }
}
