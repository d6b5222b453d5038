//! `key_usage`: the counts of limits by hour and day, which outlive a restart.

use super::{ReadTx, WriteTx, store_error};
use crate::domain::error::AppError;
use crate::domain::keys::KeyId;
use crate::domain::limits::{Count, PERIODS};

const LIST: &str = "SELECT key_id, period, window_start, requests FROM key_usage ORDER BY key_id";
const LIST_OF_KEY: &str = "SELECT key_id, period, window_start, requests FROM key_usage WHERE key_id = ?1";
const UPSERT: &str = "
    INSERT INTO key_usage (key_id, period, window_start, requests) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (key_id, period) DO UPDATE SET window_start = excluded.window_start, requests = excluded.requests";

/// What is stored of every key.
pub fn list(tx: &ReadTx<'_>) -> Result<Vec<(KeyId, [Count; 3])>, AppError> {
    listed(tx, LIST, [])
}

pub fn of_key(tx: &ReadTx<'_>, id: KeyId) -> Result<[Count; 3], AppError> {
    Ok(listed(tx, LIST_OF_KEY, [id.0])?.pop().map(|(_, counts)| counts).unwrap_or_default())
}

/// Stores the counts of the hour and of the day; a minute is not worth it.
pub fn store(tx: &WriteTx<'_>, id: KeyId, counts: &[Count; 3]) -> Result<(), AppError> {
    tx.unaudited("use is not a change");
    for (count, (period, _)) in counts.iter().zip(PERIODS).skip(1) {
        tx.execute(UPSERT, (id.0, period, count.start, count.used))?;
    }
    Ok(())
}

fn listed(
    tx: &ReadTx<'_>,
    statement: &'static str,
    params: impl rusqlite::Params,
) -> Result<Vec<(KeyId, [Count; 3])>, AppError> {
    let mut statement = tx.prepare(statement)?;
    let mut rows = statement.query(params).map_err(|e| store_error(&e))?;
    let mut all: Vec<(KeyId, [Count; 3])> = Vec::new();
    while let Some(row) = rows.next().map_err(|e| store_error(&e))? {
        let read = || -> rusqlite::Result<_> {
            Ok((KeyId(row.get(0)?), row.get::<_, String>(1)?, Count { start: row.get(2)?, used: row.get(3)? }))
        };
        let (id, period, count) = read().map_err(|e| store_error(&e))?;
        if all.last().is_none_or(|(last, _)| *last != id) {
            all.push((id, Default::default()));
        }
        if let (Some((_, counts)), Some(place)) = (all.last_mut(), PERIODS.iter().position(|(name, _)| *name == period))
        {
            counts[place] = count;
        }
    }
    Ok(all)
}
