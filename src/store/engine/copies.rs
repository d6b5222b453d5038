//! A database as one file to keep: made beside its users, sealed, rehearsed, put back.

pub mod carry;
pub mod make;
pub mod pace;
pub mod rehearse;
pub mod restore;
pub mod seal;

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rustix::fs::{AtFlags, CWD, FlockOperation, RenameFlags, flock, renameat_with, statvfs};

use self::pace::Pace;
use crate::domain::backups::PART;
use crate::domain::text;
use crate::store::OpenError;
use crate::store::engine::connection::{folder_of, with_suffix};

/// Room that is left to others.
const MARGIN: u64 = 16 * 1024 * 1024;

/// Why a copy could not be made, was not good, or could not be put back: what is wrong, and what to do.
#[derive(Debug)]
pub enum CopyError {
    Exists {
        path: PathBuf,
    },
    /// A backup is restored to a scratch place beside the database, which is not theirs to choose.
    NoRoom {
        folder: PathBuf,
        need: u64,
        free: u64,
        scratch: bool,
    },
    File {
        path: PathBuf,
        what: &'static str,
        cause: io::Error,
    },
    Engine {
        path: PathBuf,
        cause: String,
    },
    NotABackup {
        path: PathBuf,
    },
    Damaged {
        path: PathBuf,
        what: String,
    },
    Schema(OpenError),
    InUse {
        path: PathBuf,
    },
    /// Another command is at work on the same file.
    UnderWay {
        path: PathBuf,
    },
    Stopped,
}

impl CopyError {
    fn file(path: &Path, what: &'static str) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| CopyError::File { path: path.clone(), what, cause }
    }

    fn engine(path: &Path) -> impl Fn(rusqlite::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => CopyError::Stopped,
            _ => CopyError::Engine { path: path.clone(), cause: error.to_string() },
        }
    }

    fn damaged(path: &Path, what: impl Into<String>) -> Self {
        CopyError::Damaged { path: path.to_owned(), what: what.into() }
    }
}

impl From<OpenError> for CopyError {
    fn from(error: OpenError) -> Self {
        CopyError::Schema(error)
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CopyError::Exists { path } => {
                write!(f, "{} is there already.\nName another file: nothing is overwritten.", path.display())
            }
            CopyError::NoRoom { folder, need, free, scratch } => {
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
                let remedy = match scratch {
                    true => "Free some space there: a backup is restored beside the database to see that it is whole.",
                    false => "Free some space, or name a place on another disk.",
                };
                let (free, need) = (text::size(*free), text::size(*need));
                write!(f, "The disk of {} has {free} left, and {need} are needed.\n{remedy}", folder.display())
            }
            CopyError::File { path, what, cause } => {
                write!(f, "{} cannot be {what}: {cause}.\nCheck its folder, rights and disk.", path.display())
            }
            CopyError::Engine { path, cause } => {
                write!(
                    f,
                    "{} cannot be used as a database: {cause}.\nCheck its disk, or use another file.",
                    path.display()
                )
            }
            CopyError::NotABackup { path } => write!(
                f,
                "{} is not a file that panel backup made.\nName one, or give --unsealed for a database that was copied by other means.",
                path.display()
            ),
            CopyError::Damaged { path, what } => {
                write!(f, "{} is damaged: {what}.\nUse another backup; this one cannot be trusted.", path.display())
            }
            CopyError::Schema(error) => error.fmt(f),
            CopyError::InUse { path } => write!(
                f,
                "{} is in use.\nStop the panel first (systemctl stop panel), and let other commands end.",
                path.display()
            ),
            CopyError::UnderWay { path } => {
                write!(
                    f,
                    "{} is what another command is working on.\nTry again when that one has ended.",
                    path.display()
                )
            }
            CopyError::Stopped => f.write_str("It was stopped before it was done.\nNothing was left behind."),
        }
    }
}

impl std::error::Error for CopyError {}

