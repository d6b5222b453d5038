//! Files, folders and the disk.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Patient, Said, failed, good, of_error, skipped, warning};
use crate::domain::backups::{PART, RESEALED, replaced_prefix};
use crate::domain::text::size;
use crate::domain::time::Timestamp;
use crate::store::{self, Look, SchemaFile, request_logs};

/// Above this the log was not cut back for long: something holds an old snapshot.
const WAL_AT_MOST: u64 = 256 * 1024 * 1024;

/// Below this the engine may not be able to make its journal and lock files.
const INODES_AT_LEAST: u64 = 100;

/// What must be free beside what a backup takes.
const ROOM: u64 = 256 * 1024 * 1024;

pub fn database_file(patient: &Patient<'_>) -> Said {
    let path = &patient.config.database.path;
    if !path.exists() {
        let what = format!("{} is not there", path.display());
        return failed(what, "Set database.path, restore a backup (panel restore FILE), or start anew: panel serve");
    }
    match &patient.look {
        Ok(look) if look.version.is_none() => failed(format!("{} is empty", path.display()), "panel migrate"),
        Ok(_) => good(format!("{} can be opened", path.display())),
        Err(error) => of_error(error),
    }
}

pub fn database_disk(patient: &Patient<'_>) -> Said {
    match store::refuse_network_file_system(&patient.config.database.path) {
        Ok(()) => good("a local file system"),
        Err(error) => of_error(&error),
    }
}

/// The files of a database that are there.
fn files_of(path: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for main in [path.to_owned(), store::logs_path(path)] {
        for suffix in ["", "-wal", "-shm"] {
            all.push(store::with_suffix(&main, suffix));
        }
    }
    all.retain(|path| path.exists());
    all
}

pub fn database_rights(patient: &Patient<'_>) -> Said {
    let files = files_of(&patient.config.database.path);
    let owner = rustix::process::geteuid().as_raw();
    for path in &files {
        let Ok(metadata) = fs::metadata(path) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let what = format!("{} has mode {mode:04o}: others can read customers' data", path.display());
            return failed(what, format!("chmod 600 {}", path.display()));
        }
        if metadata.uid() != owner {
            let what = format!("{} belongs to uid {}, the others to uid {owner}", path.display(), metadata.uid());
            return failed(what, format!("chown {owner} {}", path.display()));
        }
    }
    match files.is_empty() {
        true => skipped("there is no file"),
        false => good(format!("{} files of one owner, for nobody else", files.len())),
    }
}

