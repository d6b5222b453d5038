//! How a command speaks: data on stdout, everything else on stderr, and a failure says what to do.

use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use secrecy::SecretString;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::error::{AppError, Conflict, Invalid};
use crate::running::BeginError;

pub type Outcome = Result<(), Failure>;

/// Why a command failed: one line why, one line what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    why: String,
    remedy: String,
    code: u8,
}

impl Failure {
    pub fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: remedy.into(), code: 1 }
    }

    /// Words that the command does not know: wrong usage, as the parser itself would say it.
    pub fn usage(invalid: &Invalid) -> Self {
        Self { code: 2, ..Self::new(invalid.to_string(), "Give another value; --help says what is allowed.") }
    }

    /// From a text whose second line is the remedy.
    pub fn sentences(text: &str) -> Self {
        let (why, remedy) = text.split_once('\n').unwrap_or((text, "Run `panel --help` for what there is."));
        Self::new(why, remedy)
    }

    pub fn why(&self) -> &str {
        &self.why
    }

    pub fn remedy(&self) -> &str {
        &self.remedy
    }

    /// Prints itself on stderr and gives its exit code.
    pub fn report(&self) -> ExitCode {
        say(&format!("panel: {}\n{}", self.why, self.remedy));
        ExitCode::from(self.code)
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let remedy = match &error {
            AppError::Invalid(_) | AppError::Malformed(_) | AppError::WrongPassword { .. } => {
                "Give another value; --help says what is allowed."
            }
            AppError::FieldForbidden { .. }
            | AppError::Forbidden(_)
            | AppError::LimitReached { .. }
            | AppError::Denied(_)
            | AppError::BadCredentials => "This cannot be set here.",
            AppError::NotFound(_) => "The list commands show what there is.",
            AppError::Conflict(Conflict::InTheWay(_)) => "Nothing was changed.",
            AppError::Conflict(_) => "Choose another one.",
            AppError::Overloaded { .. } => "Try again in a moment.",
            AppError::Unavailable(_) => "Check the disk and the rights of the database file.",
            AppError::Internal(_) => "This is a fault of ours; please report it.",
        };
        Self::new(error.to_string(), remedy)
    }
}

impl From<BeginError> for Failure {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Limits(error) => error.into(),
            other => Self::sentences(&other.to_string()),
        }
    }
}

/// Prints for people, on stderr.
pub fn say(text: &str) {
    // Nobody may be listening; that is no reason to fail.
    drop(writeln!(io::stderr(), "{text}"));
}

#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
    pub yes: bool,
}

impl Output {
    /// Prints one thing: as an object, or as `name: value` lines.
    pub fn one(&self, row: &impl Serialize) -> Outcome {
        if self.json {
            return print(&pretty(row));
        }
        let lines = cells(row).into_iter().map(|(name, value)| format!("{name}: {value}"));
        print(&lines.collect::<Vec<_>>().join("\n"))
    }

    /// Prints many things: as a bare array, or as a table.
    pub fn many(&self, columns: &[&str], rows: &[impl Serialize]) -> Outcome {
        if self.json {
            return print(&pretty(&rows));
        }
        let mut table = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
        for row in rows {
            let row = cells(row);
            let cell = |column: &&str| row.iter().find(|(name, _)| name == column).map_or("-", |(_, value)| value);
            table.push(columns.iter().map(|column| cell(column).to_owned()).collect());
        }
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..columns.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        print(&table.iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    /// Asks before what cannot be undone, where somebody is there to answer.
    pub fn confirm(&self, question: &str) -> Outcome {
        if self.yes || !io::stdin().is_terminal() {
            return Ok(());
        }
        say(&format!("{question} [y/N]"));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|e| Failure::new(format!("no answer: {e}"), "Use --yes."))?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::new("not confirmed", "Nothing was changed.")),
        }
    }
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The fields of a row in their order, as a person reads them. They go through their JSON text, because a number's text
/// (25.00) is part of what it says.
fn cells(row: &impl Serialize) -> Vec<(String, String)> {
    let text = serde_json::to_string(row).unwrap_or_default();
    let fields: Fields = serde_json::from_str(&text).unwrap_or_default();
    fields.0.into_iter().map(|(name, raw)| (name, plain(&raw))).collect()
}

/// A field as a person reads it. Control characters that a row may hold do not reach the terminal.
fn plain(raw: &RawValue) -> String {
    let text = match raw.get() {
        "null" => "-".to_owned(),
        text if text.starts_with('"') => serde_json::from_str(text).unwrap_or_default(),
        text => text.to_owned(),
    };
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// An object whose fields keep order and text.
#[derive(Default)]
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// The first line of standard input, which is how secrets come in: a command line can be seen by everybody on the box.
pub fn secret_line(what: &str) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = io::stdin().take(4096).read_to_string(&mut text);
    read.map_err(|e| {
        Failure::new(format!("the {what} cannot be read: {e}"), format!("Pipe it in: --{what}-stdin < FILE"))
    })?;
    Ok(text.lines().next().unwrap_or_default().into())
}

/// Prints data on stdout; a reader that went away ends the command quietly.
pub fn print(text: &str) -> Outcome {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("the output cannot be written: {error}"), "Check where it goes."))
        }
        _ => Ok(()),
    }
}
