//! `panel reseller …`.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::operator;
use super::output::{Outcome, Output};
use super::package::flags;
use super::values::{Feature, Quota};
use crate::actions::{self, resellers::Change};
use crate::app::App;
use crate::domain::resellers::Reseller;
use crate::store::WriteTx;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the resellers.
    List,
    /// Show one reseller with the limits and grants in force for it.
    Show { name: String },
    /// Change a reseller's limits and what it may grant.
    Update {
        name: String,
        #[arg(long)]
        package: Option<String>,
        /// Whether it may switch a flag on for its users, such as api=off or api=inherit; may be repeated.
        #[arg(long = "grant", value_name = "FLAG=on|off|inherit")]
        grants: Vec<Feature>,
        /// Such as max_users=10 or max_users=inherit; may be repeated.
        #[arg(long = "limit", value_name = "LIMIT=NUMBER|unlimited|inherit")]
        limits: Vec<Quota>,
    },
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    match command {
        Command::List => {
            let rows: Vec<_> = app.db.read(|tx| actions::resellers::list(tx, &operator()))?.iter().map(row).collect();
            output.many(&["username", "status", "package", "max_users"], &rows)
        }
        Command::Show { name } => {
            output.one(&row(&app.db.read(|tx| actions::resellers::get(tx, &operator(), &name))?))
        }
        Command::Update { name, package, grants, limits } => {
            let mut change = Change::default();
            change.account.package = package;
            grants.iter().for_each(|grant| change.grants.set(grant.feature, Some(grant.on)));
            limits.iter().for_each(|limit| change.quotas.set(limit.quota, Some(limit.value)));
            let now = app.now();
            let update = move |tx: &WriteTx<'_>| actions::resellers::update(tx, &operator(), &name, &change, now);
            output.one(&row(&app.db.write_blocking(update)?))
        }
    }
}

fn row(reseller: &Reseller) -> Value {
    let user = &reseller.user;
    let mut row = Map::from_iter([
        ("id".to_owned(), json!(user.id.0)),
        ("username".to_owned(), json!(user.username)),
        ("status".to_owned(), json!(user.status.as_str())),
        ("package".to_owned(), json!(user.package)),
    ]);
    row.extend(reseller.quotas.iter().map(|(quota, value)| (quota.as_str().to_owned(), json!(value))));
    row.insert("grants".to_owned(), flags(&reseller.grants));
    row.into()
}
