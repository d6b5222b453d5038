//! The key that seals passwords.

use super::{Patient, Said, failed, good, of_error, skipped};
use crate::actions::subscribers::password;
use crate::crypto::{KeyFile, KeyFileError, Sealer};
use crate::domain::policy;
use crate::store;

/// Sealed passwords opened from either end.
const SAMPLE: i64 = 100;

fn open(patient: &Patient<'_>) -> Result<KeyFile, KeyFileError> {
    KeyFile::open(store::key_file_path(&patient.config.database.path))
}

pub fn there(patient: &Patient<'_>) -> Said {
    match open(patient) {
        Ok(_) | Err(KeyFileError::ReadableByOthers { .. }) => good("it is there"),
        Err(error) => of_error(&error),
    }
}

pub fn rights(patient: &Patient<'_>) -> Said {
    match open(patient) {
        Ok(_) => good("for its owner only"),
        Err(error @ KeyFileError::ReadableByOthers { .. }) => of_error(&error),
        Err(_) => skipped("the key file cannot be used"),
    }
}

pub fn matches(patient: &Patient<'_>) -> Said {
    let Ok(key) = open(patient) else { return skipped("the key file cannot be used") };
    patient.ask(|look| {
        let check = look.read(store::meta::find_key_check)?;
        Ok(match check.is_some_and(|check| Sealer::new(&key).opens_check(&check)) {
            true => good("it is the one the database was made with"),
            false => failed(
                "it is not the one the database was made with",
                "Move it away, then put the right one there: panel keyfile import FILE --passphrase-stdin",
            ),
        })
    })
}

pub fn exported(patient: &Patient<'_>) -> Said {
    patient.ask(|look| {
        Ok(match look.read(store::meta::key_exported_at)? {
            Some(at) => good(format!("exported at {}", at.rfc3339())),
            None => failed(
                "it exists on this box only; a backup without it cannot give passwords back",
                "panel keyfile export > FILE, and keep the file and its passphrase elsewhere",
            ),
        })
    })
}

pub fn opens(patient: &Patient<'_>) -> Said {
    let Ok(key) = open(patient) else { return skipped("the key file cannot be used") };
    let sealer = Sealer::new(&key);
    patient.ask(|look| {
        let sealed = look.read(|tx| store::soundness::sealed_passwords(tx, &policy::system(), SAMPLE))?;
        let closed = sealed.iter().filter(|(uid, sealed)| password::open(&sealer, uid, sealed).is_err()).count();
        Ok(match closed {
            0 => good(format!("{} of the first and last open", sealed.len())),
            closed => failed(
                format!("{closed} of {} subscribers' passwords cannot be opened", sealed.len()),
                "If key-file-match fails, mend that; else set their passwords anew.",
            ),
        })
    })
}
