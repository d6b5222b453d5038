//! The operator's door: one file for each verb, over the same actions as the network's. Never: SQL, envelopes.

mod admin;
mod backup;
mod bench;
mod config;
mod definitions;
mod doctor;
mod healthcheck;
mod integration;
mod key;
mod keyfile;
mod licenses;
mod migrate;
mod nas;
mod openapi;
mod output;
mod owner;
mod package;
mod reseller;
mod restore;
mod serve;
mod service;
pub mod subscriber;
mod user;
pub mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::app::{App, Clock};
use crate::config::Config;
use crate::domain::policy::{self, Permit};

use output::Output;
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
    /// The effective settings.
    #[command(subcommand)]
    Config(config::Command),
    /// Ask the running server how it is; exit 0 means healthy.
    Healthcheck,
    /// Measure this box: reads and durable creates a second, and what the disk takes for a commit.
    Bench(bench::Bench),
    /// The key that seals passwords.
    #[command(subcommand)]
    Keyfile(keyfile::Command),
    /// Copy the database to one file while it is in use, and see that the copy is whole.
    Backup(backup::Backup),
    /// Put a backup in the place of the database, which is kept beside it; the panel must not run.
    Restore(restore::Restore),
    /// Look for what is wrong with this installation; each finding comes with what mends it. Exit 1 when a check fails.
    Doctor(doctor::Doctor),
    /// Bring the database to this version's schema, as serve does at its start; an older one is backed up first.
    Migrate,
    #[command(flatten)]
    Plain(Plain),
    #[command(flatten)]
    OnApp(OnApp),
}

/// Commands that need neither settings nor a database.
#[derive(Debug, Subcommand)]
enum Plain {
    /// What other systems need to work with this panel.
    #[command(subcommand)]
    Integration(integration::Command),
    /// Print the interface description (OpenAPI 3.1) that the server answers at /openapi.json.
    Openapi,
    /// Completions for a shell, on standard output.
    Completions { shell: definitions::For },
    /// The manual page, on standard output: panel man | man -l -
    Man,
    /// The licence of panel and of everything that is linked into it.
    Licenses,
}

/// Commands that work on the database, beside a running server or without one.
#[derive(Debug, Subcommand)]
enum OnApp {
    /// The administrator.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Who logs in.
    #[command(subcommand)]
    User(user::Command),
    /// Limits and flags that accounts inherit.
    #[command(subcommand)]
    Package(package::Command),
    /// Ceilings of resellers, and what they may grant.
    #[command(subcommand)]
    Reseller(reseller::Command),
    /// API keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Plans that subscribers buy.
    #[command(subcommand)]
    Service(service::Command),
    /// Routers that authenticate subscribers.
    #[command(subcommand)]
    Nas(nas::Command),
    /// The ISP's customers.
    #[command(subcommand)]
    Subscriber(subscriber::Command),
}

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

/// A core file would hold the key file's key and passwords, also where no unit of systemd forbids it. What the kernel does
/// not allow is done without.
fn leave_no_core_file() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // Programs that take core dumps through a pipe ignore that limit: they get the registers and no memory.
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
}

fn run(cli: Cli) -> Outcome {
    leave_no_core_file();
    let output = Output { json: cli.json, yes: cli.yes };
    // A wrong setting must not keep anybody from the manual.
    if let Command::Plain(command) = cli.command {
        return plain(output, &command);
    }
    let loaded = match (crate::config::load(cli.config.as_deref()), &cli.command) {
        (Ok(loaded), _) => loaded,
        (Err(error), Command::Doctor(_)) => return doctor::refused(output, &error.to_string()),
        (Err(error), _) => return Err(Failure::sentences(&error.to_string())),
    };
    match cli.command {
        Command::Plain(command) => plain(output, &command),
        Command::Serve => serve::run(loaded.config, loaded.file),
        Command::Config(command) => config::run(output, &loaded.settings, &command),
        Command::Healthcheck => healthcheck::run(&loaded.config),
        Command::Bench(bench) => bench::run(loaded.config, output, bench),
        Command::Keyfile(keyfile::Command::Export { passphrase_stdin }) => {
            keyfile::export(&open(loaded.config)?, passphrase_stdin)
        }
        Command::Keyfile(keyfile::Command::Import { file, .. }) => {
            owner::become_owner(&loaded.config.database.path)?;
            keyfile::import(&loaded.config, &file)
        }
        Command::Backup(command) => backup::run(loaded.config, output, command),
        Command::Restore(command) => restore::run(&loaded.config, output, &command),
        Command::Doctor(command) => doctor::run(&loaded, output, &command),
        Command::Migrate => migrate::run(&open(loaded.config)?, output),
        Command::OnApp(command) => on_app(&open(loaded.config)?, output, command),
    }
}

fn open(config: Config) -> Result<App, Failure> {
    owner::become_owner(&config.database.path)?;
    App::open(config, Clock::default()).map_err(|error| Failure::sentences(&error.to_string()))
}

fn plain(output: Output, command: &Plain) -> Outcome {
    match command {
        Plain::Integration(command) => integration::run(output, command),
        Plain::Completions { shell } => definitions::completions(*shell),
        Plain::Openapi => openapi::run(),
        Plain::Man => definitions::man(),
        Plain::Licenses => licenses::run(output),
    }
}

fn on_app(app: &App, output: Output, command: OnApp) -> Outcome {
    match command {
        OnApp::Admin(command) => admin::run(app, output, &command),
        OnApp::User(command) => user::run(app, output, command),
        OnApp::Package(command) => package::run(app, output, command),
        OnApp::Reseller(command) => reseller::run(app, output, command),
        OnApp::Key(command) => key::run(app, output, command),
        OnApp::Service(command) => service::run(app, output, command),
        OnApp::Nas(command) => nas::run(app, output, command),
        OnApp::Subscriber(command) => subscriber::run(app, output, command),
    }
}

/// Carries out one command line, such as a refusal's `fix`, on an application that is open already.
pub fn carry_out(app: &App, line: &str) -> Outcome {
    let wrong = |why: String| Failure::new(why, "panel --help says what there is.");
    match Cli::try_parse_from(line.split(' ')).map_err(|error| wrong(error.to_string()))?.command {
        Command::OnApp(command) => on_app(app, Output { json: true, yes: true }, command),
        Command::Serve
        | Command::Config(_)
        | Command::Healthcheck
        | Command::Bench(_)
        | Command::Keyfile(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Doctor(_)
        | Command::Migrate
        | Command::Plain(_) => Err(wrong("not a command on an open database".to_owned())),
    }
}

/// The permit of whoever has a shell here; the audit names the login.
fn operator() -> Permit {
    let name = ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    let name: String = name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    policy::operator(&name.chars().filter(|c| !c.is_control()).take(64).collect::<String>())
}