/// What a backup says of itself, if not a byte of it has changed.
pub fn seal_of(backup: &Path, pace: &mut Pace<'_>) -> Result<seal::Seal, CopyError> {
    seal::open(backup, &mut io::sink(), pace).map(|(seal, _)| seal)
}

/// Inodes that may still be made where the folder is; `None`: its file system does not count them.
pub fn free_inodes(folder: &Path) -> io::Result<Option<u64>> {
    let stat = statvfs(folder)?;
    Ok(Some(stat.f_favail).filter(|_| stat.f_files > 0))
}

/// Makes a folder for backups where there is none, for its owner only.
pub fn prepare_folder(folder: &Path) -> Result<(), CopyError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(CopyError::file(folder, "made"))
}

/// Bytes that this user may still write where the folder is.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let stat = statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn need_room(folder: &Path, bytes: u64, scratch: bool) -> Result<(), CopyError> {
    let free = free_space(folder).map_err(CopyError::file(folder, "used"))?;
    let need = bytes.saturating_add(MARGIN);
    if free < need { Err(CopyError::NoRoom { folder: folder.to_owned(), need, free, scratch }) } else { Ok(()) }
}

/// Gives the file its name, unless something has it, and sees to it that the name is on the disk too.
fn publish(part: &Path, target: &Path) -> Result<(), CopyError> {
    match renameat_with(CWD, part, CWD, target, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Err(CopyError::Exists { path: target.to_owned() }),
        // Some file systems of network disks know no such rename.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if rustix::fs::statat(CWD, target, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                return Err(CopyError::Exists { path: target.to_owned() });
            }
            fs::rename(part, target).map_err(CopyError::file(target, "written"))?;
        }
        Err(error) => return Err(CopyError::file(target, "written")(error.into())),
    }
    sync_folder(target)
}

fn sync_folder(path: &Path) -> Result<(), CopyError> {
    let folder = folder_of(path);
    File::open(&folder).and_then(|file| file.sync_all()).map_err(CopyError::file(&folder, "written"))
}

/// A file on its way, with what the engine lays beside it; gone when this is dropped before it got its name.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    /// Locked as long as somebody is at work here.
    file: File,
}

impl Part {
    /// Beside its target, under a name that nobody takes for a backup. What an interrupted run left there is removed.
    fn beside(target: &Path) -> Result<Self, CopyError> {
        let path = Self::path_beside(target);
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        for _ in 0..2 {
            let file = open().map_err(CopyError::file(&path, "written"))?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(CopyError::UnderWay { path });
            }
            let metadata = file.metadata().map_err(CopyError::file(&path, "read"))?;
            // Between the two, whoever had it may have given it its name, or removed it.
            let is_there = fs::symlink_metadata(&path).is_ok_and(|there| is_same_file(&there, &metadata));
            if is_there && metadata.len() == 0 {
                return Ok(Self { path, file });
            }
            if is_there {
                remove(&path);
            }
        }
        Err(CopyError::UnderWay { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is this file, which must not be written over.
    fn would_be(target: &Path, file: &Path) -> bool {
        let there = fs::metadata(Self::path_beside(target));
        fs::metadata(file).is_ok_and(|file| there.is_ok_and(|there| is_same_file(&there, &file)))
    }

    fn path_beside(target: &Path) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(PART);
        target.with_file_name(name)
    }

    /// Whether nobody is at work on it any more.
    pub fn is_left(path: &Path) -> bool {
        lock_left(path).is_some()
    }

    /// Removes what an interrupted run left; what somebody is at work on stays.
    pub fn sweep(path: &Path) {
        if let Some(_locked) = lock_left(path) {
            remove(path);
        }
    }
}

/// One that nobody is at work on, held until it is dropped.
fn lock_left(path: &Path) -> Option<File> {
    // A named pipe would be waited for.
    let is_file = fs::symlink_metadata(path).is_ok_and(|there| there.is_file());
    let file = File::open(path).ok().filter(|_| is_file)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(file)
}

impl Drop for Part {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn is_same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // Most are never there.
        drop(fs::remove_file(with_suffix(path, suffix)));
    }
}
