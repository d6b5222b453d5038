//! `panel user …`.

use clap::{Subcommand, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::operator;
use super::output::{Failure, Outcome, Output, say, secret_line};
use super::package::flags;
use super::values::{Feature, Quota};
use crate::actions;
use crate::app::App;
use crate::crypto::random;
use crate::domain::error::{AppError, Invalid};
use crate::domain::packages;
use crate::domain::passwords::Password;
use crate::domain::quotas;
use crate::domain::time::Timestamp;
use crate::domain::users::{self, AccountStatus, Email, User, Username};
use crate::store::WriteTx;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    Admin,
    Reseller,
    User,
}

impl From<Role> for users::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => users::Role::Admin,
            Role::Reseller => users::Role::Reseller,
            Role::User => users::Role::User,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a user; without --password-stdin a random password is printed once.
    Add {
        /// 2-32 of A-Z a-z 0-9 . _ - and begins with a letter.
        name: String,
        #[arg(long)]
        role: Role,
        #[arg(long)]
        email: String,
        /// The admin or reseller that the account stands under.
        #[arg(long, value_name = "NAME")]
        creator: Option<String>,
        #[arg(long, default_value = packages::DEFAULT)]
        package: String,
        /// Read the password from standard input (its first line).
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the users.
    List,
    /// Show one user with what is in force for it.
    Show { name: String },
    /// Change a user.
    Update {
        name: String,
        #[arg(long)]
        role: Option<Role>,
        #[arg(long)]
        package: Option<String>,
        #[arg(long)]
        email: Option<String>,
        /// Such as api=on, api=off or api=inherit; may be repeated.
        #[arg(long = "feature", value_name = "FLAG=on|off|inherit")]
        features: Vec<Feature>,
        /// Such as max_domains=10 or max_domains=inherit; may be repeated.
        #[arg(long = "limit", value_name = "LIMIT=NUMBER|unlimited|inherit")]
        limits: Vec<Quota>,
        /// The admin or reseller that the account is to stand under; "" is nobody.
        #[arg(long, value_name = "NAME")]
        creator: Option<String>,
    },
    /// Suspend a user; a reseller's users are refused with it.
    Suspend { name: String },
    /// Let a user work again.
    Unsuspend { name: String },
    /// Delete a user. Its keys answer that their owner is gone.
    Delete {
        name: String,
        /// Who takes over the users and subscribers that it owns.
        #[arg(long, value_name = "NAME")]
        transfer_to: Option<String>,
    },
    /// Set a user's password; without --password-stdin a random one is printed once.
    Passwd {
        name: String,
        /// Read the password from standard input (its first line).
        #[arg(long)]
        password_stdin: bool,
    },
}

