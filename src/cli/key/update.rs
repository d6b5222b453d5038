//! `panel key update`: what every `fix` in a refusal is a line of.

use clap::Args;

use super::{Rates, billing_scopes, expiry, find, row};
use crate::actions;
use crate::app::App;
use crate::cli::operator;
use crate::cli::output::{Failure, Outcome, Output, say};
use crate::domain::error::{AppError, Invalid};
use crate::domain::keys::{self, Grants, Key, KeySettings, Level, Scope};
use crate::domain::time::Timestamp;
use crate::store::WriteTx;

#[derive(Debug, Args)]
pub struct Update {
    /// Its id, or the beginning of the key.
    id: String,
    /// A label for lists.
    #[arg(long)]
    name: Option<String>,
    /// External: read, write or delete. Billing: a comma-separated list, which replaces the one it has.
    #[arg(long)]
    scopes: Option<String>,
    /// Panel: a comma-separated list, which replaces the one it has.
    #[arg(long)]
    permissions: Option<String>,
    /// Billing: the permission level.
    #[arg(long)]
    level: Option<String>,
    /// Allow an address or network too; may be repeated.
    #[arg(long, value_name = "CIDR")]
    add_ip: Vec<String>,
    /// Take an address or network off the list; may be repeated.
    #[arg(long, value_name = "CIDR")]
    remove_ip: Vec<String>,
    /// The last day it works (YYYY-MM-DD), how long from now (30m, 24h, 7d), or never.
    #[arg(long, value_name = "DATE|DURATION|never")]
    expires: Option<String>,
    #[command(flatten)]
    rates: Rates,
    /// Let it work again.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Switch it off until it is enabled again.
    #[arg(long)]
    disable: bool,
}

impl Update {
    pub fn run(self, app: &App, output: Output) -> Outcome {
        let key = find(app, &self.id)?;
        let id = key.id;
        let expires = match self.expires.as_deref() {
            None => None,
            Some("never") => Some(None),
            Some(text) => Some(Some(expiry(app, text)?)),
        };
        // Wrong words are refused before anything is written.
        self.apply_grants(&mut key.settings.grants.clone()).map_err(|invalid| Failure::usage(&invalid))?;
        self.apply(&mut key.settings.clone(), expires)?;
        let (now, default_rate) = (app.now(), app.config().limits.per_key_per_minute);
        let work = move |tx: &WriteTx<'_>| {
            let change = |settings: &mut KeySettings| self.apply(settings, expires);
            actions::keys::update(tx, &operator(), id, &change, default_rate, now)
        };
        let updated = app.db.write_blocking(work)?;
        caution(&key, &updated);
        output.one(&row(&updated))
    }

    fn apply(&self, settings: &mut KeySettings, expires: Option<Option<Timestamp>>) -> Result<(), AppError> {
        if let Some(name) = &self.name {
            settings.name = keys::parse_name("name", name)?;
        }
        self.apply_grants(&mut settings.grants)?;
        self.remove_ip.iter().try_for_each(|entry| settings.allowed_ips.remove("remove-ip", entry))?;
        for entry in &self.add_ip {
            settings.allowed_ips.add("add-ip", entry)?;
        }
        if let Some(expires) = expires {
            settings.expires_at = expires;
        }
        settings.rate_per_minute = self.rates.rate.or(settings.rate_per_minute);
        settings.rate_per_hour = self.rates.rate_hour.or(settings.rate_per_hour);
        settings.rate_per_day = self.rates.rate_day.or(settings.rate_per_day);
        settings.enabled = (settings.enabled || self.enable) && !self.disable;
        Ok(())
    }

    fn apply_grants(&self, grants: &mut Grants) -> Result<(), Invalid> {
        let foreign = |field: &'static str, given: bool| {
            if given {
                Err(Invalid::new(field, format!("is not for {} keys", grants.style().as_str())))
            } else {
                Ok(())
            }
        };
        match grants {
            Grants::External(_) => {
                foreign("permissions", self.permissions.is_some())?;
                foreign("level", self.level.is_some())?;
            }
            Grants::Panel(_) => {
                foreign("scopes", self.scopes.is_some())?;
                foreign("level", self.level.is_some())?;
            }
            Grants::Billing { .. } => foreign("permissions", self.permissions.is_some())?,
        }
        match grants {
            Grants::External(scope) => {
                if let Some(word) = &self.scopes {
                    *scope =
                        Scope::parse(word).ok_or_else(|| Invalid::new("scopes", "must be read, write or delete"))?;
                }
            }
            Grants::Panel(list) => {
                if let Some(words) = &self.permissions {
                    let (new, warnings) = keys::parse_permissions("permissions", words.split(',').map(str::trim))?;
                    warnings.iter().for_each(|warning| say(warning));
                    *list = new;
                }
            }
            Grants::Billing { level, scopes } => {
                if let Some(word) = &self.level {
                    let all = Level::ALL.map(Level::as_str).join(", ");
                    *level =
                        Level::parse(word).ok_or_else(|| Invalid::new("level", format!("must be one of {all}")))?;
                }
                if let Some(words) = &self.scopes {
                    *scopes = billing_scopes(words)?;
                }
            }
        }
        Ok(())
    }
}

/// Says what may surprise.
fn caution(before: &Key, after: &Key) {
    if !before.settings.allowed_ips.is_empty() && after.settings.allowed_ips.is_empty() {
        say("The list of addresses is empty now: the key may be used from anywhere.");
    }
    if let Grants::Billing { level, .. } = &after.settings.grants
        && *level > Level::highest_of(after.owner_role)
    {
        let failure = Failure::new(
            format!(
                "The level {} is above the role of {} ({}): the key is refused until the role is raised.",
                level.as_str(),
                after.owner,
                after.owner_role
            ),
            "",
        );
        say(failure.why());
    }
}
