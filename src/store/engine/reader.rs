//! Connections that may not write, and what each knows as long as nothing changes.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use r2d2::{ManageConnection, PooledConnection};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::Connection;
use scheduled_thread_pool::ScheduledThreadPool;

use super::connection::{execute, initialise};
use crate::domain::error::AppError;
use crate::domain::keys::SecretHash;
use crate::domain::policy::KeyFacts;
use crate::store::{OpenError, ReadTx, Synchronous, connection_error, store_error};

/// Findings of a kind that one reader remembers: more than are asked for at a time, and a few hundred kilobytes.
const MOST: usize = 512;

/// A number that changes whenever another connection, of this process or of any other, has committed.
const DATA_VERSION: &str = "PRAGMA data_version";

pub type Pool = r2d2::Pool<Readers>;

/// A connection of the pool.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    known: Known,
}

/// What a reader found in the version of the database in which it did. Nothing is remembered beyond the next commit,
/// whosever it is, so what was revoked, suspended or changed is in force at once; between two commits a key that is asked
/// for again and again is not put together from five tables each time, and what matches a filter is counted once.
#[derive(Default)]
pub struct Known(RefCell<Findings>);

#[derive(Default)]
struct Findings {
    version: i64,
    keys: HashMap<SecretHash, Arc<KeyFacts>>,
    counts: HashMap<String, i64>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known")
    }
}

impl Known {
    /// What holds in the database as this transaction sees it.
    fn in_force(&self, tx: &ReadTx<'_>) -> Result<RefMut<'_, Findings>, AppError> {
        let version = tx.prepare(DATA_VERSION)?.query_row([], |row| row.get(0)).map_err(|e| store_error(&e))?;
        let mut findings = self.0.borrow_mut();
        if findings.version != version {
            findings.version = version;
            findings.keys.clear();
            findings.counts.clear();
        }
        Ok(findings)
    }

    /// The facts of a key. One that is not there is looked for each time.
    pub fn key(
        &self,
        tx: &ReadTx<'_>,
        hash: &SecretHash,
        find: impl FnOnce() -> Result<Option<KeyFacts>, AppError>,
    ) -> Result<Option<Arc<KeyFacts>>, AppError> {
        let mut findings = self.in_force(tx)?;
        if let Some(facts) = findings.keys.get(hash) {
            return Ok(Some(Arc::clone(facts)));
        }
        let Some(facts) = find()?.map(Arc::new) else { return Ok(None) };
        if findings.keys.len() >= MOST {
            findings.keys.clear();
        }
        findings.keys.insert(*hash, Arc::clone(&facts));
        Ok(Some(facts))
    }

    /// How many rows a statement counts; the question is its text with its values.
    pub fn count(
        &self,
        tx: &ReadTx<'_>,
        question: String,
        count: impl FnOnce() -> Result<i64, AppError>,
    ) -> Result<i64, AppError> {
        let mut findings = self.in_force(tx)?;
        if let Some(count) = findings.counts.get(&question) {
            return Ok(*count);
        }
        let counted = count()?;
        if findings.counts.len() >= MOST {
            findings.counts.clear();
        }
        findings.counts.insert(question, counted);
        Ok(counted)
    }
}

/// Makes them for the pool.
#[derive(Debug)]
pub struct Readers(SqliteConnectionManager);

impl ManageConnection for Readers {
    type Connection = Reader;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<Reader> {
        Ok(Reader { connection: self.0.connect()?, known: Known::default() })
    }

    fn is_valid(&self, reader: &mut Reader) -> rusqlite::Result<()> {
        self.0.is_valid(&mut reader.connection)
    }

