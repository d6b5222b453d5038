//! Users as hosting accounts of the billing surface: lists of them, and who holds a name.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row};

use super::from_row;
use crate::domain::accounts::{Filter, Part};
use crate::domain::error::AppError;
use crate::domain::policy::{Permit, Rows};
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, User, UserId, Username};
use crate::store::list_sql::ListSql;
use crate::store::{ReadTx, store_error};

const LIST_ALL: &str = select_users!("WHERE u.deleted_at IS NULL AND u.role <> 'admin'");
const LIST_OF_OWNER: &str = select_users!("WHERE u.deleted_at IS NULL AND u.role = 'user' AND u.creator_id = ?");
const FIND_HOLDER: &str = "
    SELECT id, email_key, role, creator_id, billing_id, created_at, last_login_at, password_hash
    FROM users WHERE username_key = ?1 AND deleted_at IS NULL";

/// Who has a username: what tells a create that is sent again from another one.
#[derive(Clone)]
pub struct Holder {
    pub id: UserId,
    pub email_key: String,
    pub role: Role,
    pub creator: Option<UserId>,
    pub billing_id: Option<String>,
    pub created_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
    pub password_hash: Option<String>,
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holder").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Finds who has a username, whoever owns it: uniqueness is among all.
pub fn find_holder(tx: &ReadTx<'_>, _permit: &Permit, username: &Username) -> Result<Option<Holder>, AppError> {
    let found = tx.prepare(FIND_HOLDER)?.query_row([username.key()], holder_from_row).optional();
    found.map_err(|e| store_error(&e))
}

/// The accounts the caller may see, by id.
pub fn list_accounts(tx: &ReadTx<'_>, permit: &Permit, filter: &Filter, part: Part) -> Result<Vec<User>, AppError> {
    let Some(sql) = listing(permit, filter, part) else { return Ok(Vec::new()) };
    let mut statement = tx.prepare(sql.text())?;
    let rows = statement.query_map(&*sql.params(), from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

fn listing(permit: &Permit, filter: &Filter, part: Part) -> Option<ListSql> {
    let mut sql = match permit.rows() {
        Rows::All => ListSql::new(LIST_ALL),
        Rows::OfReseller(id) => ListSql::new(LIST_OF_OWNER).value(id.0),
        Rows::OfUser(_) | Rows::Nobodys => return None,
    };
    let text = |text: &String| Value::from(text.clone());
    if let Some(name) = &filter.username {
        sql.and("u.username_key = ?", [text(name)]);
    }
    if let Some(id) = &filter.billing_id {
        sql.and("u.billing_id = ?", [text(id)]);
    }
    sql.end("ORDER BY u.id LIMIT ? OFFSET ?", [part.limit.into(), part.skip.into()]);
    Some(sql)
}

fn holder_from_row(row: &Row<'_>) -> rusqlite::Result<Holder> {
    let role: String = row.get(2)?;
    Ok(Holder {
        id: UserId(row.get(0)?),
        email_key: row.get(1)?,
        role: Role::parse(&role).unwrap_or(Role::User),
        creator: row.get::<_, Option<i64>>(3)?.map(UserId),
        billing_id: row.get(4)?,
        created_at: Timestamp(row.get(5)?),
        last_login_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
        password_hash: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::policy;
    use crate::store::engine::{connection, migrate};
    use crate::store::{SchemaFile, Synchronous};

    fn plan(sql: &ListSql, tx: &ReadTx<'_>) -> String {
        let mut statement = tx.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text())).unwrap();
        let lines = statement.query_map(&*sql.params(), |row| row.get::<_, String>(3)).unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }

    #[test]
    fn every_list_is_served_by_an_index_and_nothing_is_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = connection::open(&folder.path().join("panel.db"), Synchronous::Normal).unwrap();
        migrate::run(&mut connection, SchemaFile::Main).unwrap();
        let tx = ReadTx::new(&connection);
        let operator = policy::operator("test");
        let origin = Arc::new(policy::Origin { surface: "test", ip: None, request_id: String::new() });
        let reseller = policy::reseller_for_tests(UserId(7), origin);
        let named = Filter { username: Some("ada".to_owned()), ..Filter::default() };
        let billed = Filter { billing_id: Some("42".to_owned()), ..Filter::default() };
        for (permit, filter, wanted) in [
            (&operator, &Filter::default(), "SCAN u;"),
            (&operator, &named, "SEARCH u USING INDEX users_by_username (username_key=?)"),
            (&operator, &billed, "SEARCH u USING INDEX users_by_billing_id (billing_id=?)"),
            (&reseller, &Filter::default(), "SEARCH u USING INDEX users_by_creator (creator_id=?)"),
            (&reseller, &named, "SEARCH u USING INDEX users_by_username (username_key=?)"),
        ] {
            let plan = plan(&listing(permit, filter, Part { skip: 0, limit: 100 }).unwrap(), &tx);
            assert!(plan.contains(wanted), "{filter:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{filter:?} sorts: {plan}");
        }
    }
}
