//! A key as the admin surface and the command line show it: the same names in both.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Grants, Key};
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "AdminKey")]
pub struct View<'a> {
    pub id: Id<'a>,
    #[schemars(extend("enum" = ["external", "panel", "billing"]))]
    pub kind: &'static str,
    pub owner: &'a str,
    pub name: &'a str,
    pub description: Option<&'a str>,
    pub key_prefix: &'a str,
    /// Neither revoked nor switched off.
    pub is_active: bool,
    pub enabled: bool,
    pub allowed_ips: Vec<String>,
    pub rate_limit_per_minute: Option<u32>,
    pub rate_limit_per_hour: Option<u32>,
    pub rate_limit_per_day: Option<u32>,
    pub expires_at: Option<String>,
    pub revoked_at: Option<String>,
    /// How often the secret was replaced, from 1.
    pub generation: i64,
    pub last_used_at: Option<String>,
    pub last_used_ip: Option<&'a str>,
    pub created_at: String,
    /// Of a panel key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub permissions: Option<Vec<&'static str>>,
    /// Of a billing key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub permission_level: Option<&'static str>,
    /// One word of an external key, a list of a billing key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Scopes")]
    pub scopes: Option<Scopes>,
}

/// What names a key in URLs: an integer, and 16 hex digits for a panel key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Id<'a> {
    Number(i64),
    Hex(&'a str),
}

/// One word for an external key, a list for a billing key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Scopes {
    One(&'static str),
    Many(Vec<&'static str>),
}

impl Key {
    pub fn public_id(&self) -> Id<'_> {
        self.panel_id.as_deref().map_or(Id::Number(self.id.0), Id::Hex)
    }

    /// Not revoked, and not switched off.
    pub fn is_active(&self) -> bool {
        self.revoked_at.is_none() && self.settings.enabled
    }
}

impl<'a> From<&'a Key> for View<'a> {
    fn from(key: &'a Key) -> Self {
        let settings = &key.settings;
        let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
        let (mut permissions, mut permission_level, mut scopes) = (None, None, None);
        match &settings.grants {
            Grants::External(scope) => scopes = Some(Scopes::One(scope.as_str())),
            Grants::Panel(_) => permissions = Some(settings.grants.words()),
            Grants::Billing { level, .. } => {
                permission_level = Some(level.as_str());
                scopes = Some(Scopes::Many(settings.grants.words()));
            }
        }
        Self {
            id: key.public_id(),
            kind: settings.grants.style().as_str(),
            owner: &key.owner,
            name: &settings.name,
            description: settings.description.as_deref(),
            key_prefix: &key.display,
            is_active: key.is_active(),
            enabled: settings.enabled,
            allowed_ips: settings.allowed_ips.to_strings(),
            rate_limit_per_minute: settings.rate_per_minute,
            rate_limit_per_hour: settings.rate_per_hour,
            rate_limit_per_day: settings.rate_per_day,
            expires_at: at(settings.expires_at),
            revoked_at: at(key.revoked_at),
            generation: key.generation,
            last_used_at: at(key.last_used_at),
            last_used_ip: key.last_used_ip.as_deref(),
            created_at: key.created_at.rfc3339(),
            permissions,
            permission_level,
            scopes,
        }
    }
}
