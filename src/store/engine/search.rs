//! Substring search over usernames: a trigram index filled after commit. Ids grow and usernames never change, so one
//! number, the watermark, says up to which row the index is complete; readers look at the rows above it themselves.

use rusqlite::OptionalExtension;

use crate::domain::error::AppError;
use crate::store::{ReadTx, WriteTx, store_error};

/// Shorter needles have no trigram: they are looked for by walking the rows.
pub const SHORTEST: usize = 3;

const WATERMARK: &str = "SELECT upto_id FROM search_watermark WHERE name = 'subscribers'";

pub fn watermark(tx: &ReadTx<'_>) -> Result<i64, AppError> {
    let mut statement = tx.prepare(WATERMARK)?;
    let upto: Option<i64> = statement.query_row([], |row| row.get(0)).optional().map_err(|e| store_error(&e))?;
    Ok(upto.unwrap_or(0))
}

/// The condition of a list: its parameters are the needle as a phrase, the watermark, and the needle itself.
pub const CONTAINS: &str = "(s.id IN (SELECT rowid FROM subscriber_search WHERE subscriber_search MATCH ?) \
     OR (s.id > ? AND instr(s.username_key, ?) > 0))";

/// The condition for a needle too short for the index.
pub const WALKS: &str = "instr(s.username_key, ?) > 0";

/// The needle as an FTS5 string: quotes are doubled, so nothing in it is an operator.
pub fn phrase(needle: &str) -> String {
    format!("\"{}\"", needle.replace('"', "\"\""))
}

const FILL: &str = "
    INSERT INTO subscriber_search (rowid, username_key)
    SELECT id, username_key FROM subscribers WHERE id > ?1 AND id <= ?2 AND deleted_at IS NULL";
const LAST_OF_CHUNK: &str = "SELECT max(id) FROM (SELECT id FROM subscribers WHERE id > ?1 ORDER BY id LIMIT ?2)";
const RAISE: &str = "
    INSERT INTO search_watermark (name, upto_id) VALUES ('subscribers', ?1)
    ON CONFLICT (name) DO UPDATE SET upto_id = excluded.upto_id";

/// Whether there are rows above the watermark: asked before a write is made of it.
pub fn needs_filling(tx: &ReadTx<'_>) -> Result<bool, AppError> {
    let last: Option<i64> =
        tx.prepare("SELECT max(id) FROM subscribers")?.query_row([], |row| row.get(0)).map_err(|e| store_error(&e))?;
    Ok(last.unwrap_or(0) > watermark(tx)?)
}

/// Indexes the next rows and says whether there may be more.
pub fn fill(tx: &WriteTx<'_>, chunk: i64) -> Result<bool, AppError> {
    tx.unaudited("the index repeats what the audited rows say");
    let from = watermark(tx)?;
    let last: Option<i64> =
        tx.prepare(LAST_OF_CHUNK)?.query_row([from, chunk], |row| row.get(0)).map_err(|e| store_error(&e))?;
    let Some(upto) = last else { return Ok(false) };
    tx.execute(FILL, [from, upto])?;
    tx.execute(RAISE, [upto])?;
    Ok(true)
}
