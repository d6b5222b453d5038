//! `panel backup`: copies of the database, made and looked at while it is in use.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Failure, Outcome, Output, say};
use super::{open, operator};
use crate::app::App;
use crate::backups::{self, BackupError, pace_of};
use crate::config::Config;
use crate::domain::backups::Kind;
use crate::domain::encoding::hex;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::store::{self, Pace};

/// Lines that a list has at most; the table is shorter.
const LONGEST_LIST: i64 = 10_000;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    #[command(subcommand)]
    command: Option<Command>,
    /// The new file; without it one named after the time, in backup.folder.
    file: Option<PathBuf>,
    /// Do not restore it to a scratch place afterwards to see that it is whole.
    #[arg(long)]
    no_verify: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Restore a backup to a scratch place and check its bytes, structure, references, row counts and schema.
    Verify { file: PathBuf },
    /// The backups that this database knows of, the latest first.
    List,
}

/// A backup as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    path: String,
    kind: Option<&'static str>,
    taken_at: String,
    bytes: i64,
    sha256: String,
    verified_at: Option<String>,
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        Failure::sentences(&error.to_string())
    }
}

pub fn run(config: Config, output: Output, backup: Backup) -> Outcome {
    match backup.command {
        None => make(&open(config)?, output, backup.file.as_deref(), !backup.no_verify),
        Some(Command::Verify { file }) => verify(config, output, &file),
        Some(Command::List) => list(&open(config)?, output),
    }
}

fn make(app: &App, output: Output, file: Option<&Path>, verified: bool) -> Outcome {
    let permit = operator();
    let mut pace = Pace::new(pace_of(&app.config()));
    let new = backups::make(app, &permit, Kind::Manual, file, &mut pace)?;
    if app.db.read(store::meta::key_exported_at)?.is_none() {
        say("The key file is not in it, and was never exported: keep it elsewhere too (panel keyfile export).");
    }
    let verified_at = match verified {
        true => {
            backups::verify(app, &permit, Path::new(&new.path), &mut pace)?;
            Some(app.now().rfc3339())
        }
        false => None,
    };
    output.one(&Shown {
        path: new.path,
        kind: Some(new.kind.as_str()),
        taken_at: new.taken_at.rfc3339(),
        bytes: new.bytes,
        sha256: hex(&new.sha256),
        verified_at,
    })
}

/// Works without a database too: a backup is looked at wherever it is kept.
fn verify(config: Config, output: Output, file: &Path) -> Outcome {
    let bytes = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let rate = pace_of(&config);
    let (rehearsed, verified_at) = if config.database.path.exists() {
        let app = open(config)?;
        (backups::verify(&app, &operator(), file, &mut Pace::new(rate))?, app.now())
    } else {
        (backups::rehearse(&config, file, &mut Pace::new(rate))?, crate::app::Clock::default().now())
    };
    let rows: i64 = rehearsed.seal.rows.iter().map(|(_, count)| count).sum();
    say(&format!(
        "Whole: {} of schema {}, {rows} rows in {} tables.",
        text::size(bytes),
        rehearsed.seal.schema,
        rehearsed.seal.rows.len()
    ));
    output.one(&Shown {
        path: file.display().to_string(),
        kind: None,
        taken_at: rehearsed.seal.taken_at.rfc3339(),
        bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        sha256: hex(&rehearsed.sha256),
        verified_at: Some(verified_at.rfc3339()),
    })
}

fn list(app: &App, output: Output) -> Outcome {
    let backups = app.db.read(|tx| crate::actions::backups::list(tx, LONGEST_LIST))?;
    let shown = backups.into_iter().map(|backup| Shown {
        path: backup.path,
        kind: Some(backup.kind.as_str()),
        taken_at: backup.taken_at.rfc3339(),
        bytes: backup.bytes,
        sha256: hex(&backup.sha256),
        verified_at: backup.verified_at.map(Timestamp::rfc3339),
    });
    output.many(&["taken_at", "kind", "bytes", "verified_at", "path"], &shown.collect::<Vec<_>>())
}
