//! For tests: what SQLite says it will do for a statement.

use super::engine::{connection, migrate};
use super::{SchemaFile, Synchronous};

/// The plan of a statement on a fresh database, whatever its parameters are.
pub fn of(statement: &str) -> String {
    of_file(SchemaFile::Main, statement)
}

/// The same on a fresh file of either part of the schema.
pub fn of_file(file: SchemaFile, statement: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = connection::open(&folder.path().join("panel.db"), Synchronous::Normal).unwrap();
    migrate::run(&mut connection, file).unwrap();
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    let mut rows = explain.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines.join("; ")
}

/// Served by these indexes, and nothing sorted.
pub fn check(statement: &str, wanted: &[&str]) {
    let plan = of(statement);
    for part in wanted {
        assert!(plan.contains(part), "{statement}: {plan}");
    }
    assert!(!plan.contains("TEMP B-TREE"), "{statement} sorts: {plan}");
}
