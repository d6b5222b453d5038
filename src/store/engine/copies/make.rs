//! Making a backup beside those who read and write: one snapshot, copied page by page over a connection of its own.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::pace::{Flushing, Pace};
use super::seal::{self, Seal};
use super::{CopyError, Part, need_room, publish};
use crate::domain::time::Timestamp;
use crate::store::engine::connection::{self, folder_of};

/// Pages copied between two looks at the pace.
const STEP: i32 = 64;

/// A backup that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub seal: Seal,
    pub sha256: [u8; 32],
    /// Of the whole file.
    pub bytes: u64,
}

/// Copies a database into a new file. What was acknowledged before this is called is in it; `taken_at` says when that was.
pub fn make(source: &Path, target: &Path, taken_at: Timestamp, pace: &mut Pace<'_>) -> Result<Made, CopyError> {
    if target.symlink_metadata().is_ok() {
        return Err(CopyError::Exists { path: target.to_owned() });
    }
    let mut part = Part::beside(target)?;
    let bytes = copy(source, &part, pace)?;
    let (rows, schema) = settle(part.path(), pace)?;
    let seal = Seal { taken_at, version: env!("CARGO_PKG_VERSION").to_owned(), schema, bytes, rows };
    let path = part.path().to_owned();
    let (sha256, bytes) = seal::append(&path, &mut part.file, &seal, pace)?;
    publish(part.path(), target)?;
    Ok(Made { seal, sha256, bytes })
}

/// Gives the number of bytes that were copied.
fn copy(source: &Path, part: &Part, pace: &mut Pace<'_>) -> Result<u64, CopyError> {
    let of_source = CopyError::engine(source);
    let from = connection::open_to_look(source).map_err(&of_source)?;
    // The snapshot: as long as it is held, what others write does not make the copy begin anew.
    let snapshot = from.unchecked_transaction().map_err(&of_source)?;
    let number = |pragma: &str| snapshot.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = number("page_count").map_err(&of_source)?;
    let page = u64::try_from(number("page_size").map_err(&of_source)?).unwrap_or_default();
    let bytes = u64::try_from(pages).unwrap_or_default().saturating_mul(page);
    need_room(&folder_of(part.path()), bytes, false)?;

    let of_part = CopyError::engine(part.path());
    let mut to = Connection::open(part.path()).map_err(&of_part)?;
    for (pragma, value) in [("journal_mode", "OFF"), ("synchronous", "OFF"), ("locking_mode", "EXCLUSIVE")] {
        to.pragma_update(None, pragma, value).map_err(&of_part)?;
    }
    let backup = Backup::new(&from, &mut to).map_err(&of_part)?;
    let step = page.saturating_mul(u64::from(STEP.unsigned_abs()));
    let mut flushing = Flushing::new(&part.file);
    loop {
        let outcome = backup.step(STEP).map_err(&of_part)?;
        if outcome == StepResult::Done {
            return Ok(bytes);
        }
        if outcome != StepResult::More {
            return Err(CopyError::Engine { path: source.to_owned(), cause: "it is locked".to_owned() });
        }
        flushing.wrote(step).map_err(CopyError::file(part.path(), "written"))?;
        pace.spend(step)?;
    }
}

/// Makes the copy readable where nothing may be written beside it, and counts its rows.
fn settle(path: &Path, pace: &Pace<'_>) -> Result<(Vec<(String, i64)>, i64), CopyError> {
    let of_part = CopyError::engine(path);
    let copy = Connection::open(path).map_err(&of_part)?;
    copy.busy_timeout(Duration::ZERO).map_err(&of_part)?;
    copy.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(&of_part)?;
    copy.pragma_update(None, "journal_mode", "DELETE").map_err(&of_part)?;
    let schema = copy.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(&of_part)?;
    Ok((pace.interruptible(&copy, || count_rows(&copy)).map_err(of_part)?, schema))
}

/// The rows of every table that the schema made, by name.
pub fn count_rows(connection: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let count = |name: String| {
        let quoted = name.replace('"', "\"\"");
        let count = connection.query_row(&format!("SELECT count(*) FROM \"{quoted}\""), [], |row| row.get(0))?;
        Ok((name, count))
    };
    names.into_iter().map(count).collect()
}
