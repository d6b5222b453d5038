//! Why a database cannot be opened.

use std::fmt;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::{CopyError, store_error};
use crate::domain::error::AppError;

/// Why a database cannot be opened: what is wrong, and what to do.
#[derive(Debug)]
pub enum OpenError {
    Folder {
        folder: PathBuf,
        cause: String,
    },
    File {
        path: PathBuf,
        cause: String,
    },
    NetworkFileSystem {
        path: PathBuf,
        name: &'static str,
    },
    NotOurs {
        path: PathBuf,
    },
    NewerSchema {
        found: i64,
        known: i64,
    },
    Migration {
        from: i64,
        to: i64,
        cause: String,
    },
    BackupFirst {
        from: i64,
        to: i64,
        cause: Box<CopyError>,
    },
    Restoring {
        path: PathBuf,
    },
    Emptied {
        path: PathBuf,
    },
    /// Something outside the file keeps it from being used.
    Disk(String),
    Engine(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match store_error(&error) {
            _ if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => {
                OpenError::Engine(error.to_string())
            }
            AppError::Unavailable(cause) => OpenError::Disk(cause),
            _ => OpenError::Engine(error.to_string()),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Folder { folder, cause } => {
                write!(f, "The folder {} cannot be used: {cause}.\nCreate it, or set database.path.", folder.display())
            }
            OpenError::File { path, cause } => {
                write!(
                    f,
                    "The database {} cannot be opened: {cause}.\nCheck its disk, its owner and its rights, or set database.path.",
                    path.display()
                )
            }
            OpenError::NetworkFileSystem { path, name } => write!(
                f,
                "The database {} is on a network file system ({name}), where its locks cannot be trusted.\nSet database.path to a local disk.",
                path.display()
            ),
            OpenError::NotOurs { path } => write!(
                f,
                "The file {} is a database of another program, or none at all; it was left as it is.\nMove it away, or set database.path to another place.",
                path.display()
            ),
            OpenError::NewerSchema { found, known } => write!(
                f,
                "The database was written by a newer panel (schema {found}; this one knows up to {known}).\nInstall that version, or restore a backup made before the upgrade."
            ),
            OpenError::Migration { from, to, cause } => write!(
                f,
                "The database could not be brought from schema {from} to {to}: {cause}.\nIt is unchanged: the version that wrote it still opens it."
            ),
            OpenError::BackupFirst { from, to, cause } => write!(
                f,
                "The database is to be brought from schema {from} to {to}, and could not be backed up before that: {cause}"
            ),
            OpenError::Restoring { path } => {
                write!(f, "A backup is just being restored to {}.\nTry again when that is done.", path.display())
            }
            OpenError::Emptied { path } => write!(
                f,
                "The database {} is empty, and its write-ahead log is not: it was cut off.\nLeave both as they are, and restore a backup: panel restore FILE",
                path.display()
            ),
            OpenError::Disk(cause) => write!(
                f,
                "The database cannot be used: {cause}.\nMake sure that its disk works, has room and can be written; what was stored is still there."
            ),
            OpenError::Engine(cause) => {
                write!(f, "The database cannot be used: {cause}.\nIf the file is damaged, restore a backup.")
            }
        }
    }
}

impl std::error::Error for OpenError {}
