//! `transactions`: the ledger. Rows are added and never changed; the balance moves in the same write.

use rusqlite::{OptionalExtension, Row};

use super::counters::{key_of, keys_of_owner, owner_key};
use super::list_sql::ListSql;
use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::money::Money;
use crate::domain::policy::{Permit, Rows};
use crate::domain::subscribers::{Listed, PageOf, Place, SubscriberId};
use crate::domain::time::Timestamp;
use crate::domain::transactions::{Filter, Kind, NewTransaction, Transaction, TransactionId};
use crate::domain::users::UserId;

macro_rules! select_transactions {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.subscriber_id, t.type, t.amount, t.balance_before, t.balance_after, t.description, ",
            "t.external_id, t.created_at FROM transactions t ",
            $rest
        )
    };
}
const FIND: &str = select_transactions!("WHERE t.id = ?1");
const LIST_ALL: &str = select_transactions!("WHERE 1 = 1");
const LIST_OF_OWNER: &str = select_transactions!("WHERE t.owner_id = ?");
const COUNT_ALL: &str = "SELECT count(*) FROM transactions t WHERE 1 = 1";
const COUNT_OF_OWNER: &str = "SELECT count(*) FROM transactions t WHERE t.owner_id = ?";
const FIND_BY_EXTERNAL_ID: &str = "
    SELECT id, created_values FROM transactions WHERE external_id = ?1 AND coalesce(owner_id, 0) = ?2";
const MOVE_BALANCE: &str = "
    UPDATE subscribers SET balance = balance + ?2, updated_at = ?3 WHERE id = ?1 AND deleted_at IS NULL RETURNING balance";
const INSERT: &str = "
    INSERT INTO transactions (subscriber_id, owner_id, type, amount, balance_before, balance_after, description,
                              external_id, created_values, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    RETURNING id";
const COUNT_ONE: &str = "
    INSERT INTO transaction_counters (owner_key, transactions) VALUES (?1, 1)
    ON CONFLICT (owner_key) DO UPDATE SET transactions = transactions + 1";
const GIVE: &str = "
    INSERT INTO transaction_counters (owner_key, transactions)
    SELECT ?2, transactions FROM transaction_counters WHERE owner_key = ?1
    ON CONFLICT (owner_key) DO UPDATE SET transactions = transactions + excluded.transactions";
const FORGET_OWNER: &str = "DELETE FROM transaction_counters WHERE owner_key = ?1";
const TOTAL: &str = "SELECT coalesce(sum(transactions), 0) FROM transaction_counters WHERE owner_key = ?1";

/// Counts all transactions of one owner for another.
pub fn hand_over(tx: &WriteTx<'_>, from: UserId, to: Option<UserId>) -> Result<(), AppError> {
    tx.execute(GIVE, (from.0, owner_key(to)))?;
    tx.execute(FORGET_OWNER, [from.0]).map(|_| ())
}

/// The owner's transaction of this external id, with the values it was booked with.
pub fn find_by_external_id(
    tx: &ReadTx<'_>,
    owner: Option<UserId>,
    external_id: &str,
) -> Result<Option<(TransactionId, String)>, AppError> {
    tx.prepare(FIND_BY_EXTERNAL_ID)?
        .query_row((external_id, owner_key(owner)), |row| Ok((TransactionId(row.get(0)?), row.get(1)?)))
        .optional()
        .map_err(|e| store_error(&e))
}

pub fn get(tx: &ReadTx<'_>, id: TransactionId) -> Result<Transaction, AppError> {
    tx.prepare(FIND)?.query_row([id.0], from_row).map_err(|e| store_error(&e))
}

/// Moves the balance of a living subscriber and books the row that says so. `None` where there is no such subscriber.
pub fn insert(
    tx: &WriteTx<'_>,
    _permit: &Permit,
    owner: Option<UserId>,
    new: &NewTransaction,
    created_values: &str,
) -> Result<Option<Transaction>, AppError> {
    let effect = new.kind.effect(new.amount);
    let mut movement = tx.prepare(MOVE_BALANCE)?;
    let after: Option<i64> = movement
        .query_row((new.subscriber_id.0, effect, new.now.millis()), |row| row.get(0))
        .optional()
        .map_err(|e| store_error(&e))?;
    let Some(after) = after else { return Ok(None) };
    let row = rusqlite::params![
        new.subscriber_id.0,
        owner.map(|id| id.0),
        new.kind.as_str(),
        new.amount.0,
        after - effect,
        after,
        new.description.as_deref().unwrap_or_default(),
        new.external_id,
        created_values,
        new.now.millis()
    ];
    let id: i64 = tx.prepare(INSERT)?.query_row(row, |row| row.get(0)).map_err(|e| store_error(&e))?;
    for key in keys_of_owner(owner) {
        tx.execute(COUNT_ONE, [key])?;
    }
    get(tx, TransactionId(id)).map(Some)
}

/// Lists what the caller may see, newest first.
pub fn list(tx: &ReadTx<'_>, permit: &Permit, filter: &Filter, page: PageOf) -> Result<Listed<Transaction>, AppError> {
    let Some(mut sql) = narrowed(permit, filter, LIST_ALL, LIST_OF_OWNER) else {
        return Ok(Listed { rows: Vec::new(), total: Some(0), next: None });
    };
    match page.place {
        Place::Page(number) => {
            let offset = (number - 1).saturating_mul(page.limit);
            sql.end("ORDER BY t.id DESC LIMIT ? OFFSET ?", [page.rows_to_read().into(), offset.into()]);
        }
        Place::After(id) => {
            sql.and("t.id < ?", [id.into()]);
            sql.end("ORDER BY t.id DESC LIMIT ?", [page.rows_to_read().into()]);
        }
    }
    let mut statement = tx.prepare(sql.text())?;
    let rows = statement.query_map(&*sql.params(), from_row).map_err(|e| store_error(&e))?;
    let rows = rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))?;
    let total = match page.place {
        Place::After(_) => None,
        Place::Page(_) if filter.is_empty() => Some(total(tx, permit)?),
        Place::Page(_) => Some(count(tx, permit, filter)?),
    };
    Ok(Listed::from_rows(rows, page, total, |row: &Transaction| row.id.0))
}

