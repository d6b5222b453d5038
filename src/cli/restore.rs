//! `panel restore`: puts a backup in the place of the database.

use std::path::PathBuf;

use clap::Args;

use super::output::{Failure, Outcome, Output, print, say};
use super::{operator, owner};
use crate::app::Clock;
use crate::backups::{self, Request};
use crate::config::Config;

#[derive(Debug, Args)]
pub struct Restore {
    /// What panel backup wrote.
    file: PathBuf,
    /// Take a database that was copied by other means; nothing tells whether it was altered.
    #[arg(long)]
    unsealed: bool,
}

pub fn run(config: &Config, output: Output, restore: &Restore) -> Outcome {
    let path = &config.database.path;
    owner::become_owner(path)?;
    let now = Clock::default().now();
    let request = Request { backup: &restore.file, unsealed: restore.unsealed, now };
    let there = path.exists();
    let agree = |taken_at: crate::domain::time::Timestamp| match there {
        true => output.confirm(&format!(
            "Replace {} by what it was at {}? Everybody is logged out.",
            path.display(),
            taken_at.rfc3339()
        )),
        false => Ok(()),
    };
    let restored = backups::restore::<Failure>(config, &operator(), request, agree)?;
    let settled = restored.settled;
    if let Some(why) = &restored.unread {
        say(&format!(
            "The replaced database could not be read ({why}): revoke again what was revoked since {}.",
            restored.taken_at.rfc3339()
        ));
    }
    if let Some(kept) = &restored.kept {
        say(&format!("The replaced database is kept as {}.", kept.display()));
    }
    say(&format!(
        "Carried over: {} revoked keys, {} rotated keys. Ended: {} sessions. Start the panel: systemctl start panel",
        settled.revoked, settled.rotated, settled.sessions
    ));
    if output.json {
        let shown = serde_json::json!({
            "taken_at": restored.taken_at.rfc3339(),
            "replaced": restored.kept,
            "keys_revoked": settled.revoked,
            "keys_rotated": settled.rotated,
            "sessions_ended": settled.sessions,
        });
        return print(&shown.to_string());
    }
    print(&format!("{} is what it was at {}", path.display(), restored.taken_at.rfc3339()))
}
