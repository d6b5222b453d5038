//! `panel completions` and `panel man`: what shells and readers get of the command line's own definitions.

use std::io::{self, Write};

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::Cli;
use super::output::{Failure, Outcome};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum For {
    Bash,
    Zsh,
    Fish,
}

pub fn completions(shell: For) -> Outcome {
    let shell = match shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "panel", &mut script);
    write(&script)
}

/// One page: the program, then each command with its options.
pub fn man() -> Outcome {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(|error| unwritable(&error))?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        section(sub, &mut page).map_err(|error| unwritable(&error))?;
    }
    write(&page)
}

fn section(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let leaves = command.get_subcommands().filter(|sub| sub.get_name() != "help").count() == 0;
    if leaves {
        let man = clap_mangen::Man::new(command.clone());
        man.render_synopsis_section(page)?;
        man.render_description_section(page)?;
        return man.render_options_section(page);
    }
    command.get_subcommands().filter(|sub| sub.get_name() != "help").try_for_each(|sub| section(sub, page))
}

fn write(bytes: &[u8]) -> Outcome {
    match io::stdout().lock().write_all(bytes) {
        // A reader that has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| unwritable(&error)),
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(format!("Standard output cannot be written: {error}"), "Write it somewhere else.")
}
