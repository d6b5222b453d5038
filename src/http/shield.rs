//! What one address may ask without a valid credential (contract: keys.md, Neighbours). IPv6 counts by /64.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_governor::governor::clock::{Clock, DefaultClock};
use actix_governor::governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use arc_swap::ArcSwapOption;

use crate::config::Limits;
use crate::domain::addresses::{per_ip_bucket, per_site_bucket};
use crate::domain::time::Timestamp;

/// Addresses remembered at once. Beyond it strangers share one bucket, so that their number cannot grow our memory.
const REMEMBERED: usize = 100_000;

/// The bucket of an address; `None` is that of all whose address is unknown or for whom there is no place.
type Bucket = Option<IpAddr>;

#[derive(Debug)]
pub struct Shield {
    requests: Requests,
    failures: Failures,
    sites: Sites,
    /// Log-ins, whether they succeed or not.
    logins: Requests,
    /// What each session asks. It has an address's budget to itself: a valid credential is never refused for what came
    /// from the same address.
    sessions: Budget<DefaultKeyedRateLimiter<i64>>,
}

impl Shield {
    pub fn new(limits: &Limits) -> Self {
        let requests = limits.per_ip_per_minute;
        Self {
            requests: Requests::new(requests),
            logins: Requests::new(limits.login_per_minute),
            sessions: Budget::new(requests, RateLimiter::keyed),
            failures: Failures { per_minute: AtomicU32::new(limits.failures_per_minute), counts: Mutex::default() },
            sites: Sites::default(),
        }
    }

    /// What keeps its limit keeps its counts.
    pub fn set_limits(&self, limits: &Limits) {
        self.requests.budget.set(limits.per_ip_per_minute);
        self.sessions.set(limits.per_ip_per_minute);
        self.logins.budget.set(limits.login_per_minute);
        self.failures.per_minute.store(limits.failures_per_minute, Ordering::Relaxed);
    }

    /// Counts a request that no valid key stands behind; on refusal says after how many seconds to come back.
    pub fn request(&self, ip: Option<IpAddr>) -> Result<(), i64> {
        self.requests.check(ip)
    }

    /// Counts a credential that opened nothing; beyond the limit such ones are refused for a minute.
    pub fn failure(&self, ip: Option<IpAddr>, now: Timestamp) -> Result<(), i64> {
        self.sites.note_failure(ip, now);
        self.failures.check(ip, now)
    }

    /// A password from there is about to be looked at, until what is returned is dropped.
    pub fn guess(&self, ip: Option<IpAddr>, now: Timestamp) -> Guess<'_> {
        self.sites.begin(ip, now)
    }

    /// Counts a log-in, before it is looked at.
    pub fn login(&self, ip: Option<IpAddr>) -> Result<(), i64> {
        self.logins.check(ip)
    }

    /// Counts a request of a session.
    pub fn session(&self, id: i64) -> Result<(), i64> {
        let limiter = self.sessions.limiter.load();
        let Some(limiter) = limiter.as_ref() else { return Ok(()) };
        limiter.check_key(&id).map_err(|until| seconds_until(&self.requests.clock, &until))
    }

    /// Drops addresses and sessions that no longer matter.
    pub fn forget_idle(&self, now: Timestamp) {
        for budget in [&self.requests.budget, &self.logins.budget] {
            for limiter in budget.limiter.load().iter().flat_map(|families| families.iter()) {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
        if let Some(limiter) = self.sessions.limiter.load().as_ref() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        self.failures.forget_idle(now);
        self.sites.forget_idle(now);
    }
}

/// A limiter that is replaced when its limit changes.
#[derive(Debug)]
struct Budget<L> {
    per_minute: AtomicU32,
    /// `None`: off.
    limiter: ArcSwapOption<L>,
    make: fn(Quota) -> L,
}

impl<L> Budget<L> {
    fn new(per_minute: u32, make: fn(Quota) -> L) -> Self {
        let budget = Self { per_minute: AtomicU32::new(0), limiter: ArcSwapOption::empty(), make };
        budget.set(per_minute);
        budget
    }

    fn set(&self, per_minute: u32) {
        if self.per_minute.swap(per_minute, Ordering::Relaxed) != per_minute {
            let limiter = NonZeroU32::new(per_minute).map(|quota| Arc::new((self.make)(Quota::per_minute(quota))));
            self.limiter.store(limiter);
        }
    }
}

#[derive(Debug)]
struct Requests {
    /// IPv4 and IPv6 apart, so that whoever has many addresses of one family crowds out nobody of the other.
    budget: Budget<[DefaultKeyedRateLimiter<Bucket>; 2]>,
    clock: DefaultClock,
}

impl Requests {
    fn new(per_minute: u32) -> Self {
        let families = |quota| [RateLimiter::keyed(quota), RateLimiter::keyed(quota)];
        Self { budget: Budget::new(per_minute, families), clock: DefaultClock::default() }
    }

    fn check(&self, ip: Option<IpAddr>) -> Result<(), i64> {
        let limiters = self.budget.limiter.load();
        let Some(limiters) = limiters.as_ref() else { return Ok(()) };
        let limiter = &limiters[usize::from(ip.is_some_and(|ip| ip.is_ipv6()))];
        let bucket = ip.map(per_ip_bucket).filter(|_| limiter.len() < REMEMBERED);
        limiter.check_key(&bucket).map_err(|until| seconds_until(&self.clock, &until))
    }
}

fn seconds_until(clock: &DefaultClock, until: &NotUntil<<DefaultClock as Clock>::Instant>) -> i64 {
    let wait = until.wait_time_from(clock.now());
    i64::try_from(wait.as_secs()).unwrap_or(i64::MAX).saturating_add(1)
}

/// Not a leaking bucket: that would let one guess through every few seconds.
#[derive(Debug)]
struct Failures {
    /// 0: off.
    per_minute: AtomicU32,
    counts: Mutex<HashMap<Bucket, Failed>>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    count: u32,
    /// When the count begins anew: a minute after its first failure, or after the one that was too many.
    until: Timestamp,
}

impl Failures {
    fn check(&self, ip: Option<IpAddr>, now: Timestamp) -> Result<(), i64> {
        let per_minute = self.per_minute.load(Ordering::Relaxed);
        if per_minute == 0 {
            return Ok(());
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = ip.map(per_ip_bucket);
        let bucket = bucket.filter(|_| counts.len() < REMEMBERED || counts.contains_key(&bucket));
        let minute = now.plus_millis(Timestamp::MINUTE);
        let failed = counts.entry(bucket).or_insert(Failed { count: 0, until: minute });
        if failed.until <= now || failed.until > minute {
            *failed = Failed { count: 0, until: minute };
        }
        failed.count = failed.count.saturating_add(1);
        if failed.count <= per_minute {
            return Ok(());
        }
        if failed.count == per_minute.saturating_add(1) {
            failed.until = minute;
        }
        Err((failed.until.millis() - now.millis() + Timestamp::SECOND - 1) / Timestamp::SECOND)
    }

    fn forget_idle(&self, now: Timestamp) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, failed| failed.until > now);
        counts.shrink_to_fit();
    }
}

