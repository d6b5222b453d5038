//! `users`: who logs in.

mod change;
mod owned;

use rusqlite::{OptionalExtension, Params, Row};

use super::packages::values_at;
use super::{ReadTx, store_error};
use crate::domain::error::AppError;
use crate::domain::features::Flags;
use crate::domain::policy::{CreatorFacts, OwnerFacts, Permit, Rows};
use crate::domain::quotas::{Quota, Quotas};
use crate::domain::time::Timestamp;
use crate::domain::users::{AccountStatus, Email, Profile, Role, User, UserId, fold};

pub use accounts::{Holder, find_holder, list_accounts};
pub use change::{NewUser, delete, insert, set_last_login, set_password, set_status, update};
pub use owned::{Owned, count_users_of, give_to_house, hand_over, owned_by};

macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.username, u.email, u.role, u.status, u.creator_id, c.username, u.package_id, p.name, ",
            "u.password_hash IS NOT NULL, u.created_at, u.last_login_at, ",
            "u.full_name, u.phone, u.company, u.billing_id, u.metadata, ",
            "u.max_domains, u.max_databases, u.max_email_accounts, u.max_ftp_accounts, ",
            "u.can_use_api, u.can_use_php, u.can_use_cgi, u.can_use_ssl, u.can_use_ssh, ",
            "u.can_use_cron, u.can_use_spam, u.can_use_catchall, u.can_use_dnscontrol, u.can_use_sysinfo, ",
            "p.max_users, p.max_domains, p.max_databases, p.max_email_accounts, p.max_ftp_accounts, ",
            "p.disk_quota_mb, p.bandwidth_quota_mb, ",
            "p.can_use_api, p.can_use_php, p.can_use_cgi, p.can_use_ssl, p.can_use_ssh, ",
            "p.can_use_cron, p.can_use_spam, p.can_use_catchall, p.can_use_dnscontrol, p.can_use_sysinfo, ",
            "p.can_grant_api, p.can_grant_php, p.can_grant_cgi, p.can_grant_ssl, p.can_grant_ssh, ",
            "p.can_grant_cron, p.can_grant_spam, p.can_grant_catchall, p.can_grant_dnscontrol, p.can_grant_sysinfo ",
            "FROM users u JOIN packages p ON p.id = u.package_id LEFT JOIN users c ON c.id = u.creator_id ",
            $rest
        )
    };
}
// It follows the macro that it reads the columns with.
mod accounts;

const FIND_BY_USERNAME: &str = select_users!("WHERE u.username_key = ?1 AND u.deleted_at IS NULL");
const FIND_BY_ID: &str = select_users!("WHERE u.id = ?1 AND u.deleted_at IS NULL");
const LIST_ALL: &str = select_users!("WHERE u.deleted_at IS NULL ORDER BY u.id");
const LIST_UNDER: &str =
    select_users!("WHERE u.deleted_at IS NULL AND u.creator_id = ?1 AND u.role = 'user' ORDER BY u.id");
const LIST_OF_ROLE: &str = select_users!("WHERE u.role = ?1 AND u.deleted_at IS NULL ORDER BY u.id");
const EMAIL_OWNER: &str = "SELECT id FROM users WHERE email_key = ?1 AND deleted_at IS NULL";
const OLDEST: &str = "SELECT created_at FROM users ORDER BY id LIMIT 1";
const ACTIVE_ADMIN: &str = "
    SELECT 1 FROM users u LEFT JOIN users c ON c.id = u.creator_id
    WHERE u.role = 'admin' AND u.deleted_at IS NULL AND u.status = 'active' AND u.id <> ?1
      AND (c.id IS NULL OR c.role <> 'reseller' OR c.status = 'active') LIMIT 1";
macro_rules! select_logins {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.username, u.role, u.status, coalesce(u.can_use_api, p.can_use_api), ",
            "c.username, c.role, c.status, u.password_hash ",
            "FROM users u JOIN packages p ON p.id = u.package_id LEFT JOIN users c ON c.id = u.creator_id ",
            $rest
        )
    };
}
// A username has no `@`, so nobody's name is another's address.
const FIND_LOGIN: &str = select_logins!("WHERE u.username_key = ?1 AND u.deleted_at IS NULL");
const FIND_LOGIN_BY_EMAIL: &str = select_logins!("WHERE u.email_key = ?1 AND u.deleted_at IS NULL");

