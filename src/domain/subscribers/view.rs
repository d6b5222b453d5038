//! A subscriber as the admin surface and the command line show it; never its password.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ListedSubscriber, Subscriber};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;

/// What stands behind the ids of a subscriber, as far as the caller may see it.
#[derive(Debug, Clone, Default)]
pub struct Related {
    /// The reseller's name; `None`: the house.
    pub owner: Option<String>,
    pub nas: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminSubscriber")]
pub struct View<'a> {
    pub id: i64,
    pub username: &'a str,
    pub reseller_id: Option<i64>,
    pub owner: Option<&'a str>,
    pub full_name: &'a str,
    pub phone: &'a str,
    pub address: &'a str,
    pub email: &'a str,
    pub note: &'a str,
    pub external_id: Option<&'a str>,
    pub status: &'static str,
    pub service_id: i64,
    pub service: &'a str,
    pub nas_id: Option<i64>,
    pub nas: Option<&'a str>,
    pub is_online: bool,
    pub ip_address: Option<&'a str>,
    pub mac_address: Option<&'a str>,
    #[schemars(extend("format" = "date"))]
    pub expiry_date: String,
    pub balance: Money,
    /// Bytes.
    pub daily_download_used: i64,
    /// Bytes.
    pub monthly_download_used: i64,
    pub created_at: String,
    pub updated_at: String,
}

impl<'a> View<'a> {
    pub fn of(of: &'a Subscriber, related: &'a Related) -> Self {
        Self {
            id: of.id.0,
            username: &of.username,
            reseller_id: of.owner.map(|id| id.0),
            owner: related.owner.as_deref(),
            full_name: &of.full_name,
            phone: &of.phone,
            address: &of.address,
            email: &of.email,
            note: &of.note,
            external_id: of.external_id.as_deref(),
            status: of.status.as_str(),
            service_id: of.service_id.0,
            service: &of.service_name,
            nas_id: of.nas_id,
            nas: related.nas.as_deref(),
            is_online: of.is_online,
            ip_address: of.ip_address.as_deref(),
            mac_address: of.mac_address.as_deref(),
            expiry_date: of.expiry_date.iso(),
            balance: of.balance,
            daily_download_used: of.daily_download_used,
            monthly_download_used: of.monthly_download_used,
            created_at: of.created_at.rfc3339(),
            updated_at: of.updated_at.rfc3339(),
        }
    }
}

/// One row of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminSubscriberRow")]
pub struct Row<'a> {
    pub id: i64,
    pub username: &'a str,
    pub reseller_id: Option<i64>,
    pub full_name: &'a str,
    pub phone: &'a str,
    pub status: &'static str,
    pub service_id: i64,
    pub service: Option<&'a str>,
    pub nas_id: Option<i64>,
    pub is_online: bool,
    pub ip_address: Option<&'a str>,
    #[schemars(extend("format" = "date"))]
    pub expiry_date: String,
    pub balance: Money,
    pub created_at: String,
    pub updated_at: String,
}

impl<'a> Row<'a> {
    /// `service`: the name of its plan.
    pub fn of(of: &'a ListedSubscriber, service: Option<&'a str>) -> Self {
        Self {
            id: of.id.0,
            username: &of.username,
            reseller_id: of.owner.map(|id| id.0),
            full_name: &of.full_name,
            phone: &of.phone,
            status: of.status.as_str(),
            service_id: of.service_id.0,
            service,
            nas_id: of.nas_id,
            is_online: of.is_online,
            ip_address: of.ip_address.as_deref(),
            expiry_date: of.expiry_date.iso(),
            balance: of.balance,
            created_at: Timestamp::rfc3339(of.created_at),
            updated_at: Timestamp::rfc3339(of.updated_at),
        }
    }
}
