//! Keys as another database of the same panel has them, taken over when that one is replaced by an older copy.

use rusqlite::OptionalExtension;

use crate::domain::error::AppError;
use crate::domain::keys::KeyId;
use crate::domain::policy::Permit;
use crate::store::{ReadTx, WriteTx, store_error};

#[derive(Debug, Clone)]
pub struct CarriedKey {
    pub id: KeyId,
    /// With the id it tells the same key from one that was given the id later.
    pub created_at: i64,
    pub is_revoked: bool,
    pub generation: i64,
    pub display: String,
    pub secrets: Vec<CarriedSecret>,
}

#[derive(Debug, Clone)]
pub struct CarriedSecret {
    pub generation: i64,
    pub hash: [u8; 32],
    pub created_at: i64,
    pub replaced_at: Option<i64>,
    pub ends_at: Option<i64>,
}

const FIND: &str = "SELECT generation, revoked_at IS NOT NULL FROM api_keys WHERE id = ?1 AND created_at = ?2";
const DELETE_SECRETS: &str = "DELETE FROM api_key_secrets WHERE key_id = ?1";
const INSERT_SECRET: &str = "
    INSERT INTO api_key_secrets (key_id, generation, secret_hash, created_at, replaced_at, ends_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const SET_GENERATION: &str = "UPDATE api_keys SET generation = ?2, display = ?3 WHERE id = ?1";

/// The generation that this database has of the key, and whether it is revoked here; `None`: it does not know the key.
pub fn find(tx: &ReadTx<'_>, key: &CarriedKey) -> Result<Option<(i64, bool)>, AppError> {
    let mut statement = tx.prepare(FIND)?;
    let found = statement.query_row((key.id.0, key.created_at), |row| Ok((row.get(0)?, row.get(1)?))).optional();
    found.map_err(|e| store_error(&e))
}

/// Gives the key the secrets of the other database, with their ends.
pub fn replace_secrets(tx: &WriteTx<'_>, _permit: &Permit, key: &CarriedKey) -> Result<(), AppError> {
    tx.execute(DELETE_SECRETS, [key.id.0])?;
    for CarriedSecret { generation, hash, created_at, replaced_at, ends_at } in &key.secrets {
        tx.execute(INSERT_SECRET, (key.id.0, generation, hash, created_at, replaced_at, ends_at))?;
    }
    tx.execute(SET_GENERATION, (key.id.0, key.generation, &key.display)).map(|_| ())
}
