//! How a command speaks: data on stdout, everything else on stderr, and a failure says what to do.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::Value;

use crate::domain::error::{AppError, Conflict};

pub type Outcome = Result<(), Failure>;

/// Why a command failed: one line why, one line what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    why: String,
    remedy: String,
}

impl Failure {
    pub fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: remedy.into() }
    }

    /// From a text whose second line is the remedy.
    pub fn sentences(text: &str) -> Self {
        let (why, remedy) = text.split_once('\n').unwrap_or((text, "Run `panel --help` for what there is."));
        Self::new(why, remedy)
    }

    pub fn why(&self) -> &str {
        &self.why
    }

    /// Prints itself on stderr and gives the exit code of a refusal.
    pub fn report(&self) -> ExitCode {
        say(&format!("panel: {}\n{}", self.why, self.remedy));
        ExitCode::from(1)
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let remedy = match &error {
            AppError::Invalid(_) | AppError::Malformed(_) => "Give another value; --help says what is allowed.",
            AppError::FieldForbidden { .. } | AppError::Forbidden(_) => "This cannot be set here.",
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
    pub fn one(&self, value: &Value) -> Outcome {
        if self.json {
            return print(&pretty(value));
        }
        let lines = value.as_object().into_iter().flatten().map(|(name, value)| format!("{name}: {}", plain(value)));
        print(&lines.collect::<Vec<_>>().join("\n"))
    }

    /// Prints many things: as a bare array, or as a table.
    pub fn many(&self, columns: &[&str], rows: &[Value]) -> Outcome {
        if self.json {
            return print(&pretty(&Value::Array(rows.to_vec())));
        }
        let mut table = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
        table.extend(rows.iter().map(|row| columns.iter().map(|name| plain(&row[*name])).collect()));
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

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A value as a person reads it. Control characters that a row may hold do not reach the terminal.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
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