fn is_visible(permit: &Permit, user: &User) -> bool {
    match permit.rows() {
        Rows::All => true,
        Rows::OfReseller(id) => user.id == id || (user.creator_id == Some(id) && user.role == Role::User),
        Rows::OfUser(id) => user.id == id,
        Rows::Nobodys => false,
    }
}

/// Finds a living user by name, whatever its case, among those the caller may see.
pub fn find_by_username(tx: &ReadTx<'_>, permit: &Permit, username: &str) -> Result<Option<User>, AppError> {
    let found = tx.prepare(FIND_BY_USERNAME)?.query_row([fold(username)], from_row).optional();
    Ok(found.map_err(|e| store_error(&e))?.filter(|user| is_visible(permit, user)))
}

/// Finds a living user by id, among those the caller may see.
pub fn find_by_id(tx: &ReadTx<'_>, permit: &Permit, id: UserId) -> Result<Option<User>, AppError> {
    let found = tx.prepare(FIND_BY_ID)?.query_row([id.0], from_row).optional();
    Ok(found.map_err(|e| store_error(&e))?.filter(|user| is_visible(permit, user)))
}

/// The users the caller may see.
pub fn list(tx: &ReadTx<'_>, permit: &Permit) -> Result<Vec<User>, AppError> {
    match permit.rows() {
        Rows::All => listed(tx, LIST_ALL, []),
        Rows::OfReseller(id) => {
            let mut all = listed(tx, FIND_BY_ID, [id.0])?;
            all.extend(listed(tx, LIST_UNDER, [id.0])?);
            all.sort_by_key(|user| user.id);
            Ok(all)
        }
        Rows::OfUser(id) => listed(tx, FIND_BY_ID, [id.0]),
        Rows::Nobodys => Ok(Vec::new()),
    }
}

/// The users of a reseller.
pub fn list_under(tx: &ReadTx<'_>, permit: &Permit, creator: UserId) -> Result<Vec<User>, AppError> {
    let all: Vec<User> = listed(tx, LIST_UNDER, [creator.0])?;
    Ok(all.into_iter().filter(|user| is_visible(permit, user)).collect())
}

/// The users of a role that the caller may see.
pub fn list_of_role(tx: &ReadTx<'_>, permit: &Permit, role: Role) -> Result<Vec<User>, AppError> {
    let all: Vec<User> = listed(tx, LIST_OF_ROLE, [role.as_str()])?;
    Ok(all.into_iter().filter(|user| is_visible(permit, user)).collect())
}

