//! `packages`: limits and flags that accounts inherit.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::features::Flags;
use crate::domain::packages::{Package, PackageName, Values};
use crate::domain::policy::Permit;
use crate::domain::quotas::Quotas;
use crate::domain::time::Timestamp;
use crate::domain::users::fold;

// Both statements take the columns in the order of `row_values`.
const INSERT: &str = "
    INSERT INTO packages (name, name_key, max_users, max_domains, max_databases, max_email_accounts, max_ftp_accounts,
        disk_quota_mb, bandwidth_quota_mb,
        can_use_api, can_use_php, can_use_cgi, can_use_ssl, can_use_ssh,
        can_use_cron, can_use_spam, can_use_catchall, can_use_dnscontrol, can_use_sysinfo,
        can_grant_api, can_grant_php, can_grant_cgi, can_grant_ssl, can_grant_ssh,
        can_grant_cron, can_grant_spam, can_grant_catchall, can_grant_dnscontrol, can_grant_sysinfo, updated_at, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
            ?25, ?26, ?27, ?28, ?29, ?30, ?30)
    ON CONFLICT DO NOTHING
    RETURNING id";
const UPDATE: &str = "
    UPDATE packages SET name = ?1, name_key = ?2, max_users = ?3, max_domains = ?4, max_databases = ?5,
        max_email_accounts = ?6, max_ftp_accounts = ?7, disk_quota_mb = ?8, bandwidth_quota_mb = ?9,
        can_use_api = ?10, can_use_php = ?11, can_use_cgi = ?12, can_use_ssl = ?13, can_use_ssh = ?14,
        can_use_cron = ?15, can_use_spam = ?16, can_use_catchall = ?17, can_use_dnscontrol = ?18, can_use_sysinfo = ?19,
        can_grant_api = ?20, can_grant_php = ?21, can_grant_cgi = ?22, can_grant_ssl = ?23, can_grant_ssh = ?24,
        can_grant_cron = ?25, can_grant_spam = ?26, can_grant_catchall = ?27, can_grant_dnscontrol = ?28,
        can_grant_sysinfo = ?29, updated_at = ?30
    WHERE id = ?31";
macro_rules! select_packages {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, created_at, max_users, max_domains, max_databases, max_email_accounts, max_ftp_accounts, ",
            "disk_quota_mb, bandwidth_quota_mb, ",
            "can_use_api, can_use_php, can_use_cgi, can_use_ssl, can_use_ssh, ",
            "can_use_cron, can_use_spam, can_use_catchall, can_use_dnscontrol, can_use_sysinfo, ",
            "can_grant_api, can_grant_php, can_grant_cgi, can_grant_ssl, can_grant_ssh, ",
            "can_grant_cron, can_grant_spam, can_grant_catchall, can_grant_dnscontrol, can_grant_sysinfo FROM packages ",
            $rest
        )
    };
}
const LIST: &str = select_packages!("ORDER BY id");
const FIND: &str = select_packages!("WHERE name_key = ?1");
const FIND_BY_ID: &str = select_packages!("WHERE id = ?1");
const IS_USED: &str = "SELECT 1 FROM users WHERE package_id = ?1 AND deleted_at IS NULL LIMIT 1";
// Rows of deleted users still name their package.
const LEAVE_TO_DEFAULT: &str = "UPDATE users SET package_id = 1 WHERE package_id = ?1 AND deleted_at IS NOT NULL";
const DELETE: &str = "DELETE FROM packages WHERE id = ?1";

fn row_values(name: &PackageName, values: &Values, now: Timestamp) -> Vec<Value> {
    let mut row: Vec<Value> = vec![name.as_str().to_owned().into(), name.key().into()];
    row.extend(values.quotas.0.map(Value::from));
    row.extend(values.flags.0.map(Value::from));
    row.extend(values.grants.0.map(Value::from));
    row.push(now.millis().into());
    row
}

/// `None` where the name is taken.
pub fn insert(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    name: &PackageName,
    values: &Values,
    now: Timestamp,
) -> Result<Option<i64>, AppError> {
    let row = row_values(name, values, now);
    let mut insert = tx.prepare(INSERT)?;
    insert.query_row(params_from_iter(row), |row| row.get(0)).optional().map_err(|e| store_error(&e))
}

pub fn update(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    id: i64,
    name: &PackageName,
    values: &Values,
    now: Timestamp,
) -> Result<(), AppError> {
    let mut row = row_values(name, values, now);
    row.push(id.into());
    tx.execute(UPDATE, params_from_iter(row)).map(|_| ())
}

pub fn delete(tx: &WriteTx<'_>, _permit: &Permit, id: i64) -> Result<(), AppError> {
    tx.execute(LEAVE_TO_DEFAULT, [id])?;
    tx.execute(DELETE, [id]).map(|_| ())
}

/// Whether a living account has it.
pub fn is_used(tx: &ReadTx<'_>, id: i64) -> Result<bool, AppError> {
    let found: Option<i64> =
        tx.prepare(IS_USED)?.query_row([id], |row| row.get(0)).optional().map_err(|e| store_error(&e))?;
    Ok(found.is_some())
}

pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Package>, AppError> {
    let mut statement = tx.prepare(LIST)?;
    let rows = statement.query_map([], from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

pub fn find(tx: &ReadTx<'_>, name: &str) -> Result<Option<Package>, AppError> {
    tx.prepare(FIND)?.query_row([fold(name)], from_row).optional().map_err(|e| store_error(&e))
}

pub fn find_by_id(tx: &ReadTx<'_>, id: i64) -> Result<Option<Package>, AppError> {
    tx.prepare(FIND_BY_ID)?.query_row([id], from_row).optional().map_err(|e| store_error(&e))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Package> {
    let (quotas, flags, grants) = values_at(row, 3)?;
    Ok(Package {
        id: row.get(0)?,
        name: row.get(1)?,
        values: Values { quotas, flags, grants },
        created_at: Timestamp(row.get(2)?),
    })
}

/// Quotas, flags and grants as they follow each other in a row.
pub(super) fn values_at(row: &Row<'_>, first: usize) -> rusqlite::Result<(Quotas<i64>, Flags<bool>, Flags<bool>)> {
    let (mut quotas, mut flags, mut grants) = (Quotas::UNLIMITED, Flags::default(), Flags::default());
    for place in 0..7 {
        quotas.0[place] = row.get(first + place)?;
    }
    for place in 0..10 {
        flags.0[place] = row.get(first + 7 + place)?;
        grants.0[place] = row.get(first + 17 + place)?;
    }
    Ok((quotas, flags, grants))
}