    fn has_broken(&self, reader: &mut Reader) -> bool {
        self.0.has_broken(&mut reader.connection)
    }
}

thread_local! {
    /// Which of the readers this thread used last.
    static LAST: Cell<usize> = const { Cell::new(0) };
}

/// Readers for the threads that answer. A thread keeps to the one it used last, so that two threads on two cores do not
/// hand the same memory to and fro.
pub struct ThreadReaders(Vec<Pool>);

impl ThreadReaders {
    pub fn open(path: &Path, size: u32, opener: &Arc<ScheduledThreadPool>) -> Result<Self, OpenError> {
        (0..size.max(1)).map(|_| pool(path, 1, opener)).collect::<Result<_, _>>().map(Self)
    }

    pub fn snapshot(&self) -> Result<Snapshot, AppError> {
        let last = LAST.get();
        for at in (last..self.0.len()).chain(0..last) {
            // One that nobody has used yet is opened.
            if let Some(pool) = self.0.get(at)
                && let Some(reader) =
                    pool.try_get().or_else(|| (pool.state().connections == 0).then(|| pool.get().ok())?)
            {
                LAST.set(at);
                return Snapshot::begin(reader);
            }
        }
        let all_busy = || AppError::Overloaded { retry_after_seconds: 1 };
        Snapshot::of(self.0.get(last).or(self.0.first()).ok_or_else(all_busy)?)
    }
}

/// What opens the readers of all pools.
pub fn opener() -> Arc<ScheduledThreadPool> {
    Arc::new(ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("readers").build())
}

/// Readers may not write, whatever statement reaches them.
pub fn pool(path: &Path, size: u32, opener: &Arc<ScheduledThreadPool>) -> Result<Pool, OpenError> {
    let manager = SqliteConnectionManager::file(path).with_init(|connection| {
        initialise(connection, Synchronous::Normal)?;
        // A reader waits for nobody but a recovery after a crash.
        connection.busy_timeout(Duration::from_secs(1))?;
        connection.pragma_update(None, "query_only", true)
    });
    r2d2::Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        .max_lifetime(None)
        .test_on_check_out(false)
        .connection_timeout(Duration::from_secs(2))
        .thread_pool(Arc::clone(opener))
        .build(Readers(manager))
        .map_err(|e| OpenError::File { path: path.to_owned(), cause: e.to_string() })
}

/// The database as it is at the first read, for as many reads as follow. It holds one of the few readers: nobody keeps it
/// while waiting for anything.
pub struct Snapshot(PooledConnection<Readers>);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}

impl Snapshot {
    pub fn of(pool: &Pool) -> Result<Self, AppError> {
        let reader = pool.get().map_err(|e| match pool.state().connections == pool.max_size() {
            // All are in use: that is load, and says nothing of the database.
            true => AppError::Overloaded { retry_after_seconds: 1 },
            false => AppError::Unavailable(e.to_string()),
        })?;
        Self::begin(reader)
    }

    fn begin(reader: PooledConnection<Readers>) -> Result<Self, AppError> {
        execute(&reader.connection, "BEGIN").map_err(|e| connection_error(&e))?;
        Ok(Self(reader))
    }

