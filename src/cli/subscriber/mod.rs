//! `panel subscriber …`: one file for each verb that needs one.

mod export;
mod import;
pub mod sheet;

use std::collections::HashMap;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::operator;
use super::output::{Outcome, Output};
use crate::actions;
use crate::app::App;
use crate::domain::error::AppError;
use crate::domain::subscribers::view::{Row, View};
use crate::domain::subscribers::{self as domain, Filter, PageOf, Place, Sort};
use crate::domain::users::fold;
use crate::store::ReadTx;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    Active,
    Inactive,
    Expired,
    Stopped,
}

impl From<Status> for domain::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => domain::Status::Active,
            Status::Inactive => domain::Status::Inactive,
            Status::Expired => domain::Status::Expired,
            Status::Stopped => domain::Status::Stopped,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List subscribers, the oldest first.
    List {
        /// A part of the username.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[arg(long)]
        status: Option<Status>,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one subscriber.
    Show {
        /// Its id, or its username.
        subscriber: String,
    },
    /// Write all subscribers out as CSV.
    Export {
        /// A file that does not exist yet; without it standard output.
        file: Option<PathBuf>,
        /// Write the passwords out too, readable by whoever reads the file.
        #[arg(long)]
        with_passwords: bool,
    },
    /// Create and change subscribers from a CSV file, all or nothing.
    Import {
        file: PathBuf,
        /// Check everything, write nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    match command {
        Command::List { search, status, limit } => {
            let filter = Filter {
                username: search.map(|text| fold(&text)).filter(|text| !text.is_empty()),
                status: status.map(Into::into),
                ..Filter::default()
            };
            let rows = app.db.read_slowly(|tx| list(tx, app, &filter, limit))?;
            output.many(&["id", "username", "full_name", "phone", "status", "service", "expiry_date"], &rows)
        }
        Command::Show { subscriber } => output.one(&app.db.read(|tx| {
            let found = actions::subscribers::get_by_reference(tx, &operator(), &subscriber, app.today())?;
            let related = actions::subscribers::related(tx, &operator(), &found)?;
            Ok(json!(View::of(&found, &related)))
        })?),
        Command::Export { file, with_passwords } => export::run(app, file.as_deref(), with_passwords),
        Command::Import { file, dry_run } => import::run(app, output, &file, dry_run),
    }
}

/// Walks by cursor, so that a long list costs what it shows.
fn list(tx: &ReadTx<'_>, app: &App, filter: &Filter, limit: u32) -> Result<Vec<Value>, AppError> {
    const PART: i64 = 100;
    let services = actions::services::list(tx)?;
    let services: HashMap<_, _> = services.iter().map(|service| (service.id, service.name.as_str())).collect();
    let (mut rows, mut after, limit) = (Vec::new(), 0, usize::try_from(limit).unwrap_or(usize::MAX));
    loop {
        let wanted = i64::try_from(limit - rows.len()).unwrap_or(PART).min(PART);
        let page = PageOf { place: Place::After(after), limit: wanted, sort: Sort::default() };
        let part = actions::subscribers::list(tx, &operator(), filter, page, app.today())?;
        rows.extend(part.rows.iter().map(|row| json!(Row::of(row, services.get(&row.service_id).copied()))));
        match part.next {
            Some(next) if rows.len() < limit => after = next,
            _ => return Ok(rows),
        }
    }
}
