//! How many connections there may be: each is a file descriptor, and the database, its backups and the log need some too.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for everything else: the database's readers, the metrics' connections, files that are opened for a moment.
const RESERVED: u64 = 512;

/// More than this for one worker is no load that two processors serve.
const MOST: u64 = 25_000;

/// Takes as many descriptors as the system lets this process have: the usual 1024 is a bound for programs that use select(2).
/// Where that is forbidden, what there is must do.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// The most connections of one worker. Beyond them new callers wait in the system's queue until another goes; nothing fails
/// for want of a descriptor.
pub fn connections(workers: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    share(limit, u64::try_from(workers).unwrap_or(u64::MAX))
}

fn share(limit: u64, workers: u64) -> usize {
    let all = limit.saturating_sub(RESERVED).max(limit / 2);
    let each = (all / workers.max(1)).clamp(1, MOST);
    usize::try_from(each).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn some_descriptors_are_left_for_everything_else() {
        for (limit, workers, each) in [
            (65_536, 2, 25_000),
            (20_000, 2, 9_744),
            (1_024, 2, 256),
            (256, 1, 128),
            (64, 128, 1),
            (u64::MAX, 0, 25_000),
        ] {
            assert_eq!(share(limit, workers), each, "{limit} for {workers}");
        }
    }
}
