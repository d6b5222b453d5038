//! `panel keyfile …`: the key that seals passwords, as text that may be kept anywhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};

use super::operator;
use super::output::{Failure, Outcome, say, secret_line};
use crate::actions;
use crate::app::App;
use crate::config::Config;
use crate::crypto::key_export::{self, ImportError, SHORTEST_PASSPHRASE};
use crate::crypto::{KeyFile, KeyFileError, Sealer, random};
use crate::domain::text;
use crate::store;

/// Many times what an export has; a file that does not end is not read to its end.
const EXPORT_AT_MOST: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the key as one line that only a passphrase opens; without --passphrase-stdin a random one is printed once, on
    /// standard error.
    Export {
        /// Read the passphrase from standard input (its first line).
        #[arg(long)]
        passphrase_stdin: bool,
    },
    /// Put an exported key back where there is none.
    Import {
        /// What export printed.
        file: PathBuf,
        /// Read the passphrase from standard input (its first line).
        #[arg(long, required = true)]
        passphrase_stdin: bool,
    },
}

pub fn export(app: &App, passphrase_stdin: bool) -> Outcome {
    let passphrase = if passphrase_stdin { secret_line("passphrase")? } else { random::password()? };
    if passphrase.expose_secret().chars().count() < SHORTEST_PASSPHRASE {
        let why = format!("the passphrase must have at least {SHORTEST_PASSPHRASE} characters");
        return Err(Failure::new(why, "Choose a longer one, or let the command choose."));
    }
    let path = store::key_file_path(&app.config().database.path);
    let key_file = KeyFile::open(&path).map_err(|error| Failure::sentences(&error.to_string()))?;
    let line = key_export::export(&key_file, &passphrase)?;
    // One without the other opens nothing, and then it exists on this box only.
    let delivered = hand_over(io::stdout().lock(), &line).and_then(|()| match passphrase_stdin {
        true => Ok(()),
        false => {
            let text = "Passphrase (shown this once; keep it apart from the line):";
            hand_over(io::stderr().lock(), &format!("{text} {}", passphrase.expose_secret()))
        }
    });
    delivered.map_err(|error| {
        let why = format!("the export could not be written, and is not counted as one: {error}");
        Failure::new(why, "Check where the output goes, and export again.")
    })?;
    let now = app.now();
    Ok(app.db.write_blocking(move |tx| actions::key_file::note_export(tx, &operator(), now))?)
}

fn hand_over(mut to: impl Write, line: &str) -> io::Result<()> {
    writeln!(to, "{line}")?;
    to.flush()
}

/// Where the key file is missing the database cannot be opened, so this does without.
pub fn import(config: &Config, file: &Path) -> Outcome {
    let text = read_export(file).map_err(|error| {
        Failure::new(format!("{} cannot be read: {error}", file.display()), "Name the file that export was written to.")
    })?;
    let passphrase: SecretString = secret_line("passphrase")?;
    let key_file = key_export::import(&text, &passphrase).map_err(|error| {
        let remedy = match error {
            ImportError::WrongPassphrase => "Give the passphrase that was shown or typed at the export.",
            ImportError::NotAnExport | ImportError::Fault(_) => "Name the file that export was written to.",
        };
        Failure::new(error.to_string(), remedy)
    })?;
    let path = store::key_file_path(&config.database.path);
    match KeyFile::open(&path) {
        Ok(there) if there.is_same(&key_file) => {
            say(&format!("{} is this key already.", path.display()));
            return Ok(());
        }
        Ok(_) => return Err(another_key(&path)),
        Err(KeyFileError::Missing { .. }) => {}
        Err(error) => return Err(Failure::sentences(&error.to_string())),
    }
    refuse_foreign(config, &key_file)?;
    key_file.store(&path).map_err(|error| Failure::sentences(&error.to_string()))?;
    // Read back: what has that name already is left, be it a link that leads nowhere or the file of a quicker start.
    match KeyFile::open(&path) {
        Ok(there) if there.is_same(&key_file) => {
            say(&format!("The key is in {}.", path.display()));
            Ok(())
        }
        Ok(_) => Err(another_key(&path)),
        Err(KeyFileError::Missing { .. }) => {
            let why = format!("{} is a link that leads nowhere", path.display());
            Err(Failure::new(why, "Remove it, or put back what it leads to, and import again."))
        }
        Err(error) => Err(Failure::sentences(&error.to_string())),
    }
}

fn another_key(path: &Path) -> Failure {
    let why = format!("{} is another key", path.display());
    Failure::new(why, "Move it away first, if the database was made with the imported one.")
}

fn read_export(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(EXPORT_AT_MOST).read_to_string(&mut text)?;
    Ok(text)
}

/// A key that the database was not made with would be found out at the next start, when its place is taken.
fn refuse_foreign(config: &Config, key_file: &KeyFile) -> Outcome {
    let path = &config.database.path;
    if !path.exists() {
        return Ok(());
    }
    let check = match store::meta::read_key_check(path) {
        Ok(check) => check,
        // The key comes first where a backup is to be restored over it.
        Err(error) => {
            let why = text::one_line(&error);
            say(&format!("The database could not be asked whether this is its key. {why}"));
            None
        }
    };
    match check {
        Some(check) if !Sealer::new(key_file).opens_check(&check) => Err(Failure::new(
            format!("this is not the key that {} was made with", path.display()),
            "Import the export of this installation.",
        )),
        _ => Ok(()),
    }
}
