//! How many keys there are, by style and state.

use crate::domain::error::AppError;
use crate::domain::keys::Style;
use crate::domain::time::Timestamp;
use crate::store::{ReadTx, store_error};

const COUNT_BY_STATE: &str = "
    SELECT style,
           count(*) FILTER (WHERE revoked_at IS NULL AND enabled = 1 AND (expires_at IS NULL OR expires_at > ?1)),
           count(*) FILTER (WHERE revoked_at IS NULL AND enabled = 0),
           count(*) FILTER (WHERE revoked_at IS NULL AND enabled = 1 AND expires_at <= ?1),
           count(*) FILTER (WHERE revoked_at IS NOT NULL)
    FROM api_keys GROUP BY style";

/// Each key once, under the first gate that refuses it: revoked, disabled, expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByState {
    pub active: i64,
    pub disabled: i64,
    pub expired: i64,
    pub revoked: i64,
}

/// Every style is there, also one without a key.
pub fn count_by_state(tx: &ReadTx<'_>, now: Timestamp) -> Result<[(Style, ByState); Style::ALL.len()], AppError> {
    let mut statement = tx.prepare(COUNT_BY_STATE)?;
    let rows = statement.query_map([now.millis()], |row| {
        let counted =
            ByState { active: row.get(1)?, disabled: row.get(2)?, expired: row.get(3)?, revoked: row.get(4)? };
        Ok((row.get::<_, String>(0)?, counted))
    });
    let found: Vec<_> = rows.and_then(Iterator::collect).map_err(|e| store_error(&e))?;
    Ok(Style::ALL.map(|style| {
        let of_style = found.iter().find(|(name, _)| name == style.as_str());
        (style, of_style.map(|(_, counted)| *counted).unwrap_or_default())
    }))
}
