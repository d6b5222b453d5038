//! A folder of our own that is gone when it is dropped, whatever happened in between.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::cli::output::{Failure, say};
use crate::crypto::random;
use crate::domain::encoding::hex;

/// Something may still be closing its files.
const TRIES: usize = 3;

#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes it below this folder, for its owner only.
    pub fn make(below: &Path, needed_bytes: u64) -> Result<Self, Failure> {
        let free = free_bytes(below).map_err(|error| unusable(below, &error))?;
        if free < needed_bytes {
            let mib = |bytes: u64| bytes / (1024 * 1024);
            let why = format!(
                "{} has {} MiB free, and the bench may need {} MiB",
                below.display(),
                mib(free),
                mib(needed_bytes)
            );
            return Err(Failure::new(why, "Choose another disk with --dir, or fewer --seconds or --subscribers."));
        }
        let path = below.join(format!("panel-bench-{}", hex(&random::bytes::<8>()?)));
        DirBuilder::new().mode(0o700).create(&path).map_err(|error| unusable(below, &error))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = (0..TRIES).find_map(|_| fs::remove_dir_all(&self.0).ok());
        if removed.is_none() && self.0.exists() {
            say(&format!("The folder {} could not be removed; delete it.", self.0.display()));
        }
    }
}

/// What somebody without privileges may still fill.
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn unusable(folder: &Path, error: &io::Error) -> Failure {
    Failure::new(
        format!("no folder can be made in {}: {error}", folder.display()),
        "Choose a folder that this user may write with --dir.",
    )
}
