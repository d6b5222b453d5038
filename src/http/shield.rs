//! What one address may ask without a valid credential (contract: keys.md, Neighbours). IPv6 counts by /64.

use std::net::IpAddr;
use std::num::NonZeroU32;

use actix_governor::governor::clock::{Clock, DefaultClock};
use actix_governor::governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::domain::addresses::per_ip_bucket;

/// Addresses remembered at once. Beyond it strangers share one bucket, so that their number cannot grow our memory.
const REMEMBERED: usize = 100_000;

#[derive(Debug)]
struct PerAddress {
    /// `None`: off.
    limiter: Option<DefaultKeyedRateLimiter<Option<IpAddr>>>,
    clock: DefaultClock,
}

impl PerAddress {
    fn new(per_minute: u32) -> Self {
        let limiter = NonZeroU32::new(per_minute).map(|quota| RateLimiter::keyed(Quota::per_minute(quota)));
        Self { limiter, clock: DefaultClock::default() }
    }

    /// Counts one; on refusal says after how many seconds to come back.
    fn check(&self, ip: Option<IpAddr>) -> Result<(), i64> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let bucket = ip.map(per_ip_bucket).filter(|_| limiter.len() < REMEMBERED);
        limiter.check_key(&bucket).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            i64::try_from(wait.as_secs()).unwrap_or(i64::MAX).saturating_add(1)
        })
    }

    fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[derive(Debug)]
pub struct Shield {
    requests: PerAddress,
    failures: PerAddress,
}

impl Shield {
    pub fn new(requests_per_minute: u32, failures_per_minute: u32) -> Self {
        Self { requests: PerAddress::new(requests_per_minute), failures: PerAddress::new(failures_per_minute) }
    }

    /// Counts a request that no valid key stands behind.
    pub fn request(&self, ip: Option<IpAddr>) -> Result<(), i64> {
        self.requests.check(ip)
    }

    /// Counts a credential that opened nothing; beyond the limit the address waits out the minute.
    pub fn failure(&self, ip: Option<IpAddr>) -> Result<(), i64> {
        self.failures.check(ip).map_err(|seconds| seconds.max(60))
    }

    pub fn forget_idle(&self) {
        self.requests.forget_idle();
        self.failures.forget_idle();
    }
}
