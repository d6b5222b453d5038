//! `panel package …`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::operator;
use super::output::{Outcome, Output, say};
use super::values::{Feature, Quota};
use crate::actions::{self, packages::Change};
use crate::app::App;
use crate::domain::error::{AppError, Invalid};
use crate::domain::features::Flags;
use crate::domain::packages::{Package, PackageName};
use crate::store::WriteTx;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a package; what is not said is on and without limit.
    Add {
        name: String,
        #[command(flatten)]
        values: Values,
    },
    /// List the packages.
    List,
    /// Show one package with its limits, flags and grants.
    Show { name: String },
    /// Change what accounts of a package inherit.
    Update {
        name: String,
        /// A new name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[command(flatten)]
        values: Values,
    },
    /// Delete a package that no account has.
    Delete { name: String },
}

#[derive(Debug, Args)]
pub struct Values {
    /// Such as api=off; may be repeated.
    #[arg(long = "feature", value_name = "FLAG=on|off")]
    features: Vec<Feature>,
    /// Whether resellers of this package may switch a flag on for their users, such as api=off; may be repeated.
    #[arg(long = "grant", value_name = "FLAG=on|off")]
    grants: Vec<Feature>,
    /// Such as max_users=10; may be repeated.
    #[arg(long = "limit", value_name = "LIMIT=NUMBER|unlimited")]
    limits: Vec<Quota>,
}

impl Values {
    fn change(self, name: Option<PackageName>) -> Result<Change, AppError> {
        let mut change = Change { name, ..Change::default() };
        let set = |flags: &mut Flags<Option<bool>>, values: Vec<Feature>| {
            values.into_iter().try_for_each(|value| {
                let on = value.on.ok_or_else(|| Invalid::new("package", "inherits from nothing; say on or off"))?;
                flags.set(value.feature, Some(on));
                Ok::<_, AppError>(())
            })
        };
        set(&mut change.flags, self.features)?;
        set(&mut change.grants, self.grants)?;
        for limit in self.limits {
            let value = limit.value.ok_or_else(|| Invalid::new("package", "inherits from nothing; give a number"))?;
            change.quotas.set(limit.quota, Some(value));
        }
        Ok(change)
    }
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    let now = app.now();
    match command {
        Command::Add { name, values } => {
            let (name, change) = (PackageName::parse("name", &name).map_err(AppError::from)?, values.change(None)?);
            let add = move |tx: &WriteTx<'_>| actions::packages::add(tx, &operator(), &name, &change, now);
            output.one(&row(&app.db.write_blocking(add)?))
        }
        Command::List => {
            let rows: Vec<_> = app.db.read(actions::packages::list)?.iter().map(row).collect();
            output.many(&["id", "name", "max_users"], &rows)
        }
        Command::Show { name } => output.one(&row(&app.db.read(|tx| actions::packages::get(tx, &name))?)),
        Command::Update { name, rename, values } => {
            let rename = rename.map(|name| PackageName::parse("rename", &name)).transpose().map_err(AppError::from)?;
            let change = values.change(rename)?;
            let set = move |tx: &WriteTx<'_>| actions::packages::update(tx, &operator(), &name, &change, now);
            output.one(&row(&app.db.write_blocking(set)?))
        }
        Command::Delete { name } => {
            output.confirm(&format!("Delete package {name}?"))?;
            app.db.write_blocking(move |tx| actions::packages::delete(tx, &operator(), &name, now))?;
            say("Package deleted");
            Ok(())
        }
    }
}

fn row(package: &Package) -> Value {
    let values = &package.values;
    let mut row = Map::from_iter([("id".to_owned(), json!(package.id)), ("name".to_owned(), json!(package.name))]);
    row.extend(values.quotas.iter().map(|(quota, value)| (quota.as_str().to_owned(), json!(value))));
    row.insert("features".to_owned(), flags(&values.flags));
    row.insert("grants".to_owned(), flags(&values.grants));
    row.into()
}

/// Flags as the command line shows them.
pub fn flags(flags: &Flags<bool>) -> Value {
    flags.iter().map(|(feature, on)| (feature.as_str().to_owned(), json!(on))).collect::<Map<_, _>>().into()
}
