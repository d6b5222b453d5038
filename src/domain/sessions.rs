//! Sessions of people: who logged in, for which of the two surfaces, and how long it lasts (contract: panel.md, Session;
//! admin.md).

use super::policy::OwnerFacts;
use super::time::Timestamp;
use super::users::UserId;

/// How long a token of the panel surface lives, and after how long a login must be repeated.
pub const PANEL_TOKEN_MILLIS: i64 = Timestamp::DAY;
pub const PANEL_SESSION_MILLIS: i64 = 30 * Timestamp::DAY;

/// How long an access token of the admin surface lives, and a refresh token that is not used.
pub const ADMIN_TOKEN_MILLIS: i64 = 15 * Timestamp::MINUTE;
pub const REFRESH_MILLIS: i64 = 30 * Timestamp::DAY;

/// A refresh token that comes back so soon after its rotation is a lost answer or a second tab, and no theft.
pub const REPLAY_GRACE_MILLIS: i64 = 10 * Timestamp::SECOND;

/// Which surface a session is for; the other one refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    Panel,
    Admin,
}

impl Audience {
    pub fn as_str(self) -> &'static str {
        match self {
            Audience::Panel => "panel",
            Audience::Admin => "admin",
        }
    }
}

/// A session as the evaluator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    pub id: i64,
    /// Of the token that was shown.
    pub id_hash: [u8; 32],
    pub audience: Audience,
    pub user: OwnerFacts,
    pub created_at: Timestamp,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: i64,
    pub audience: String,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: Timestamp,
    /// When it was last logged in with or renewed.
    pub renewed_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A session about to be stored. Of its tokens only the SHA-256 is kept.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub user: UserId,
    pub audience: Audience,
    pub id_hash: [u8; 32],
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

/// Failed logins of one name, from one address or from all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempts {
    pub failures: u32,
    pub locked_until: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// Failures from one address before the name is closed to it for a while.
const FREE_FAILURES: u32 = 5;
/// Failures from anywhere before each address gets a single one.
const FREE_FAILURES_OF_ALL: u32 = 50;
const FIRST_LOCK_MILLIS: i64 = Timestamp::MINUTE;
const LONGEST_LOCK_MILLIS: i64 = Timestamp::HOUR;

/// A clock that was set back by less is one that was put right, and not one that was wrong.
pub const CLOCKS_DIFFER_MILLIS: i64 = Timestamp::MINUTE;

/// After so long without a failure all is forgotten.
pub const FORGET_MILLIS: i64 = Timestamp::DAY;

impl Attempts {
    fn remembered(self, now: Timestamp) -> Self {
        // Of a day ahead: the clock was set back, and what it counted until then says nothing of now.
        let age = now.millis().saturating_sub(self.updated_at.millis()).saturating_abs();
        if age >= FORGET_MILLIS { Self::default() } else { self }
    }

    /// Where these are of all addresses together: they are so many that the name is being guessed at.
    pub fn is_attack(self, now: Timestamp) -> bool {
        self.remembered(now).failures >= FREE_FAILURES_OF_ALL
    }

    /// Seconds until the name may be tried again from this address.
    pub fn wait_seconds(self, now: Timestamp) -> Option<i64> {
        let wait = self.locked_until?.millis().saturating_sub(now.millis());
        // A lock that ends much later than any can was made before the clock was set back: it would shut the owner out for
        // years. Of a little later it is of a login that overtook this one.
        let is_of_now = (1..=LONGEST_LOCK_MILLIS + CLOCKS_DIFFER_MILLIS).contains(&wait);
        is_of_now.then_some((wait.min(LONGEST_LOCK_MILLIS) + Timestamp::SECOND - 1) / Timestamp::SECOND)
    }

    /// One failure more. `of_all`: those of the name from all addresses, where this is of one address. A name under
    /// attack from many addresses leaves each a single try, so that its owner still gets in from one of its own.
    pub fn plus_one(self, of_all: Option<Attempts>, now: Timestamp) -> Self {
        let failures = self.remembered(now).failures.saturating_add(1);
        let attacked = of_all.is_some_and(|all| all.is_attack(now));
        let free = if attacked { 1 } else { FREE_FAILURES };
        let locked_until = of_all.filter(|_| failures >= free).map(|_| {
            let doublings = (failures - free).min(16);
            now.plus_millis((FIRST_LOCK_MILLIS << doublings).min(LONGEST_LOCK_MILLIS))
        });
        Self { failures, locked_until, updated_at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    fn failed(times: u32, of_all: Attempts) -> Attempts {
        (0..times).fold(Attempts::default(), |attempts, _| attempts.plus_one(Some(of_all), NOW))
    }

    #[test]
    fn the_ladder_doubles_to_an_hour() {
        let calm = Attempts::default();
        assert_eq!(failed(4, calm).wait_seconds(NOW), None);
        for (times, seconds) in [(5, 60), (6, 120), (7, 240), (10, 1_920), (11, 3_600), (1_000, 3_600)] {
            assert_eq!(failed(times, calm).wait_seconds(NOW), Some(seconds), "{times}");
        }
        assert_eq!(failed(5, calm).wait_seconds(NOW.plus_millis(60_000)), None);
    }

    #[test]
    fn a_name_under_attack_leaves_each_address_one_try_and_is_not_closed_itself() {
        let all = (0..50).fold(Attempts::default(), |all, _| all.plus_one(None, NOW));
        assert_eq!(all.wait_seconds(NOW), None);
        assert_eq!(failed(1, all).wait_seconds(NOW), Some(60));
        assert_eq!(failed(3, all).wait_seconds(NOW), Some(240));
    }

    #[test]
    fn a_day_later_all_is_forgotten() {
        let calm = Attempts::default();
        let later = NOW.plus_millis(FORGET_MILLIS);
        assert_eq!(failed(9, calm).plus_one(Some(calm), later).failures, 1);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out_until_it_comes_there_again() {
        let calm = Attempts::default();
        let locked = failed(11, calm);
        assert_eq!(locked.wait_seconds(NOW.plus_millis(-1)), Some(3_600), "of a login that was overtaken");
        assert_eq!(locked.wait_seconds(NOW.plus_millis(-60_001)), None);
        assert_eq!(locked.wait_seconds(Timestamp(0)), None);
        assert_eq!(locked.plus_one(Some(calm), Timestamp(0)).failures, 1, "and the ladder begins anew");
        assert_eq!(locked.plus_one(Some(calm), NOW.plus_millis(-60_000)).failures, 12, "a correction by NTP is none");
    }
}
