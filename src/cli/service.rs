//! `panel service …`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::operator;
use super::output::{Failure, Outcome, Output, say};
use crate::actions::{self, services::Change};
use crate::app::App;
use crate::domain::error::{AppError, Invalid};
use crate::domain::money::Money;
use crate::domain::services::{self, NewService, Period, Service, View};
use crate::store::WriteTx;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Unit {
    Day,
    Month,
}

impl Unit {
    fn as_str(self) -> &'static str {
        match self {
            Unit::Day => "day",
            Unit::Month => "month",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a plan.
    Add {
        name: String,
        /// kbit/s; 0 is unlimited.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        download: i64,
        /// kbit/s; 0 is unlimited.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        upload: i64,
        /// For one period, at most two decimals.
        #[arg(long, default_value = "0")]
        price: String,
        /// Bytes a day; 0 is unlimited.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        daily_quota: i64,
        /// Bytes a month; 0 is unlimited.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        monthly_quota: i64,
        /// How many units one purchase lasts.
        #[arg(long, default_value_t = 1)]
        period: i64,
        #[arg(long, default_value = "month")]
        unit: Unit,
    },
    /// List the plans.
    List,
    /// Change a plan.
    Update {
        /// Its id, or its name.
        service: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Delete a plan that no subscriber has.
    Delete {
        /// Its id, or its name.
        service: String,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Settings {
    #[arg(long)]
    name: Option<String>,
    /// kbit/s; 0 is unlimited.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    download: Option<i64>,
    /// kbit/s; 0 is unlimited.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    upload: Option<i64>,
    /// For one period, at most two decimals.
    #[arg(long)]
    price: Option<String>,
    /// Bytes a day; 0 is unlimited.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    daily_quota: Option<i64>,
    /// Bytes a month; 0 is unlimited.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    monthly_quota: Option<i64>,
    /// How many units one purchase lasts.
    #[arg(long)]
    period: Option<i64>,
    #[arg(long)]
    unit: Option<Unit>,
}

impl Settings {
    fn change(&self) -> Result<Change, AppError> {
        // By the option's name; what is refused later goes by the field's.
        self.period.map(|value| Period::parse("period", value, "day")).transpose()?;
        Ok(Change {
            name: self.name.as_deref().map(|name| services::parse_name("name", name)).transpose()?,
            download_speed: self.download,
            upload_speed: self.upload,
            price: self.price.as_deref().map(price).transpose()?,
            daily_quota: self.daily_quota,
            monthly_quota: self.monthly_quota,
            period_value: self.period,
            period_unit: self.unit.map(Unit::as_str),
        })
    }
}

fn price(text: &str) -> Result<Money, Invalid> {
    services::parse_price("price", text)
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    match command {
        Command::Add { name, download, upload, price, daily_quota, monthly_quota, period, unit } => {
            let new = NewService {
                name: services::parse_name("name", &name).map_err(AppError::from)?,
                download_speed: download,
                upload_speed: upload,
                price: self::price(&price).map_err(AppError::from)?,
                daily_quota,
                monthly_quota,
                period: Period::parse("period", period, unit.as_str()).map_err(AppError::from)?,
            };
            let now = app.now();
            let id = app.db.write_blocking(move |tx| actions::services::add(tx, &operator(), &new, now))?;
            output.one(&json!({"id": id.0, "name": name}))
        }
        Command::List => {
            let services = app.db.read(actions::services::list)?;
            let rows: Vec<_> = services.iter().map(View::from).collect();
            let columns = ["id", "name", "download_speed", "upload_speed", "price", "period_value", "period_unit"];
            output.many(&columns, &rows)
        }
        Command::Update { service, settings } => {
            let (found, change, now) = (find(app, &service)?, settings.change()?, app.now());
            let update = move |tx: &WriteTx<'_>| actions::services::update(tx, &operator(), found.id, &change, now);
            output.one(&View::from(&app.db.write_blocking(update)?))
        }
        Command::Delete { service } => {
            let (found, now) = (find(app, &service)?, app.now());
            output.confirm(&format!("Delete the service {}?", found.name))?;
            app.db.write_blocking(move |tx| actions::services::delete(tx, &operator(), found.id, now))?;
            say("Service deleted");
            Ok(())
        }
    }
}

fn find(app: &App, reference: &str) -> Result<Service, Failure> {
    Ok(app.db.read(|tx| actions::services::get_by_reference(tx, reference))?)
}
