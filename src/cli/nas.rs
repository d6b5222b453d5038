//! `panel nas …`.

use clap::{Args, Subcommand, ValueEnum};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::operator;
use super::output::{Failure, Outcome, Output, say, secret_line};
use crate::actions::{self, nas::Change};
use crate::app::App;
use crate::crypto::random;
use crate::domain::error::AppError;
use crate::domain::nas;
use crate::domain::services::parse_name;
use crate::store::WriteTx;
use crate::store::nas::{NewNas, Stored};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    Mikrotik,
    Generic,
}

impl From<Kind> for nas::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Mikrotik => nas::Kind::Mikrotik,
            Kind::Generic => nas::Kind::Generic,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a router.
    Add {
        name: String,
        /// Where it speaks from: an address, or a network.
        #[arg(long, value_name = "IP|CIDR")]
        ip: String,
        /// Read the secret shared with it from standard input (its first line).
        #[arg(long)]
        secret_stdin: bool,
        #[arg(long = "type", default_value = "mikrotik")]
        kind: Kind,
        /// Where it listens for changes of authorization.
        #[arg(long, default_value_t = nas::COA_PORT, value_parser = clap::value_parser!(u16).range(1..))]
        coa_port: u16,
        /// A reseller who sees it; may be repeated.
        #[arg(long = "reseller", value_name = "NAME")]
        resellers: Vec<String>,
    },
    /// List the routers.
    List,
    /// Change a router.
    Update {
        /// Its id, or its name.
        nas: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Delete a router that no subscriber is on.
    Delete {
        /// Its id, or its name.
        nas: String,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Settings {
    #[arg(long)]
    name: Option<String>,
    #[arg(long, value_name = "IP|CIDR")]
    ip: Option<String>,
    /// Read the new secret from standard input (its first line).
    #[arg(long)]
    secret_stdin: bool,
    #[arg(long = "type")]
    kind: Option<Kind>,
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    coa_port: Option<u16>,
    /// A reseller who sees it from now on; may be repeated.
    #[arg(long = "add-reseller", value_name = "NAME")]
    add_resellers: Vec<String>,
    /// A reseller who no longer sees it; may be repeated.
    #[arg(long = "remove-reseller", value_name = "NAME")]
    remove_resellers: Vec<String>,
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    let now = app.now();
    match command {
        Command::Add { name, ip, secret_stdin, kind, coa_port, resellers } => {
            let uid = random::uid()?;
            let name = parse_name("name", &name).map_err(AppError::from)?;
            let ip_address = nas::parse_ip_address("ip", &ip).map_err(AppError::from)?;
            let secret_sealed = sealed(app, secret_stdin, &uid)?;
            let new = NewNas { uid, name, ip_address, secret_sealed, kind: kind.into(), coa_port, is_active: true };
            let named = new.name.clone();
            let add = move |tx: &WriteTx<'_>| actions::nas::add(tx, &operator(), &new, &resellers, now);
            let id = app.db.write_blocking(add)?;
            output.one(&json!({"id": id, "name": named}))
        }
        Command::List => {
            let rows: Vec<_> = app.db.read(|tx| actions::nas::list_stored(tx, &operator()))?.iter().map(row).collect();
            output.many(&["id", "name", "ip_address", "type", "coa_port", "has_secret", "resellers"], &rows)
        }
        Command::Update { nas, settings } => {
            let found = find(app, &nas)?;
            let change = settings.change(app, &found)?;
            let update = move |tx: &WriteTx<'_>| actions::nas::update(tx, &operator(), found.id, &change, now);
            output.one(&row(&app.db.write_blocking(update)?))
        }
        Command::Delete { nas } => {
            let found = find(app, &nas)?;
            output.confirm(&format!("Delete the NAS {} ({})?", found.name, found.ip_address))?;
            app.db.write_blocking(move |tx| actions::nas::delete(tx, &operator(), found.id, now))?;
            say("NAS deleted");
            Ok(())
        }
    }
}

impl Settings {
    fn change(self, app: &App, of: &Stored) -> Result<Change, Failure> {
        let name = self.name.map(|name| parse_name("name", &name)).transpose().map_err(AppError::from)?;
        let ip = self.ip.map(|ip| nas::parse_ip_address("ip", &ip)).transpose().map_err(AppError::from)?;
        Ok(Change {
            name,
            ip_address: ip,
            kind: self.kind.map(Into::into),
            coa_port: self.coa_port,
            secret_sealed: sealed(app, self.secret_stdin, &of.uid)?.map(Some),
            is_active: None,
            resellers: None,
            add_resellers: self.add_resellers,
            remove_resellers: self.remove_resellers,
        })
    }
}

fn find(app: &App, reference: &str) -> Result<Stored, Failure> {
    Ok(app.db.read(|tx| actions::nas::get_by_reference(tx, &operator(), reference))?)
}

/// The secret from standard input, sealed for the row of this uid.
fn sealed(app: &App, from_stdin: bool, uid: &[u8; 16]) -> Result<Option<Vec<u8>>, Failure> {
    if !from_stdin {
        return Ok(None);
    }
    let secret: SecretString = secret_line("secret")?;
    Ok(Some(actions::nas::seal_secret(&app.sealer, uid, &secret)?))
}

/// A router by the names of the admin surface; of its secret only that there is one.
fn row(nas: &Stored) -> Value {
    let resellers: Vec<_> = nas.resellers.iter().map(|reseller| &reseller.username).collect();
    json!({
        "id": nas.id, "name": nas.name, "ip_address": nas.ip_address, "type": nas.kind.as_str(),
        "coa_port": nas.coa_port, "is_active": nas.is_active, "has_secret": nas.secret_sealed.is_some(),
        "resellers": resellers,
    })
}
