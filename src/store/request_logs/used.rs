//! What a key was used for, from millions of rows: grouped by the database, handed over one by one.

use std::path::Path;

use rusqlite::Row;

use super::{open_to_read, sum_dropped_since};
use crate::domain::keys::KeyId;
use crate::domain::request_logs::Alike;
use crate::domain::routes::Route;
use crate::domain::time::Timestamp;
use crate::store::OpenError;

const GROUPS_OF_KEY: &str = "
    SELECT method, route, status, gate, ip, count(*), min(at), max(at)
    FROM api_key_logs WHERE key_id = ?1 AND at >= ?2 GROUP BY method, route, status, gate, ip";
// What is not visible is answered 404 before anything else is asked of it.
const FOUND_PATHS: &str = "
    SELECT DISTINCT path FROM api_key_logs
    WHERE key_id = ?1 AND at >= ?2 AND method = ?3 AND route = ?4 AND gate IS NULL AND status <> 404";
const OLDEST: &str = "SELECT min(at) FROM api_key_logs";

/// How far the log can be trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// The oldest row of any key; `None`: there is none.
    pub oldest: Option<Timestamp>,
    /// Rows of any key that could not be kept, since the instant that was asked for.
    pub dropped: i64,
}

pub fn reach(path: &Path, since: Timestamp) -> Result<Reach, OpenError> {
    let Some(database) = open_to_read(path)? else { return Ok(Reach::default()) };
    let oldest: Option<i64> = database.query_row(OLDEST, [], |row| row.get(0))?;
    let hour = since.millis() - since.millis().rem_euclid(Timestamp::HOUR);
    let dropped = sum_dropped_since(&database, Timestamp(hour))?;
    Ok(Reach { oldest: oldest.map(Timestamp), dropped })
}

/// All calls of a key since an instant, those that are alike counted together. Every generation of its secret is the key.
pub fn for_each_alike(
    path: &Path,
    key: KeyId,
    since: Timestamp,
    mut work: impl FnMut(&Alike),
) -> Result<(), OpenError> {
    let Some(database) = open_to_read(path)? else { return Ok(()) };
    let mut statement = database.prepare(GROUPS_OF_KEY)?;
    let mut rows = statement.query((key.0, since.millis()))?;
    while let Some(row) = rows.next()? {
        work(&from_row(row)?);
    }
    Ok(())
}

/// The different paths under which a key called a route since an instant and found what it asked for.
pub fn for_each_found_path(
    path: &Path,
    key: KeyId,
    since: Timestamp,
    route: &Route,
    mut work: impl FnMut(&str),
) -> Result<(), OpenError> {
    let Some(database) = open_to_read(path)? else { return Ok(()) };
    let mut statement = database.prepare(FOUND_PATHS)?;
    let mut rows = statement.query((key.0, since.millis(), route.method.as_str(), route.path))?;
    while let Some(row) = rows.next()? {
        work(row.get_ref(0)?.as_str().unwrap_or_default());
    }
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Alike> {
    Ok(Alike {
        method: row.get(0)?,
        route: row.get(1)?,
        status: row.get(2)?,
        gate: row.get(3)?,
        ip: row.get(4)?,
        calls: row.get(5)?,
        first: Timestamp(row.get(6)?),
        last: Timestamp(row.get(7)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SchemaFile;
    use crate::store::plans;

    #[test]
    fn what_is_asked_of_a_key_is_found_by_the_index_of_keys_and_never_by_walking_the_log() {
        for statement in [GROUPS_OF_KEY, FOUND_PATHS] {
            let plan = plans::of_file(SchemaFile::Logs, statement);
            assert!(plan.contains("USING INDEX api_key_logs_by_key (key_id=?)"), "{statement}: {plan}");
            assert!(!plan.contains("SCAN"), "{statement}: {plan}");
        }
        let plan = plans::of_file(SchemaFile::Logs, OLDEST);
        assert!(plan.contains("USING COVERING INDEX api_key_logs_by_time"), "{plan}");
    }
}
