//! `panel integration …`: writes out what other systems need to work with the panel.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::output::{Failure, Outcome, Output, print, say};
use crate::integrations::whmcs;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the provisioning modules for WHMCS out.
    Whmcs {
        /// The root of WHMCS, or any folder; they come below modules/servers/.
        dir: PathBuf,
    },
}

pub fn run(output: Output, command: &Command) -> Outcome {
    let Command::Whmcs { dir } = command;
    write_out(output, dir, whmcs::FILES)?;
    say(
        "In WHMCS: System Settings, Servers, Add New Server, choose a module that begins with Panel, then Test Connection.",
    );
    Ok(())
}

fn write_out(output: Output, dir: &Path, files: &[(&str, &str)]) -> Outcome {
    let (mut wanted, mut differing) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let path = dir.join(name);
        match fs::read(&path) {
            Ok(is) if is == content.as_bytes() => continue,
            Ok(_) => differing.push(path.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot("read", &path, &error)),
        }
        wanted.push((path, *content));
    }
    if let Some(first) = differing.first() {
        // Somebody may have changed them by hand, and nothing keeps the old ones.
        if !output.yes && !io::stdin().is_terminal() {
            let why = format!("files that differ: {}, such as {first}", differing.len());
            return Err(Failure::new(why, "Nothing was written. --yes replaces them."));
        }
        output.confirm(&format!("Replace {} files, such as {first}?", differing.len()))?;
    }
    for (path, content) in &wanted {
        write(path, content).map_err(|error| cannot("written", path, &error))?;
    }
    say(&format!("{} files written, {} were there already", wanted.len(), files.len() - wanted.len()));
    let paths: Vec<String> = wanted.iter().map(|(path, _)| path.display().to_string()).collect();
    if output.json {
        return print(&serde_json::to_string_pretty(&paths).unwrap_or_default());
    }
    if paths.is_empty() { Ok(()) } else { print(&paths.join("\n")) }
}

/// By way of a neighbour: WHMCS may load the file at this moment.
fn write(path: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = path.with_extension("part");
    fs::write(&part, content)?;
    fs::rename(&part, path)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{} cannot be {what}: {error}", path.display()), "Check its rights, or name another folder.")
}
