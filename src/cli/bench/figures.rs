//! Many times in little room: counts in buckets that are at most a thirty-second of their time wide.

use std::time::Duration;

/// A power of two is split into so many buckets.
const SPLIT_BITS: u32 = 5;
const SPLIT: usize = 1 << SPLIT_BITS;

/// Those of the times below 64 ns, and of the 58 powers of two above.
const BUCKETS: usize = 60 * SPLIT;

#[derive(Debug, Clone)]
pub struct Times {
    buckets: Vec<u64>,
    count: u64,
    longest: u64,
}

impl Times {
    pub fn none() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, longest: 0 }
    }

    pub fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get_mut(bucket_of(nanos)) {
            *bucket += 1;
        }
        self.count += 1;
        self.longest = self.longest.max(nanos);
    }

    pub fn merge(&mut self, other: &Times) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(ours, theirs)| *ours += theirs);
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest)
    }

    /// The time within which so many of a hundred were done; zero where there is none.
    pub fn percentile(&self, percent: u64) -> Duration {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(end_of(index).min(self.longest));
            }
        }
        self.longest()
    }
}

fn bucket_of(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.leading_zeros();
    let shift = bits.saturating_sub(SPLIT_BITS + 1);
    usize::try_from(u64::from(shift << SPLIT_BITS) + (nanos >> shift)).unwrap_or(BUCKETS - 1)
}

/// The longest time of a bucket.
fn end_of(index: usize) -> u64 {
    let shift = (index / SPLIT).saturating_sub(1);
    let first = u64::try_from(index - shift * SPLIT).unwrap_or(u64::MAX);
    ((u128::from(first) + 1) << shift).saturating_sub(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(nanos: &[u64]) -> Times {
        let mut times = Times::none();
        nanos.iter().for_each(|nanos| times.add(Duration::from_nanos(*nanos)));
        times
    }

    #[test]
    fn nothing_measured_is_zero_and_one_time_is_every_percentile() {
        assert_eq!(Times::none().percentile(50), Duration::ZERO);
        for nanos in [0, 1, 63, 64, 65, 1_000_000, u64::MAX] {
            let one = times(&[nanos]);
            assert_eq!([one.percentile(50), one.percentile(99), one.longest()], [Duration::from_nanos(nanos); 3]);
        }
    }

    proptest! {
        #[test]
        fn a_percentile_is_at_most_a_thirty_second_above_the_true_one(
            mut nanos in prop::collection::vec(prop_oneof![0..200_u64, 0..u64::MAX, 1_000_u64..10_000_000], 1..300),
            percent in 1..=100_u64,
        ) {
            let all = times(&nanos);
            let (one, other) = nanos.split_at(nanos.len() / 2);
            let mut merged = times(one);
            merged.merge(&times(other));
            nanos.sort_unstable();
            let rank = (nanos.len() * usize::try_from(percent).unwrap()).div_ceil(100);
            let exact = nanos[rank - 1];
            let told = u64::try_from(all.percentile(percent).as_nanos()).unwrap();
            prop_assert!(told >= exact && told - exact <= exact / 32, "{told} for {exact}");
            prop_assert_eq!(merged.percentile(percent), all.percentile(percent));
            prop_assert_eq!((merged.count(), merged.longest()), (all.count(), all.longest()));
        }
    }
}
