//! Whether there is something to restore.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Patient, Said, failed, good, of_error, skipped, warning};
use crate::actions;
use crate::backups::pace_of;
use crate::domain::time::Timestamp;
use crate::store::{self, Pace};

/// A day and a half: one that failed in the night is told of before the next.
const OLDEST_SECONDS: i64 = 36 * 3600;

const MAKE_ONE: &str = "panel backup, and look at the log for why the daily one failed: journalctl -u panel";

pub fn schedule(patient: &Patient<'_>) -> Said {
    match patient.config.backup.daily_at {
        Some(_) => good("every day"),
        None => warning("no backup is made by the clock", "Set backup.daily_at, or call panel backup from a timer."),
    }
}

pub fn folder(patient: &Patient<'_>) -> Said {
    let folder = patient.config.backup_folder();
    match fs::metadata(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && fs::symlink_metadata(&folder).is_err() => {
            good("it is made with the first backup")
        }
        Err(error) => failed(format!("{} cannot be used: {error}", folder.display()), "Set backup.folder."),
        Ok(metadata) if !metadata.is_dir() => {
            failed(format!("{} is not a folder", folder.display()), "Move it away, or set backup.folder.")
        }
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            failed(format!("others may look into {}", folder.display()), format!("chmod 700 {}", folder.display()))
        }
        Ok(_) => match rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK) {
            Ok(()) => good(folder.display().to_string()),
            Err(error) => {
                failed(format!("{} cannot be written: {error}", folder.display()), "Check its owner and disk.")
            }
        },
    }
}

pub fn age(patient: &Patient<'_>) -> Said {
    patient.ask(|look| {
        let newest = look.read(|tx| actions::backups::verified_age(tx, patient.now))?;
        let made = look.read(store::users::oldest)?;
        let since_made = patient.now.millis().saturating_sub(made.millis()) / Timestamp::SECOND;
        let age = newest.map_or(since_made, |age| i64::try_from(age).unwrap_or(i64::MAX));
        Ok(match (newest, age > OLDEST_SECONDS) {
            (Some(_), true) => failed(format!("the newest that is whole is {} hours old", age / 3600), MAKE_ONE),
            (None, true) => failed("there is none that is known to be whole", MAKE_ONE),
            (Some(_), false) => good(format!("{} hours", age / 3600)),
            (None, false) => good("none yet; the database is young"),
        })
    })
}

pub fn newest_file(patient: &Patient<'_>) -> Said {
    patient.ask_slowly(|look| {
        let Some(newest) = look.read(|tx| actions::backups::list(tx, 1))?.pop() else {
            return Ok(skipped("there is no backup"));
        };
        if !Path::new(&newest.path).exists() {
            return Ok(failed(
                format!("{} is not there any more", newest.path),
                "panel backup, and see who deletes them",
            ));
        }
        Ok(match store::seal_of(Path::new(&newest.path), &mut Pace::new(pace_of(patient.config))) {
            Ok(_) => good(format!("{} is as it was made", newest.path)),
            Err(error) => of_error(&error),
        })
    })
}

/// A thief of the backups must not get the key with them.
pub fn without_key(patient: &Patient<'_>) -> Said {
    let Ok(entries) = fs::read_dir(patient.config.backup_folder()) else { return good("there is no backup folder") };
    let own = fs::canonicalize(store::key_file_path(&patient.config.database.path)).ok();
    // A named pipe would be waited for.
    for path in
        entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())).map(|entry| entry.path())
    {
        let mut head = [0; 12];
        let is_key = fs::File::open(&path).and_then(|mut file| file.read_exact(&mut head)).is_ok();
        if is_key && head == *b"panel-key-v1" {
            let what = format!("{} is a key file: whoever gets the backups can open every password", path.display());
            let fix = match fs::canonicalize(&path).ok() == own {
                true => "Leave it, the panel needs it there: set backup.folder to a folder of its own.".to_owned(),
                false => {
                    "Move it to where the backups are not, or keep only its export (panel keyfile export).".to_owned()
                }
            };
            return failed(what, fix);
        }
    }
    good("no key file lies beside the backups")
}
