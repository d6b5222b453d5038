//! `panel service …`.

use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;

use super::operator;
use super::output::{Outcome, Output};
use crate::actions;
use crate::app::App;
use crate::domain::error::{AppError, Invalid};
use crate::domain::money::Money;
use crate::domain::services::{self, NewService, Period, Service};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Unit {
    Day,
    Month,
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
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    match command {
        Command::Add { name, download, upload, price, daily_quota, monthly_quota, period, unit } => {
            let unit = match unit {
                Unit::Day => "day",
                Unit::Month => "month",
            };
            let price = Money::parse(&price).ok_or_else(|| Invalid::new("price", "must be an amount such as 25.00"));
            let new = NewService {
                name: services::parse_name("name", &name).map_err(AppError::from)?,
                download_speed: download,
                upload_speed: upload,
                price: price.map_err(AppError::from)?,
                daily_quota,
                monthly_quota,
                period: Period::parse("period", period, unit).map_err(AppError::from)?,
            };
            let now = app.now();
            let id = app.db.write_blocking(move |tx| actions::services::add(tx, &operator(), &new, now))?;
            output.one(&json!({"id": id.0, "name": name}))
        }
        Command::List => {
            let services = app.db.read(actions::services::list)?;
            let rows: Vec<_> = services.iter().map(Row::from).collect();
            let columns = ["id", "name", "download_speed", "upload_speed", "price", "period_value", "period_unit"];
            output.many(&columns, &rows)
        }
    }
}

/// A service by the names of the admin surface.
#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    name: &'a str,
    download_speed: i64,
    upload_speed: i64,
    price: Money,
    daily_quota: i64,
    monthly_quota: i64,
    period_value: u32,
    period_unit: &'static str,
}

impl<'a> From<&'a Service> for Row<'a> {
    fn from(service: &'a Service) -> Self {
        Self {
            id: service.id.0,
            name: &service.name,
            download_speed: service.download_speed,
            upload_speed: service.upload_speed,
            price: service.price,
            daily_quota: service.daily_quota,
            monthly_quota: service.monthly_quota,
            period_value: service.period.value(),
            period_unit: service.period.unit(),
        }
    }
}
