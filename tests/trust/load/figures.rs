//! What a process takes, and what many times say together.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What a process has at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub seconds: f64,
    /// KiB of memory that no file stands behind.
    pub anonymous: f64,
    /// KiB that were resident at most so far.
    pub peak: f64,
    pub descriptors: usize,
}

impl Sample {
    pub fn of(pid: i32, began: Instant) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{status}"));
            line.split_whitespace().find_map(|word| word.parse::<f64>().ok()).unwrap()
        };
        Self {
            seconds: began.elapsed().as_secs_f64(),
            anonymous: kib("RssAnon:"),
            peak: kib("VmHWM:"),
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        }
    }
}

/// Looks again and again until the other end of the channel is dropped.
pub fn watch(pid: i32, every: Duration, until: &Receiver<()>) -> Vec<Sample> {
    let began = Instant::now();
    let mut samples = vec![Sample::of(pid, began)];
    while until.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        samples.push(Sample::of(pid, began));
    }
    samples
}

/// KiB a second by which the memory of these samples grew: the line that is nearest to all of them.
pub fn growth(samples: &[Sample]) -> f64 {
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (at, memory) = (mean(|sample| sample.seconds), mean(|sample| sample.anonymous));
    let together = samples.iter().map(|sample| (sample.seconds - at) * (sample.anonymous - memory)).sum::<f64>();
    together / samples.iter().map(|sample| (sample.seconds - at).powi(2)).sum::<f64>()
}

/// The time below which so many of a hundred are.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// How many, the 99th percentile and the longest, for people.
pub fn told(times: &[Duration]) -> String {
    let longest = times.iter().max().copied().unwrap_or_default();
    format!("{} (p99 {:.1?}, longest {longest:.1?})", times.len(), percentile(times, 99))
}

/// Beyond it two series of times can be told apart.
pub const APART: f64 = 4.5;

/// The fastest nine tenths, in microseconds: the rest is the machine's own business.
fn fastest(times: &[Duration]) -> Vec<f64> {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    times.sort_by(f64::total_cmp);
    times.truncate(times.len() * 9 / 10);
    times
}

/// How many microseconds they take on average.
pub fn mean(times: &[Duration]) -> f64 {
    let times = fastest(times);
    times.iter().sum::<f64>() / f64::from(u32::try_from(times.len()).unwrap())
}

/// Welch's t.
pub fn welch(one: &[Duration], other: &[Duration]) -> f64 {
    let error = |times: &[Duration]| {
        let (mean, times) = (mean(times), fastest(times));
        let count = f64::from(u32::try_from(times.len()).unwrap());
        times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0) / count
    };
    (mean(one) - mean(other)) / (error(one) + error(other)).sqrt()
}

#[test]
fn memory_that_grows_is_seen_to_grow() {
    let (stop, until) = std::sync::mpsc::channel();
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    let watching = std::thread::spawn(move || watch(pid, Duration::from_millis(5), &until));
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let began = Instant::now();
    while kept.len() < 128 {
        kept.push(vec![1; 1024 * 1024]);
    }
    let seconds = began.elapsed().as_secs_f64();
    drop(stop);
    let samples = watching.join().unwrap();
    let (first, last) = (samples.first().unwrap(), samples.last().unwrap());
    assert!(last.anonymous - first.anonymous > 64.0 * 1024.0, "128 MiB in {seconds} s are not seen: {samples:?}");
    assert!(last.peak - first.peak > 64.0 * 1024.0, "{samples:?}");
    drop(kept);
    // A line that is known, with what disturbs it.
    let line = |at: u32| Sample {
        seconds: f64::from(at),
        anonymous: 10_000.0 + 7.0 * f64::from(at) + if at.is_multiple_of(2) { 50.0 } else { -50.0 },
        peak: 0.0,
        descriptors: 0,
    };
    let slope = growth(&(0..1_000).map(line).collect::<Vec<_>>());
    assert!((slope - 7.0).abs() < 0.1, "{slope}");
}

#[test]
fn the_99th_percentile_and_the_longest_are_those_of_the_times() {
    let times: Vec<_> = (1..=1_000).rev().map(Duration::from_millis).collect();
    assert_eq!(percentile(&times, 99), Duration::from_millis(991));
    assert_eq!(told(&times), "1000 (p99 991.0ms, longest 1.0s)");
}