    pub fn read<T>(&self, work: impl FnOnce(&ReadTx<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
        work(&ReadTx { connection: &self.0.connection, known: Some(&self.0.known) })
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let connection = &self.0.connection;
        // An error of the disk may have ended it already.
        if !connection.is_autocommit()
            && let Err(error) = execute(connection, "COMMIT")
        {
            tracing::error!(%error, "a snapshot could not be given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::{connection, cost, migrate};
    use crate::store::list_sql::ListSql;
    use crate::store::{SchemaFile, keys};

    const HASH: SecretHash = [7; 32];

    /// A key with this hash, made past the store.
    const MADE: &str = "
        INSERT INTO packages (id, name, name_key, created_at, updated_at) VALUES (1, 'p', 'p', 0, 0);
        INSERT INTO users (id, uid, username, username_key, email, email_key, role, package_id, created_at, updated_at)
        VALUES (1, zeroblob(16), 'ada', 'ada', 'a@b', 'a@b', 'admin', 1, 0, 0);
        INSERT INTO api_keys (id, style, user_id, name, display, scope, created_at, updated_at)
        VALUES (1, 'external', 1, 'k', 'pk_live_0000', 'read', 0, 0)";
    const SECRET: &str =
        "INSERT INTO api_key_secrets (key_id, generation, secret_hash, created_at) VALUES (1, 1, ?1, 0)";

    struct House {
        _folder: tempfile::TempDir,
        pool: Pool,
        /// As another process has it.
        other: Connection,
    }

    impl House {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("panel.db");
            let mut other = connection::open(&path, Synchronous::Normal).unwrap();
            migrate::run(&mut other, SchemaFile::Main).unwrap();
            other.execute_batch(MADE).unwrap();
            Self { pool: pool(&path, 1, &opener()).unwrap(), other, _folder: folder }
        }

        fn finds(&self, snapshot: &Snapshot) -> Option<Arc<KeyFacts>> {
            snapshot.read(|tx| keys::find_facts(tx, &HASH)).unwrap()
        }

        fn found(&self) -> Option<Arc<KeyFacts>> {
            self.finds(&Snapshot::of(&self.pool).unwrap())
        }
    }

    #[test]
    fn a_key_is_remembered_until_anything_is_committed_and_no_longer() {
        let house = House::new();
        assert!(house.found().is_none(), "nothing is there yet");
        house.other.execute(SECRET, [HASH]).unwrap();
        let first = house.found().unwrap();
        assert!(Arc::ptr_eq(&first, &house.found().unwrap()), "nothing was committed, and it was looked up again");
        for (change, seen) in [
            ("UPDATE api_keys SET revoked_at = 1", (|facts| facts.revoked) as fn(&KeyFacts) -> bool),
            ("UPDATE api_keys SET enabled = 0", |facts| !facts.enabled),
            ("UPDATE users SET status = 'suspended'", |facts| facts.owner.as_ref().unwrap().suspended),
            ("UPDATE packages SET can_use_api = 0", |facts| !facts.owner.as_ref().unwrap().api_access),
            ("UPDATE api_key_secrets SET replaced_at = 1, ends_at = 2", |facts| facts.generation.replaced.is_some()),
        ] {
            assert!(!seen(&house.found().unwrap()), "{change}: before");
            house.other.execute_batch(change).unwrap();
            assert!(seen(&house.found().unwrap()), "{change}: not seen");
        }
        house.other.execute_batch("DELETE FROM api_key_secrets").unwrap();
        assert!(house.found().is_none(), "a secret that is gone still opens");
    }

    #[test]
    fn what_was_counted_is_remembered_until_anything_is_committed_and_only_for_the_same_question() {
        let house = House::new();
        let count = |name: &str| {
            let mut sql = ListSql::new("SELECT count(*) FROM api_keys WHERE 1 = 1");
            sql.and("name = ?", [name.to_owned().into()]);
            Snapshot::of(&house.pool).unwrap().read(|tx| {
                let before = cost::spent();
                let counted = sql.count(tx)?;
                Ok((counted, (cost::spent() - before).statements))
            })
        };
        // Asking for the version is a statement too.
        assert_eq!([count("k").unwrap(), count("k").unwrap()], [(1, 2), (1, 1)]);
        assert_eq!(count("other").unwrap(), (0, 2));
        house.other.execute_batch("UPDATE api_keys SET name = 'other'").unwrap();
        assert_eq!([count("k").unwrap(), count("other").unwrap()], [(0, 2), (1, 2)]);
    }

    #[test]
    fn what_a_snapshot_found_once_it_finds_until_it_ends() {
        let house = House::new();
        house.other.execute(SECRET, [HASH]).unwrap();
        let snapshot = Snapshot::of(&house.pool).unwrap();
        assert!(!house.finds(&snapshot).unwrap().revoked);
        house.other.execute_batch("UPDATE api_keys SET revoked_at = 1").unwrap();
        assert!(!house.finds(&snapshot).unwrap().revoked, "one snapshot saw two databases");
        drop(snapshot);
        assert!(house.found().unwrap().revoked);
    }
}
