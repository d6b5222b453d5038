//! `panel key mint|rotate`: what shows a secret, once.

use clap::Args;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Rates, Style, expiry, find, grants};
use crate::actions;
use crate::app::App;
use crate::cli::operator;
use crate::cli::output::{Failure, Outcome, Output, say};
use crate::cli::values::duration_millis;
use crate::crypto::random;
use crate::domain::addresses::AllowList;
use crate::domain::error::{AppError, Invalid};
use crate::domain::keys::{self, KeyDraft, NewSecret};
use crate::store::WriteTx;

#[derive(Debug, Args)]
pub struct Mint {
    #[arg(long)]
    style: Style,
    /// The user it acts for.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// A label for lists.
    #[arg(long, default_value = "API Key")]
    name: String,
    /// External: read, write (reads too) or delete (writes too). Billing: a comma-separated list.
    #[arg(long)]
    scopes: Option<String>,
    /// Panel: a comma-separated list of permissions.
    #[arg(long)]
    permissions: Option<String>,
    /// Billing: the permission level.
    #[arg(long)]
    level: Option<String>,
    /// An address or network it may be used from; may be repeated. None: anywhere.
    #[arg(long = "allow-ip", value_name = "CIDR")]
    allow_ip: Vec<String>,
    /// The last day it works (YYYY-MM-DD), or how long (30m, 24h, 7d).
    #[arg(long, value_name = "DATE|DURATION")]
    expires: Option<String>,
    #[command(flatten)]
    rates: Rates,
}

impl Mint {
    pub fn run(self, app: &App, output: Output) -> Outcome {
        let style = self.style.into();
        let name = keys::parse_name("name", &self.name).map_err(AppError::from)?;
        let given = grants(style, self.scopes.as_deref(), self.permissions.as_deref(), self.level.as_deref());
        let given = given.map_err(|invalid| Failure::usage(&invalid))?;
        let ips = AllowList::parse("allow-ip", self.allow_ip.iter().map(String::as_str)).map_err(AppError::from)?;
        let draft = KeyDraft {
            allowed_ips: Some(ips),
            expires_at: Some(self.expires.map(|text| expiry(app, &text)).transpose()?),
            rate_per_minute: self.rates.rate,
            rate_per_hour: self.rates.rate_hour,
            rate_per_day: self.rates.rate_day,
            ..KeyDraft::new(&self.user, &name, given, app.now())
        };
        let secret = random::secret(style)?;
        let panel_id = (style == keys::Style::Panel).then(random::panel_id).transpose()?;
        let printed = shown(&secret);
        let (default_rate, public_id) = (app.config().limits.per_key_per_minute, panel_id.clone());
        let id = app.db.write_blocking(move |tx| {
            actions::keys::mint(tx, &operator(), &draft, &secret, panel_id.as_deref(), default_rate)
        })?;
        warn(style);
        output.one(&with_id(&public_id.map_or(json!(id.0), |id| json!(id)), printed))
    }
}

#[derive(Debug, Args)]
pub struct Rotate {
    /// Its id, or the beginning of the key.
    id: String,
    /// How long the old secret still works: 0, 30m, 24h, 7d.
    #[arg(long, value_name = "DURATION")]
    grace: String,
}

impl Rotate {
    pub fn run(&self, app: &App, output: Output) -> Outcome {
        let grace = duration_millis(&self.grace);
        let grace =
            grace.ok_or_else(|| AppError::from(Invalid::new("grace", "must be 0, 30m, 24h, 7d or the like")))?;
        let key = find(app, &self.id)?;
        let style = key.settings.grants.style();
        let secret = random::next_secret(style)?;
        let mut printed = shown(&secret);
        if style == keys::Style::Billing {
            printed["key"] = json!(key.display);
        }
        let (id, now, default_rate) = (key.id, app.now(), app.config().limits.per_key_per_minute);
        let rotate =
            move |tx: &WriteTx<'_>| actions::keys::rotate(tx, &operator(), id, &secret, grace, default_rate, now);
        let rotated = app.db.write_blocking(rotate)?;
        warn(style);
        output.one(&with_id(&rotated.panel_id.map_or(json!(rotated.id.0), |id| json!(id)), printed))
    }
}

/// The one time that the plaintext leaves.
fn shown(secret: &NewSecret) -> Value {
    let mut shown = json!({"key": secret.reveal()});
    if let Some(half) = &secret.secret {
        shown["secret"] = json!(half.expose_secret());
    }
    shown
}

fn with_id(id: &Value, shown: Value) -> Value {
    let mut value = json!({ "id": id });
    if let (Some(value), Value::Object(shown)) = (value.as_object_mut(), shown) {
        value.extend(shown);
    }
    value
}

fn warn(style: keys::Style) {
    say(match style {
        keys::Style::External => {
            "Save the key now: it is never shown again. It is a secret, although pk_live_ looks like a publishable prefix."
        }
        keys::Style::Panel => "Save the key now: it is never shown again.",
        keys::Style::Billing => "Save key and secret now: the secret is never shown again.",
    });
}
