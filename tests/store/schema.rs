//! A fresh database is exactly `schema.sql`, and `schema.sql` keeps its own rules.

use std::os::unix::fs::PermissionsExt;

use panel::store::request_logs::RequestLogs;
use rusqlite::Connection;

use crate::place::Place;

const SCHEMA: &str = include_str!("../../schema.sql");

/// The text of one part, split as the file's head says.
fn part(file: &str) -> &'static str {
    let (_, after) = SCHEMA.split_once(&format!("-- file: {file}\n")).unwrap();
    after.split_once("-- file: ").map_or(after, |(part, _)| part)
}

fn built(file: &str) -> Connection {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch(part(file)).unwrap();
    database
}

/// Everything a database has, by kind and name.
fn whole(database: &Connection) -> Vec<(String, String, Option<String>)> {
    let mut statement = database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn names(database: &Connection, statement: &str) -> Vec<String> {
    let mut statement = database.prepare(statement).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Tables of our own making: not the engine's, not the search index and what it keeps its terms in.
fn tables(database: &Connection) -> Vec<String> {
    let all =
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite_%'";
    names(database, all)
}

#[test]
fn a_fresh_database_is_exactly_the_schema_file() {
    let place = Place::new();
    let db = place.open();
    drop(RequestLogs::open(&place.path("panel-logs.db")).unwrap());
    for file in ["panel.db", "panel-logs.db"] {
        assert_eq!(whole(&place.look(file)), whole(&built(file)), "{file}");
    }
    drop(db);
}

#[test]
fn every_table_is_strict() {
    for file in ["panel.db", "panel-logs.db"] {
        let loose = "SELECT name FROM pragma_table_list
            WHERE type = 'table' AND schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'";
        assert_eq!(names(&built(file), loose), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn every_table_is_introduced_by_a_comment() {
    let lines: Vec<&str> = SCHEMA.lines().collect();
    let made: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains(" TABLE ")).collect();
    assert!(made.len() > 20, "{}", made.len());
    let mut without = Vec::new();
    for at in made.into_iter().filter(|at| lines[*at].starts_with("CREATE ")) {
        // One comment may introduce a table and the index or bookkeeping that belongs to it.
        let block = lines[..at].iter().rev().take_while(|line| !line.is_empty());
        if !block.into_iter().any(|line| line.starts_with("-- ")) {
            without.push(lines[at]);
        }
    }
    assert_eq!(without, Vec::<&str>::new());
}

#[test]
fn no_column_is_floating_point_or_without_a_type() {
    for file in ["panel.db", "panel-logs.db"] {
        let database = built(file);
        for table in tables(&database) {
            let odd = format!(
                "SELECT name || ' ' || type FROM pragma_table_info('{table}') WHERE type NOT IN ('INTEGER', 'TEXT', 'BLOB')"
            );
            assert_eq!(names(&database, &odd), Vec::<String>::new(), "{table}");
        }
    }
}

#[test]
fn every_foreign_key_has_an_index_that_begins_with_it() {
    let database = built("panel.db");
    let mut missing = Vec::new();
    let mut keys = 0;
    for table in tables(&database) {
        let list = format!("SELECT \"from\" FROM pragma_foreign_key_list('{table}') WHERE seq = 0");
        for column in names(&database, &list) {
            keys += 1;
            let indexed = format!(
                "SELECT l.name FROM pragma_index_list('{table}') l JOIN pragma_index_info(l.name) i
                 WHERE i.seqno = 0 AND i.name = '{column}'
                 UNION ALL SELECT name FROM pragma_table_info('{table}') WHERE pk = 1 AND name = '{column}'"
            );
            if names(&database, &indexed).is_empty() {
                missing.push(format!("{table}.{column}"));
            }
        }
    }
    assert!(keys > 15, "{keys}");
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_instant_is_an_integer_and_every_sealed_column_has_a_uid_to_be_bound_to() {
    let database = built("panel.db");
    for table in tables(&database) {
        let columns = names(&database, &format!("SELECT name || ':' || type FROM pragma_table_info('{table}')"));
        for column in &columns {
            let (name, kind) = column.split_once(':').unwrap();
            if name.ends_with("_at") || name.ends_with("_until") {
                assert_eq!(kind, "INTEGER", "{table}.{name}");
            }
            if name.ends_with("_sealed") {
                assert_eq!(kind, "BLOB", "{table}.{name}");
                assert!(columns.iter().any(|other| other == "uid:BLOB"), "{table} has nothing to bind {name} to");
            }
        }
    }
}

#[test]
fn the_file_says_whose_it_is_and_only_its_owner_reads_it() {
    let place = Place::new();
    let db = place.open();
    let logs = RequestLogs::open(&place.path("panel-logs.db")).unwrap();
    for (file, version) in [("panel.db", 2), ("panel-logs.db", 1)] {
        let database = place.look(file);
        let pragma = |name: &str| database.pragma_query_value::<i64, _>(None, name, |row| row.get(0)).unwrap();
        assert_eq!((pragma("application_id"), pragma("user_version")), (0x7061_6e65, version), "{file}");
        let mode: String = database.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal", "{file}");
        for suffix in ["", "-wal", "-shm"] {
            let name = format!("{file}{suffix}");
            let mode = std::fs::metadata(place.path(&name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
    }
    drop((db, logs));
}

#[test]
fn what_the_checks_forbid_is_refused_by_the_file_itself() {
    let place = Place::new();
    let db = place.open();
    let database = place.look("panel.db");
    database.pragma_update(None, "foreign_keys", true).unwrap();
    for forbidden in [
        "UPDATE users SET role = 'king'",
        "UPDATE users SET status = 'gone'",
        "UPDATE users SET can_use_api = 2",
        "UPDATE users SET uid = x'00'",
        "UPDATE users SET package_id = 99",
        "UPDATE services SET price = -1",
        "UPDATE services SET price = 1.5",
        "UPDATE services SET price = '25,00'",
        "UPDATE services SET period_unit = 'week'",
        "DELETE FROM packages",
    ] {
        assert!(database.execute(forbidden, []).is_err(), "{forbidden}");
    }
    drop(db);
}
