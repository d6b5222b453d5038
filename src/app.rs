//! Everything that is opened once and shared by the doors: database, key file, hasher, settings, clock.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use chrono_tz::Tz;

use crate::actions;
use crate::config::{self, Config};
use crate::crypto::{Hasher, KeyFile, KeyFileError, Sealer, Signer, random};
use crate::domain::error::AppError;
use crate::domain::keys::KeyId;
use crate::domain::policy;
use crate::domain::time::{Date, Timestamp};
use crate::store::{self, Db, OpenError, Options, Presence, Synchronous};

/// Searches, lists and reports that callers may have going at once.
pub const SLOW_READS: u32 = 4;

/// Where the doors get the time from.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// One that stands still until it is moved, for whoever must say what happens on a given day.
    pub fn standing_at(at: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(at.millis()))))
    }

    pub fn move_to(&self, at: Timestamp) {
        if let Some(standing) = &self.0 {
            standing.store(at.millis(), Ordering::SeqCst);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where the doors read the clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(standing) => Timestamp(standing.load(Ordering::SeqCst)),
            None => Timestamp(chrono::Utc::now().timestamp_millis()),
        }
    }
}

/// Why the application cannot be opened: what is wrong, and what to do.
#[derive(Debug)]
pub enum AppOpenError {
    Database(OpenError),
    KeyFile(KeyFileError),
    /// There was one once: its key file is there.
    DatabaseMissing {
        path: std::path::PathBuf,
        key_file: std::path::PathBuf,
    },
    /// The key file is not the one this database was made with.
    WrongKeyFile {
        key_file: std::path::PathBuf,
    },
    Start(AppError),
}

impl fmt::Display for AppOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppOpenError::Database(error) => error.fmt(f),
            AppOpenError::KeyFile(error) => error.fmt(f),
            AppOpenError::WrongKeyFile { key_file } => write!(
                f,
                "The key file {} is not the one this database was made with.\nPut the right one in its place; without it no sealed password can be read.",
                key_file.display()
            ),
            AppOpenError::DatabaseMissing { path, key_file } => write!(
                f,
                "The key file {} is there, and its database {} is not.\nSet database.path, restore a backup (panel restore FILE), or move the key file away to start anew.",
                key_file.display(),
                path.display()
            ),
            AppOpenError::Start(AppError::Unavailable(cause)) => OpenError::Disk(cause.clone()).fmt(f),
            AppOpenError::Start(error) => {
                write!(
                    f,
                    "The database cannot be used: {error}.\nSee whether its disk is full (df) or failing (dmesg); restore a backup if this stays."
                )
            }
        }
    }
}

impl std::error::Error for AppOpenError {}

impl From<OpenError> for AppOpenError {
    fn from(error: OpenError) -> Self {
        AppOpenError::Database(error)
    }
}

impl From<KeyFileError> for AppOpenError {
    fn from(error: KeyFileError) -> Self {
        AppOpenError::KeyFile(error)
    }
}

impl From<AppError> for AppOpenError {
    fn from(error: AppError) -> Self {
        AppOpenError::Start(error)
    }
}

#[derive(Debug)]
pub struct App {
    config: ArcSwap<Config>,
    pub db: Db,
    pub sealer: Sealer,
    pub signer: Signer,
    pub hasher: Hasher,
    pub clock: Clock,
    /// Keeps a restore from replacing the database under our feet. After the database, which is closed first.
    _presence: Option<Presence>,
}

impl App {
    /// Opens (or makes) database and key file, and sees to it that a fresh database has what it begins with.
    pub fn open(config: Config, clock: Clock) -> Result<Self, AppOpenError> {
        let path = &config.database.path;
        let key_file = store::key_file_path(path);
        let presence = Presence::announce(path, &key_file)?;
        if key_file.is_file() && !path.exists() {
            return Err(AppOpenError::DatabaseMissing { path: path.clone(), key_file });
        }
        let workers = u32::try_from(config.server.workers()).unwrap_or(u32::MAX);
        let db = Db::open(&Options {
            path: path.clone(),
            synchronous: match config.database.synchronous {
                config::Synchronous::Full => Synchronous::Full,
                config::Synchronous::Normal => Synchronous::Normal,
            },
            fast_readers: workers,
            // One more for monitoring, which must see what goes on when all the others are at work.
            slow_readers: SLOW_READS + 1,
            queue: store::QUEUE,
            backup_to: Some((config.backup_folder(), clock.now())),
        })?;
        let (sealer, signer) = open_key_file(&db, &key_file)?;
        // A fresh database has had no key file until now.
        let presence = presence.map_or_else(|| Presence::announce(path, &key_file), |there| Ok(Some(there)))?;
        if let Some(backup) = db.migrated().and_then(|migrated| migrated.backup.clone()) {
            let now = clock.now();
            let noted = db.write_blocking(move |tx| actions::backups::note_made(tx, &policy::system(), &backup, now));
            // It is made and the schema is the new one: what could not be noted is no reason to stay down.
            if let Err(error) = noted {
                tracing::warn!(%error, "the backup that was made before the migration could not be noted");
            }
        }
        if !db.read(actions::bootstrap::is_done)? {
            let (uid, now) = (random::uid()?, clock.now());
            db.write_blocking(move |tx| actions::bootstrap::run(tx, uid, now))?;
        }
        Ok(Self {
            config: ArcSwap::from_pointee(config),
            db,
            sealer,
            signer,
            hasher: Hasher::start(),
            clock,
            _presence: presence,
        })
    }

    /// The settings in force. They can be others a moment later: what belongs together is read from one of these.
    pub fn config(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }

    /// Only with settings that may change while running: see [`Config::reloaded`].
    pub fn set_config(&self, config: Config) {
        self.config.store(Arc::new(config));
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn zone(&self) -> Tz {
        self.config().locale.time_zone
    }

    pub fn today(&self) -> Date {
        self.now().date_in(self.zone())
    }
}

/// A database remembers a constant sealed with its key file. One without it is being made right now, by this process or
/// by one that started at the same moment: whoever comes second finds the first one's file and constant.
fn open_key_file(db: &Db, path: &Path) -> Result<(Sealer, Signer), AppOpenError> {
    let known = db.read(store::meta::find_key_check)?;
    let key_file = if known.is_some() { KeyFile::open(path)? } else { KeyFile::open_or_create(path)? };
    let sealer = Sealer::new(&key_file);
    if known.is_none() {
        let check = sealer.seal_check()?;
        db.write_blocking(move |tx| store::meta::insert_key_check(tx, &check))?;
    }
    match db.read(store::meta::find_key_check)? {
        Some(check) if sealer.opens_check(&check) => Ok((sealer, Signer::new(&key_file))),
        _ => Err(AppOpenError::WrongKeyFile { key_file: path.to_owned() }),
    }
}

/// When and from where each key was last used, until a job stores it: a request costs no database write for it.
#[derive(Debug, Default)]
pub struct LastUses(Mutex<HashMap<KeyId, (Timestamp, Option<IpAddr>)>>);

impl LastUses {
    pub fn note(&self, key: KeyId, at: Timestamp, ip: Option<IpAddr>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (at, ip));
    }

    /// What was handed over could not be stored; what was noted since is newer.
    pub fn put_back(&self, uses: Vec<(KeyId, Timestamp, Option<IpAddr>)>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, at, ip) in uses {
            noted.entry(key).or_insert((at, ip));
        }
    }

    /// Hands over what was noted since the last time.
    pub fn take(&self) -> Vec<(KeyId, Timestamp, Option<IpAddr>)> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        noted.into_iter().map(|(key, (at, ip))| (key, at, ip)).collect()
    }
}
