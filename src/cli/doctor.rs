//! `panel doctor`: what is wrong with this installation, and what mends it.

use clap::Args;

use super::output::{Failure, Outcome, Output, say};
use super::{healthcheck, open, operator, owner};
use crate::actions;
use crate::app::Clock;
use crate::config::{Config, Loaded};
use crate::doctor::{self, Finding, Patient, Verdict};

#[derive(Debug, Args)]
pub struct Doctor {
    /// Leave out what reads every row, page or backup.
    #[arg(long)]
    quick: bool,
    /// Make the totals that are kept beside the rows anew from the rows, then look.
    #[arg(long)]
    recount: bool,
}

pub fn run(loaded: &Loaded, output: Output, doctor: &Doctor) -> Outcome {
    owner::become_owner(&loaded.config.database.path)?;
    let file = loaded.file.as_ref().map(|path| path.display().to_string());
    let origin = file.unwrap_or_else(|| "the defaults and the environment".to_owned());
    if doctor.recount {
        recount(loaded.config.clone())?;
    }
    let server =
        healthcheck::version(&loaded.config).map_err(|failure| (failure.why().to_owned(), failure.remedy().to_owned()));
    let patient = Patient::new(&loaded.config, Clock::default().now(), doctor.quick, server);
    let mut findings = vec![doctor::good_settings(&origin)];
    findings.extend(doctor::examine(&patient));
    show(output, &findings)
}

/// Where the settings are refused there is nothing else to look at.
pub fn refused(output: Output, error: &str) -> Outcome {
    show(output, &[doctor::refused_settings(error)])
}

fn recount(config: Config) -> Outcome {
    let app = open(config)?;
    let now = app.now();
    app.db.write_blocking(move |tx| actions::system::recount(tx, &operator(), now))?;
    say("The totals were made anew from the rows.");
    Ok(())
}

fn show(output: Output, findings: &[Finding]) -> Outcome {
    output.many(&["verdict", "name", "what", "fix"], findings)?;
    let count = |verdict: Verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (bad, warnings) = (count(Verdict::Failed), count(Verdict::Warning));
    say(&format!("{} checks: {bad} failed, {warnings} warnings, {} skipped", findings.len(), count(Verdict::Skipped)));
    let first = findings.iter().find(|finding| finding.verdict == Verdict::Failed);
    match first {
        Some(Finding { name, fix, .. }) => {
            let fix = fix.clone().unwrap_or_default();
            Err(Failure::new(format!("{bad} checks failed, first of all {name}"), fix))
        }
        None => Ok(()),
    }
}
