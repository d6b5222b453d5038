//! `subscribers`: the end customers. Every function takes the permit and keeps to the rows it allows.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row};

mod change;
mod export;

use super::engine::search;
use super::list_sql::ListSql;
use super::{ReadTx, WriteTx, counters, store_error};
use crate::domain::error::AppError;
use crate::domain::money::Money;
use crate::domain::policy::{Permit, Rows};
use crate::domain::services::ServiceId;
use crate::domain::subscribers::{
    Filter, Listed, ListedSubscriber, NewSubscriber, PageOf, Place, Sort, SortBy, Status, Subscriber, SubscriberId,
    Usage,
};
use crate::domain::time::{Date, Timestamp};
use crate::domain::users::{UserId, fold};

const FIND: &str = "
    SELECT s.id, s.owner_id, s.username, s.full_name, s.phone, s.address, s.email, s.note, s.external_id, s.status,
           s.service_id, v.name, s.nas_id, s.mac_address, s.expiry_date, s.balance, s.created_at, s.updated_at,
           (SELECT coalesce(a.framed_ip, '') FROM access_sessions a
            WHERE a.subscriber_id = s.id AND a.stopped_at IS NULL ORDER BY a.id DESC LIMIT 1),
           (SELECT u.download_bytes FROM subscriber_usage u WHERE u.subscriber_id = s.id AND u.day = ?2),
           (SELECT sum(u.download_bytes) FROM subscriber_usage u
            WHERE u.subscriber_id = s.id AND u.day BETWEEN ?3 AND ?2)
    FROM subscribers s JOIN services v ON v.id = s.service_id
    WHERE s.id = ?1 AND s.deleted_at IS NULL";
const USAGE: &str = "
    SELECT coalesce(sum(u.download_bytes) FILTER (WHERE u.day = ?2), 0),
           coalesce(sum(u.upload_bytes) FILTER (WHERE u.day = ?2), 0),
           coalesce(sum(u.download_bytes), 0), coalesce(sum(u.upload_bytes), 0),
           v.daily_quota, v.monthly_quota, s.fup_level
    FROM subscribers s JOIN services v ON v.id = s.service_id
    LEFT JOIN subscriber_usage u ON u.subscriber_id = s.id AND u.day BETWEEN ?3 AND ?2
    WHERE s.id = ?1 AND s.deleted_at IS NULL GROUP BY s.id";
const FIND_ID_BY_USERNAME: &str = "SELECT id FROM subscribers WHERE username_key = ?1 AND deleted_at IS NULL";
const FIND_ID_BY_EXTERNAL_ID: &str = "
    SELECT id, created_values FROM subscribers
    WHERE external_id = ?1 AND coalesce(owner_id, 0) = ?2 AND deleted_at IS NULL";
const INSERT: &str = "
    INSERT INTO subscribers (uid, owner_id, username, username_key, password_sealed, full_name, phone, address, email, note,
                             external_id, created_values, service_id, nas_id, mac_address, expiry_date, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17)
    ON CONFLICT DO NOTHING
    RETURNING id";

macro_rules! select_listed {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.username, s.full_name, s.phone, s.status, s.service_id, s.expiry_date, s.created_at, ",
            "s.owner_id, s.nas_id, s.balance, s.updated_at, ",
            "(SELECT coalesce(a.framed_ip, '') FROM access_sessions a ",
            "WHERE a.subscriber_id = s.id AND a.stopped_at IS NULL ORDER BY a.id DESC LIMIT 1) ",
            "FROM subscribers s WHERE s.deleted_at IS NULL",
            $rest
        )
    };
}
const LIST_ALL: &str = select_listed!("");
const LIST_OF_OWNER: &str = select_listed!(" AND s.owner_id = ?");
const COUNT_ALL: &str = "SELECT count(*) FROM subscribers s WHERE s.deleted_at IS NULL";
const COUNT_OF_OWNER: &str = "SELECT count(*) FROM subscribers s WHERE s.deleted_at IS NULL AND s.owner_id = ?";

const ONLINE: &str = "EXISTS (SELECT 1 FROM access_sessions a WHERE a.subscriber_id = s.id AND a.stopped_at IS NULL)";
const OFFLINE: &str =
    "NOT EXISTS (SELECT 1 FROM access_sessions a WHERE a.subscriber_id = s.id AND a.stopped_at IS NULL)";

pub use change::{Stored, delete, find_stored, set_status, update};
pub use export::{Exported, list_exported};

