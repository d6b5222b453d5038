//! Opening the file: what it must be, and what every connection is told.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::domain::error::AppError;
use crate::store::engine::copies::free_space;
use crate::store::{OpenError, Synchronous};

/// Distinct statements a connection keeps prepared.
const STATEMENTS: usize = 256;

/// What a disk must have left before it counts as good again.
const ROOM_BYTES: u64 = 1024 * 1024;

/// How long a connection waits for another process's write (the command line beside the server).
pub const BUSY: Duration = Duration::from_secs(5);

/// How often it looks meanwhile. The engine's own way looks ten times a second at last, and a server under load leaves the
/// lock for a tenth of a millisecond at a time: a command would hardly ever find it free.
const LOOK_EVERY: Duration = Duration::from_millis(1);

thread_local! {
    /// Since when this thread waits for a lock.
    static WAITING_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Waits for a lock as long as [`BUSY`] says.
pub fn wait_for_others(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|turn| {
        let now = Instant::now();
        let since = WAITING_SINCE.get().filter(|_| turn > 0).unwrap_or(now);
        WAITING_SINCE.set(Some(since));
        let goes_on = now.saturating_duration_since(since) < BUSY;
        if goes_on {
            std::thread::park_timeout(LOOK_EVERY);
        }
        goes_on
    }))
}

/// File systems on which SQLite's locks cannot be trusted (statfs(2) magic numbers).
const NETWORK_FILE_SYSTEMS: &[(i64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x6573_5546, "FUSE"),
];

fn network_file_system(magic: i64) -> Option<&'static str> {
    NETWORK_FILE_SYSTEMS.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

/// Refuses a folder whose file system several machines can write.
pub fn refuse_network_file_system(path: &Path) -> Result<(), OpenError> {
    let folder = folder_of(path);
    let stat =
        rustix::fs::statfs(&folder).map_err(|e| OpenError::Folder { folder: folder.clone(), cause: e.to_string() })?;
    match network_file_system(stat.f_type) {
        Some(name) => Err(OpenError::NetworkFileSystem { path: path.to_owned(), name }),
        None => Ok(()),
    }
}

pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Holds off other processes that open a database in this folder until it is dropped. Two that turn a new file into a
/// database at once would see each other's half-done work as a lock that nobody waits for. A lock on the file itself
/// would not do: closing it would end SQLite's own locks.
pub fn lock_folder(path: &Path) -> Result<fs::File, OpenError> {
    let folder = folder_of(path);
    let failed = |cause: io::Error| OpenError::Folder { folder: folder.clone(), cause: cause.to_string() };
    let file = fs::File::open(&folder).map_err(failed)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).map_err(|e| failed(e.into()))?;
    Ok(file)
}

/// Says that this process uses the database, or that no other does, for as long as it is held. A lock on the key file, which
/// lies beside every database and which the engine never locks itself.
#[derive(Debug)]
pub struct Presence {
    _file: fs::File,
}

impl Presence {
    /// Beside others; refused while a backup is being restored. `None`: there is no key file yet.
    pub fn announce(path: &Path, key_file: &Path) -> Result<Option<Self>, OpenError> {
        let Ok(file) = fs::File::open(key_file) else { return Ok(None) };
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(_) => Err(OpenError::Restoring { path: path.to_owned() }),
        }
    }

    /// Alone; `None`: somebody uses it.
    pub fn alone(key_file: &Path) -> io::Result<Option<Self>> {
        let file = fs::File::open(key_file)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Which file a path named when it was opened. What is written to one that was deleted or replaced since is lost.
#[derive(Debug, Clone)]
pub struct OpenFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl OpenFile {
    pub fn of(path: &Path) -> Result<Self, OpenError> {
        let failed = |cause: io::Error| OpenError::File { path: path.to_owned(), cause: cause.to_string() };
        let metadata = fs::metadata(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails where the path no longer names the file.
    pub fn check(&self) -> Result<(), AppError> {
        match fs::metadata(&self.path) {
            Ok(metadata) if (metadata.dev(), metadata.ino()) == (self.device, self.inode) => Ok(()),
            Ok(_) => Err(AppError::Unavailable("the database file was replaced while it was open".to_owned())),
            Err(error) => Err(AppError::Unavailable(format!("the database file is gone: {error}"))),
        }
    }
}

/// Fails where the disk of a file has hardly any room. A small write alone shows nothing: it may find a place that a
/// larger one, which failed, had taken in the write-ahead log.
pub fn check_room(path: &Path) -> Result<(), AppError> {
    let failed = |why: String| Err(AppError::Unavailable(why));
    match free_space(&folder_of(path)) {
        Ok(free) if free >= ROOM_BYTES => Ok(()),
        Ok(free) => failed(format!("the disk is full: {free} bytes are left")),
        Err(error) => failed(format!("the disk cannot be looked at: {error}")),
    }
}

/// The write-ahead log of a database, which lies beside the file itself where the path is a link.
pub fn wal_of(path: &Path) -> PathBuf {
    with_suffix(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), "-wal")
}

/// What the engine lays beside a database bears its name and more.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Brings the write-ahead log into the file and empties it, unless somebody needs it still.
pub fn fold_log_in(file: &OpenFile) -> rusqlite::Result<()> {
    let connection = open(&file.path, Synchronous::Full)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Opens one that is there to read it, and changes nothing of it: where nobody else has it open, a log that was left stays.
pub fn open_to_look(path: &Path) -> rusqlite::Result<Connection> {
    let has_log = wal_of(path).metadata().is_ok_and(|wal| wal.len() > 0);
    // Writable, because the engine makes its index of a log, and takes it away again.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    Ok(connection)
}

/// Makes the file with mode 0600 where it is missing. One that is there must be a file; its rights are left alone until
/// it is known to be ours.
pub fn prepare_file(path: &Path) -> Result<(), OpenError> {
    let failed = |cause: io::Error| OpenError::File { path: path.to_owned(), cause: cause.to_string() };
    match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
        Err(cause) => return Err(failed(cause)),
    }
    if fs::metadata(path).map_err(failed)?.is_file() {
        Ok(())
    } else {
        Err(failed(io::Error::other("it is not a file")))
    }
}

/// Takes every right from others. SQLite gives its -wal and -shm files the mode of the database.
pub fn keep_to_owner(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let name = with_suffix(path, suffix);
        let Ok(metadata) = fs::metadata(&name) else { continue };
        let mode = metadata.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(&name, fs::Permissions::from_mode(mode & 0o700))
                .map_err(|cause| OpenError::File { path: path.to_owned(), cause: cause.to_string() })?;
        }
    }
    Ok(())
}

/// What every connection of the main file is told, whoever opens it.
pub fn initialise(connection: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    wait_for_others(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous.as_str())?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    #[cfg(test)]
    crate::store::engine::cost::watch(connection);
    Ok(())
}

pub fn open(path: &Path, synchronous: Synchronous) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    initialise(&connection, synchronous)?;
    Ok(connection)
}

/// Runs a statement without values, kept prepared for the next time.
pub fn execute(connection: &Connection, statement: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_by_their_number_and_local_ones_pass() {
        for (magic, name) in [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("CIFS")),
            (0x6573_5546, Some("FUSE")),
            (0xef53, None),
            (0x5846_5342, None),
            (0x9123_683e, None),
            (0x0102_1994, None),
            (0x794c_7630, None),
        ] {
            assert_eq!(network_file_system(magic), name, "{magic:#x}");
        }
    }

    #[test]
    fn the_file_is_for_its_owner_only_even_if_it_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("panel.db");
        prepare_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        keep_to_owner(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
