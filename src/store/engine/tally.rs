//! What the writer counts of itself, for whoever watches: read from other threads, without ever being in its way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many jobs a group may have at most to be counted here; the last is the largest group there is.
pub const SIZES: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// A long transaction is told of for one to two of these. Not "since the last scrape": two who watch would take it from
/// each other.
const WINDOW: Duration = Duration::from_secs(300);

/// What a transaction is called that nobody named: it changed nothing, or failed before it said what it does.
const UNNAMED: &str = "(unnamed)";

/// What the commit of a group is called: the time the disk takes.
pub const COMMIT: &str = "(commit)";

/// The writer as it is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterFigures {
    /// Jobs that no group has taken up yet.
    pub waiting: u64,
    /// Transactions that are on the disk, each with the jobs of one group.
    pub commits: u64,
    /// Groups taken up, by size: the upper bound, and how many had more than the bound before and not more than this.
    pub groups: [(u64, u64); SIZES.len()],
    /// Jobs of all groups.
    pub jobs: u64,
    /// The longest job of each name in the last five to ten minutes.
    pub longest: BTreeMap<&'static str, Duration>,
}

#[derive(Debug, Default)]
pub struct Tally {
    answered: AtomicU64,
    waiting: AtomicU64,
    commits: AtomicU64,
    jobs: AtomicU64,
    groups: [AtomicU64; SIZES.len()],
    longest: Mutex<Longest>,
}

impl Tally {
    /// Before it is queued: the writer may be quicker than whoever queues.
    pub fn comes(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// It found no room in the queue.
    pub fn is_sent_away(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn takes_up(&self, jobs: usize) {
        let jobs = jobs as u64;
        self.waiting.fetch_sub(jobs, Ordering::Relaxed);
        self.jobs.fetch_add(jobs, Ordering::Relaxed);
        let at = SIZES.partition_point(|size| *size < jobs);
        if let Some(groups) = self.groups.get(at).or(self.groups.last()) {
            groups.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn ran(&self, name: Option<&'static str>, took: Duration) {
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        longest.note(name.unwrap_or(UNNAMED), took, Instant::now());
    }

    pub fn committed(&self, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.ran(Some(COMMIT), took);
    }

    /// Before the answers of a group leave, so that whoever has one finds it counted.
    pub fn answers(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Groups answered since the start, those that failed too: tells a writer that works from one that hangs.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub fn figures(&self) -> WriterFigures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut groups = SIZES.map(|size| (size, 0));
        for (group, counter) in groups.iter_mut().zip(&self.groups) {
            group.1 = of(counter);
        }
        let longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner).told(Instant::now());
        WriterFigures { waiting: of(&self.waiting), commits: of(&self.commits), groups, jobs: of(&self.jobs), longest }
    }
}

/// The longest by name, in this window and the one before.
#[derive(Debug)]
struct Longest {
    began: Instant,
    now: BTreeMap<&'static str, Duration>,
    before: BTreeMap<&'static str, Duration>,
}

impl Default for Longest {
    fn default() -> Self {
        Self { began: Instant::now(), now: BTreeMap::new(), before: BTreeMap::new() }
    }
}

impl Longest {
    fn note(&mut self, name: &'static str, took: Duration, at: Instant) {
        self.turn(at);
        let longest = self.now.entry(name).or_default();
        *longest = took.max(*longest);
    }

    fn told(&mut self, at: Instant) -> BTreeMap<&'static str, Duration> {
        self.turn(at);
        let mut told = self.before.clone();
        for (name, took) in &self.now {
            let longest = told.entry(name).or_default();
            *longest = (*took).max(*longest);
        }
        told
    }

    fn turn(&mut self, at: Instant) {
        let age = at.saturating_duration_since(self.began);
        if age < WINDOW {
            return;
        }
        self.before = std::mem::take(&mut self.now);
        if age >= WINDOW * 2 {
            self.before.clear();
        }
        self.began = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_told_for_at_least_one_window_and_at_most_two() {
        let mut longest = Longest::default();
        let began = longest.began;
        let after = |windows: f64| began + WINDOW.mul_f64(windows);
        longest.note("a", Duration::from_millis(9), after(0.5));
        longest.note("a", Duration::from_millis(3), after(0.6));
        assert_eq!(longest.told(after(0.9)), [("a", Duration::from_millis(9))].into());
        longest.note("a", Duration::from_millis(1), after(1.1));
        longest.note("b", Duration::from_millis(2), after(1.2));
        assert_eq!(longest.told(after(1.9)), [("a", Duration::from_millis(9)), ("b", Duration::from_millis(2))].into());
        assert_eq!(longest.told(after(2.2)), [("a", Duration::from_millis(1)), ("b", Duration::from_millis(2))].into());
        assert_eq!(longest.told(after(9.0)), BTreeMap::new());
    }

    #[test]
    fn a_group_is_counted_under_the_first_size_that_holds_it() {
        let tally = Tally::default();
        for jobs in [1, 2, 3, 4, 5, 256] {
            for _ in 0..jobs {
                tally.comes();
            }
            tally.takes_up(jobs);
            tally.answers();
        }
        let figures = tally.figures();
        assert_eq!(figures.groups, [(1, 1), (2, 1), (4, 2), (8, 1), (16, 0), (32, 0), (64, 0), (128, 0), (256, 1)]);
        assert_eq!((figures.jobs, figures.waiting, tally.answered()), (271, 0, 6));
    }
}