/// Where there is reason to suspect a guess: a site (of IPv6 a whole /48) from which a credential opened nothing within the
/// last minute, and one that has another password looked at already, since who guesses does not wait for the first answer.
#[derive(Debug, Default)]
struct Sites(Mutex<HashMap<Bucket, Site>>);

#[derive(Debug, Default)]
struct Site {
    guesses: u32,
    suspect_until: Option<Timestamp>,
}

impl Site {
    fn is_suspect(&self, now: Timestamp) -> bool {
        // Of a later minute: the clock was set back since.
        self.suspect_until.is_some_and(|until| until > now && until <= now.plus_millis(Timestamp::MINUTE))
    }
}

/// A password that is being looked at.
#[derive(Debug)]
pub struct Guess<'a> {
    sites: &'a Sites,
    bucket: Bucket,
    pub is_suspect: bool,
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        self.sites.with(self.bucket, |site| site.guesses = site.guesses.saturating_sub(1));
    }
}

impl Sites {
    fn with<T>(&self, bucket: Bucket, work: impl FnOnce(&mut Site) -> T) -> T {
        work(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(bucket).or_default())
    }

    fn bucket(&self, ip: Option<IpAddr>) -> Bucket {
        let sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = ip.map(per_site_bucket);
        bucket.filter(|_| sites.len() < REMEMBERED || sites.contains_key(&bucket))
    }

    fn note_failure(&self, ip: Option<IpAddr>, now: Timestamp) {
        self.with(self.bucket(ip), |site| site.suspect_until = Some(now.plus_millis(Timestamp::MINUTE)));
    }

