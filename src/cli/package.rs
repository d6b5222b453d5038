//! `panel package …`.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::operator;
use super::output::{Outcome, Output};
use super::user::Feature;
use crate::actions;
use crate::app::App;
use crate::domain::features::Flags;
use crate::store::WriteTx;
use crate::store::packages::Package;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the packages.
    List,
    /// Show one package with its flags.
    Show { name: String },
    /// Change what accounts of a package inherit.
    Update {
        name: String,
        /// Such as api=off; may be repeated.
        #[arg(long = "feature", value_name = "FLAG=on|off", required = true)]
        features: Vec<Feature>,
    },
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    match command {
        Command::List => {
            let rows: Vec<_> = app.db.read(actions::packages::list)?.iter().map(row).collect();
            output.many(&["id", "name", "max_users"], &rows)
        }
        Command::Show { name } => output.one(&row(&app.db.read(|tx| actions::packages::get(tx, &name))?)),
        Command::Update { name, features } => {
            let mut flags = Flags::default();
            features.iter().for_each(|change| flags.set(change.feature, change.on));
            let now = app.now();
            let set = move |tx: &WriteTx<'_>| actions::packages::set_flags(tx, &operator(), &name, &flags, now);
            output.one(&row(&app.db.write_blocking(set)?))
        }
    }
}

fn row(package: &Package) -> Value {
    let flags: Map<_, _> = package.flags.iter().map(|(feature, on)| (feature.as_str().to_owned(), json!(on))).collect();
    json!({"id": package.id, "name": package.name, "max_users": package.max_users, "features": flags})
}
