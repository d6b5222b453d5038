//! For tests: how many statements ran on this thread, and of how many steps of SQLite's virtual machine. A figure that no
//! machine and no load changes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Sub;
use std::path::Path;

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, StatementStatus, params};

use crate::domain::keys::SecretHash;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    pub statements: i64,
    pub steps: i64,
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { statements: self.statements - before.statements, steps: self.steps - before.steps }
    }
}

thread_local! {
    /// The sum, and for each statement that runs the steps it had made before.
    static SPENT: RefCell<(Cost, HashMap<String, i64>)> = RefCell::default();
}

/// What this thread has spent so far.
pub fn spent() -> Cost {
    SPENT.with_borrow(|(cost, _)| *cost)
}

/// Counts what a connection does from now on.
pub fn watch(connection: &Connection) {
    let both = TraceEventCodes::SQLITE_TRACE_STMT | TraceEventCodes::SQLITE_TRACE_PROFILE;
    connection.trace_v2(both, Some(note));
}

fn note(event: TraceEvent<'_>) {
    SPENT.with_borrow_mut(|(cost, running)| match event {
        TraceEvent::Stmt(statement, _) => {
            running.insert(statement.sql().into_owned(), steps(&statement));
        }
        TraceEvent::Profile(statement, _) => {
            let before = running.remove(&*statement.sql()).unwrap_or_default();
            cost.statements += 1;
            cost.steps += steps(&statement) - before;
        }
        _ => {}
    });
}

fn steps(statement: &rusqlite::trace::StmtRef<'_>) -> i64 {
    statement.get_status(StatementStatus::VmStep).into()
}

const KEY: &str = "
    INSERT INTO api_keys (id, style, user_id, name, display, scope, created_at, updated_at)
    VALUES (1, 'external', 1, 'cost', 'pk_live_cost', 'delete', 0, 0)";
const SECRET: &str = "INSERT INTO api_key_secrets (key_id, generation, secret_hash, created_at) VALUES (1, 1, ?1, 0)";
const SUBSCRIBERS: &str = "
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
    INSERT INTO subscribers (uid, username, username_key, password_sealed, created_values, service_id, expiry_date, created_at,
                             updated_at)
    SELECT randomblob(16), 'customer' || n, 'customer' || n, x'00', '{}', 1, 30000, n, n FROM n";
const COUNTER: &str = "INSERT INTO counters (owner_key, status, expiry_date, subscribers) VALUES (?2, 1, 30000, ?1)";
const INDEX: &str = "INSERT INTO subscriber_search (rowid, username_key) SELECT id, username_key FROM subscribers";
const WATERMARK: &str = "
    INSERT INTO search_watermark (name, upto_id) VALUES ('subscribers', ?1)
    ON CONFLICT (name) DO UPDATE SET upto_id = excluded.upto_id";

/// Makes an external key with this hash and so many subscribers of the house.
pub fn fill(database: &Path, hash: &SecretHash, subscribers: i64) {
    let connection = Connection::open(database).unwrap();
    connection.execute(KEY, []).unwrap();
    connection.execute(SECRET, [hash]).unwrap();
    connection.execute(SUBSCRIBERS, [subscribers]).unwrap();
    for owner in [-1, 0] {
        connection.execute(COUNTER, params![subscribers, owner]).unwrap();
    }
    connection.execute(INDEX, []).unwrap();
    connection.execute(WATERMARK, [subscribers]).unwrap();
}
