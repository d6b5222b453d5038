//! `nas`: the routers, and which of them a caller sees.

use rusqlite::OptionalExtension;

use super::{ReadTx, store_error};
use crate::domain::error::AppError;
use crate::domain::policy::{Permit, Rows};

const EXISTS: &str = "SELECT 1 FROM nas WHERE id = ?1 AND deleted_at IS NULL";
const EXISTS_FOR_RESELLER: &str = "
    SELECT 1 FROM nas_resellers r JOIN nas n ON n.id = r.nas_id
    WHERE r.user_id = ?2 AND r.nas_id = ?1 AND n.deleted_at IS NULL";

/// Whether the caller sees this router.
pub fn exists(tx: &ReadTx<'_>, permit: &Permit, id: i64) -> Result<bool, AppError> {
    let found: Option<i64> = match permit.rows() {
        Rows::All => tx.prepare(EXISTS)?.query_row([id], |row| row.get(0)).optional(),
        Rows::OfReseller(user) => tx.prepare(EXISTS_FOR_RESELLER)?.query_row([id, user.0], |row| row.get(0)).optional(),
        Rows::OfUser(_) | Rows::Nobodys => Ok(None),
    }
    .map_err(|e| store_error(&e))?;
    Ok(found.is_some())
}
