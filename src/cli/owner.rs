//! Run as root on a file of another owner, a command becomes that owner first: otherwise it would leave files behind that
//! the server cannot open.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::output::{Failure, Outcome};
use crate::store;

pub fn become_owner(database: &Path) -> Outcome {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // Before there is a file, its folder tells whose it will be.
    let folder = store::folder_of(database);
    let Ok(file) = std::fs::metadata(database).or_else(|_| std::fs::metadata(&folder)) else { return Ok(()) };
    if file.uid() == 0 {
        return Ok(());
    }
    let failed = |cause: std::io::Error| {
        let remedy = format!("Run it as the owner of {} (uid {}).", database.display(), file.uid());
        Failure::new(format!("cannot go on as the owner of the database: {cause}"), remedy)
    };
    let program = std::env::current_exe().map_err(failed)?;
    let mut again = Command::new(program);
    again.args(std::env::args_os().skip(1)).uid(file.uid()).gid(file.gid());
    // exec gives back only a failure.
    Err(failed(again.exec()))
}