    fn begin(&self, ip: Option<IpAddr>, now: Timestamp) -> Guess<'_> {
        let bucket = self.bucket(ip);
        let is_suspect = self.with(bucket, |site| {
            site.guesses = site.guesses.saturating_add(1);
            site.guesses > 1 || site.is_suspect(now)
        });
        Guess { sites: self, bucket, is_suspect }
    }

    fn forget_idle(&self, now: Timestamp) {
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sites.retain(|_, site| site.guesses > 0 || site.is_suspect(now));
        sites.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn shield(per_ip_per_minute: u32, failures_per_minute: u32) -> Shield {
        Shield::new(&limits(per_ip_per_minute, failures_per_minute))
    }

    fn limits(per_ip_per_minute: u32, failures_per_minute: u32) -> Limits {
        Limits { per_ip_per_minute, failures_per_minute, login_per_minute: 0, ..Limits::default() }
    }

    fn ip(number: u32) -> Option<IpAddr> {
        Some(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn after_too_many_failures_the_address_waits_a_whole_minute_however_often_it_asks() {
        let shield = shield(0, 20);
        for _ in 0..20 {
            assert_eq!(shield.failure(ip(1), NOW), Ok(()));
        }
        for second in 0..60 {
            let now = NOW.plus_millis(second * Timestamp::SECOND);
            assert_eq!(shield.failure(ip(1), now), Err(60 - second));
        }
        assert_eq!(shield.failure(ip(2), NOW), Ok(()), "its neighbour is not meant");
        assert_eq!(shield.failure(ip(1), NOW.plus_millis(Timestamp::MINUTE)), Ok(()));
    }

    #[test]
    fn an_address_is_suspect_for_a_minute_after_its_failure_and_its_neighbour_is_not() {
        let shield = shield(0, 20);
        let is_suspect = |ip, now| shield.guess(ip, now).is_suspect;
        assert!(!is_suspect(ip(1), NOW));
        assert_eq!(shield.failure(ip(1), NOW), Ok(()));
        assert!(is_suspect(ip(1), NOW) && !is_suspect(ip(2), NOW));
        assert!(!is_suspect(ip(1), NOW.plus_millis(Timestamp::MINUTE)));
        assert!(!is_suspect(ip(1), NOW.plus_millis(-1)), "a clock that was set back");
    }

    #[test]
    fn a_second_guess_at_once_is_suspect_and_a_whole_site_is_one() {
        let shield = shield(0, 0);
        let address = |text: &str| Some(text.parse().unwrap());
        let first = shield.guess(address("2001:db8:7::1"), NOW);
        assert!(!first.is_suspect && shield.guess(address("2001:db8:7:9::1"), NOW).is_suspect);
        assert!(!shield.guess(address("2001:db8:8::1"), NOW).is_suspect);
        drop(first);
        assert!(!shield.guess(address("2001:db8:7::2"), NOW).is_suspect);
        assert_eq!(shield.failure(address("2001:db8:7:1::1"), NOW), Ok(()), "without a limit");
        assert!(shield.guess(address("2001:db8:7:2::1"), NOW).is_suspect);
        shield.forget_idle(NOW.plus_millis(2 * Timestamp::MINUTE));
        assert!(shield.sites.0.lock().unwrap().is_empty());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let shield = shield(0, 1);
        let address = |text: &str| Some(text.parse().unwrap());
        assert_eq!(shield.failure(address("2001:db8::1"), NOW), Ok(()));
        assert!(shield.failure(address("2001:db8::2"), NOW).is_err());
        assert_eq!(shield.failure(address("2001:db8:0:1::1"), NOW), Ok(()));
    }

    #[test]
    fn a_million_addresses_take_no_more_memory_than_the_remembered_ones() {
        let shield = shield(300, 20);
        for number in 0..1_000_000 {
            assert!(shield.request(ip(number)).is_ok() || number > 0);
            assert!(shield.failure(ip(number), NOW).is_ok() || number > 0);
        }
        assert!(shield.failures.counts.lock().unwrap().len() <= REMEMBERED + 1);
        assert!(shield.requests.budget.limiter.load().as_ref().unwrap()[0].len() <= REMEMBERED + 1);
        shield.forget_idle(NOW.plus_millis(2 * Timestamp::MINUTE));
        assert!(shield.failures.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn zero_is_off() {
        let shield = shield(0, 0);
        assert!((0..1_000).all(|_| shield.request(None).is_ok() && shield.failure(None, NOW).is_ok()));
    }

    #[test]
    fn a_changed_limit_holds_at_once_and_one_that_did_not_change_keeps_its_counts() {
        let shield = shield(1, 1);
        assert!(shield.request(ip(1)).is_ok() && shield.request(ip(1)).is_err());
        assert!(shield.session(1).is_ok() && shield.session(1).is_err());
        assert!(shield.failure(ip(1), NOW).is_ok() && shield.failure(ip(1), NOW).is_err());

        shield.set_limits(&limits(1, 3));
        assert!(shield.request(ip(1)).is_err() && shield.session(1).is_err(), "its limit is the same");
        assert!(shield.failure(ip(1), NOW).is_ok(), "the third of three");
        assert!(shield.failure(ip(1), NOW).is_err());

        shield.set_limits(&limits(2, 0));
        assert!(shield.request(ip(1)).is_ok() && shield.request(ip(1)).is_ok() && shield.request(ip(1)).is_err());
        assert!(shield.session(1).is_ok() && shield.session(1).is_ok() && shield.session(1).is_err());
        assert!(shield.failure(ip(1), NOW).is_ok(), "off");

        shield.set_limits(&limits(0, 0));
        assert!((0..9).all(|_| shield.request(ip(1)).is_ok() && shield.session(1).is_ok()), "off");
    }
}
