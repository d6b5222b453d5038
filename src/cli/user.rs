//! `panel user …`.

use std::io::Read;

use clap::{Subcommand, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::output::{Failure, Outcome, say};
use super::{Context, operator};
use crate::actions::{self, bootstrap};
use crate::app::App;
use crate::crypto::random;
use crate::domain::passwords::Password;
use crate::domain::users::{self, Email, User, Username};
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
        #[arg(long, default_value = bootstrap::DEFAULT)]
        package: String,
        /// Read the password from standard input (its first line).
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the users.
    List,
    /// Set a user's password; without --password-stdin a random one is printed once.
    Passwd {
        name: String,
        /// Read the password from standard input (its first line).
        #[arg(long)]
        password_stdin: bool,
    },
}

pub fn run(context: Context, command: Command) -> Outcome {
    let (app, output) = context.open()?;
    match command {
        Command::Add { name, role, email, creator, package, password_stdin } => {
            let password = Chosen::get(password_stdin)?;
            let draft = actions::users::Draft {
                uid: random::uid()?,
                username: Username::parse("username", &name).map_err(crate::domain::error::AppError::from)?,
                email: Email::parse("email", &email).map_err(crate::domain::error::AppError::from)?,
                password_hash: app.hasher.hash_blocking(password.secret.clone())?,
                role: role.into(),
                creator,
                package,
                now: app.now(),
            };
            let id = app.db.write_blocking(move |tx| actions::users::add(tx, &operator(), &draft))?;
            output.one(&password.beside(json!({"id": id.0, "username": name})))
        }
        Command::List => {
            let rows: Vec<_> = app.db.read(actions::users::list)?.iter().map(row).collect();
            output.many(&["id", "username", "role", "status", "email", "creator", "package"], &rows)
        }
        Command::Passwd { name, password_stdin } => {
            let password = Chosen::get(password_stdin)?;
            set_password(&app, &name, password.secret.clone())?;
            if password_stdin {
                say(&format!("The password of {name} is set, and its sessions are ended."));
                return Ok(());
            }
            output.one(&password.beside(json!({"username": name})))
        }
    }
}

fn set_password(app: &App, name: &str, password: SecretString) -> Outcome {
    let (name, hash, now) = (name.to_owned(), app.hasher.hash_blocking(password)?, app.now());
    let set = move |tx: &WriteTx<'_>| {
        let permit = operator();
        let user = actions::users::get(tx, &permit, &name)?;
        actions::users::set_password(tx, &permit, user.id, &hash, now)
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
        let mut text = String::new();
        let read = std::io::stdin().take(4096).read_to_string(&mut text);
        read.map_err(|e| {
            Failure::new(format!("the password cannot be read: {e}"), "Pipe it in: --password-stdin < FILE")
        })?;
        let line = text.lines().next().unwrap_or_default();
        let password = Password::parse("password", line).map_err(crate::domain::error::AppError::from)?;
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
    json!({
        "id": user.id.0, "username": user.username, "email": user.email, "role": user.role.as_str(),
        "status": user.status.as_str(), "creator": user.creator, "package": user.package,
        "has_password": user.has_password, "created_at": user.created_at.rfc3339(),
    })
}
