//! Requests by row of the route table, their times by path, and refusals by gate. All that a worker does is three atomic
//! additions after one look-up in a map that never changes; what is counted is fixed by the table, whatever is asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::MetricEncoder;

use crate::domain::policy::Gate;
use crate::domain::routes::{self, Method, Route, Surface};

/// What the door answers with. Any other status is counted as `(other)`.
const STATUSES: [u16; 17] = [200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 500, 501, 503];

const OTHER: &str = "(other)";

/// A row's own method, the one that is answered in its place (HEAD for GET; OPTIONS for the POST that stands in for
/// what is no method of ours), and all others.
const METHODS: usize = 3;

/// What an action refuses, beyond the gates that the door judges: they are in the answer's `denied` as well.
const OF_ACTIONS: [&str; 2] = ["field", "limit"];

/// Upper bounds of the buckets: µs, and the same in seconds. What takes longer than the last has a bucket too.
const BUCKETS: [(u64, f64); 17] = [
    (50, 0.000_05),
    (100, 0.000_1),
    (250, 0.000_25),
    (500, 0.000_5),
    (1_000, 0.001),
    (2_500, 0.002_5),
    (5_000, 0.005),
    (10_000, 0.01),
    (25_000, 0.025),
    (50_000, 0.05),
    (100_000, 0.1),
    (250_000, 0.25),
    (500_000, 0.5),
    (1_000_000, 1.0),
    (2_500_000, 2.5),
    (5_000_000, 5.0),
    (10_000_000, 10.0),
];

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub route: &'static Route,
    /// As it came; only ours become a label.
    pub method: &'a str,
    pub status: u16,
    /// The first gate that refused, as the answer names it.
    pub gate: Option<&'static str>,
    pub latency: Duration,
}

