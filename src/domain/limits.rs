//! Fixed windows in UTC: how many requests of a key fell into this minute, hour and day (contract: keys.md, Limits).

use super::policy::{KeyFacts, Window};
use super::time::Timestamp;

/// The periods in the order in which limits and counts stand.
pub const PERIODS: [(&str, i64); 3] =
    [("minute", Timestamp::MINUTE), ("hour", Timestamp::HOUR), ("day", Timestamp::DAY)];

/// Requests that fell into the window that began at `start` (epoch milliseconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    pub start: i64,
    pub used: u32,
}

impl Count {
    /// One more request; a window that is over begins anew.
    pub fn plus_one(self, now: Timestamp, length: i64) -> Self {
        let start = start_of(now, length);
        Self { start, used: if self.start == start { self.used.saturating_add(1) } else { 1 } }
    }
}

/// When the window began that this instant falls into.
pub fn start_of(now: Timestamp, length: i64) -> i64 {
    now.millis() - now.millis().rem_euclid(length)
}

/// The limits of a key; 0: none.
pub fn of_key(key: &KeyFacts, default_per_minute: u32) -> [u32; 3] {
    let minute = key.rate_per_minute.unwrap_or(default_per_minute);
    [minute, key.rate_per_hour.unwrap_or(0), key.rate_per_day.unwrap_or(0)]
}

/// The windows that have a limit, as they stand.
pub fn windows(limits: [u32; 3], counts: [Count; 3], now: Timestamp) -> Vec<Window> {
    let all = limits.into_iter().zip(counts).zip(PERIODS).filter(|((limit, _), _)| *limit > 0);
    let window = |((limit, count), (period, length)): ((u32, Count), (&'static str, i64))| {
        let start = start_of(now, length);
        let used = if count.start == start { count.used } else { 0 };
        Window { period, limit, used, resets_at: Timestamp(start).plus_millis(length) }
    };
    all.map(window).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_anew_and_is_not_stretched() {
        let noon = Timestamp(12 * Timestamp::HOUR);
        let mut count = Count::default();
        for expected in 1..=3 {
            count = count.plus_one(noon.plus_millis(59_999), Timestamp::MINUTE);
            assert_eq!(count.used, expected);
        }
        assert_eq!(windows([3, 0, 0], [count; 3], noon)[0].left(), 0);
        assert_eq!(windows([3, 0, 0], [count; 3], noon.plus_millis(Timestamp::MINUTE))[0].left(), 3);
        assert_eq!(count.plus_one(noon.plus_millis(Timestamp::MINUTE), Timestamp::MINUTE).used, 1);
    }

    #[test]
    fn only_windows_with_a_limit_are_there_and_instants_before_1970_have_one_too() {
        let window = windows([0, 5, 0], [Count::default(); 3], Timestamp(-1));
        assert_eq!(window.len(), 1);
        assert_eq!((window[0].period, window[0].resets_at), ("hour", Timestamp(0)));
    }
}
