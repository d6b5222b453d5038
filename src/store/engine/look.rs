//! Looking at a database without using it: nothing is made, migrated or changed.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::connection;
use super::copies::rehearse;
use super::migrate::{self, Difference, File};
use crate::domain::error::AppError;
use crate::store::{OpenError, ReadTx, store_error};

/// A database that is looked at.
#[derive(Debug)]
pub struct Look {
    connection: Connection,
    /// Of its schema; `None`: it is empty.
    pub version: Option<i64>,
}

impl Look {
    /// One that is not there is not made.
    pub fn at(path: &Path) -> Result<Self, OpenError> {
        migrate::refuse_foreign_file(path)?;
        let connection = connection::open_to_look(path)?;
        let version = migrate::version(&connection)?;
        Ok(Self { connection, version })
    }

    pub fn read<T>(&self, work: impl FnOnce(&ReadTx<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
        work(&ReadTx::new(&self.connection))
    }

    /// What is otherwise than in a fresh database.
    pub fn schema_differences(&self) -> Result<Vec<Difference>, AppError> {
        migrate::differences(&self.connection, File::Main).map_err(|e| store_error(&e))
    }

    /// What the engine finds wrong with pages, indexes and constraints.
    pub fn damage(&self) -> Result<Option<String>, AppError> {
        rehearse::damage_of(&self.connection).map_err(|e| store_error(&e))
    }

    /// A table with a row that refers to one that is not there.
    pub fn orphan(&self) -> Result<Option<String>, AppError> {
        rehearse::orphan_of(&self.connection).map_err(|e| store_error(&e))
    }

    /// The first page that cannot be read, of a file whose schema is not the main one's.
    pub fn quick_damage(&self) -> Result<Option<String>, AppError> {
        let verdict = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).optional();
        Ok(verdict.map_err(|e| store_error(&e))?.filter(|verdict| verdict != "ok"))
    }
}
