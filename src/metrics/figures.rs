//! Figures that are read when somebody asks: from the database, the files and the system. Each may be missing without
//! the others; reading them blocks, so it is done off the threads that answer.

use std::path::Path;

use crate::actions::backups;
use crate::app::App;
use crate::domain::error::AppError;
use crate::domain::keys::Style;
use crate::domain::policy::Rows;
use crate::store::counters::ByStatus;
use crate::store::keys::ByState;
use crate::store::{self, counters, keys, sessions};

/// The families that are read here, as they are called on the page, in the order of [`Figures::missing`].
pub const FAMILIES: [&str; 9] = [
    "panel_keys",
    "panel_sessions",
    "panel_subscribers",
    "panel_last_verified_backup_age_seconds",
    "panel_database_bytes",
    "panel_wal_bytes",
    "panel_request_log_bytes",
    "process_resident_memory_bytes",
    "process_open_fds",
];

/// `None`: it could not be read, or not in time.
#[derive(Debug, Default)]
pub struct Figures {
    pub keys: Option<[(Style, ByState); Style::ALL.len()]>,
    /// Living ones.
    pub sessions: Option<i64>,
    pub subscribers: Option<ByStatus>,
    /// Seconds since the newest backup was taken that is known to be whole; the inner `None`: there is none.
    pub backup_age: Option<Option<u64>>,
    /// The main file.
    pub database_bytes: Option<u64>,
    /// The write-ahead log of the main file.
    pub wal_bytes: Option<u64>,
    /// The request log, with its own write-ahead log.
    pub request_log_bytes: Option<u64>,
    pub resident_bytes: Option<u64>,
    pub open_fds: Option<u64>,
}

impl Figures {
    pub fn read(app: &App) -> Self {
        let (now, today) = (app.now(), app.today());
        let counted = app.db.read_slowly(|tx| {
            Ok((
                told("panel_keys", keys::count_by_state(tx, now)),
                told("panel_sessions", sessions::count_living(tx, now)),
                told("panel_subscribers", counters::by_status(tx, Rows::All, today)),
                told("panel_last_verified_backup_age_seconds", backups::verified_age(tx, now)),
            ))
        });
        let (keys, sessions, subscribers, backup_age) = told("the database", counted).unwrap_or_default();
        let config = app.config();
        let path = &config.database.path;
        Self {
            keys,
            sessions,
            subscribers,
            backup_age,
            database_bytes: told("panel_database_bytes", size(path)),
            // Where nothing was written yet there is none.
            wal_bytes: told("panel_wal_bytes", size_if_there(&store::wal_path(path))),
            request_log_bytes: told("panel_request_log_bytes", size_with_wal(&store::logs_path(path))),
            resident_bytes: told("process_resident_memory_bytes", resident_bytes()),
            open_fds: told("process_open_fds", open_fds()),
        }
    }

    /// Which of [`FAMILIES`] are missing.
    pub fn missing(&self) -> [bool; FAMILIES.len()] {
        [
            self.keys.is_none(),
            self.sessions.is_none(),
            self.subscribers.is_none(),
            self.backup_age.is_none(),
            self.database_bytes.is_none(),
            self.wal_bytes.is_none(),
            self.request_log_bytes.is_none(),
            self.resident_bytes.is_none(),
            self.open_fds.is_none(),
        ]
    }
}

/// Says why a figure is missing; at most once for each page, so as often as somebody asks for one.
fn told<T>(what: &str, outcome: Result<T, AppError>) -> Option<T> {
    outcome.inspect_err(|error| tracing::warn!(%error, "{what} could not be read for the metrics")).ok()
}

fn unreadable(path: &Path, error: &std::io::Error) -> AppError {
    AppError::Unavailable(format!("{}: {error}", path.display()))
}

fn size(path: &Path) -> Result<u64, AppError> {
    std::fs::metadata(path).map(|file| file.len()).map_err(|error| unreadable(path, &error))
}

fn size_if_there(path: &Path) -> Result<u64, AppError> {
    match std::fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn size_with_wal(path: &Path) -> Result<u64, AppError> {
    Ok(size(path)?.saturating_add(size_if_there(&store::wal_path(path))?))
}

/// From proc(5): `VmRSS:` and a number of kB.
fn resident_bytes() -> Result<u64, AppError> {
    let path = Path::new("/proc/self/status");
    let status = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let bytes = kilobytes.and_then(|kilobytes| kilobytes.checked_mul(1024));
    bytes.ok_or_else(|| AppError::Internal(format!("{} has no VmRSS", path.display())))
}

fn open_fds() -> Result<u64, AppError> {
    let path = Path::new("/proc/self/fd");
    let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    // One of them is the folder that is being read.
    Ok((entries.count() as u64).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_this_process_has() {
        assert!(resident_bytes().unwrap() > 1024 * 1024);
        assert!(open_fds().unwrap() >= 3);
    }

    #[test]
    fn what_was_not_read_is_missing() {
        assert_eq!(Figures::default().missing(), [true; FAMILIES.len()]);
        let figures = Figures { sessions: Some(0), wal_bytes: Some(0), ..Figures::default() };
        let there: Vec<_> = FAMILIES.iter().zip(figures.missing()).filter(|(_, missing)| !missing).collect();
        assert_eq!(there, [(&"panel_sessions", false), (&"panel_wal_bytes", false)]);
    }
}
