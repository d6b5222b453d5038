//! `panel key …`: all styles of keys.

mod ask;
mod mint;
mod show;
mod suggest;
mod update;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::operator;
use super::output::{Outcome, Output, say};
use super::values::duration_millis;
use crate::actions;
use crate::app::App;
use crate::domain::error::{AppError, Invalid};
use crate::domain::keys::view::View;
use crate::domain::keys::{self, BillingScope, Grants, Key, Level, Scope};
use crate::domain::time::{Date, Timestamp};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Style {
    External,
    Panel,
    Billing,
}

impl From<Style> for keys::Style {
    fn from(style: Style) -> Self {
        match style {
            Style::External => keys::Style::External,
            Style::Panel => keys::Style::Panel,
            Style::Billing => keys::Style::Billing,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key and print it, once.
    Mint(mint::Mint),
    /// Change what a key may do. Every `fix` in a refusal is one such line.
    Update(update::Update),
    /// Give a key a new secret; the old one works until the grace is over.
    Rotate(mint::Rotate),
    /// List the keys, without their secrets.
    List {
        /// Only keys of this style.
        #[arg(long)]
        style: Option<Style>,
    },
    /// Show one key, and who still uses an old secret of it.
    Show {
        /// Its id, or the beginning of the key.
        id: String,
    },
    /// Revoke a key for good.
    Revoke {
        /// Its id, or the beginning of the key.
        id: String,
    },
    /// Ask whether a key may make a call; exit 0 means yes.
    Can(ask::Can),
    /// The least that explains a key's logged calls, and the command that leaves it no more.
    Suggest(suggest::Suggest),
    /// Show the latest calls made with a key, newest first.
    Logs {
        /// Its id, or the beginning of the key.
        id: String,
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
}

/// Limits of a key.
#[derive(Debug, Args)]
struct Rates {
    /// Requests a minute; 0 is unlimited, without it the configured default.
    #[arg(long)]
    rate: Option<u32>,
    /// Requests an hour; 0 is unlimited.
    #[arg(long)]
    rate_hour: Option<u32>,
    /// Requests a day; 0 is unlimited.
    #[arg(long)]
    rate_day: Option<u32>,
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    match command {
        Command::Mint(mint) => mint.run(app, output),
        Command::Update(update) => update.run(app, output),
        Command::Rotate(rotate) => rotate.run(app, output),
        Command::List { style } => {
            let keys = app.db.read(|tx| actions::keys::list(tx, style.map(Into::into)))?;
            let columns =
                ["id", "kind", "owner", "name", "key_prefix", "scopes", "is_active", "expires_at", "last_used_at"];
            output.many(&columns, &keys.iter().map(row).collect::<Vec<_>>())
        }
        Command::Show { id } => show::show(app, output, &id),
        Command::Revoke { id } => revoke(app, output, &id),
        Command::Can(can) => can.run(app, output),
        Command::Suggest(suggest) => suggest.run(app, output),
        Command::Logs { id, limit } => show::logs(app, output, &id, limit),
    }
}

fn find(app: &App, reference: &str) -> Result<Key, AppError> {
    app.db.read(|tx| actions::keys::resolve(tx, reference))
}

fn revoke(app: &App, output: Output, reference: &str) -> Outcome {
    let key = find(app, reference)?;
    output.confirm(&format!("Revoke key {} ({}) of {} for good?", key.reference(), key.settings.name, key.owner))?;
    let now = app.now();
    let first = app.db.write_blocking(move |tx| actions::keys::revoke(tx, &operator(), key.id, now))?;
    say(if first { "API key revoked" } else { "API key was revoked before" });
    Ok(())
}

/// What a key is given, from the words of the command line, in the terms of its style.
fn grants(
    style: keys::Style,
    scopes: Option<&str>,
    permissions: Option<&str>,
    level: Option<&str>,
) -> Result<Grants, Invalid> {
    let wrong = |field, problem: &str| Err(Invalid::new(field, problem.to_owned()));
    match style {
        keys::Style::External if permissions.is_some() || level.is_some() => {
            wrong("scopes", "are what an external key has, not permissions or a level")
        }
        keys::Style::External => match Scope::parse(scopes.unwrap_or("read")) {
            Some(scope) => Ok(Grants::External(scope)),
            None => wrong("scopes", "must be read, write or delete"),
        },
        keys::Style::Panel if scopes.is_some() || level.is_some() => {
            wrong("permissions", "are what a panel key has, not scopes or a level")
        }
        keys::Style::Panel => {
            let words = permissions.unwrap_or("read").split(',').map(str::trim);
            let (list, warnings) = keys::parse_permissions("permissions", words)?;
            warnings.iter().for_each(|warning| say(warning));
            Ok(Grants::Panel(list))
        }
        keys::Style::Billing if permissions.is_some() => {
            wrong("permissions", "are for panel keys; give --level and --scopes")
        }
        keys::Style::Billing => {
            let Some(level) = level.map_or(Some(Level::ReadOnly), Level::parse) else {
                return wrong("level", &format!("must be one of {}", Level::ALL.map(Level::as_str).join(", ")));
            };
            let scopes = scopes.map_or_else(|| Ok(level.default_scopes()), billing_scopes)?;
            Ok(Grants::Billing { level, scopes })
        }
    }
}

fn billing_scopes(words: &str) -> Result<Vec<BillingScope>, Invalid> {
    let mut scopes = Vec::new();
    for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let all = BillingScope::ALL.map(BillingScope::as_str).join(", ");
        let scope = BillingScope::parse(word);
        let scope = scope.ok_or_else(|| Invalid::new("scopes", format!("must be of {all}")))?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
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
    keys::check_expiry("expires", at, now)?;
    Ok(at)
}

/// A key by the names of the admin surface.
fn row(key: &Key) -> Value {
    json!(View::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_another_style_are_refused() {
        use keys::Style::{Billing, External, Panel};
        for (style, scopes, permissions, level) in [
            (External, Some("all"), None, None),
            (External, Some("read"), Some("all"), None),
            (External, None, None, Some("ADMIN")),
            (Panel, Some("read"), None, None),
            (Panel, None, Some("everything"), None),
            (Panel, None, Some(""), None),
            (Billing, None, Some("all"), None),
            (Billing, None, None, Some("ROOT")),
            (Billing, Some("accounts"), None, Some("BILLING")),
        ] {
            assert!(
                grants(style, scopes, permissions, level).is_err(),
                "{style:?} {scopes:?} {permissions:?} {level:?}"
            );
        }
        assert_eq!(grants(External, None, None, None).unwrap(), Grants::External(Scope::Read));
        let billing = grants(Billing, None, None, Some("billing")).unwrap();
        assert_eq!(billing, Grants::Billing { level: Level::Billing, scopes: Level::Billing.default_scopes() });
    }
}
