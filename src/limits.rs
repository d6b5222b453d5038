//! The counts of the keys' limits, shared by the door, which takes from them, and the jobs, which store them. Looking takes
//! nothing; taking and judging are one step, so that two workers cannot both take the last request.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::keys::KeyId;
use crate::domain::limits::{Count, PERIODS, of_key, start_of, windows};
use crate::domain::policy::{KeyFacts, Window};
use crate::domain::time::Timestamp;

#[derive(Debug)]
pub struct KeyLimits {
    /// Requests a minute of a key that has no limit of its own; 0: none.
    default_per_minute: AtomicU32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    of_key: HashMap<KeyId, [Count; 3]>,
    /// Keys with a limit by hour or day whose counts are not stored yet.
    changed: HashSet<KeyId>,
}

impl KeyLimits {
    pub fn new(default_per_minute: u32) -> Self {
        Self { default_per_minute: AtomicU32::new(default_per_minute), counts: Mutex::default() }
    }

    /// What was counted stays.
    pub fn set_default(&self, per_minute: u32) {
        self.default_per_minute.store(per_minute, Ordering::Relaxed);
    }

    fn of_key(&self, key: &KeyFacts) -> [u32; 3] {
        of_key(key, self.default_per_minute.load(Ordering::Relaxed))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what was stored before a restart.
    pub fn restore(&self, stored: impl IntoIterator<Item = (KeyId, [Count; 3])>) {
        self.counts().of_key.extend(stored);
    }

    /// The key's windows as they stand.
    pub fn peek(&self, key: &KeyFacts, now: Timestamp) -> Vec<Window> {
        let limits = self.of_key(key);
        if limits == [0; 3] {
            return Vec::new();
        }
        let counts = self.counts().of_key.get(&key.id).copied().unwrap_or_default();
        windows(limits, counts, now)
    }

    /// Counts one request, unless a window is full. Gives the windows as they stand after it.
    pub fn take(&self, key: &KeyFacts, now: Timestamp) -> Result<Vec<Window>, Vec<Window>> {
        let limits = self.of_key(key);
        if limits == [0; 3] {
            return Ok(Vec::new());
        }
        let mut all = self.counts();
        let counts = all.of_key.entry(key.id).or_default();
        let before = windows(limits, *counts, now);
        if before.iter().any(|window| window.left() == 0) {
            return Err(before);
        }
        for (count, (_, length)) in counts.iter_mut().zip(PERIODS) {
            *count = count.plus_one(now, length);
        }
        let after = windows(limits, *counts, now);
        if limits[1] > 0 || limits[2] > 0 {
            all.changed.insert(key.id);
        }
        Ok(after)
    }

    /// Hands over the counts that changed since the last time.
    pub fn take_changed(&self) -> Vec<(KeyId, [Count; 3])> {
        let mut all = self.counts();
        let changed = std::mem::take(&mut all.changed);
        changed.into_iter().filter_map(|id| all.of_key.get(&id).map(|counts| (id, *counts))).collect()
    }

    /// What was handed over could not be stored.
    pub fn mark_changed(&self, keys: impl IntoIterator<Item = KeyId>) {
        self.counts().changed.extend(keys);
    }

    /// Forgets keys whose day is over: what is kept is bounded by the keys used in a day.
    pub fn forget_idle(&self, now: Timestamp) {
        let today = start_of(now, Timestamp::DAY);
        let mut all = self.counts();
        all.of_key.retain(|_, counts| counts[2].start >= today);
        all.of_key.shrink_to_fit();
    }
}
