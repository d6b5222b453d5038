//! Datasette: a Python server over a SQLite file, asked with a signed token; the file in WAL mode, all else as it comes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use super::{MADE, NUMBERS, Names, Peer, READ, SELECTED, TEXTS, columns, output, room};
use crate::ours::{Process, free_address};

const NAMES: Names = Names {
    read: "read, Datasette",
    create: "create, Datasette",
    list: "list, Datasette",
    total: "list with total, Datasette",
};

/// Signs its tokens.
const SECRET: &str = "bench";

/// Only whoever has the token may read and create.
const SETTINGS: &str = "databases: {data: {allow: {id: root}, permissions: {insert-row: {id: root}}}}\n";

pub struct Datasette {
    library: PathBuf,
}

impl Datasette {
    pub fn at(library: &Path) -> Self {
        let absolute = fs::canonicalize(library);
        Self { library: absolute.unwrap_or_else(|error| panic!("{}: {error}", library.display())) }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.library).args(["-m", "datasette"]).args(words);
        command
    }

    pub fn version(&self) -> String {
        output(&mut self.command(&["--version"])).replace("python -m datasette, version", "Datasette")
    }

    /// Makes one in the folder, with the same subscribers as the panel's database has.
    pub fn start(&self, folder: &Path, subscribers: &Path) -> Peer {
        let folder = room(folder, "datasette");
        let (database, settings) = (folder.join("data.db"), folder.join("datasette.yaml"));
        fs::write(&settings, SETTINGS).unwrap();
        fill(&database, subscribers);
        let token = output(&mut self.command(&["create-token", "root", "--secret", SECRET]));
        let address = free_address();
        let port = address.port().to_string();
        let mut serve = self.command(&["serve", "--secret", SECRET, "--port", &port, "--config"]);
        serve.arg(settings).arg(database);
        let process = Process::start(serve, address, "/-/versions.json", &folder.join("said"));
        let filtered = |rest: &str| format!("\"/data/{READ}.json?service_id=\" .. id .. \"&_size=20{rest}\"");
        Peer {
            process,
            header: format!("Authorization: Bearer {token}\r\n"),
            names: &NAMES,
            read: format!("\"/data/{READ}/\" .. id .. \".json\""),
            list: filtered(""),
            total: filtered("&_extra=count"),
            create: format!("/data/{MADE}/-/insert"),
            body: r#"{"row":{"username":"NAME@example.net","service_id":1,"full_name":"Made Customer","phone":"+961 1 234567","status":1,"expiry_date":20000}}"#,
        }
    }
}

fn fill(database: &Path, subscribers: &Path) {
    let database = Connection::open(database).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.execute("ATTACH ?1 AS panel", [subscribers.to_string_lossy()]).unwrap();
    let typed = TEXTS.map(|name| (name, "TEXT")).into_iter().chain(NUMBERS.map(|name| (name, "INTEGER")));
    let typed: String = typed.map(|(name, kind)| format!(", {name} {kind} DEFAULT ''")).collect();
    let columns = columns();
    for name in [READ, MADE] {
        let make = format!(
            "CREATE TABLE {name} (id INTEGER PRIMARY KEY{typed}, created_at INTEGER, updated_at INTEGER);
             INSERT INTO {name} (id{columns}, created_at, updated_at)
             SELECT id, {SELECTED}, created_at, updated_at FROM panel.subscribers ORDER BY id;
             CREATE UNIQUE INDEX {name}_by_username ON {name} (username);
             CREATE INDEX {name}_by_service ON {name} (service_id);"
        );
        database.execute_batch(&make).unwrap();
    }
}