pub struct Requests {
    places: HashMap<(Surface, Method, &'static str), Place>,
    rows: Vec<Row>,
    paths: Vec<Times>,
    refusals: Vec<(Surface, &'static str, AtomicU64)>,
}

/// Where the figures of a row are.
#[derive(Debug, Clone, Copy)]
struct Place {
    row: usize,
    path: usize,
}

struct Row {
    route: &'static Route,
    counts: [[AtomicU64; STATUSES.len() + 1]; METHODS],
}

/// How long the requests of one path took.
struct Times {
    surface: Surface,
    path: &'static str,
    buckets: [AtomicU64; BUCKETS.len() + 1],
    nanos: AtomicU64,
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

impl Default for Requests {
    fn default() -> Self {
        let (mut places, mut rows, mut paths) = (HashMap::new(), Vec::new(), Vec::<Times>::new());
        for route in routes::rows() {
            let known = paths.iter().position(|times| (times.surface, times.path) == (route.surface, route.path));
            let path = known.unwrap_or_else(|| {
                paths.push(Times::of(route));
                paths.len() - 1
            });
            places.insert((route.surface, route.method, route.path), Place { row: rows.len(), path });
            rows.push(Row { route, counts: Default::default() });
        }
        let gates = || Gate::ALL.into_iter().map(Gate::as_str).chain(OF_ACTIONS);
        let refusals =
            Surface::ALL.into_iter().flat_map(|surface| gates().map(move |gate| (surface, gate, AtomicU64::new(0))));
        Self { refusals: refusals.collect(), places, rows, paths }
    }
}

impl Requests {
    pub fn count(&self, seen: &Seen<'_>) {
        let Seen { route, method, status, gate, latency } = *seen;
        let Some(place) = self.places.get(&(route.surface, route.method, route.path)) else { return };
        let status = STATUSES.binary_search(&status).unwrap_or(STATUSES.len());
        let row = self.rows.get(place.row).and_then(|row| row.counts.get(method_of(route, method))?.get(status));
        if let Some(counter) = row {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(times) = self.paths.get(place.path) {
            times.note(latency);
        }
        let Some(gate) = gate else { return };
        let mut refusals = self.refusals.iter().filter(|(surface, _, _)| *surface == route.surface);
        if let Some((_, _, counter)) = refusals.find(|(_, name, _)| *name == gate) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was asked at least once: surface, path, method, status and how often.
    pub fn counted(&self) -> impl Iterator<Item = ([(&'static str, String); 4], u64)> {
        let methods = self.rows.iter().flat_map(|row| row.counts.iter().enumerate().map(move |of| (row.route, of)));
        let counters = methods.flat_map(|(route, (method, counters))| {
            counters.iter().enumerate().map(move |(status, counter)| (route, method, status, counter))
        });
        counters.filter_map(|(route, method, status, counter)| {
            let count = counter.load(Ordering::Relaxed);
            let status = STATUSES.get(status).map_or_else(|| OTHER.to_owned(), ToString::to_string);
            let labels = [
                ("surface", route.surface.as_str().to_owned()),
                ("route", route.path.to_owned()),
                ("method", method_name(route, method).to_owned()),
                ("status", status),
            ];
            (count > 0).then_some((labels, count))
        })
    }

    /// Refusals by surface and gate, those too that never happened.
    pub fn refused(&self) -> impl Iterator<Item = ([(&'static str, &'static str); 2], u64)> {
        self.refusals.iter().map(|(surface, gate, counter)| {
            ([("surface", surface.as_str()), ("gate", *gate)], counter.load(Ordering::Relaxed))
        })
    }

    /// Writes the times of every path that was asked at least once.
    pub fn encode_times(&self, family: &mut MetricEncoder<'_>) -> fmt::Result {
        self.paths.iter().try_for_each(|times| times.encode(family))
    }
}

fn method_of(route: &Route, name: &str) -> usize {
    match name {
        _ if name == route.method.as_str() => 0,
        "HEAD" | "OPTIONS" => 1,
        _ => 2,
    }
}

fn method_name(route: &Route, at: usize) -> &'static str {
    match (at, route.method) {
        (0, method) => method.as_str(),
        (1, Method::Get) => "HEAD",
        (1, _) => "OPTIONS",
        _ => OTHER,
    }
}

impl Times {
    fn of(route: &Route) -> Self {
        let (surface, path) = (route.surface, route.path);
        Self { surface, path, buckets: Default::default(), nanos: AtomicU64::new(0) }
    }

    fn note(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        // 50.9 µs is more than 50.
        let above = |bound: u64| micros > bound || (micros == bound && !latency.subsec_nanos().is_multiple_of(1_000));
        let at = BUCKETS.partition_point(|(bound, _)| above(*bound));
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.nanos.fetch_add(u64::try_from(latency.as_nanos()).unwrap_or_default(), Ordering::Relaxed);
    }

    fn encode(&self, family: &mut MetricEncoder<'_>) -> fmt::Result {
        let bounds = BUCKETS.iter().map(|(_, seconds)| *seconds).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed))).collect();
        // Of what was just read, so that a page never contradicts itself.
        let count = buckets.iter().map(|(_, count)| count).sum();
        if count == 0 {
            return Ok(());
        }
        let sum = Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64();
        let labels = [("surface", self.surface.as_str()), ("route", self.path)];
        family.encode_family(&labels)?.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_buckets_are_in_order() {
        assert!(STATUSES.is_sorted() && BUCKETS.is_sorted());
        for (micros, seconds) in BUCKETS {
            assert_eq!(Duration::from_micros(micros), Duration::from_secs_f64(seconds));
        }
    }

    #[test]
    fn a_time_falls_into_the_first_bucket_that_holds_it() {
        let requests = Requests::default();
        let times = requests.paths.first().unwrap();
        for nanos in [0, 50_000, 50_001, 100_000, 10_000_000_000, 10_000_000_001, 90_000_000_000] {
            times.note(Duration::from_nanos(nanos));
        }
        let counts: Vec<_> = times.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        assert_eq!((counts[0], counts[1], counts[16], counts[17], counts.iter().sum()), (2, 2, 1, 2, 7));
    }

    #[test]
    fn each_method_of_a_row_has_a_counter_of_its_own_and_strange_ones_share_one() {
        let requests = Requests::default();
        let get = routes::stand_in(Some(Method::Get), "/api/v1/external/x");
        let post = routes::stand_in(None, "/api/v1/external/x");
        for (route, method, status) in [
            (get, "GET", 404),
            (get, "HEAD", 404),
            (post, "POST", 404),
            (post, "OPTIONS", 404),
            (post, "PATCH", 404),
            (post, "get", 418),
        ] {
            requests.count(&Seen { route, method, status, gate: None, latency: Duration::ZERO });
        }
        let counted: Vec<_> = requests
            .counted()
            .map(|(labels, count)| {
                let [_, (_, route), (_, method), (_, status)] = labels;
                (route, method, status, count)
            })
            .collect();
        let row = |method: &str, status: &str| ("(unknown)".to_owned(), method.to_owned(), status.to_owned(), 1);
        let expected = [
            row("GET", "404"),
            row("HEAD", "404"),
            row("POST", "404"),
            row("OPTIONS", "404"),
            row(OTHER, "404"),
            row(OTHER, OTHER),
        ];
        assert_eq!(counted, expected);
    }
}
