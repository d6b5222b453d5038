//! `panel migrate`: brings the database to the schema of this version, as `panel serve` does at its start.

use serde_json::json;

use super::output::{Failure, Outcome, Output, print};
use crate::app::App;
use crate::store::request_logs::RequestLogs;
use crate::store::{self, SchemaFile};

pub fn run(app: &App, output: Output) -> Outcome {
    // The request log has a schema of its own.
    let logs = RequestLogs::open(&store::logs_path(&app.config().database.path));
    drop(logs.map_err(|error| Failure::sentences(&error.to_string()))?);
    let current = SchemaFile::Main.version();
    let migrated = app.db.migrated();
    let backup = migrated.and_then(|migrated| migrated.backup.as_ref()).map(|backup| backup.path.as_str());
    if output.json {
        let from = migrated.map_or(current, |migrated| migrated.from);
        return print(&json!({"from": from, "to": current, "backup": backup}).to_string());
    }
    match (migrated, backup) {
        (Some(migrated), Some(backup)) => print(&format!(
            "The database was brought from schema {} to {current}; before that: {backup}",
            migrated.from
        )),
        _ => print(&format!("The database is at schema {current}.")),
    }
}