/// Finds a living subscriber that the caller may see.
pub fn find(tx: &ReadTx<'_>, permit: &Permit, id: SubscriberId, today: Date) -> Result<Option<Subscriber>, AppError> {
    let (day, month_start) = (today.days(), today.month_start().days());
    let found = tx.prepare(FIND)?.query_row((id.0, day, month_start), |row| from_row(row, today)).optional();
    Ok(found.map_err(|e| store_error(&e))?.filter(|subscriber| sees(permit, subscriber.owner)))
}

/// What a subscriber used today and this month, with its service's quotas.
pub fn usage(tx: &ReadTx<'_>, id: SubscriberId, today: Date) -> Result<Option<Usage>, AppError> {
    let read = |row: &Row<'_>| {
        Ok(Usage {
            daily_download: row.get(0)?,
            daily_upload: row.get(1)?,
            monthly_download: row.get(2)?,
            monthly_upload: row.get(3)?,
            daily_quota: row.get(4)?,
            monthly_quota: row.get(5)?,
            fup_level: row.get(6)?,
        })
    };
    let days = (id.0, today.days(), today.month_start().days());
    tx.prepare(USAGE)?.query_row(days, read).optional().map_err(|e| store_error(&e))
}

/// The id that a login belongs to, whoever owns it: uniqueness is among all.
pub fn find_id_by_username(
    tx: &ReadTx<'_>,
    _permit: &Permit,
    username: &str,
) -> Result<Option<SubscriberId>, AppError> {
    let mut statement = tx.prepare(FIND_ID_BY_USERNAME)?;
    statement.query_row([fold(username)], |row| row.get(0).map(SubscriberId)).optional().map_err(|e| store_error(&e))
}

/// An owner's row of this external id, with the values it was created with.
pub fn find_by_external_id(
    tx: &ReadTx<'_>,
    owner: Option<UserId>,
    external_id: &str,
) -> Result<Option<(SubscriberId, String)>, AppError> {
    let owner = counters::owner_key(owner);
    tx.prepare(FIND_ID_BY_EXTERNAL_ID)?
        .query_row((external_id, owner), |row| Ok((SubscriberId(row.get(0)?), row.get(1)?)))
        .optional()
        .map_err(|e| store_error(&e))
}

/// Stores a subscriber for the caller. `None` where the login or the external id is taken.
pub fn insert(
    tx: &WriteTx<'_>,
    permit: &Permit,
    new: &NewSubscriber,
    expiry: Date,
    created_values: &str,
) -> Result<Option<SubscriberId>, AppError> {
    let owner = permit.owner_of_new_rows();
    let draft = &new.draft;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let row = rusqlite::params![
        new.uid,
        owner.map(|id| id.0),
        draft.username.as_str(),
        draft.username.key(),
        new.password_sealed,
        text(&draft.full_name),
        text(&draft.phone),
        text(&draft.address),
        text(&draft.email),
        text(&draft.note),
        draft.external_id,
        created_values,
        draft.service_id.0,
        draft.nas_id,
        draft.mac_address,
        expiry.days(),
        new.now.millis()
    ];
    let made: Option<i64> =
        tx.prepare(INSERT)?.query_row(row, |row| row.get(0)).optional().map_err(|e| store_error(&e))?;
    if made.is_some() {
        counters::add(tx, counters::Place { owner, status: Status::Active.number(), expiry })?;
    }
    Ok(made.map(SubscriberId))
}

/// Lists what the caller may see, by id. `total` is there with a page and not with a cursor.
pub fn list(
    tx: &ReadTx<'_>,
    permit: &Permit,
    filter: &Filter,
    page: PageOf,
    today: Date,
) -> Result<Listed<ListedSubscriber>, AppError> {
    let Some(mut sql) = narrowed(tx, permit, filter, today, LIST_ALL, LIST_OF_OWNER)? else {
        return Ok(Listed { rows: Vec::new(), total: Some(0), next: None });
    };
    match page.place {
        Place::Page(number) => {
            let offset = (number - 1).saturating_mul(page.limit);
            sql.end(page_order(page.sort), [page.rows_to_read().into(), offset.into()]);
        }
        Place::After(id) => {
            sql.and("s.id > ?", [id.into()]);
            sql.end("ORDER BY s.id LIMIT ?", [page.rows_to_read().into()]);
        }
    }
    let mut statement = tx.prepare(sql.text())?;
    let rows = statement.query_map(&*sql.params(), |row| listed_from_row(row, today)).map_err(|e| store_error(&e))?;
    let rows: Vec<ListedSubscriber> = rows.collect::<Result<_, _>>().map_err(|e| store_error(&e))?;
    let total = match page.place {
        Place::After(_) => None,
        Place::Page(_) if filter.is_empty() => Some(counters::total(tx, permit.rows())?),
        Place::Page(_) => Some(match filter.status_alone() {
            Some(status) => counters::by_status(tx, permit.rows(), today)?.of(status),
            None => count(tx, permit, filter, today)?,
        }),
    };
    Ok(Listed::from_rows(rows, page, total, |row| row.id.0))
}

