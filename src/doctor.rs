//! What `panel doctor` looks at: each check has a name, a verdict, and what would mend it (contract: cli.md). Nothing is made
//! or changed by looking.

mod backups;
mod files;
mod key_file;
mod rows;
mod settings;

use std::path::PathBuf;

use serde::Serialize;

use crate::config::Config;
use crate::domain::error::AppError;
use crate::domain::time::Timestamp;
use crate::store::{Look, OpenError};

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    Failed,
    /// It could not be asked, for a reason that another check names, or was not to be.
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub verdict: Verdict,
    pub what: String,
    pub fix: Option<String>,
}

/// What a check says, before it is put under its name.
pub(crate) struct Said {
    verdict: Verdict,
    what: String,
    fix: Option<String>,
}

fn good(what: impl Into<String>) -> Said {
    Said { verdict: Verdict::Ok, what: what.into(), fix: None }
}

fn warning(what: impl Into<String>, fix: impl Into<String>) -> Said {
    Said { verdict: Verdict::Warning, what: what.into(), fix: Some(fix.into()) }
}

fn failed(what: impl Into<String>, fix: impl Into<String>) -> Said {
    Said { verdict: Verdict::Failed, what: what.into(), fix: Some(fix.into()) }
}

fn skipped(what: impl Into<String>) -> Said {
    Said { verdict: Verdict::Skipped, what: what.into(), fix: None }
}

/// From an error whose second line is the remedy.
fn of_error(error: &impl ToString) -> Said {
    let text = error.to_string();
    let (what, fix) = text.split_once('\n').unwrap_or((&text, "Look at the log: journalctl -u panel"));
    failed(what, fix)
}

/// What is looked at.
#[derive(Debug)]
pub struct Patient<'a> {
    pub config: &'a Config,
    pub now: Timestamp,
    /// Leaves out what reads every row or page.
    pub quick: bool,
    /// The version of the server that answers where it should, or why none does and what to do.
    pub server: Result<String, (String, String)>,
    look: Result<Look, OpenError>,
    folder: PathBuf,
}

impl<'a> Patient<'a> {
    pub fn new(config: &'a Config, now: Timestamp, quick: bool, server: Result<String, (String, String)>) -> Self {
        let look = Look::at(&config.database.path);
        Self { config, now, quick, server, look, folder: config.database_folder() }
    }

    /// Asks an open database of the current schema.
    fn ask(&self, question: impl FnOnce(&Look) -> Result<Said, AppError>) -> Said {
        match &self.look {
            Ok(look) if look.version == Some(crate::store::SchemaFile::Main.version()) => question(look)
                .unwrap_or_else(|error| {
                    failed(error.to_string(), "If the check named pages fails too, restore a backup.")
                }),
            Ok(_) => skipped("the database has another schema"),
            Err(_) => skipped("the database cannot be opened"),
        }
    }

    /// The same for what reads every row or page.
    fn ask_slowly(&self, question: impl FnOnce(&Look) -> Result<Said, AppError>) -> Said {
        match self.quick {
            true => skipped("left out by --quick"),
            false => self.ask(question),
        }
    }
}

type Check = fn(&Patient<'_>) -> Said;

/// In the order in which mending helps.
const CHECKS: &[(&str, Check)] = &[
    ("database-file", files::database_file),
    ("database-disk", files::database_disk),
    ("database-rights", files::database_rights),
    ("folder-rights", files::folder_rights),
    ("disk-space", files::disk_space),
    ("inodes", files::inodes),
    ("write-ahead-log", files::write_ahead_log),
    ("leftovers", files::leftovers),
    ("schema", rows::schema),
    ("schema-objects", rows::schema_objects),
    ("pages", rows::pages),
    ("references", rows::references),
    ("ledger", rows::ledger),
    ("counters", rows::counters),
    ("key-file", key_file::there),
    ("key-file-rights", key_file::rights),
    ("key-file-match", key_file::matches),
    ("key-file-export", key_file::exported),
    ("sealed-passwords", key_file::opens),
    ("backup-schedule", backups::schedule),
    ("backup-folder", backups::folder),
    ("backup-age", backups::age),
    ("backup-file", backups::newest_file),
    ("backup-without-key", backups::without_key),
    ("request-log", files::request_log),
    ("request-log-dropped", files::request_log_dropped),
    ("clock", rows::clock),
    ("admin-login", rows::admin_login),
    ("unused-keys", rows::unused_keys),
    ("server", settings::server),
    ("server-version", settings::server_version),
    ("listen", settings::listen),
    ("tls-files", settings::tls_files),
    ("tls-expiry", settings::tls_expiry),
    ("metrics-listen", settings::metrics_listen),
    ("trusted-proxies", settings::trusted_proxies),
    ("login-limits", settings::login_limits),
    ("synchronous", settings::synchronous),
];

/// Every check in its order.
pub fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let run = |(name, check): &(&'static str, Check)| {
        let Said { verdict, what, fix } = check(patient);
        Finding { name, verdict, what, fix }
    };
    CHECKS.iter().map(run).collect()
}

/// What is said where the settings are refused: nothing else can be asked then.
pub fn refused_settings(error: &str) -> Finding {
    let Said { verdict, what, fix } = of_error(&error);
    Finding { name: "settings", verdict, what, fix }
}

/// What is said of settings that were read.
pub fn good_settings(origin: &str) -> Finding {
    Finding { name: "settings", verdict: Verdict::Ok, what: format!("read from {origin}"), fix: None }
}
