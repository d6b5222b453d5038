//! Lists with many filters: a statement joined from constant fragments, and nothing else ever.

use rusqlite::ToSql;
use rusqlite::types::Value;

use super::{ReadTx, store_error};
use crate::domain::error::AppError;

/// A `SELECT` in the making. Each `?` of a fragment takes the next of its values.
#[derive(Debug, Clone)]
pub struct ListSql {
    text: String,
    values: Vec<Value>,
}

impl ListSql {
    /// Begins with a statement that already has a `WHERE`.
    pub fn new(select: &'static str) -> Self {
        Self { text: select.to_owned(), values: Vec::new() }
    }

    pub fn value(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds a condition that must hold too.
    pub fn and<const N: usize>(&mut self, condition: &'static str, values: [Value; N]) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.extend(values);
    }

    /// Adds what stands at the end: order, limit, offset.
    pub fn end<const N: usize>(&mut self, clause: &'static str, values: [Value; N]) {
        self.text.push(' ');
        self.text.push_str(clause);
        self.values.extend(values);
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Runs a `SELECT count(*)`.
    pub fn count(&self, tx: &ReadTx<'_>) -> Result<i64, AppError> {
        let count = || {
            let mut statement = tx.prepare(&self.text)?;
            statement.query_row(&*self.params(), |row| row.get(0)).map_err(|e| store_error(&e))
        };
        match tx.known {
            Some(known) => known.count(tx, format!("{} {:?}", self.text, self.values), count),
            None => count(),
        }
    }

    pub(super) fn params(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(|value| -> &dyn ToSql { value }).collect()
    }
}
