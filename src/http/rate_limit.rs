//! The limits of keys: fixed windows in UTC (contract: keys.md, Limits). Looking takes nothing; taking and judging are
//! one step, so that two workers cannot both take the last request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::keys::KeyId;
use crate::domain::policy::{KeyFacts, Window};
use crate::domain::time::Timestamp;

const PERIODS: [(&str, i64); 3] = [("minute", Timestamp::MINUTE), ("hour", Timestamp::HOUR), ("day", Timestamp::DAY)];

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// When the window began, in epoch milliseconds.
    start: i64,
    used: u32,
}

#[derive(Debug)]
pub struct KeyLimits {
    /// Requests a minute of a key that has no limit of its own; 0: none.
    default_per_minute: u32,
    counts: Mutex<HashMap<KeyId, [Count; 3]>>,
}

impl KeyLimits {
    pub fn new(default_per_minute: u32) -> Self {
        Self { default_per_minute, counts: Mutex::default() }
    }

    fn limits(&self, key: &KeyFacts) -> [u32; 3] {
        let minute = key.rate_per_minute.unwrap_or(self.default_per_minute);
        [minute, key.rate_per_hour.unwrap_or(0), key.rate_per_day.unwrap_or(0)]
    }

    /// The key's windows as they stand.
    pub fn peek(&self, key: &KeyFacts, now: Timestamp) -> Vec<Window> {
        let limits = self.limits(key);
        if limits == [0; 3] {
            return Vec::new();
        }
        let counts =
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(&key.id).copied().unwrap_or_default();
        windows(limits, counts, now)
    }

    /// Counts one request, unless a window is full. Gives the windows as they stand after it.
    pub fn take(&self, key: &KeyFacts, now: Timestamp) -> Result<Vec<Window>, Vec<Window>> {
        let limits = self.limits(key);
        if limits == [0; 3] {
            return Ok(Vec::new());
        }
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = all.entry(key.id).or_default();
        let before = windows(limits, *counts, now);
        if before.iter().any(|window| window.left() == 0) {
            return Err(before);
        }
        for (count, (_, length)) in counts.iter_mut().zip(PERIODS) {
            let start = start_of(now, length);
            *count = Count { start, used: if count.start == start { count.used.saturating_add(1) } else { 1 } };
        }
        Ok(windows(limits, *counts, now))
    }

    /// Forgets keys whose day is over: what is kept is bounded by the keys used in a day.
    pub fn forget_idle(&self, now: Timestamp) {
        let today = start_of(now, Timestamp::DAY);
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, counts| counts[2].start == today);
        all.shrink_to_fit();
    }
}

fn start_of(now: Timestamp, length: i64) -> i64 {
    now.millis() - now.millis().rem_euclid(length)
}

fn windows(limits: [u32; 3], counts: [Count; 3], now: Timestamp) -> Vec<Window> {
    let all = limits.into_iter().zip(counts).zip(PERIODS).filter(|((limit, _), _)| *limit > 0);
    let window = |((limit, count), (period, length)): ((u32, Count), (&'static str, i64))| {
        let start = start_of(now, length);
        let used = if count.start == start { count.used } else { 0 };
        Window { period, limit, used, resets_at: Timestamp(start).plus_millis(length) }
    };
    all.map(window).collect()
}
