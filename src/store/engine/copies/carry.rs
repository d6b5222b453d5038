//! What a restored database takes over from the one it replaces: ends of keys and of their secrets, so that no key comes
//! back to life (contract: keys.md), and how far ids have been given out, so that none names two things.

use std::path::Path;

use rusqlite::{OptionalExtension, Row};

use crate::domain::backups::Backup;
use crate::domain::error::AppError;
use crate::domain::keys::KeyId;
use crate::store::backups;
use crate::store::engine::{connection, migrate};
use crate::store::keys::carried::{CarriedKey, CarriedSecret};
use crate::store::{OpenError, WriteTx, store_error};

const KEYS: &str = "SELECT id, created_at, revoked_at IS NOT NULL, generation, display FROM api_keys ORDER BY id";
const SECRETS: &str = "
    SELECT generation, secret_hash, created_at, replaced_at, ends_at FROM api_key_secrets WHERE key_id = ?1";
const BACKUPS: &str = "SELECT id, taken_at, kind, path, bytes, sha256, verified_at FROM backups ORDER BY id";
const SEQUENCES: &str = "SELECT name, seq FROM sqlite_sequence ORDER BY name";
const FIND_SEQUENCE: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
const RAISE_SEQUENCE: &str = "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1 AND seq < ?2";
const BEGIN_SEQUENCE: &str = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";

#[derive(Debug, Clone, Default)]
pub struct Carried {
    pub keys: Vec<CarriedKey>,
    /// The highest id that each table gave out.
    pub sequences: Vec<(String, i64)>,
    /// Their files are there still, and somebody must delete them one day.
    pub backups: Vec<Backup>,
}

impl Carried {
    /// Of a database that is to be replaced; one that is damaged cannot be asked.
    pub fn read(path: &Path) -> Result<Self, OpenError> {
        let old = connection::open_to_look(path)?;
        let mut keys = Vec::new();
        let mut statement = old.prepare(KEYS)?;
        let mut of_key = old.prepare(SECRETS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            keys.push(CarriedKey {
                id: KeyId(id),
                created_at: row.get(1)?,
                is_revoked: row.get(2)?,
                generation: row.get(3)?,
                display: row.get(4)?,
                secrets: of_key.query_map([id], secret_from_row)?.collect::<Result<_, _>>()?,
            });
        }
        let mut statement = old.prepare(SEQUENCES)?;
        let sequences = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        // A schema that had none yet.
        let has_backups = migrate::version(&old)?.is_some_and(|version| version >= 2);
        let backups = match has_backups {
            true => old.prepare(BACKUPS)?.query_map([], backups::from_row)?.collect::<Result<_, _>>()?,
            false => Vec::new(),
        };
        Ok(Self { keys, sequences, backups })
    }
}

fn secret_from_row(row: &Row<'_>) -> rusqlite::Result<CarriedSecret> {
    Ok(CarriedSecret {
        generation: row.get(0)?,
        hash: row.get(1)?,
        created_at: row.get(2)?,
        replaced_at: row.get(3)?,
        ends_at: row.get(4)?,
    })
}

/// Ids go on where the replaced database was. A table that is no more has none.
pub fn raise_sequences(tx: &WriteTx<'_>, sequences: &[(String, i64)]) -> Result<(), AppError> {
    for (table, upto) in sequences {
        let mut statement = tx.prepare(FIND_SEQUENCE)?;
        let found: Option<i64> =
            statement.query_row([table], |row| row.get(0)).optional().map_err(|e| store_error(&e))?;
        let raise = if found.is_some() { RAISE_SEQUENCE } else { BEGIN_SEQUENCE };
        tx.execute(raise, (table, upto))?;
    }
    Ok(())
}
