//! Lists with many filters: a statement joined from constant fragments, and nothing else ever.

use rusqlite::ToSql;
use rusqlite::types::Value;

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

    pub(super) fn params(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(|value| -> &dyn ToSql { value }).collect()
    }
}
