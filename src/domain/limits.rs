//! Fixed windows in UTC: how many requests of a key fell into this minute, hour and day (contract: keys.md, Limits).

use super::keys::Style;
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
        let start = self.start_at(now, length);
        Self { start, used: if self.start == start { self.used.saturating_add(1) } else { 1 } }
    }
}

impl Count {
    /// The window this instant belongs to. One from just before the boundary that comes after it, or a clock set back a
    /// little, must not begin a window anew that has begun; a clock set back further must not close it for years.
    fn start_at(self, now: Timestamp, length: i64) -> i64 {
        let start = start_of(now, length);
        let just_before = self.used > 0 && start < self.start && self.start - start <= length;
        if just_before { self.start } else { start }
    }
}

/// When the window began that this instant falls into.
pub fn start_of(now: Timestamp, length: i64) -> i64 {
    now.millis() - now.millis().rem_euclid(length)
}

/// Requests a minute of a key without a limit of its own; a billing key has none (contract: keys.md).
pub fn default_of(style: Style, default_per_minute: u32) -> u32 {
    if style == Style::Billing { 0 } else { default_per_minute }
}

/// The limits of a key; 0: none.
pub fn of_key(key: &KeyFacts, default_per_minute: u32) -> [u32; 3] {
    let default = default_of(key.grants.style(), default_per_minute);
    let minute = key.rate_per_minute.unwrap_or(default);
    [minute, key.rate_per_hour.unwrap_or(0), key.rate_per_day.unwrap_or(0)]
}

/// The windows that have a limit, as they stand.
pub fn windows(limits: [u32; 3], counts: [Count; 3], now: Timestamp) -> Vec<Window> {
    let all = limits.into_iter().zip(counts).zip(PERIODS).filter(|((limit, _), _)| *limit > 0);
    let window = |((limit, count), (period, length)): ((u32, Count), (&'static str, i64))| {
        let start = count.start_at(now, length);
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
    fn a_request_from_before_the_boundary_does_not_open_the_window_again() {
        let boundary = Timestamp(12 * Timestamp::HOUR);
        let full = Count { start: boundary.millis(), used: 3 };
        let late = boundary.plus_millis(-1);
        assert_eq!(full.plus_one(late, Timestamp::MINUTE), Count { used: 4, ..full });
        assert_eq!(windows([3, 0, 0], [full; 3], late)[0].left(), 0);
        let years_back = Timestamp(0);
        assert_eq!(full.plus_one(years_back, Timestamp::MINUTE), Count { start: 0, used: 1 });
    }

    #[test]
    fn only_windows_with_a_limit_are_there_and_instants_before_1970_have_one_too() {
        let window = windows([0, 5, 0], [Count::default(); 3], Timestamp(-1));
        assert_eq!(window.len(), 1);
        assert_eq!((window[0].period, window[0].resets_at), ("hour", Timestamp(0)));
    }
}
