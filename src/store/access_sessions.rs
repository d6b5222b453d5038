//! `access_sessions`: RADIUS accounting, written by the RADIUS server.

use super::{ReadTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::{Permit, Rows};

const COUNT_ONLINE: &str = "
    SELECT count(DISTINCT a.subscriber_id) FROM access_sessions a JOIN subscribers s ON s.id = a.subscriber_id
    WHERE a.stopped_at IS NULL AND s.deleted_at IS NULL";
const COUNT_ONLINE_OF_OWNER: &str = "
    SELECT count(DISTINCT a.subscriber_id) FROM access_sessions a JOIN subscribers s ON s.id = a.subscriber_id
    WHERE a.stopped_at IS NULL AND s.deleted_at IS NULL AND s.owner_id = ?1";

/// Subscribers with an open session, among those the caller sees. Costs what the open sessions cost, however many
/// subscribers and past sessions there are.
pub fn count_online(tx: &ReadTx<'_>, permit: &Permit) -> Result<i64, AppError> {
    match permit.rows() {
        Rows::All => tx.prepare(COUNT_ONLINE)?.query_row([], |row| row.get(0)),
        Rows::OfReseller(id) => tx.prepare(COUNT_ONLINE_OF_OWNER)?.query_row([id.0], |row| row.get(0)),
        Rows::OfUser(_) | Rows::Nobodys => Ok(0),
    }
    .map_err(|e| store_error(&e))
}
