//! What other servers over one SQLite file do with the same rows: PocketBase, which the bounds are for, and Datasette beside it.

mod datasette;
mod pocketbase;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::load::Target;
use crate::ours::Process;

pub use datasette::Datasette;
pub use pocketbase::Pocketbase;

/// What is read, and what is created into, so that one does not grow while it is measured.
const READ: &str = "subscribers";
const MADE: &str = "made";

/// Columns that all of them have, as the panel has them.
const TEXTS: [&str; 9] =
    ["username", "password_sealed", "full_name", "phone", "address", "email", "note", "external_id", "mac_address"];
const NUMBERS: [&str; 6] = ["owner_id", "status", "service_id", "nas_id", "expiry_date", "balance"];

/// The panel's rows in that order, for `INSERT … SELECT` from its database.
const SELECTED: &str = "username, hex(password_sealed), full_name, phone, address, email, note, '', '',
                        0, status, service_id, 0, expiry_date, balance";

/// Under which names its figures are kept.
pub struct Names {
    pub read: &'static str,
    pub create: &'static str,
    pub list: &'static str,
    pub total: &'static str,
}

/// One that runs, and how it is asked. Paths are expressions of Lua over the number `id`.
pub struct Peer {
    pub process: Process,
    /// The header of every call.
    pub header: String,
    pub names: &'static Names,
    pub read: String,
    /// Twenty rows of the service `id`, without the total and with it.
    pub list: String,
    pub total: String,
    pub create: String,
    /// What it creates; NAME stands for the name.
    pub body: &'static str,
}

impl Peer {
    pub fn target(&self) -> Target<'_> {
        Target { address: self.process.address, header: &self.header }
    }
}

/// The columns by name.
fn columns() -> String {
    let mut columns = String::new();
    for name in TEXTS.iter().chain(&NUMBERS) {
        write!(columns, ", {name}").unwrap();
    }
    columns
}

/// Runs it to its end and gives what it printed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An empty folder.
fn room(folder: &Path, name: &str) -> std::path::PathBuf {
    let room = folder.join(name);
    fs::create_dir_all(&room).unwrap();
    room
}
