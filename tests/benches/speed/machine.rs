//! The machine, as far as figures depend on it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

const TMPFS: i64 = 0x0102_1994;

/// Of one run: everything that the table says beside its figures.
pub fn describe(folder: &Path) -> Vec<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        format!("{cores} cores, {}", model.map_or("unknown", |(_, model)| model)),
        format!("Linux {}", kernel.trim()),
        format!("4 KiB appended and synced: median {:.3} ms", fsync_ms(folder)),
    ]
}

/// The folder must be on a disk, with so much room.
pub fn check(folder: &Path, needed: u64) {
    let stat = rustix::fs::statfs(folder).unwrap();
    assert!(stat.f_type != TMPFS, "{} is in memory: choose a disk with --dir", folder.display());
    let stat = rustix::fs::statvfs(folder).unwrap();
    let free = stat.f_bavail * stat.f_frsize;
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let what = folder.display();
    assert!(free >= needed, "{what} has {} MiB free and {} MiB are needed: --dir, --many", mib(free), mib(needed));
}

/// Reads a file once, so that it is in memory as far as there is room.
pub fn warm(path: &Path) {
    io::copy(&mut File::open(path).unwrap(), &mut io::sink()).unwrap();
}

fn fsync_ms(folder: &Path) -> f64 {
    let path = folder.join("fsync");
    let file = File::create(&path).unwrap();
    let mut times: Vec<_> = (0..400)
        .map(|turn| {
            let began = Instant::now();
            file.write_all_at(&[1; 4096], turn * 4096).unwrap();
            file.sync_data().unwrap();
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    fs::remove_file(path).unwrap();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
