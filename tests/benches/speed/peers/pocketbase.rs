//! PocketBase: the real binary, asked with the token of a user.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{MADE, NUMBERS, Names, Peer, READ, SELECTED, TEXTS, columns, output, room};
use crate::client;
use crate::ours::{Process, free_address};

const NAMES: Names = Names {
    read: "read, PocketBase",
    create: "create, PocketBase",
    list: "list, PocketBase",
    total: "list with total, PocketBase",
};

/// The path of the records of a collection.
fn records(collection: &str) -> String {
    format!("/api/collections/{collection}/records")
}

pub struct Pocketbase {
    binary: PathBuf,
}

impl Pocketbase {
    pub fn at(binary: &Path) -> Self {
        let absolute = fs::canonicalize(binary);
        Self { binary: absolute.unwrap_or_else(|error| panic!("{}: {error}", binary.display())) }
    }

    pub fn version(&self) -> String {
        output(Command::new(&self.binary).arg("--version")).replace("pocketbase version", "PocketBase")
    }

    /// The path of one row.
    pub fn record(id: u32) -> String {
        format!("{}/r{id:014}", records(READ))
    }

    /// Makes one in the folder, with the same subscribers as the panel's database has.
    pub fn start(&self, folder: &Path, subscribers: &Path) -> Peer {
        let folder = room(folder, "pocketbase");
        let (email, password) = ("bench@example.net", "bench-password");
        output(Command::new(&self.binary).args(["superuser", "upsert", email, password, "--dir"]).arg(&folder));
        let address = free_address();
        let mut serve = Command::new(&self.binary);
        serve.args(["serve", "--http", &address.to_string(), "--dir"]).arg(&folder);
        let process = Process::start(serve, address, "/api/health", &folder.join("said"));
        let log_in = |collection: &str| {
            let path = format!("/api/collections/{collection}/auth-with-password");
            let answer = client::json(address, "POST", &path, "", &json!({"identity": email, "password": password}));
            format!("Authorization: {}\r\n", answer["token"].as_str().unwrap())
        };
        let above = log_in("_superusers");
        let user = json!({"email": email, "password": password, "passwordConfirm": password});
        client::json(address, "POST", &records("users"), &above, &user);
        for name in [READ, MADE] {
            client::json(address, "POST", "/api/collections", &above, &collection(name));
            fill(&folder.join("data.db"), name, subscribers);
        }
        let (header, records_read) = (log_in("users"), records(READ));
        let filtered = |rest: &str| format!("\"{records_read}?perPage=20{rest}&filter=(service_id%3D\" .. id .. \")\"");
        Peer {
            process,
            header,
            names: &NAMES,
            read: format!("\"{records_read}/\" .. string.format(\"r%014d\", id)"),
            list: filtered("&skipTotal=1"),
            total: filtered(""),
            create: records(MADE),
            body: r#"{"username":"NAME@example.net","service_id":1,"full_name":"Made Customer","phone":"+961 1 234567","status":1,"expiry_date":20000}"#,
        }
    }
}

fn collection(name: &str) -> Value {
    let texts = TEXTS.iter().map(|field| json!({"name": field, "type": "text"}));
    let numbers = NUMBERS.iter().map(|field| json!({"name": field, "type": "number"}));
    let dates = [("created", false), ("updated", true)]
        .map(|(field, again)| json!({"name": field, "type": "autodate", "onCreate": true, "onUpdate": again}));
    let logged_in = "@request.auth.id != \"\"";
    json!({
        "name": name,
        "type": "base",
        "listRule": logged_in,
        "viewRule": logged_in,
        "createRule": logged_in,
        "fields": texts.chain(numbers).chain(dates).collect::<Vec<_>>(),
        "indexes": [
            format!("CREATE UNIQUE INDEX {name}_by_username ON {name} (username)"),
            format!("CREATE INDEX {name}_by_service ON {name} (service_id)"),
        ],
    })
}

fn fill(database: &Path, name: &str, subscribers: &Path) {
    let database = Connection::open(database).unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    database.execute("ATTACH ?1 AS panel", [subscribers.to_string_lossy()]).unwrap();
    let (columns, made) = (columns(), "strftime('%Y-%m-%d %H:%M:%fZ', created_at / 1000.0, 'unixepoch')");
    let copy = format!(
        "INSERT INTO {name} (id{columns}, created, updated)
         SELECT format('r%014d', id), {SELECTED}, {made}, {made} FROM panel.subscribers ORDER BY id"
    );
    database.execute(&copy, []).unwrap();
}
