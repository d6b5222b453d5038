//! Disks of a test's own, whose power can be cut.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::home::Home;
use crate::mounts::{inside, mount, ran, text, way};

/// A file as a disk, which only root may mount.
const XFS: &str = "truncate -s 300M disk && mkfs.xfs -q disk && mkdir on && mount -o loop disk on";

/// Runs a test, named by its path in this binary, where it may mount disks.
#[track_caller]
pub fn where_one_may_mount_disks(test: &str, body: impl FnOnce()) {
    static WAY: OnceLock<Option<&[&str]>> = OnceLock::new();
    inside(test, || *WAY.get_or_init(|| way(XFS)), "needs root, loop devices, XFS and xfsprogs", body);
}

/// One with XFS, in a file beside the folder it is mounted on.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    mounted_on: PathBuf,
}

impl Disk {
    /// A new one, under the home's folder.
    pub fn under(home: &Home) -> Self {
        let image = home.folder().with_extension("disk");
        File::create(&image).unwrap().set_len(300 << 20).unwrap();
        ran("mkfs.xfs", &["-q", text(&image)]);
        let disk = Self { image, mounted_on: home.folder().to_owned() };
        disk.mount();
        disk
    }

    fn mount(&self) {
        mount(&["-o", "loop", text(&self.image), text(&self.mounted_on)]);
    }

    /// From this moment nothing reaches the disk any more; what was not synced is gone.
    pub fn cut_power(&self) {
        ran("xfs_io", &["-x", "-c", "shutdown", text(&self.mounted_on)]);
    }

    /// The power is back. Nobody may have a file open there.
    pub fn restore_power(&self) {
        ran("umount", &[text(&self.mounted_on)]);
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.mounted_on).output();
        let _ = fs::remove_file(&self.image);
    }
}
