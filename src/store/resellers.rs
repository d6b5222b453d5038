//! `resellers`: ceilings and levers of their own.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::resellers::Own;
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;

const FIND: &str = "
    SELECT max_users, max_domains, max_databases, max_email_accounts, max_ftp_accounts, disk_quota_mb, bandwidth_quota_mb,
           can_grant_api, can_grant_php, can_grant_cgi, can_grant_ssl, can_grant_ssh,
           can_grant_cron, can_grant_spam, can_grant_catchall, can_grant_dnscontrol, can_grant_sysinfo
    FROM resellers WHERE user_id = ?1";
const UPSERT: &str = "
    INSERT INTO resellers (user_id, max_users, max_domains, max_databases, max_email_accounts, max_ftp_accounts,
        disk_quota_mb, bandwidth_quota_mb, can_grant_api, can_grant_php, can_grant_cgi, can_grant_ssl, can_grant_ssh,
        can_grant_cron, can_grant_spam, can_grant_catchall, can_grant_dnscontrol, can_grant_sysinfo, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
    ON CONFLICT (user_id) DO UPDATE SET max_users = excluded.max_users, max_domains = excluded.max_domains,
        max_databases = excluded.max_databases, max_email_accounts = excluded.max_email_accounts,
        max_ftp_accounts = excluded.max_ftp_accounts, disk_quota_mb = excluded.disk_quota_mb,
        bandwidth_quota_mb = excluded.bandwidth_quota_mb, can_grant_api = excluded.can_grant_api,
        can_grant_php = excluded.can_grant_php, can_grant_cgi = excluded.can_grant_cgi,
        can_grant_ssl = excluded.can_grant_ssl, can_grant_ssh = excluded.can_grant_ssh,
        can_grant_cron = excluded.can_grant_cron, can_grant_spam = excluded.can_grant_spam,
        can_grant_catchall = excluded.can_grant_catchall, can_grant_dnscontrol = excluded.can_grant_dnscontrol,
        can_grant_sysinfo = excluded.can_grant_sysinfo, updated_at = excluded.updated_at";

const FORGET: &str = "DELETE FROM resellers WHERE user_id = ?1";
const FORGET_ROUTERS: &str = "DELETE FROM nas_resellers WHERE user_id = ?1";

/// A reseller's own values; one that has none inherits all.
pub fn find(tx: &ReadTx<'_>, user: UserId) -> Result<Own, AppError> {
    let found = tx.prepare(FIND)?.query_row([user.0], from_row).optional().map_err(|e| store_error(&e))?;
    Ok(found.unwrap_or_default())
}

pub fn store(tx: &WriteTx<'_>, _permit: &Permit, user: UserId, own: &Own, now: Timestamp) -> Result<(), AppError> {
    let mut row: Vec<Value> = vec![user.0.into()];
    row.extend(own.quotas.0.map(Value::from));
    row.extend(own.grants.0.map(Value::from));
    row.push(now.millis().into());
    tx.execute(UPSERT, params_from_iter(row)).map(|_| ())
}

/// Forgets what somebody had as a reseller: ceilings, levers, routers.
pub fn forget(tx: &WriteTx<'_>, _permit: &Permit, user: UserId) -> Result<(), AppError> {
    tx.execute(FORGET, [user.0])?;
    tx.execute(FORGET_ROUTERS, [user.0]).map(|_| ())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Own> {
    let mut own = Own::default();
    for place in 0..7 {
        own.quotas.0[place] = row.get(place)?;
    }
    for place in 0..10 {
        own.grants.0[place] = row.get(7 + place)?;
    }
    Ok(own)
}
