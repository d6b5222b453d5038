//! `audit`: one row for each change, in the transaction of the change.

use rusqlite::Row;

use super::list_sql::ListSql;
use super::{ReadTx, WriteTx, store_error};
use crate::domain::audit::{Change, Entry, Filter};
use crate::domain::error::AppError;
use crate::domain::keys::KeyId;
use crate::domain::policy::{Actor, Permit};
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;

const INSERT: &str = "
    INSERT INTO audit (at, actor_kind, actor_user_id, actor_key_id, actor_name, surface, action, object_kind, object_id,
                       before, after, ip, request_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

pub fn insert(tx: &WriteTx<'_>, permit: &Permit, now: Timestamp, change: &Change) -> Result<(), AppError> {
    let (kind, user, key, name) = match permit.actor() {
        Actor::Key(key) => {
            let owner = key.owner.as_ref();
            ("key", owner.map(|owner| owner.id.0), Some(key.id.0), owner.map_or("", |owner| owner.username.as_str()))
        }
        Actor::Session(session) => ("session", Some(session.user.id.0), None, session.user.username.as_str()),
        Actor::Operator { name } => ("operator", None, None, name.as_str()),
        Actor::Setup { user, name } => ("setup", Some(user.0), None, name.as_str()),
        Actor::System | Actor::Nobody => ("system", None, None, "panel"),
    };
    let origin = permit.origin();
    let ip = origin.ip.map(|ip| ip.to_string());
    let request_id = Some(&origin.request_id).filter(|id| !id.is_empty());
    tx.execute(
        INSERT,
        rusqlite::params![
            now.millis(),
            kind,
            user,
            key,
            name,
            origin.surface,
            change.action,
            change.object_kind,
            change.object_id,
            change.before,
            change.after,
            ip,
            request_id
        ],
    )?;
    tx.explain(change.action);
    Ok(())
}

const LIST: &str = "
    SELECT id, at, actor_kind, actor_user_id, actor_key_id, actor_name, surface, action, object_kind, object_id,
           before, after, ip, request_id
    FROM audit WHERE 1 = 1";

/// The trail, newest first, one row more than the limit.
pub fn list(tx: &ReadTx<'_>, _permit: &Permit, filter: &Filter) -> Result<Vec<Entry>, AppError> {
    let sql = narrowed(filter);
    let mut statement = tx.prepare(sql.text())?;
    let rows = statement.query_map(&*sql.params(), from_row).map_err(|e| store_error(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))
}

fn narrowed(filter: &Filter) -> ListSql {
    let mut sql = ListSql::new(LIST);
    if let Some(name) = &filter.actor {
        sql.and("actor_name = ?", [name.clone().into()]);
    }
    if let Some(action) = &filter.action {
        sql.and("action = ?", [action.clone().into()]);
    }
    if let Some(kind) = &filter.object_kind {
        sql.and("object_kind = ?", [kind.clone().into()]);
    }
    if let Some(id) = filter.object_id {
        sql.and("object_id = ?", [id.into()]);
    }
    if let Some(since) = filter.since {
        sql.and("at >= ?", [since.millis().into()]);
    }
    if let Some(until) = filter.until {
        sql.and("at < ?", [until.millis().into()]);
    }
    if let Some(id) = filter.before {
        sql.and("id < ?", [id.into()]);
    }
    // By time where a time is asked for, so that the walk begins and ends there.
    let timed = filter.since.is_some() || filter.until.is_some();
    let order = if timed { "ORDER BY at DESC, id DESC LIMIT ?" } else { "ORDER BY id DESC LIMIT ?" };
    sql.end(order, [filter.limit.saturating_add(1).into()]);
    sql
}

// Values are quoted once in a row's own columns and twice in what a caller sent, so only a role matches.
const ACCOUNTS_MADE: &str = r#"
    SELECT count(*) FILTER (WHERE actor_key_id = ?2 AND at >= ?4),
           count(*) FILTER (WHERE actor_key_id = ?2 AND after LIKE '%"role":"reseller"%'),
           count(*) FILTER (WHERE after LIKE '%"role":"reseller"%')
    FROM audit WHERE at >= ?3 AND action = 'users.create' AND surface = 'billing' AND actor_user_id = ?1"#;
const WAS_RESELLER: &str = r#"
    SELECT 1 FROM users u
    WHERE u.id = ?1
      AND (u.role = 'reseller'
           OR EXISTS (SELECT 1 FROM audit a WHERE a.object_kind = 'user' AND a.object_id = u.id
                      AND a.action = 'users.update' AND a.before LIKE '%"role":"reseller"%'))"#;

/// Hosting accounts that were made over the billing surface: of any kind by this key since an instant, and of resellers, by
/// this key and by any key of its owner, since an earlier one.
pub fn count_accounts_made(
    tx: &ReadTx<'_>,
    _permit: &Permit,
    (owner, key): (UserId, KeyId),
    resellers_since: Timestamp,
    since: Timestamp,
) -> Result<[i64; 3], AppError> {
    let mut statement = tx.prepare(ACCOUNTS_MADE)?;
    let params = (owner.0, key.0, resellers_since.millis(), since.millis());
    let counted = statement.query_row(params, |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
    counted.map_err(|e| store_error(&e))
}

/// Whether an account, living or deleted, is a reseller's or was one.
pub fn was_reseller(tx: &ReadTx<'_>, _permit: &Permit, user: UserId) -> Result<bool, AppError> {
    tx.prepare(WAS_RESELLER)?.exists([user.0]).map_err(|e| store_error(&e))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        at: Timestamp(row.get(1)?),
        actor_kind: row.get(2)?,
        actor_user_id: row.get(3)?,
        actor_key_id: row.get(4)?,
        actor_name: row.get(5)?,
        surface: row.get(6)?,
        action: row.get(7)?,
        object_kind: row.get(8)?,
        object_id: row.get(9)?,
        before: row.get(10)?,
        after: row.get(11)?,
        ip: row.get(12)?,
        request_id: row.get(13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans::check;

    #[test]
    fn the_trail_is_walked_by_the_index_of_what_is_asked_for() {
        let filtered = |filter: Filter, wanted: &str| check(narrowed(&filter).text(), &[wanted]);
        filtered(Filter::default(), "SCAN audit");
        let actor = Some("ada".to_owned());
        filtered(Filter { actor, ..Filter::default() }, "SEARCH audit USING INDEX audit_by_actor (actor_name=?)");
        let kind = Some("user".to_owned());
        let object = Filter { object_kind: kind, object_id: Some(7), ..Filter::default() };
        filtered(object, "SEARCH audit USING INDEX audit_by_object (object_kind=? AND object_id=?)");
        let since = Filter { since: Some(Timestamp(1)), ..Filter::default() };
        filtered(since, "SEARCH audit USING INDEX audit_by_time (at>?)");
        check(ACCOUNTS_MADE, &["SEARCH audit USING INDEX audit_by_time (at>?)"]);
        check(WAS_RESELLER, &["SEARCH a USING INDEX audit_by_object (object_kind=? AND object_id=?)"]);
    }
}
