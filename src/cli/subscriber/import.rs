//! `panel subscriber import`: checks the whole file, says all that is wrong with it, and only then writes.

use std::path::Path;

use serde_json::json;

use super::sheet::{Numbered, Reader};
use crate::actions::subscribers::import::{self, Check, Counts, MOST_ROWS, Step};
use crate::app::App;
use crate::cli::operator;
use crate::cli::output::{Failure, Outcome, Output, say};
use crate::domain::error::AppError;
use crate::store::WriteTx;

/// Problems that are shown; the rest is counted.
const SHOWN: usize = 100;

pub fn run(app: &App, output: Output, file: &Path, dry_run: bool) -> Outcome {
    let (counts, steps) = checked(app, file)?;
    say(&format!("{} new, {} changed, {} unchanged", counts.new, counts.changed, counts.unchanged));
    if counts.random_passwords > 0 {
        say(&format!("{} new ones without a password get a random one", counts.random_passwords));
    }
    if counts.to_write() > MOST_ROWS {
        let why = format!("{} rows would be written, and one import writes at most {MOST_ROWS}", counts.to_write());
        return Err(Failure::new(why, "Nothing was written. Split the file."));
    }
    if !dry_run && counts.to_write() > 0 {
        output.confirm(&format!("Write {} subscribers?", counts.to_write()))?;
        let (now, today) = (app.now(), app.today());
        app.db.write_blocking(move |tx: &WriteTx<'_>| import::write(tx, &operator(), &steps, now, today))?;
    }
    say(if dry_run { "Nothing was written." } else { "Done." });
    if output.json {
        let row = json!({
            "new": counts.new, "changed": counts.changed, "unchanged": counts.unchanged,
            "random_passwords": counts.random_passwords, "dry_run": dry_run,
        });
        return output.one(&row);
    }
    Ok(())
}

fn checked(app: &App, file: &Path) -> Result<(Counts, Vec<Step>), Failure> {
    let mut sheet = Reader::open(file)?;
    let permit = operator();
    let (mut wrong, mut shown) = (0_usize, 0_usize);
    let checked = app.db.read_slowly(|tx| {
        let mut check = Check::begin(tx, &permit, &app.sealer, app.now(), app.today())?;
        loop {
            let Numbered { number, line } = match sheet.read() {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(Ok((check.counts, check.steps))),
                Err(failure) => return Ok(Err(failure)),
            };
            let problems = match line {
                Ok(line) => check.line(tx, &line)?,
                Err(problem) => vec![problem],
            };
            wrong += usize::from(!problems.is_empty());
            for problem in problems.iter().take(SHOWN - shown) {
                shown += 1;
                say(&format!("line {number}: {problem}"));
            }
        }
    });
    let checked = checked.map_err(|error: AppError| Failure::from(error))??;
    match wrong {
        0 => Ok(checked),
        _ => Err(Failure::new(
            format!("{wrong} lines are wrong{}", if shown == SHOWN { ", the first problems are above" } else { "" }),
            "Nothing was written. Correct the file and run it again.",
        )),
    }
}
