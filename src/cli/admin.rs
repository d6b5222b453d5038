//! `panel admin reset`: a new setup link.

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};

use super::operator;
use super::output::{Failure, Outcome, Output, print, say};
use crate::actions::{self, bootstrap};
use crate::app::App;
use crate::crypto::random;
use crate::domain::encoding::base64url;
use crate::domain::error::AppError;
use crate::domain::policy::Permit;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a link (valid 30 minutes) where the administrator sets a new password.
    Reset,
}

pub fn run(app: &App, output: Output, command: &Command) -> Outcome {
    match command {
        Command::Reset => {
            let link = make_link(app, &operator())?;
            say("Open this link within 30 minutes to set the password of admin; it works once:");
            match output.json {
                true => print(&serde_json::json!({"link": link.expose_secret()}).to_string()),
                false => print(link.expose_secret()),
            }
        }
    }
}

/// Makes a setup link for the administrator.
pub fn make_link(app: &App, permit: &Permit) -> Result<SecretString, Failure> {
    let token = base64url(&random::bytes::<32>()?);
    let link = format!("{}/setup/{token}", app.config().server.public_url());
    let (permit, now) = (permit.clone(), app.now());
    let make = move |tx: &crate::store::WriteTx<'_>| {
        let admin = actions::users::get(tx, &permit, bootstrap::ADMIN)?;
        actions::setup::make_link(tx, &permit, &admin, &token, now)
    };
    app.db.write_blocking(make).map_err(|error| match error {
        AppError::NotFound(_) => {
            Failure::new("there is no user named admin", "Set another administrator's password: panel user passwd NAME")
        }
        other => other.into(),
    })?;
    Ok(link.into())
}