pub fn run(app: &App, output: Output, command: Command) -> Outcome {
    match command {
        Command::Add { name, role, email, creator, package, password_stdin } => {
            let password = Chosen::get(password_stdin)?;
            let username = Username::parse("username", &name).map_err(AppError::from)?;
            let email = Email::parse("email", &email).map_err(AppError::from)?;
            let hash = app.hasher.hash_blocking(password.secret.clone())?;
            let draft = actions::users::Draft::new(random::uid()?, username, email, hash, app.now());
            let draft = actions::users::Draft { role: role.into(), creator, package, ..draft };
            let user = app.db.write_blocking(move |tx| actions::users::add(tx, &operator(), &draft))?;
            output.one(&password.beside(json!({"id": user.id.0, "username": name})))
        }
        Command::List => {
            let rows: Vec<_> = app.db.read(|tx| actions::users::list(tx, &operator()))?.iter().map(row).collect();
            output.many(&["id", "username", "role", "status", "email", "creator", "package"], &rows)
        }
        Command::Show { name } => output.one(&row(&app.db.read(|tx| actions::users::get(tx, &operator(), &name))?)),
        Command::Update { name, role, package, email, features, limits, creator } => {
            let email = email.map(|text| Email::parse("email", &text)).transpose().map_err(AppError::from)?;
            let mut change = actions::users::Change {
                email,
                role: role.map(Into::into),
                package,
                creator: creator.map(|name| Some(name).filter(|name| !name.is_empty())),
                ..Default::default()
            };
            for limit in limits {
                if !quotas::Quota::OF_ACCOUNT.contains(&limit.quota) {
                    let problem = format!("{} is a reseller's; use panel reseller update", limit.quota.as_str());
                    return Err(AppError::from(Invalid::new("limit", problem)).into());
                }
                change.quotas.set(limit.quota, Some(limit.value));
            }
            features.iter().for_each(|feature| change.flags.set(feature.feature, Some(feature.on)));
            let now = app.now();
            let update = move |tx: &WriteTx<'_>| {
                let permit = operator();
                actions::users::update(tx, &permit, &actions::users::get(tx, &permit, &name)?, &change, now)
            };
            output.one(&row(&app.db.write_blocking(update)?))
        }
        Command::Suspend { name } => set_status(app, output, name, AccountStatus::Suspended),
        Command::Unsuspend { name } => set_status(app, output, name, AccountStatus::Active),
        Command::Delete { name, transfer_to } => {
            output.confirm(&format!("Delete user {name}?"))?;
            let now = app.now();
            app.db.write_blocking(move |tx| {
                let permit = operator();
                let user = actions::users::get(tx, &permit, &name)?;
                actions::users::delete(tx, &permit, &user, transfer_to.as_deref(), now)
            })?;
            say("User deleted");
            Ok(())
        }
        Command::Passwd { name, password_stdin } => {
            let password = Chosen::get(password_stdin)?;
            set_password(app, &name, password.secret.clone())?;
            if password_stdin {
                say(&format!("The password of {name} is set, and its sessions are ended."));
                return Ok(());
            }
            output.one(&password.beside(json!({"username": name})))
        }
    }
}

fn set_status(app: &App, output: Output, name: String, status: AccountStatus) -> Outcome {
    let now = app.now();
    let set = move |tx: &WriteTx<'_>| {
        let permit = operator();
        let user = actions::users::get(tx, &permit, &name)?;
        actions::users::set_status(tx, &permit, &user, status, None, now)
    };
    output.one(&row(&app.db.write_blocking(set)?))
}

fn set_password(app: &App, name: &str, password: SecretString) -> Outcome {
    let (name, hash, now) = (name.to_owned(), app.hasher.hash_blocking(password)?, app.now());
    let set = move |tx: &WriteTx<'_>| {
        let permit = operator();
        let user = actions::users::get(tx, &permit, &name)?;
        actions::users::set_password(tx, &permit, user.id, &hash, None, now)
    };
    Ok(app.db.write_blocking(set)?)
}

/// A password, and whether it must be printed because we made it.
struct Chosen {
    secret: SecretString,
    random: bool,
}

impl Chosen {
    fn get(from_stdin: bool) -> Result<Self, Failure> {
        if !from_stdin {
            return Ok(Self { secret: random::password()?, random: true });
        }
        let line = secret_line("password")?;
        let password = Password::parse("password", line.expose_secret()).map_err(AppError::from)?;
        Ok(Self { secret: password.into_secret(), random: false })
    }

    fn beside(&self, mut value: Value) -> Value {
        if self.random {
            value["password"] = json!(self.secret.expose_secret());
        }
        value
    }
}

fn row(user: &User) -> Value {
    let mut row = json!({
        "id": user.id.0, "username": user.username, "email": user.email, "role": user.role.as_str(),
        "status": user.status.as_str(), "creator": user.creator, "package": user.package,
    });
    for quota in quotas::Quota::OF_ACCOUNT {
        row[quota.as_str()] = json!(user.effective_quotas.get(quota));
    }
    row["features"] = flags(&user.effective_flags);
    row["has_password"] = json!(user.has_password);
    row["last_login_at"] = json!(user.last_login_at.map(Timestamp::rfc3339));
    row["created_at"] = json!(user.created_at.rfc3339());
    row
}