fn page_order(sort: Sort) -> &'static str {
    match (sort.by, sort.descending) {
        (SortBy::Id, false) => "ORDER BY s.id LIMIT ? OFFSET ?",
        (SortBy::Id, true) => "ORDER BY s.id DESC LIMIT ? OFFSET ?",
        (SortBy::Username, false) => "ORDER BY s.username_key LIMIT ? OFFSET ?",
        (SortBy::Username, true) => "ORDER BY s.username_key DESC LIMIT ? OFFSET ?",
        (SortBy::ExpiryDate, false) => "ORDER BY s.expiry_date, s.id LIMIT ? OFFSET ?",
        (SortBy::ExpiryDate, true) => "ORDER BY s.expiry_date DESC, s.id DESC LIMIT ? OFFSET ?",
        (SortBy::UpdatedAt, false) => "ORDER BY s.updated_at, s.id LIMIT ? OFFSET ?",
        (SortBy::UpdatedAt, true) => "ORDER BY s.updated_at DESC, s.id DESC LIMIT ? OFFSET ?",
    }
}

fn count(tx: &ReadTx<'_>, permit: &Permit, filter: &Filter, today: Date) -> Result<i64, AppError> {
    let Some(sql) = narrowed(tx, permit, filter, today, COUNT_ALL, COUNT_OF_OWNER)? else { return Ok(0) };
    sql.count(tx)
}

/// The statement with the conditions of the caller and of the filter; `None` for who sees nothing.
fn narrowed(
    tx: &ReadTx<'_>,
    permit: &Permit,
    filter: &Filter,
    today: Date,
    of_all: &'static str,
    of_owner: &'static str,
) -> Result<Option<ListSql>, AppError> {
    let mut sql = match permit.rows() {
        Rows::All => ListSql::new(of_all),
        Rows::OfReseller(id) => ListSql::new(of_owner).value(id.0),
        Rows::OfUser(_) | Rows::Nobodys => return Ok(None),
    };
    if let Some(needle) = &filter.username {
        if needle.chars().count() < search::SHORTEST {
            sql.and(search::WALKS, [needle.clone().into()]);
        } else {
            let upto = search::watermark(tx)?;
            sql.and(search::CONTAINS, [search::phrase(needle).into(), upto.into(), needle.clone().into()]);
        }
    }
    let today: Value = today.days().into();
    match filter.status {
        Some(Status::Active) => sql.and("s.status = 1 AND s.expiry_date >= ?", [today]),
        Some(Status::Expired) => sql.and("s.status = 1 AND s.expiry_date < ?", [today]),
        Some(other) => sql.and("s.status = ?", [other.number().into()]),
        None => {}
    }
    if let Some(id) = filter.service_id {
        sql.and("s.service_id = ?", [id.into()]);
    }
    if let Some(id) = filter.nas_id {
        sql.and("s.nas_id = ?", [id.into()]);
    }
    if let Some(online) = filter.is_online {
        sql.and(if online { ONLINE } else { OFFLINE }, []);
    }
    if let Some(id) = &filter.external_id {
        sql.and("s.external_id = ?", [id.clone().into()]);
    }
    if let Some(date) = filter.expires_before {
        sql.and("s.expiry_date < ?", [date.days().into()]);
    }
    match filter.owner {
        Some(Some(owner)) => sql.and("s.owner_id = ?", [owner.0.into()]),
        Some(None) => sql.and("s.owner_id IS NULL", []),
        None => {}
    }
    if let Some(since) = filter.updated_since {
        sql.and("s.updated_at >= ?", [since.millis().into()]);
    }
    Ok(Some(sql))
}

fn sees(permit: &Permit, owner: Option<UserId>) -> bool {
    match permit.rows() {
        Rows::All => true,
        Rows::OfReseller(id) => owner == Some(id),
        Rows::OfUser(_) | Rows::Nobodys => false,
    }
}

fn date(row: &Row<'_>, column: usize) -> rusqlite::Result<Date> {
    let days: i64 = row.get(column)?;
    Date::from_days(days).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, days))
}