pub fn folder_rights(patient: &Patient<'_>) -> Said {
    let folder = &patient.folder;
    match fs::metadata(folder) {
        Ok(metadata) if metadata.permissions().mode() & 0o022 != 0 => {
            let what = format!("others may write in {}: they can replace the database", folder.display());
            failed(what, format!("chmod go-w {}", folder.display()))
        }
        Ok(_) => good(format!("only its owner writes in {}", folder.display())),
        Err(error) => unreadable(folder, &error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Said {
    failed(format!("{} cannot be read: {error}", path.display()), "Check its rights and its disk.")
}

/// Enough for a backup and for its rehearsal, which is beside the database.
pub fn disk_space(patient: &Patient<'_>) -> Said {
    let database = fs::metadata(&patient.config.database.path).map_or(0, |file| file.len());
    // What the first backup will make is on the disk of the folder above.
    let backups = patient.config.backup_folder();
    let backups = backups.ancestors().find(|folder| folder.is_dir()).unwrap_or(&patient.folder);
    let device = |folder: &Path| fs::metadata(folder).map(|metadata| metadata.dev()).ok();
    let is_one_disk = device(backups) == device(&patient.folder);
    let needs: &[(&Path, u64)] = match is_one_disk {
        true => &[(&patient.folder, 2)],
        false => &[(&patient.folder, 1), (backups, 1)],
    };
    for (folder, copies) in needs {
        let need = database.saturating_mul(*copies).saturating_add(ROOM);
        match store::free_space(folder) {
            Ok(free) if free < need => {
                return failed(
                    format!(
                        "{} is free in {}, and a backup with its check may take {}",
                        size(free),
                        folder.display(),
                        size(need)
                    ),
                    "Free some space there, lower backup.keep or logs.max_rows, or set backup.folder to another disk.",
                );
            }
            Ok(_) => {}
            Err(error) => return unreadable(folder, &error),
        }
    }
    good(format!("{} is free", size(store::free_space(&patient.folder).unwrap_or_default())))
}

pub fn inodes(patient: &Patient<'_>) -> Said {
    match store::free_inodes(&patient.folder) {
        Ok(Some(free)) if free < INODES_AT_LEAST => failed(
            format!("only {free} more files can be made"),
            "Delete files on this disk; many small ones are the cause.",
        ),
        Ok(Some(free)) => good(format!("{free} more files can be made")),
        Ok(None) => good("this file system does not count them"),
        Err(error) => unreadable(&patient.folder, &error),
    }
}

pub fn write_ahead_log(patient: &Patient<'_>) -> Said {
    let length = fs::metadata(store::wal_path(&patient.config.database.path)).map_or(0, |file| file.len());
    match length > WAL_AT_MOST {
        true => warning(
            format!("the write-ahead log has {}: something keeps it from being cut back", size(length)),
            "Look for a program that holds the database open (fuser), or restart the panel.",
        ),
        false => good(size(length)),
    }
}

/// Databases that a restore put aside, and copies that were interrupted.
pub fn leftovers(patient: &Patient<'_>) -> Said {
    let replaced = replaced_prefix(&store::stem_of(&patient.config.database.path));
    let folders = [patient.folder.clone(), patient.config.backup_folder()];
    // One folder may be both. What cannot be read is what other checks are about.
    let folders: BTreeSet<_> = folders.iter().filter_map(|folder| fs::canonicalize(folder).ok()).collect();
    let (mut paths, mut bytes) = (Vec::new(), 0_u64);
    for entry in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_part = name.starts_with('.') && name.ends_with(PART) && store::Part::is_left(&entry.path());
        if is_part || name.starts_with(&replaced) || name.ends_with(RESEALED) {
            bytes = bytes.saturating_add(entry.metadata().map_or(0, |file| file.len()));
            paths.push(entry.path().display().to_string());
        }
    }
    match paths.len() {
        0 => good("none"),
        count => warning(
            format!("{count} files of earlier restores or interrupted copies take {}", size(bytes)),
            format!("Delete them when nobody needs them: {}", paths.join(" ")),
        ),
    }
}

pub fn request_log(patient: &Patient<'_>) -> Said {
    let path = store::logs_path(&patient.config.database.path);
    if !path.exists() {
        return good("there is none yet");
    }
    let known = SchemaFile::Logs.version();
    match Look::at(&path).map_err(|error| of_error(&error)).map(|look| (look.version, look.quick_damage())) {
        Ok((Some(found), _)) if found > known => failed(
            format!("the request log has schema {found}, this version knows {known}"),
            "Install the newer panel, or move the request log away.",
        ),
        Ok((_, Ok(None))) => good("can be read"),
        Ok((_, Ok(Some(damage)))) => damaged_log(&path, &damage),
        Ok((_, Err(error))) => damaged_log(&path, &error.to_string()),
        Err(said) => said,
    }
}

fn damaged_log(path: &Path, why: &str) -> Said {
    let what = format!("{} is damaged: {why}", path.display());
    failed(what, format!("Stop the panel, move it away, and start it again: mv {0} {0}.damaged", path.display()))
}

pub fn request_log_dropped(patient: &Patient<'_>) -> Said {
    let since = patient.now.plus_millis(-Timestamp::DAY);
    match request_logs::dropped_since(&store::logs_path(&patient.config.database.path), since) {
        Ok(0) => good("none in the last day"),
        Ok(rows) => warning(
            format!("{rows} rows were dropped in the last day: the disk failed or was too slow"),
            "Look at the disk, and at panel_request_log_dropped_total in the metrics.",
        ),
        Err(_) => skipped("the request log cannot be opened"),
    }
}
