//! The database behind one seam: `Db::read` and `Db::write`. Never: actix, JSON, policy decisions.
//!
//! Nothing outside this room names rusqlite or r2d2. Every function on a tenant's rows takes the `Permit`.
#![expect(clippy::disallowed_types, reason = "this is the room that may name the engine")]

pub mod access_sessions;
pub mod audit;
pub mod backups;
pub mod counters;
mod engine;
pub mod idempotency;
pub mod key_usage;
pub mod keys;
pub mod list_sql;
pub mod login_attempts;
pub mod meta;
pub mod nas;
mod opening;
pub mod packages;
#[cfg(test)]
mod plans;
pub mod renewals;
pub mod request_logs;
pub mod resellers;
pub mod services;
pub mod sessions;
pub mod setup_links;
pub mod soundness;
pub mod subscribers;
pub mod transactions;
pub mod users;

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{CachedStatement, Connection, ErrorCode, Params};

use crate::domain::backups::{Kind, NewBackup};
use crate::domain::error::AppError;
use crate::domain::time::Timestamp;

pub use engine::connection::{Presence, folder_of, refuse_network_file_system, wal_of as wal_path, with_suffix};
pub use engine::copies::carry::{Carried, raise_sequences};
pub use engine::copies::make::{Made, make as make_copy};
pub use engine::copies::pace::{Pace, Stop};
pub use engine::copies::rehearse::{Rehearsed, rehearse};
pub use engine::copies::restore::{There, place as place_copy, prepare as prepare_place};
pub use engine::copies::seal::Seal;
pub use engine::copies::{CopyError, Part, free_inodes, free_space, prepare_folder, seal_of};
#[cfg(test)]
pub use engine::cost;
pub use engine::look::Look;
pub use engine::migrate::File as SchemaFile;
pub use engine::reader::Snapshot;
pub use engine::search::{fill as fill_search, needs_filling as needs_search};
pub use engine::tally::WriterFigures;
pub use engine::writer::QUEUE;
pub use opening::OpenError;

use engine::connection::OpenFile;
use engine::reader::{self, Known, Pool, ThreadReaders};
use engine::writer::Writer;
use engine::{connection, migrate};

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// After the disk has it: survives a power cut.
    Full,
    /// After the system has it: survives a crash of the process.
    Normal,
}

impl Synchronous {
    fn as_str(self) -> &'static str {
        match self {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        }
    }
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    pub path: PathBuf,
    pub synchronous: Synchronous,
    /// Readers for answers that cost microseconds: one for each worker thread.
    pub fast_readers: u32,
    /// Readers for searches, exports and reports.
    pub slow_readers: u32,
    /// Writes that may wait.
    pub queue: usize,
    /// Where an older database is copied to before it is brought to the current schema, and the time it is.
    pub backup_to: Option<(PathBuf, Timestamp)>,
}

/// An older database was brought to the current schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    pub from: i64,
    pub to: i64,
    pub backup: Option<NewBackup>,
}

/// The database. Cheap to share behind an `Arc`.
pub struct Db {
    fast: ThreadReaders,
    slow: Pool,
    writer: Writer,
    file: OpenFile,
    failing: AtomicBool,
    migrated: Option<Migrated>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Db")
    }
}

