//! `panel key …`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::output::{Outcome, say};
use super::{Context, operator};
use crate::actions::{self, keys::ExternalDraft};
use crate::app::App;
use crate::crypto::random;
use crate::domain::addresses::AllowList;
use crate::domain::error::{AppError, Invalid};
use crate::domain::keys::{self, Grants, Key, Level, NewSecret, Scope};
use crate::domain::time::{Date, Timestamp};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Style {
    External,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key and print it, once.
    Mint {
        #[arg(long)]
        style: Style,
        /// The admin or reseller it acts for.
        #[arg(long, value_name = "NAME")]
        user: String,
        /// A label for lists.
        #[arg(long, default_value = "API Key")]
        name: String,
        /// read, write (reads too) or delete (reads and writes too).
        #[arg(long, default_value = "read", value_parser = ["read", "write", "delete"])]
        scopes: String,
        /// An address or network it may be used from; may be repeated. None: anywhere.
        #[arg(long = "allow-ip", value_name = "CIDR")]
        allow_ip: Vec<String>,
        /// The last day it works (YYYY-MM-DD), or how long (30m, 24h, 7d).
        #[arg(long, value_name = "DATE|DURATION")]
        expires: Option<String>,
        /// Requests a minute; 0 is unlimited, without it the configured default.
        #[arg(long)]
        rate: Option<u32>,
    },
    /// List all keys, without their secrets.
    List,
    /// Revoke a key for good.
    Revoke {
        /// Its id, or the beginning of the key.
        id: String,
    },
}

pub fn run(context: Context, command: Command) -> Outcome {
    let (app, output) = context.open()?;
    match command {
        Command::Mint { style: Style::External, user, name, scopes, allow_ip, expires, rate } => {
            let draft = ExternalDraft {
                user,
                name: keys::parse_name("name", &name).map_err(AppError::from)?,
                scope: Scope::parse(&scopes)
                    .ok_or_else(|| AppError::from(Invalid::new("scopes", "must be read, write or delete")))?,
                allowed_ips: AllowList::parse("allow-ip", allow_ip.iter().map(String::as_str))
                    .map_err(AppError::from)?,
                expires_at: expires.map(|text| expiry(&app, &text)).transpose()?,
                rate_per_minute: rate,
                now: app.now(),
            };
            let secret = NewSecret::external(&random::bytes()?);
            let key = secret.reveal().to_owned();
            let id = app.db.write_blocking(move |tx| actions::keys::mint_external(tx, &operator(), &draft, &secret))?;
            say(
                "Save the key now: it is never shown again. It is a secret, although pk_live_ looks like a publishable prefix.",
            );
            output.one(&json!({"id": id.0, "key": key}))
        }
        Command::List => {
            let rows: Vec<_> = app.db.read(actions::keys::list)?.iter().map(row).collect();
            output.many(
                &["id", "kind", "owner", "name", "key_prefix", "scopes", "is_active", "expires_at", "last_used_at"],
                &rows,
            )
        }
        Command::Revoke { id } => {
            let key = app.db.read(|tx| actions::keys::resolve(tx, &id))?;
            output.confirm(&format!("Revoke key {} ({}) of {} for good?", key.reference(), key.name, key.owner))?;
            let now = app.now();
            let first = app.db.write_blocking(move |tx| actions::keys::revoke(tx, &operator(), key.id, now))?;
            say(if first { "API key revoked" } else { "API key was revoked before" });
            Ok(())
        }
    }
}

/// A date (its last second in the configured zone) or a duration from now.
fn expiry(app: &App, text: &str) -> Result<Timestamp, AppError> {
    let now = app.now();
    let at = match duration_millis(text) {
        Some(millis) => now.plus_millis(millis),
        None => Date::parse("expires", text)
            .map_err(|_| Invalid::new("expires", "must be a date (YYYY-MM-DD) or a duration (30m, 24h, 7d)"))?
            .last_second_in(app.zone()),
    };
    if at <= now {
        return Err(Invalid::new("expires", "must be in the future").into());
    }
    Ok(at)
}

/// `30m`, `24h`, `7d` (contract: cli.md, durations).
fn duration_millis(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => Timestamp::MINUTE,
        "h" => Timestamp::HOUR,
        "d" => Timestamp::DAY,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    number.parse::<i64>().ok().filter(|_| digits)?.checked_mul(unit)
}

fn row(key: &Key) -> Value {
    let (scopes, permissions, level) = match &key.grants {
        Grants::External(scope) => (json!(scope.as_str()), Value::Null, Value::Null),
        Grants::Panel(list) => (Value::Null, list.iter().map(|p| json!(p.as_str())).collect(), Value::Null),
        Grants::Billing { level, scopes } => {
            (scopes.iter().map(|scope| json!(scope.as_str())).collect(), Value::Null, json!(Level::as_str(*level)))
        }
    };
    let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    let mut row = json!({
        "id": key.id.0, "kind": key.grants.style().as_str(), "owner": key.owner, "name": key.name,
        "key_prefix": key.display, "scopes": scopes, "is_active": key.revoked_at.is_none() && key.enabled,
        "allowed_ips": key.allowed_ips.split(',').filter(|ip| !ip.is_empty()).collect::<Vec<_>>(),
        "rate_limit_per_minute": key.rate_per_minute, "expires_at": at(key.expires_at),
        "last_used_at": at(key.last_used_at), "last_used_ip": key.last_used_ip, "created_at": key.created_at.rfc3339(),
    });
    if let Some(id) = &key.panel_id {
        row["id"] = json!(id);
        row["permissions"] = permissions;
    }
    if !level.is_null() {
        row["permission_level"] = level;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for text in ["", "7", "d", "7w", "-7d", "7 d", "1.5h", "٣d", "99999999999999999999d", "9223372036854775807d"] {
            assert_eq!(duration_millis(text), None, "{text}");
        }
        assert_eq!(duration_millis("30m"), Some(30 * Timestamp::MINUTE));
        assert_eq!(duration_millis("24h"), Some(Timestamp::DAY));
        assert_eq!(duration_millis("7d"), Some(7 * Timestamp::DAY));
    }
}
