//! Bringing a file to the current schema: a fresh one gets `schema.sql`, an older one its steps, a newer one is refused.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::connection::wal_of;
use crate::store::OpenError;

const SCHEMA: &str = include_str!("../../../schema.sql");

/// `pane` in ASCII, in the file's header: tells our database from somebody else's.
const APPLICATION_ID: i32 = 0x7061_6e65;

/// Each step brings the schema from the version of its place (the first: 1) to the next. Append only.
const STEPS: &[&str] = &[include_str!("migrate/2-backups.sql")];

/// The two parts of `schema.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    Main,
    Logs,
}

impl File {
    fn marker(self) -> &'static str {
        match self {
            File::Main => "-- file: panel.db\n",
            File::Logs => "-- file: panel-logs.db\n",
        }
    }

    pub fn schema(self) -> &'static str {
        let after = SCHEMA.split_once(self.marker()).map_or("", |(_, after)| after);
        after.split_once("-- file: ").map_or(after, |(part, _)| part)
    }

    fn steps(self) -> &'static [&'static str] {
        match self {
            File::Main => STEPS,
            File::Logs => &[],
        }
    }

    /// Of the current schema.
    pub fn version(self) -> i64 {
        current(self.steps())
    }
}

fn current(steps: &[&str]) -> i64 {
    1 + i64::try_from(steps.len()).unwrap_or(i64::MAX - 1)
}

/// The version of a database whose schema is older than this one's.
pub fn is_older(connection: &Connection, file: File) -> Result<Option<i64>, OpenError> {
    Ok(version(connection)?.filter(|found| *found < file.version()))
}

/// Something that is missing, too much or otherwise than in a fresh database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub name: String,
    /// One more index than ours, which forbids nothing.
    pub is_extra_index: bool,
}

/// What is otherwise than in a fresh database of the current schema.
pub fn differences(connection: &Connection, file: File) -> rusqlite::Result<Vec<Difference>> {
    let fresh = Connection::open_in_memory()?;
    fresh.execute_batch(file.schema())?;
    let (is, wanted) = (objects(connection)?, objects(&fresh)?);
    let mut all = Vec::new();
    for (name, statement) in is.iter().filter(|object| !wanted.contains(object)) {
        let is_known = wanted.iter().any(|(known, _)| known == name);
        let is_extra_index = !is_known && statement.to_ascii_uppercase().starts_with("CREATE INDEX");
        all.push(Difference { name: name.clone(), is_extra_index });
    }
    let is_missing = |(name, _): &&(String, String)| !is.iter().any(|(there, _)| there == name);
    all.extend(
        wanted.iter().filter(is_missing).map(|(name, _)| Difference { name: name.clone(), is_extra_index: false }),
    );
    all.sort_unstable();
    Ok(all)
}