impl Db {
    /// Opens the file, creates or migrates its schema, and starts the writer.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let path = &options.path;
        refuse_network_file_system(path)?;
        let opening = connection::lock_folder(path)?;
        connection::prepare_file(path)?;
        migrate::refuse_foreign_file(path)?;
        let mut first = connection::open(path, options.synchronous)?;
        let migrated = match migrate::is_older(&first, SchemaFile::Main)? {
            Some(from) => Some(back_up_before(from, options)?),
            None => None,
        };
        migrate::run(&mut first, SchemaFile::Main).inspect_err(|_| {
            // Nothing was changed; a service that is started again and again must not fill the disk with copies.
            if let Some(backup) = migrated.as_ref().and_then(|migrated| migrated.backup.as_ref()) {
                drop(std::fs::remove_file(&backup.path));
            }
        })?;
        connection::keep_to_owner(path)?;
        drop(opening);
        let writer = Writer::start(path, options.synchronous, options.queue)?;
        let opener = reader::opener();
        let fast = ThreadReaders::open(path, options.fast_readers, &opener)?;
        let slow = reader::pool(path, options.slow_readers, &opener)?;
        Ok(Self { fast, slow, writer, file: OpenFile::of(path)?, failing: AtomicBool::new(false), migrated })
    }

    /// What opening it changed.
    pub fn migrated(&self) -> Option<&Migrated> {
        self.migrated.as_ref()
    }

    /// One snapshot for several reads that cost microseconds.
    pub fn snapshot(&self) -> Result<Snapshot, AppError> {
        self.fast.snapshot()
    }

    /// Reads from one snapshot. For what costs microseconds: it runs on the caller's thread.
    pub fn read<T>(&self, work: impl FnOnce(&ReadTx<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
        self.snapshot()?.read(work)
    }

    /// Reads from one snapshot what may take long; callers keep it off the threads that answer.
    pub fn read_slowly<T>(&self, work: impl FnOnce(&ReadTx<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
        Snapshot::of(&self.slow)?.read(work)
    }

    /// Writes, and answers once the disk has it. The closure may run twice, so randomness, hashing and the clock stay
    /// outside it. Fails with `Overloaded` when the queue is full, and when it has waited too long for its turn.
    pub async fn write<T, F>(&self, work: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: Fn(&WriteTx<'_>) -> Result<T, AppError> + Send + 'static,
    {
        let outcome = match self.writer.submit(work) {
            Ok(queued) => queued.outcome().await,
            Err(error) => Err(error),
        };
        self.note(outcome)
    }

    /// `write` for the command line and for threads of our own; panics inside an async runtime.
    pub fn write_blocking<T, F>(&self, work: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: Fn(&WriteTx<'_>) -> Result<T, AppError> + Send + 'static,
    {
        let outcome = match self.writer.submit(work) {
            Ok(queued) => queued.outcome_blocking(),
            Err(error) => Err(error),
        };
        self.note(outcome)
    }

    /// Groups of writes answered since the start, whatever the answer was.
    pub fn writer_answered(&self) -> u64 {
        self.writer.answered()
    }

    /// The writer as it is now.
    pub fn writer_figures(&self) -> WriterFigures {
        self.writer.figures()
    }

    /// Whether the file is still the one that was opened, and can be read.
    pub fn check_reading(&self) -> Result<(), AppError> {
        self.file.check()?;
        match self.read(meta::find_key_check)? {
            Some(_) => Ok(()),
            None => Err(AppError::Unavailable("the database has lost its first row".to_owned())),
        }
    }

    /// A write failed for want of a usable disk, and no `check_writing` has succeeded since.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Whether something can be changed, and there is room for more: an empty write would succeed on a full disk.
    pub fn check_writing(&self) -> Result<(), AppError> {
        connection::check_room(self.file.path())?;
        self.write_blocking(meta::beat)?;
        self.failing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Brings the write-ahead log into the file: the last thing before the end.
    pub fn fold_log_in(&self) -> Result<(), AppError> {
        self.file.check()?;
        connection::fold_log_in(&self.file).map_err(|e| connection_error(&e))
    }

    fn note<T>(&self, outcome: Result<T, AppError>) -> Result<T, AppError> {
        if let Err(AppError::Unavailable(_)) = outcome {
            self.failing.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

fn back_up_before(from: i64, options: &Options) -> Result<Migrated, OpenError> {
    let to = SchemaFile::Main.version();
    let Some((folder, now)) = &options.backup_to else { return Ok(Migrated { from, to, backup: None }) };
    let failed = |cause| OpenError::BackupFirst { from, to, cause: Box::new(cause) };
    let target = backups::new_path(folder, &options.path, Kind::Migration, *now).map_err(failed)?;
    // Nobody waits but the one who starts it.
    let made = make_copy(&options.path, &target, *now, &mut Pace::new(u64::MAX)).map_err(failed)?;
    Ok(Migrated { from, to, backup: Some(backups::of_copy(Kind::Migration, &target, &made)) })
}

/// A snapshot of the database.
#[derive(Debug)]
pub struct ReadTx<'c> {
    connection: &'c Connection,
    /// What the connection found since the last commit, where it only reads.
    known: Option<&'c Known>,
}

impl<'c> ReadTx<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self { connection, known: None }
    }

    fn prepare(&self, statement: &str) -> Result<CachedStatement<'c>, AppError> {
        self.connection.prepare_cached(statement).map_err(|e| store_error(&e))
    }
}

/// A change in the making; what it wrote is undone where its closure fails.
#[derive(Debug)]
pub struct WriteTx<'c> {
    read: ReadTx<'c>,
    changes_before: u64,
    explained: Cell<bool>,
    name: Cell<Option<&'static str>>,
}

impl<'c> WriteTx<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self {
            read: ReadTx::new(connection),
            changes_before: connection.total_changes(),
            explained: Cell::new(false),
            name: Cell::new(None),
        }
    }

    /// Says why a write leaves no audit row; without this, or the row, it is undone and answers an error.
    pub fn unaudited(&self, why: &'static str) {
        self.explain(why);
    }

    /// What this write is called where its time is told; the first name stands. Without one it is named after its first
    /// audit row or its reason to have none.
    pub fn name(&self, name: &'static str) {
        self.name.set(self.name.get().or(Some(name)));
    }

    fn explain(&self, by: &'static str) {
        self.explained.set(true);
        self.name(by);
    }

    /// Fails where rows were changed so far and neither an audit row nor a reason says why.
    fn settle(&self) -> Result<(), AppError> {
        if self.explained.get() || self.connection.total_changes() == self.changes_before {
            return Ok(());
        }
        Err(AppError::Internal("a write left no audit row".to_owned()))
    }

    fn execute(&self, statement: &'static str, params: impl Params) -> Result<usize, AppError> {
        self.prepare(statement)?.execute(params).map_err(|e| store_error(&e))
    }
}

impl<'c> Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;

    fn deref(&self) -> &ReadTx<'c> {
        &self.read
    }
}

/// What a statement's failure means to the business.
fn store_error(error: &rusqlite::Error) -> AppError {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OperationAborted,
        ) => AppError::Unavailable(error.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => AppError::Overloaded { retry_after_seconds: 1 },
        _ => AppError::Internal(error.to_string()),
    }
}

/// What a failure outside any one statement means: the database as a whole did not do its part.
fn connection_error(error: &rusqlite::Error) -> AppError {
    match store_error(error) {
        AppError::Internal(text) => AppError::Unavailable(text),
        other => other,
    }
}

/// Where the request log is kept: beside the main file.
pub fn logs_path(main: &Path) -> PathBuf {
    beside(main, "-logs.db")
}

/// Where the key file is kept: beside the main file.
pub fn key_file_path(main: &Path) -> PathBuf {
    beside(main, ".key")
}

/// A database's name without its ending, which the files beside it begin with.
pub fn stem_of(main: &Path) -> String {
    main.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn beside(main: &Path, suffix: &str) -> PathBuf {
    let mut name = main.file_stem().unwrap_or(main.as_os_str()).to_owned();
    name.push(suffix);
    main.with_file_name(name)
}
