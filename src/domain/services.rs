//! Services: the plans that subscribers buy.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::error::Invalid;
use super::money::Money;
use super::text::is_unseen;
use super::time::Date;
use super::transactions::HIGHEST;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub i64);

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// No more than one transaction can carry, or the plan could never be sold.
pub fn parse_price(field: &'static str, text: &str) -> Result<Money, Invalid> {
    let wrong = || Invalid::new(field, "must be an amount such as 25.00, up to 9999999.99");
    Money::parse(text).filter(|price| *price <= HIGHEST).ok_or_else(wrong)
}

/// How long one purchase lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Days(u32),
    Months(u32),
}

impl Period {
    pub const LONGEST: u32 = 3650;

    pub fn parse(field: &'static str, value: i64, unit: &str) -> Result<Self, Invalid> {
        let value = u32::try_from(value).ok().filter(|value| (1..=Self::LONGEST).contains(value));
        let value = value.ok_or_else(|| Invalid::new(field, "must be 1-3650"))?;
        match unit {
            "day" => Ok(Period::Days(value)),
            "month" => Ok(Period::Months(value)),
            _ => Err(Invalid::new(field, "must be in days or months")),
        }
    }

    pub fn value(self) -> u32 {
        match self {
            Period::Days(value) | Period::Months(value) => value,
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Period::Days(_) => "day",
            Period::Months(_) => "month",
        }
    }

    /// The date one period after another; months clamp to the last day. `None` beyond the year 9999.
    pub fn after(self, date: Date) -> Option<Date> {
        match self {
            Period::Days(days) => date.plus_days(days),
            Period::Months(months) => date.plus_months(months),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub id: ServiceId,
    pub name: String,
    /// kbit/s.
    pub download_speed: i64,
    /// kbit/s.
    pub upload_speed: i64,
    pub price: Money,
    /// Bytes; 0 is unlimited.
    pub daily_quota: i64,
    /// Bytes; 0 is unlimited.
    pub monthly_quota: i64,
    pub period: Period,
}

/// A service as every surface and the command line show it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Service")]
pub struct View<'a> {
    id: i64,
    name: &'a str,
    /// kbit/s; 0 is unlimited.
    download_speed: i64,
    /// kbit/s; 0 is unlimited.
    upload_speed: i64,
    price: Money,
    /// Bytes; 0 is unlimited.
    daily_quota: i64,
    /// Bytes; 0 is unlimited.
    monthly_quota: i64,
    /// How many of the unit one purchase lasts.
    period_value: u32,
    #[schemars(extend("enum" = ["day", "month"]))]
    period_unit: &'static str,
}

impl<'a> From<&'a Service> for View<'a> {
    fn from(of: &'a Service) -> Self {
        Self {
            id: of.id.0,
            name: &of.name,
            download_speed: of.download_speed,
            upload_speed: of.upload_speed,
            price: of.price,
            daily_quota: of.daily_quota,
            monthly_quota: of.monthly_quota,
            period_value: of.period.value(),
            period_unit: of.period.unit(),
        }
    }
}

/// What a new service is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    pub name: String,
    pub download_speed: i64,
    pub upload_speed: i64,
    pub price: Money,
    pub daily_quota: i64,
    pub monthly_quota: i64,
    pub period: Period,
}

impl NewService {
    /// The service that every fresh database has: no limit, no price, one month.
    pub fn default_service() -> Self {
        Self {
            name: "default".to_owned(),
            download_speed: 0,
            upload_speed: 0,
            price: Money(0),
            daily_quota: 0,
            monthly_quota: 0,
            period: Period::Months(1),
        }
    }
}

/// 1-100 characters without control characters.
pub fn parse_name(field: &'static str, text: &str) -> Result<String, Invalid> {
    let length = text.chars().count();
    if !(1..=100).contains(&length) || text.chars().any(is_unseen) {
        return Err(Invalid::new(field, "must be 1-100 characters without control characters"));
    }
    Ok(text.to_owned())
}