fn from_row(row: &Row<'_>, today: Date) -> rusqlite::Result<Subscriber> {
    let expiry_date = date(row, 14)?;
    let session_ip: Option<String> = row.get(18)?;
    Ok(Subscriber {
        id: SubscriberId(row.get(0)?),
        owner: row.get::<_, Option<i64>>(1)?.map(UserId),
        username: row.get(2)?,
        full_name: row.get(3)?,
        phone: row.get(4)?,
        address: row.get(5)?,
        email: row.get(6)?,
        note: row.get(7)?,
        external_id: row.get(8)?,
        status: Status::of(row.get(9)?, expiry_date, today),
        service_id: ServiceId(row.get(10)?),
        service_name: row.get(11)?,
        nas_id: row.get(12)?,
        mac_address: row.get(13)?,
        expiry_date,
        balance: Money(row.get(15)?),
        created_at: Timestamp(row.get(16)?),
        updated_at: Timestamp(row.get(17)?),
        is_online: session_ip.is_some(),
        ip_address: session_ip.filter(|ip| !ip.is_empty()),
        daily_download_used: row.get::<_, Option<i64>>(19)?.unwrap_or(0),
        monthly_download_used: row.get::<_, Option<i64>>(20)?.unwrap_or(0),
    })
}

fn listed_from_row(row: &Row<'_>, today: Date) -> rusqlite::Result<ListedSubscriber> {
    let expiry_date = date(row, 6)?;
    let session_ip: Option<String> = row.get(12)?;
    Ok(ListedSubscriber {
        id: SubscriberId(row.get(0)?),
        username: row.get(1)?,
        full_name: row.get(2)?,
        phone: row.get(3)?,
        status: Status::of(row.get(4)?, expiry_date, today),
        service_id: ServiceId(row.get(5)?),
        expiry_date,
        created_at: Timestamp(row.get(7)?),
        owner: row.get::<_, Option<i64>>(8)?.map(UserId),
        nas_id: row.get(9)?,
        balance: Money(row.get(10)?),
        updated_at: Timestamp(row.get(11)?),
        is_online: session_ip.is_some(),
        ip_address: session_ip.filter(|ip| !ip.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::policy;
    use crate::store::engine::{connection, migrate};
    use crate::store::{SchemaFile, Synchronous};

    /// What SQLite says it will do for a list of the house's operator.
    fn plan(sql: &ListSql, tx: &ReadTx<'_>) -> String {
        let text = format!("EXPLAIN QUERY PLAN {}", sql.text());
        let mut statement = tx.connection.prepare(&text).unwrap();
        let lines = statement.query_map(&*sql.params(), |row| row.get::<_, String>(3)).unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }

    fn reseller() -> Permit {
        let origin = Arc::new(policy::Origin { surface: "test", ip: None, request_id: String::new() });
        policy::reseller_for_tests(UserId(7), origin)
    }

    #[test]
    fn every_list_is_served_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("panel.db");
        let mut connection = connection::open(&path, Synchronous::Normal).unwrap();
        migrate::run(&mut connection, SchemaFile::Main).unwrap();
        let tx = ReadTx::new(&connection);
        let today = Date::from_days(20_000).unwrap();
        let none = Filter::default;
        let some = |text: &str| Some(text.to_owned());
        let (operator, reseller) = (policy::operator("test"), reseller());
        for (permit, filter, wanted) in [
            (&operator, none(), "SCAN s"),
            (&reseller, none(), "SEARCH s USING INDEX subscribers_by_owner (owner_id=?"),
            (
                &operator,
                Filter { external_id: some("a"), ..none() },
                "SEARCH s USING INDEX subscribers_by_external_id (external_id=?)",
            ),
            (
                &operator,
                Filter { service_id: Some(1), ..none() },
                "SEARCH s USING INDEX subscribers_by_service (service_id=?",
            ),
            (&operator, Filter { nas_id: Some(1), ..none() }, "SEARCH s USING INDEX subscribers_by_nas (nas_id=?"),
            (&operator, Filter { username: some("abc"), ..none() }, "SCAN subscriber_search VIRTUAL TABLE INDEX"),
        ] {
            let mut sql = narrowed(&tx, permit, &filter, today, LIST_ALL, LIST_OF_OWNER).unwrap().unwrap();
            sql.end("ORDER BY s.id LIMIT ?", [20.into()]);
            let plan = plan(&sql, &tx);
            assert!(plan.contains(wanted), "{filter:?}: {plan}");
            // An external id has a row for each owner at most; nothing else may be sorted.
            let sorts = plan.contains("TEMP B-TREE FOR ORDER BY") && filter.external_id.is_none();
            assert!(!sorts, "{filter:?} sorts: {plan}");
            assert!(plan.contains("access_sessions_open"), "{plan}");
        }
    }
}
