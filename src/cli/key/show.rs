//! `panel key show|logs`: what is known of a key, and of its use.

use serde_json::{Value, json};

use super::{find, row};
use crate::actions;
use crate::app::App;
use crate::cli::output::{Failure, Outcome, Output, say};
use crate::domain::keys::Key;
use crate::domain::policy::Generation;
use crate::domain::request_logs::{RequestLog, View};
use crate::domain::time::Timestamp;
use crate::store::{self, request_logs};

/// How many log rows are looked at for who still uses an old secret.
const LOOK_BACK: i64 = 10_000;

pub fn show(app: &App, output: Output, reference: &str) -> Outcome {
    let key = find(app, reference)?;
    let generations = app.db.read(|tx| actions::keys::generations(tx, key.id))?;
    let mut shown = row(&key);
    let at = |at: Timestamp| json!(at.rfc3339());
    let lines = generations.iter().map(|generation| {
        let (replaced, ends) = generation.replaced.map_or((Value::Null, Value::Null), |r| (at(r.at), at(r.ends_at)));
        json!({"generation": generation.number, "replaced_at": replaced, "works_until": ends, "alive": !generation.is_dead(app.now())})
    });
    shown["generations"] = lines.collect();
    shown["old_secret_used_by"] = old_users(&read(app, &key, LOOK_BACK)?, &generations);
    output.one(&shown)
}

/// From where, and when last, secrets were used after they had been replaced.
fn old_users(logs: &[RequestLog], generations: &[Generation]) -> Value {
    let replaced = |log: &RequestLog| {
        let generation = generations.iter().find(|generation| generation.number == log.generation);
        generation.and_then(|generation| generation.replaced).is_some_and(|replaced| log.at >= replaced.at)
    };
    let mut users: Vec<(&RequestLog, usize)> = Vec::new();
    for log in logs.iter().filter(|log| replaced(log)) {
        match users.iter_mut().find(|(first, _)| first.ip == log.ip && first.generation == log.generation) {
            Some((_, calls)) => *calls += 1,
            None => users.push((log, 1)),
        }
    }
    let line = |(log, calls): &(&RequestLog, usize)| json!({"ip": log.ip, "generation": log.generation, "calls": calls, "last": log.at.rfc3339()});
    users.iter().map(line).collect()
}

pub fn logs(app: &App, output: Output, reference: &str, limit: i64) -> Outcome {
    let key = find(app, reference)?;
    let rows: Vec<_> = read(app, &key, limit)?.iter().map(log_row).collect();
    let dropped = request_logs::dropped(&logs_path(app)).map_err(|e| Failure::sentences(&e.to_string()))?;
    if dropped > 0 {
        say(&format!("{dropped} rows of all keys could not be kept (overload, or a disk that failed)."));
    }
    let columns =
        ["timestamp", "method", "path", "status_code", "gate", "generation", "ip", "latency_ms", "request_id"];
    output.many(&columns, &rows)
}

fn logs_path(app: &App) -> std::path::PathBuf {
    store::logs_path(&app.config().database.path)
}

fn read(app: &App, key: &Key, limit: i64) -> Result<Vec<RequestLog>, Failure> {
    request_logs::list(&logs_path(app), key.id, limit).map_err(|e| Failure::sentences(&e.to_string()))
}

fn log_row(log: &RequestLog) -> Value {
    json!(View::from(log))
}
