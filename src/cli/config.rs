//! `panel config check|show`.

use clap::Subcommand;
use serde_json::json;

use super::output::{Outcome, Output, print};
use crate::config::Setting;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read all settings and say whether the server would start with them.
    Check,
    /// Print every effective setting and where it came from.
    Show,
}

/// The settings were read before any command runs, so reaching this is the check.
pub fn run(output: Output, settings: &[Setting], command: &Command) -> Outcome {
    match command {
        Command::Check if output.json => print(&json!({"ok": true}).to_string()),
        Command::Check => print("The settings are good."),
        Command::Show if output.json => print(&serde_json::to_string_pretty(settings).unwrap_or_default()),
        Command::Show => print(&settings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}
