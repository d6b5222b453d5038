//! Restoring a backup to a scratch place, and looking at it as the panel would.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::make::count_rows;
use super::pace::{Flushing, Pace};
use super::seal::{self, Seal};
use super::{CopyError, Part, need_room};
use crate::store::engine::connection::{self, folder_of};
use crate::store::engine::migrate::{self, File};
use crate::store::{OpenError, Synchronous};

/// A backup that was restored to a scratch place and found whole. The place is gone when this is dropped.
#[derive(Debug)]
pub struct Rehearsed {
    pub seal: Seal,
    pub sha256: [u8; 32],
    /// The constant that tells which key file its passwords were sealed with.
    pub key_check: Option<Vec<u8>>,
    pub scratch: Part,
}

/// Restores to a file beside `place`, with the schema of this version, and checks bytes, structure, references, rows and
/// schema on the way.
pub fn rehearse(backup: &Path, place: &Path, pace: &mut Pace<'_>) -> Result<Rehearsed, CopyError> {
    let length = backup.metadata().map_err(CopyError::file(backup, "read"))?.len();
    if Part::would_be(place, backup) {
        return Err(CopyError::UnderWay { path: backup.to_owned() });
    }
    let scratch = Part::beside(place)?;
    need_room(&folder_of(place), length, true)?;
    let (seal, sha256) = seal::open(backup, &mut Flushing::new(&scratch.file), pace)?;
    scratch.file.sync_all().map_err(CopyError::file(scratch.path(), "written"))?;
    if seal.schema > File::Main.version() {
        return Err(OpenError::NewerSchema { found: seal.schema, known: File::Main.version() }.into());
    }
    let key_check = examine(backup, scratch.path(), &seal, pace)?;
    Ok(Rehearsed { seal, sha256, key_check, scratch })
}

fn examine(backup: &Path, scratch: &Path, seal: &Seal, pace: &Pace<'_>) -> Result<Option<Vec<u8>>, CopyError> {
    let engine = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => CopyError::damaged(backup, error.to_string()),
        _ => CopyError::engine(backup)(error),
    };
    let mut copy = connection::open(scratch, Synchronous::Normal).map_err(engine)?;
    if let Some(damage) = pace.interruptible(&copy, || damage_of(&copy)).map_err(engine)? {
        return Err(CopyError::damaged(backup, damage));
    }
    if let Some(table) = pace.interruptible(&copy, || orphan_of(&copy)).map_err(engine)? {
        return Err(CopyError::damaged(backup, format!("a row of {table} refers to one that is not there")));
    }
    let rows = pace.interruptible(&copy, || count_rows(&copy)).map_err(engine)?;
    if let Some((table, counted)) = rows.iter().find(|row| !seal.rows.contains(row)) {
        let what = format!("its table {table} has {counted} rows, which is not what it was sealed with");
        return Err(CopyError::damaged(backup, what));
    }
    if rows.len() != seal.rows.len() {
        return Err(CopyError::damaged(backup, "a table that it was sealed with is missing"));
    }
    migrate::run(&mut copy, File::Main)?;
    let strange = migrate::differences(&copy, File::Main).map_err(engine)?;
    // An index that somebody made by hand costs time and changes nothing.
    if let Some(strange) = strange.iter().find(|strange| !strange.is_extra_index) {
        return Err(CopyError::damaged(backup, format!("its schema is not the panel's: {} differs", strange.name)));
    }
    let check = copy.query_row("SELECT value FROM meta WHERE name = 'key_check'", [], |row| row.get(0)).optional();
    let check = check.map_err(engine)?;
    copy.close().map_err(|(_, error)| engine(error))?;
    Ok(check)
}

/// What the engine finds wrong with a database, if anything: pages, indexes, constraints.
pub fn damage_of(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok(Some(verdict).filter(|verdict| verdict != "ok"))
}

/// The table of a row that refers to one that is not there.
pub fn orphan_of(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).optional()
}