/// Tables, indexes and the like with the statement that made them. The statistics of the query planner are no schema.
fn objects(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare(
        "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Brings the file to the current schema and says whether it was empty. Safe beside another process that does the same.
pub fn run(connection: &mut Connection, file: File) -> Result<bool, OpenError> {
    to_current(connection, file.schema(), file.steps())
}

fn to_current(connection: &mut Connection, schema: &str, steps: &[&str]) -> Result<bool, OpenError> {
    let current = current(steps);
    if version(connection)? == Some(current) {
        return Ok(false);
    }
    // The write lock comes before the second look: of two processes that start at once, one migrates.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&tx)?;
    match found {
        Some(found) if found > current => return Err(OpenError::NewerSchema { found, known: current }),
        Some(found) => {
            let done = usize::try_from(found - 1).unwrap_or(usize::MAX);
            for step in steps.iter().skip(done) {
                let failed = |e| OpenError::Migration { from: found, to: current, cause: cause_of(e) };
                tx.execute_batch(step).map_err(failed)?;
            }
        }
        None => tx.execute_batch(schema)?,
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", current)?;
    tx.commit()?;
    Ok(found.is_none())
}

/// Without the statement, which is of no use to an operator.
fn cause_of(error: rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        other => other.to_string(),
    }
}

fn not_ours(path: impl AsRef<Path>) -> OpenError {
    OpenError::NotOurs { path: path.as_ref().to_owned() }
}

/// Refuses a file that is not ours before anything of it is changed: opening it as a database would already do so. Of a
/// file that is being made right now the header does not say yet whose it is; there the schema version decides.
pub fn refuse_foreign_file(path: &Path) -> Result<(), OpenError> {
    let mut header = Vec::new();
    let is_file = |metadata: fs::Metadata| match metadata.is_file() {
        true => Ok(()),
        // A named pipe would be waited for.
        false => Err(io::Error::other("it is not a regular file")),
    };
    let file = fs::metadata(path).and_then(is_file).and_then(|()| fs::File::open(path));
    let read = file.and_then(|file| file.take(100).read_to_end(&mut header));
    read.map_err(|e| OpenError::File { path: path.to_owned(), cause: e.to_string() })?;
    // Opened, its log would be thrown away as that of nothing.
    if header.is_empty() && wal_of(path).metadata().is_ok_and(|wal| wal.len() > 0) {
        return Err(OpenError::Emptied { path: path.to_owned() });
    }
    let magic = header.is_empty() || header.starts_with(b"SQLite format 3\0");
    let number = |range: std::ops::Range<usize>| {
        header.get(range).map_or(0, |bytes| bytes.iter().fold(0, |number, byte| number << 8 | i64::from(*byte)))
    };
    let (pages, id) = (number(28..32), number(68..72));
    let unfinished = id == 0 && (pages <= 1 || wal_of(path).metadata().is_ok_and(|wal| wal.len() > 0));
    if magic && (id == i64::from(APPLICATION_ID) || unfinished) {
        return Ok(());
    }
    Err(not_ours(path))
}

/// The schema version of a database of ours; `None`: an empty file.
pub fn version(connection: &Connection) -> Result<Option<i64>, OpenError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if id != APPLICATION_ID || version < 1 {
        return Err(not_ours(connection.path().unwrap_or_default()));
    }
    Ok(Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Synchronous;
    use crate::store::engine::connection;

    const OLD: &str = "CREATE TABLE a (x INTEGER) STRICT;";
    const NEW: &str = "CREATE TABLE a (x INTEGER) STRICT;CREATE TABLE b (y INTEGER) STRICT;";

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement = connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        to_current(&mut connection, NEW, &["CREATE TABLE b (y INTEGER) STRICT"]).unwrap();
        let refused = to_current(&mut connection, OLD, &[]);
        assert!(matches!(refused, Err(OpenError::NewerSchema { found: 2, known: 1 })));
        assert_eq!(tables(&connection), ["a", "b"]);
    }

    #[test]
    fn somebody_elses_database_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(to_current(&mut connection, OLD, &[]), Err(OpenError::NotOurs { .. })));
    }

    #[test]
    fn a_failing_step_leaves_the_old_database_whole() {
        let mut connection = Connection::open_in_memory().unwrap();
        to_current(&mut connection, OLD, &[]).unwrap();
        let steps = ["CREATE TABLE b (y INTEGER) STRICT", "CREATE TABLE a (x INTEGER) STRICT"];
        assert!(matches!(to_current(&mut connection, NEW, &steps), Err(OpenError::Migration { from: 1, to: 3, .. })));
        assert_eq!(tables(&connection), ["a"]);
        assert_eq!(version(&connection).unwrap(), Some(1));
        assert!(!to_current(&mut connection, OLD, &[]).unwrap(), "the old binary still opens it");
    }

    #[test]
    fn a_migrated_schema_equals_a_fresh_one() {
        let mut old = Connection::open_in_memory().unwrap();
        assert!(to_current(&mut old, OLD, &[]).unwrap());
        assert!(!to_current(&mut old, NEW, &["CREATE TABLE b (y INTEGER) STRICT"]).unwrap());
        let mut fresh = Connection::open_in_memory().unwrap();
        assert!(to_current(&mut fresh, NEW, &["CREATE TABLE b (y INTEGER) STRICT"]).unwrap());
        assert_eq!(tables(&old), tables(&fresh));
        assert_eq!(version(&old).unwrap(), version(&fresh).unwrap());
    }

    #[test]
    fn both_parts_of_the_schema_build() {
        for file in [File::Main, File::Logs] {
            let mut connection = Connection::open_in_memory().unwrap();
            assert!(run(&mut connection, file).unwrap());
            assert!(!tables(&connection).is_empty());
        }
    }

    #[test]
    fn processes_that_start_at_once_build_the_schema_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("panel.db");
        let fresh: usize = std::thread::scope(|scope| {
            let open = || {
                // As every opening does: to become a WAL database is nothing that the engine waits for.
                let alone = connection::lock_folder(&path).unwrap();
                let mut connection = connection::open(&path, Synchronous::Full).unwrap();
                drop(alone);
                usize::from(run(&mut connection, File::Main).unwrap())
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(fresh, 1);
    }
}
