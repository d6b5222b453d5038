//! Databases of any size: one row through the front door, the others copied from it by SQL.
//!
//! Rows are appended to every index in its own order, so that ten million take minutes.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::client;
use crate::ours::{self, House};

/// Plans that the subscribers are spread over evenly.
pub const SERVICES: u32 = 10;

const SCHEMA: &str = include_str!("../../../schema.sql");

/// The template is the first; every number up to `?1` follows.
const SUBSCRIBERS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO subscribers (id, uid, username, username_key, password_sealed, full_name, phone, address, email, note,
                             created_values, service_id, expiry_date, created_at, updated_at)
    SELECT i, t.uid, format('loaded%08d@example.net', i), format('loaded%08d@example.net', i), t.password_sealed,
           format('Loaded Customer %d', i), t.phone, t.address, t.email, t.note,
           replace(t.created_values, 'loaded00000001', format('loaded%08d', i)), 1 + i % ?2,
           t.expiry_date + i % 28, t.created_at + i / 1000, t.updated_at + i / 1000
    FROM n CROSS JOIN subscribers t WHERE t.id = 1 ORDER BY i";
const COUNTERS: &str = "
    DELETE FROM counters;
    INSERT INTO counters (owner_key, status, expiry_date, subscribers)
    SELECT 0, status, expiry_date, count(*) FROM subscribers GROUP BY status, expiry_date;
    INSERT INTO counters (owner_key, status, expiry_date, subscribers)
    SELECT -1, status, expiry_date, subscribers FROM counters WHERE owner_key = 0;";
const SEARCH: &str = "
    INSERT INTO subscriber_search (subscriber_search, rank) VALUES ('hashsize', 67108864);
    INSERT INTO subscriber_search (rowid, username_key)
    SELECT id, username_key FROM subscribers WHERE id > (SELECT coalesce(max(upto_id), 0) FROM search_watermark);
    INSERT INTO subscriber_search (subscriber_search, rank) VALUES ('hashsize', 1048576);
    INSERT INTO search_watermark (name, upto_id) VALUES ('subscribers', (SELECT max(id) FROM subscribers))
    ON CONFLICT (name) DO UPDATE SET upto_id = excluded.upto_id;";
const LOGS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO api_key_logs (at, key_id, generation, method, route, path, status, ip, latency_us, request_id)
    SELECT ?2 - (?1 - i) * 1000, 1, 1, 'GET', '/api/v1/external/subscribers/{id}',
           '/api/v1/external/subscribers/' || (1 + i % 100000), 200, '127.0.0.1', 100 + i % 400,
           lower(hex(randomblob(16)))
    FROM n ORDER BY i";

/// A house with so many subscribers; where one was kept from an earlier run, that one.
pub fn house(folder: &Path, subscribers: u32) -> House {
    let (mark, made_of) = (folder.join("seeded"), format!("{subscribers}\n{SCHEMA}"));
    if fs::read_to_string(&mark).is_ok_and(|mark| mark == made_of) {
        return House::at(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    let house = House::at(folder);
    for number in 2..=SERVICES {
        ours::run(folder, &["service", "add", &format!("plan {number}")]);
    }
    let first = json!({"username": "loaded00000001@example.net", "service_id": 1, "full_name": "Loaded Customer 1",
                       "phone": "+961 1 234567"});
    let panel = house.serve();
    client::json(panel.address(), "POST", "/api/v1/external/subscribers", &panel.header, &first);
    panel.process.stop();
    fill(&house.database(), |database| {
        database.execute(SUBSCRIBERS, (subscribers, SERVICES)).unwrap();
        database.execute_batch(COUNTERS).unwrap();
        database.execute_batch(SEARCH).unwrap();
    });
    prove(&house);
    fs::write(mark, made_of).unwrap();
    house
}

/// So many rows of the request log, one a second until now.
pub fn logs(house: &House, rows: u32) {
    fill(&house.logs(), |database| {
        let now: i64 = database.query_row("SELECT unixepoch() * 1000", [], |row| row.get(0)).unwrap();
        database.execute(LOGS, (rows, now)).unwrap();
    });
}

/// Everything in one transaction without a journal: what is interrupted is made again from nothing.
fn fill(path: &Path, work: impl FnOnce(&Connection)) {
    let database = Connection::open(path).unwrap();
    for (pragma, value) in [("locking_mode", "EXCLUSIVE"), ("journal_mode", "OFF"), ("synchronous", "OFF")] {
        database.pragma_update(None, pragma, value).unwrap();
    }
    database.pragma_update(None, "cache_size", -128 * 1024).unwrap();
    database.execute_batch("BEGIN").unwrap();
    work(&database);
    database.execute_batch("COMMIT").unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
}

/// The panel's own judgement of what was made past it. Only what no row has a part in may fail.
fn prove(house: &House) {
    let output = ours::command(&house.folder, &["doctor", "--json"]).output().unwrap();
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let failed = checks.iter().filter(|check| check["verdict"] == "failed");
    let of_rows: Vec<_> =
        failed.filter(|check| !["admin-login", "key-file-export"].iter().any(|name| check["name"] == *name)).collect();
    assert!(checks.len() > 30 && of_rows.is_empty(), "the seeded database is not sound: {of_rows:?}");
}
