//! `panel subscriber …`: one file for each verb that needs one.

mod export;
mod import;
mod sheet;

use std::collections::HashMap;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::operator;
use super::output::{Outcome, Output};
use crate::actions;
use crate::app::App;
use crate::domain::error::AppError;
use crate::domain::money::Money;
use crate::domain::services::ServiceId;
use crate::domain::subscribers::{self as domain, Filter, ListedSubscriber, PageOf, Place, Subscriber};
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
            detail(tx, &found)
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
        let page = PageOf { place: Place::After(after), limit: wanted };
        let part = actions::subscribers::list(tx, &operator(), filter, page, app.today())?;
        rows.extend(part.rows.iter().map(|row| listed(row, &services)));
        match part.next {
            Some(next) if rows.len() < limit => after = next,
            _ => return Ok(rows),
        }
    }
}

fn listed(row: &ListedSubscriber, services: &HashMap<ServiceId, &str>) -> Value {
    json!({
        "id": row.id.0, "username": row.username, "full_name": row.full_name, "phone": row.phone,
        "status": row.status.as_str(), "service_id": row.service_id.0, "service": services.get(&row.service_id),
        "expiry_date": row.expiry_date.iso(), "is_online": row.is_online, "created_at": row.created_at.rfc3339(),
    })
}

fn detail(tx: &ReadTx<'_>, of: &Subscriber) -> Result<Detail, AppError> {
    let owner = match of.owner {
        Some(id) => Some(actions::users::get_by_id(tx, &operator(), id)?.username),
        None => None,
    };
    let nas = match of.nas_id {
        Some(id) => Some(actions::nas::get(tx, &operator(), id)?.name),
        None => None,
    };
    Ok(Detail {
        id: of.id.0,
        username: of.username.clone(),
        owner,
        full_name: of.full_name.clone(),
        phone: of.phone.clone(),
        address: of.address.clone(),
        email: of.email.clone(),
        note: of.note.clone(),
        external_id: of.external_id.clone(),
        status: of.status.as_str(),
        service_id: of.service_id.0,
        service: of.service_name.clone(),
        nas_id: of.nas_id,
        nas,
        is_online: of.is_online,
        ip_address: of.ip_address.clone(),
        mac_address: of.mac_address.clone(),
        expiry_date: of.expiry_date.iso(),
        balance: of.balance,
        daily_download_used: of.daily_download_used,
        monthly_download_used: of.monthly_download_used,
        created_at: of.created_at.rfc3339(),
        updated_at: of.updated_at.rfc3339(),
    })
}

/// A subscriber by the names of the admin surface; never its password.
#[derive(Serialize)]
struct Detail {
    id: i64,
    username: String,
    owner: Option<String>,
    full_name: String,
    phone: String,
    address: String,
    email: String,
    note: String,
    external_id: Option<String>,
    status: &'static str,
    service_id: i64,
    service: String,
    nas_id: Option<i64>,
    nas: Option<String>,
    is_online: bool,
    ip_address: Option<String>,
    mac_address: Option<String>,
    expiry_date: String,
    balance: Money,
    daily_download_used: i64,
    monthly_download_used: i64,
    created_at: String,
    updated_at: String,
}