fn total(tx: &ReadTx<'_>, permit: &Permit) -> Result<i64, AppError> {
    let Some(key) = key_of(permit.rows()) else { return Ok(0) };
    tx.prepare(TOTAL)?.query_row([key], |row| row.get(0)).map_err(|e| store_error(&e))
}

fn count(tx: &ReadTx<'_>, permit: &Permit, filter: &Filter) -> Result<i64, AppError> {
    let Some(sql) = narrowed(permit, filter, COUNT_ALL, COUNT_OF_OWNER) else { return Ok(0) };
    sql.count(tx)
}

/// The statement with the conditions of the caller and of the filter; `None` for who sees nothing.
fn narrowed(permit: &Permit, filter: &Filter, of_all: &'static str, of_owner: &'static str) -> Option<ListSql> {
    let mut sql = match permit.rows() {
        Rows::All => ListSql::new(of_all),
        Rows::OfReseller(id) => ListSql::new(of_owner).value(id.0),
        Rows::OfUser(_) | Rows::Nobodys => return None,
    };
    if let Some(id) = filter.subscriber_id {
        sql.and("t.subscriber_id = ?", [id.into()]);
    }
    if let Some(kind) = filter.kind {
        sql.and("t.type = ?", [kind.as_str().to_owned().into()]);
    }
    if let Some(since) = filter.since {
        sql.and("t.created_at >= ?", [since.millis().into()]);
    }
    if let Some(before) = filter.before {
        sql.and("t.created_at < ?", [before.millis().into()]);
    }
    Some(sql)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Transaction> {
    let kind: String = row.get(2)?;
    Ok(Transaction {
        id: TransactionId(row.get(0)?),
        subscriber_id: SubscriberId(row.get(1)?),
        // The column's CHECK allows the four words only.
        kind: Kind::parse("type", &kind).unwrap_or(Kind::Charge),
        amount: Money(row.get(3)?),
        balance_before: Money(row.get(4)?),
        balance_after: Money(row.get(5)?),
        description: row.get(6)?,
        external_id: row.get(7)?,
        created_at: Timestamp(row.get(8)?),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::policy;
    use crate::store::engine::{connection, migrate};
    use crate::store::{SchemaFile, Synchronous};

    #[test]
    fn every_list_is_served_by_an_index_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = connection::open(&folder.path().join("panel.db"), Synchronous::Normal).unwrap();
        migrate::run(&mut connection, SchemaFile::Main).unwrap();
        let tx = ReadTx::new(&connection);
        let origin = Arc::new(policy::Origin { surface: "test", ip: None, request_id: String::new() });
        let (operator, reseller) = (policy::operator("test"), policy::reseller_for_tests(UserId(7), origin));
        let none = Filter::default;
        for (permit, filter, wanted) in [
            (&operator, none(), "SCAN t"),
            (&reseller, none(), "SEARCH t USING INDEX transactions_by_owner (owner_id=?)"),
            (
                &operator,
                Filter { subscriber_id: Some(1), ..none() },
                "SEARCH t USING INDEX transactions_by_subscriber (subscriber_id=?)",
            ),
            (
                &operator,
                Filter { kind: Some(Kind::Payment), ..none() },
                "SEARCH t USING INDEX transactions_by_type (type=?)",
            ),
        ] {
            let mut sql = narrowed(permit, &filter, LIST_ALL, LIST_OF_OWNER).unwrap();
            sql.end("ORDER BY t.id DESC LIMIT ?", [20.into()]);
            let mut statement = tx.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text())).unwrap();
            let lines = statement.query_map(&*sql.params(), |row| row.get::<_, String>(3)).unwrap();
            let plan = lines.collect::<Result<Vec<_>, _>>().unwrap().join("; ");
            assert!(plan.starts_with(wanted), "{filter:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{filter:?} sorts: {plan}");
        }
    }
}
