//! File systems of a test's own: small, full, read-only. The test runs itself again in a mount namespace
//! where it may mount; nothing of it is seen outside, and it goes with the process.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::home::Home;

/// Set in the process that may mount.
const INSIDE: &str = "PANEL_TEST_MAY_MOUNT";

/// How a process is given the right to mount: as anybody, or as root where the system keeps that from others.
const WAYS: [&[&str]; 2] = [&["--user", "--map-root-user", "--mount"], &["--mount"]];

/// Runs a test, named by its path in this binary, where it may mount. A machine that lets nobody do so skips it, and says
/// that past the test runner, which hides what a test prints.
#[track_caller]
pub fn where_one_may_mount(test: &str, body: impl FnOnce()) {
    static WAY: OnceLock<Option<&[&str]>> = OnceLock::new();
    let way = || *WAY.get_or_init(|| way("mount -t tmpfs -o size=64k none /mnt"));
    inside(test, way, "this machine allows no mount (unshare --user --mount)", body);
}

/// Runs a test once more in a process that may mount in this way.
pub fn inside(test: &str, way: impl FnOnce() -> Option<&'static [&'static str]>, why_not: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let Some(way) = way() else {
        let line = format!("SKIPPED, nothing was shown: {test}: {why_not}\n");
        return std::io::stderr().write_all(line.as_bytes()).unwrap();
    };
    // What is mounted inside keeps its folder from being removed there.
    let folders = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(way).arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    command.env(INSIDE, "1").env("TMPDIR", folders.path());
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    // What it measured, where that is asked for.
    for line in said.lines().filter(|line| line.starts_with("figures: ")) {
        std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    // A name that is misspelt would run nothing, and that successfully.
    assert!(said.contains("test result: ok. 1 passed"), "{said}");
}

/// The first way in which this can be mounted.
pub fn way(mount: &str) -> Option<&'static [&'static str]> {
    let works = |way: &&&[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let tried = Command::new("unshare").args(**way).args(["sh", "-c", mount]).current_dir(&folder).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    WAYS.iter().find(works).copied()
}

pub fn mount(arguments: &[&str]) {
    ran("mount", arguments);
}

pub fn ran(program: &str, arguments: &[&str]) {
    let ran = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(ran.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

impl Home {
    /// A home on a file system of its own of so many KiB.
    pub fn of_kilobytes(size: u64) -> Self {
        let home = Self::new();
        mount(&["-t", "tmpfs", "-o", &format!("size={size}k,mode=0700"), "none", text(home.folder())]);
        home
    }

    /// From now on nothing can be written there; nobody may have a file open for it.
    pub fn make_read_only(&self) {
        mount(&["-o", "remount,bind,ro", text(self.folder())]);
    }

    /// Takes the free space but for so many KiB, until what is returned is dropped.
    pub fn fill(&self, but_kilobytes: u64) -> Filler {
        let filler = Filler(self.path("filler"));
        let mut file = File::create(&filler.0).unwrap();
        let block = [0_u8; 4096];
        while file.write_all(&block).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(but_kilobytes * 1024)).unwrap();
        filler
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What takes the space.
#[derive(Debug)]
pub struct Filler(PathBuf);

impl Filler {
    /// Takes what has become free meanwhile.
    pub fn take_the_rest(&self) {
        let mut file = fs::OpenOptions::new().append(true).open(&self.0).unwrap();
        for size in [4096, 512, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}
