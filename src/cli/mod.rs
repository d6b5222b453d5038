//! The operator's door: one file for each verb, over the same actions as the network's. Never: SQL, envelopes.

mod admin;
mod config;
mod healthcheck;
mod key;
mod output;
mod owner;
mod serve;
mod service;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::{App, Clock};
use crate::config::Loaded;
use crate::domain::policy::{self, Permit};

pub use output::{Failure, Outcome};

/// The control panel of a small ISP in one binary and one SQLite file.
#[derive(Debug, Parser)]
#[command(name = "panel", version, arg_required_else_help = true)]
pub struct Cli {
    /// Settings file; without it ./panel.toml, then /etc/panel/panel.toml, then the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print data as JSON.
    #[arg(long, global = true)]
    json: bool,

    /// Do not ask before what cannot be undone.
    #[arg(long, short, global = true)]
    yes: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server.
    Serve,
    /// The administrator.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Who logs in.
    #[command(subcommand)]
    User(user::Command),
    /// API keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Plans that subscribers buy.
    #[command(subcommand)]
    Service(service::Command),
    /// The effective settings.
    #[command(subcommand)]
    Config(config::Command),
    /// Ask the running server how it is; exit 0 means healthy.
    Healthcheck,
}

/// What every command gets.
#[derive(Debug)]
struct Context {
    loaded: Loaded,
    json: bool,
    yes: bool,
}

impl Context {
    /// Opens the database beside a running server or without one.
    fn open(self) -> Result<(App, Output), Failure> {
        owner::become_owner(&self.loaded.config.database.path)?;
        let app =
            App::open(self.loaded.config, Clock::default()).map_err(|error| Failure::sentences(&error.to_string()))?;
        Ok((app, Output { json: self.json, yes: self.yes }))
    }
}

use output::Output;

/// Runs one command line: 0 done, 1 refused or failed, 2 wrong usage.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // A closed pipe is the reader's business.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Outcome {
    let loaded = crate::config::load(cli.config.as_deref()).map_err(|error| Failure::sentences(&error.to_string()))?;
    let context = Context { loaded, json: cli.json, yes: cli.yes };
    match cli.command {
        Command::Serve => serve::run(context),
        Command::Admin(command) => admin::run(context, &command),
        Command::User(command) => user::run(context, command),
        Command::Key(command) => key::run(context, command),
        Command::Service(command) => service::run(context, command),
        Command::Config(command) => config::run(&context, &command),
        Command::Healthcheck => healthcheck::run(&context),
    }
}

/// The permit of whoever has a shell here; the audit names the login.
fn operator() -> Permit {
    let name = ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    let name: String = name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    policy::operator(&name.chars().filter(|c| !c.is_control()).take(64).collect::<String>())
}