fn listed(tx: &ReadTx<'_>, statement: &'static str, params: impl Params) -> Result<Vec<User>, AppError> {
    let mut statement = tx.prepare(statement)?;
    let rows = statement.query_map(params, from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

/// Whose e-mail address it is.
pub fn find_email_owner(tx: &ReadTx<'_>, email: &Email) -> Result<Option<UserId>, AppError> {
    let found = tx.prepare(EMAIL_OWNER)?.query_row([email.key()], |row| row.get(0).map(UserId)).optional();
    found.map_err(|e| store_error(&e))
}

/// When the first user was made, which is when the database was.
pub fn oldest(tx: &ReadTx<'_>) -> Result<Timestamp, AppError> {
    tx.prepare(OLDEST)?.query_row([], |row| row.get(0).map(Timestamp)).map_err(|e| store_error(&e))
}

/// Whether there is an active admin under no suspended reseller, besides this one.
pub fn has_active_admin(tx: &ReadTx<'_>, besides: Option<UserId>) -> Result<bool, AppError> {
    let found: Option<i64> = tx
        .prepare(ACTIVE_ADMIN)?
        .query_row([besides.map_or(0, |id| id.0)], |row| row.get(0))
        .optional()
        .map_err(|e| store_error(&e))?;
    Ok(found.is_some())
}

/// What a login needs of an account: whether it may, and the hash of its password.
#[derive(Clone)]
pub struct Login {
    pub account: OwnerFacts,
    pub password_hash: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Finds who logs in, by username or e-mail address, whatever its case.
pub fn find_login(tx: &ReadTx<'_>, name: &str) -> Result<Option<Login>, AppError> {
    let statement = if name.contains('@') { FIND_LOGIN_BY_EMAIL } else { FIND_LOGIN };
    let found = tx.prepare(statement)?.query_row([fold(name)], login_from_row).optional();
    found.map_err(|e| store_error(&e))
}

fn login_from_row(row: &Row<'_>) -> rusqlite::Result<Login> {
    Ok(Login { account: account_at(row, 0)?, password_hash: row.get(8)? })
}

/// Id, name, role, status, API access, and the creator's name, role and status, as they follow each other in a row.
pub(super) fn account_at(row: &Row<'_>, first: usize) -> rusqlite::Result<OwnerFacts> {
    let suspended = |column| -> rusqlite::Result<bool> { Ok(row.get::<_, String>(column)? != "active") };
    let role = |column| -> rusqlite::Result<Role> {
        // The column's CHECK allows the known words only; the least is assumed of any other.
        Ok(Role::parse(&row.get::<_, String>(column)?).unwrap_or(Role::User))
    };
    let creator = match row.get::<_, Option<String>>(first + 5)? {
        Some(username) => Some(CreatorFacts { username, role: role(first + 6)?, suspended: suspended(first + 7)? }),
        None => None,
    };
    Ok(OwnerFacts {
        id: UserId(row.get(first)?),
        username: row.get(first + 1)?,
        role: role(first + 2)?,
        suspended: suspended(first + 3)?,
        api_access: row.get(first + 4)?,
        creator,
    })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<User> {
    let (role, status): (String, String) = (row.get(3)?, row.get(4)?);
    let (mut quotas, mut flags) = (Quotas::<Option<i64>>::default(), Flags::<Option<bool>>::default());
    for (place, quota) in Quota::OF_ACCOUNT.into_iter().enumerate() {
        quotas.set(quota, row.get(17 + place)?);
    }
    for place in 0..10 {
        flags.0[place] = row.get(21 + place)?;
    }
    let (package_quotas, package_flags, package_grants) = values_at(row, 31)?;
    Ok(User {
        id: UserId(row.get(0)?),
        username: row.get(1)?,
        email: row.get(2)?,
        role: Role::parse(&role).unwrap_or(Role::User),
        status: if status == "active" { AccountStatus::Active } else { AccountStatus::Suspended },
        creator_id: row.get::<_, Option<i64>>(5)?.map(UserId),
        creator: row.get(6)?,
        package_id: row.get(7)?,
        package: row.get(8)?,
        package_grants,
        has_password: row.get(9)?,
        created_at: Timestamp(row.get(10)?),
        last_login_at: row.get::<_, Option<i64>>(11)?.map(Timestamp),
        profile: Profile {
            full_name: row.get(12)?,
            phone: row.get(13)?,
            company: row.get(14)?,
            billing_id: row.get(15)?,
            metadata: row.get(16)?,
        },
        effective_quotas: quotas.over(&package_quotas),
        package_quotas,
        quotas,
        effective_flags: flags.over(&package_flags),
        flags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans::check;

    #[test]
    fn every_list_and_look_up_is_served_by_an_index() {
        check(FIND_BY_USERNAME, &["SEARCH u USING INDEX users_by_username (username_key=?)"]);
        check(FIND_BY_ID, &["SEARCH u USING INTEGER PRIMARY KEY"]);
        check(LIST_ALL, &["SCAN u"]);
        check(LIST_UNDER, &["SEARCH u USING INDEX users_by_creator (creator_id=?)"]);
        check(LIST_OF_ROLE, &["SEARCH u USING INDEX users_by_role (role=?)"]);
        check(EMAIL_OWNER, &["SEARCH users USING INDEX users_by_email (email_key=?)"]);
        check(ACTIVE_ADMIN, &["SEARCH u USING INDEX users_by_role (role=?)"]);
        check(FIND_LOGIN, &["SEARCH u USING INDEX users_by_username (username_key=?)"]);
        check(FIND_LOGIN_BY_EMAIL, &["SEARCH u USING INDEX users_by_email (email_key=?)"]);
    }
}
