//! The page: every family with its help, type and unit, in the order in which people look.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::figures::FAMILIES;
use super::{Metrics, Told};
use crate::store::WriterFigures;

#[derive(Debug)]
pub struct Page {
    pub metrics: Arc<Metrics>,
    pub told: Told,
}

/// The name without its unit, as the encoder wants it.
struct Family {
    name: &'static str,
    unit: Option<Unit>,
    help: &'static str,
}

const fn family(name: &'static str, help: &'static str) -> Family {
    Family { name, unit: None, help }
}

const fn bytes(name: &'static str, help: &'static str) -> Family {
    Family { name, unit: Some(Unit::Bytes), help }
}

const fn seconds(name: &'static str, help: &'static str) -> Family {
    Family { name, unit: Some(Unit::Seconds), help }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        self.encode_process(out)?;
        self.encode_requests(out)?;
        encode_writer(out, &self.told.writer)?;
        self.encode_business(out)?;
        self.encode_files(out)
    }
}

impl Page {
    fn encode_process(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let up = family("panel_up", "Whether the database can be read and written (1) or not (0): what health says.");
        gauge(out, &up, u32::from(self.told.is_good))?;
        let build = family("panel_build", "The version that runs; always 1.");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        version.encode(begin(out, &build, MetricType::Info)?)?;
        let began = u64::try_from(self.metrics.began.millis()).unwrap_or_default();
        let start = seconds("process_start_time", "When the panel opened its database, in seconds since 1970.");
        gauge(out, &start, Duration::from_millis(began).as_secs_f64())?;
        let memory = bytes("process_resident_memory", "Memory that the process holds in RAM, in bytes.");
        some(out, &memory, self.told.figures.resident_bytes)?;
        some(out, &family("process_open_fds", "Open files and sockets."), self.told.figures.open_fds)
    }

    fn encode_requests(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let requests = &self.metrics.requests;
        let asked = family(
            "panel_requests",
            "Answered requests by surface, template of the route, method and status; what is no route is (unknown).",
        );
        counters(out, &asked, requests.counted())?;
        let times = seconds("panel_request_duration", "From a request's head to the head of its answer, in seconds.");
        requests.encode_times(&mut begin(out, &times, MetricType::Histogram)?)?;
        let refused = family("panel_refusals", "Requests refused, by surface and the first gate that failed.");
        counters(out, &refused, requests.refused())?;
        let dropped = family("panel_request_log_dropped", "Rows of the request log that were lost.");
        counter(out, &dropped, self.told.dropped)
    }

    fn encode_business(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let figures = &self.told.figures;
        if let Some(keys) = &figures.keys {
            let states = keys.iter().flat_map(|(style, by)| {
                let states = [
                    ("active", by.active),
                    ("disabled", by.disabled),
                    ("expired", by.expired),
                    ("revoked", by.revoked),
                ];
                states.map(|(state, count)| ([("style", style.as_str()), ("state", state)], count))
            });
            let known = family("panel_keys", "API keys by style and state: each under the first gate that refuses it.");
            gauges(out, &known, states)?;
        }
        some(out, &family("panel_sessions", "Logins that are still good, on both surfaces."), figures.sessions)?;
        if let Some(by) = &figures.subscribers {
            let rest = by.total.saturating_sub(by.active).saturating_sub(by.expired).saturating_sub(by.suspended);
            let states =
                [("active", by.active), ("inactive", by.suspended), ("expired", by.expired), ("stopped", rest)];
            let counted = family("panel_subscribers", "Subscribers by what they are today.");
            gauges(out, &counted, states.map(|(status, count)| ([("status", status)], count)))?;
        }
        Ok(())
    }

    fn encode_files(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let figures = &self.told.figures;
        let age = seconds(
            "panel_last_verified_backup_age",
            "Since the newest backup was taken that was found whole, in seconds; not there before the first one.",
        );
        some(out, &age, figures.backup_age.flatten())?;
        some(out, &bytes("panel_database", "Size of the database file, in bytes."), figures.database_bytes)?;
        let wal = bytes("panel_wal", "Size of the database's write-ahead log, in bytes; cut back above 64 MiB.");
        some(out, &wal, figures.wal_bytes)?;
        let log = bytes("panel_request_log", "Size of the request log and its write-ahead log, in bytes.");
        some(out, &log, figures.request_log_bytes)?;
        let unread = family("panel_scrape_errors", "How often a family was left out because it could not be read.");
        let rows = FAMILIES.iter().zip(&self.metrics.unread);
        counters(out, &unread, rows.map(|(name, count)| ([("family", *name)], count.load(Ordering::Relaxed))))
    }
}

fn encode_writer(out: &mut DescriptorEncoder<'_>, writer: &WriterFigures) -> fmt::Result {
    let queue =
        family("panel_writer_queue", "Writes that wait for the writer; without room they are refused with 503.");
    gauge(out, &queue, writer.waiting)?;
    let buckets: Vec<_> =
        writer.groups.iter().map(|(size, count)| (*size as f64, *count)).chain([(f64::INFINITY, 0)]).collect();
    let groups = buckets.iter().map(|(_, count)| count).sum();
    let sizes = family("panel_writer_batch_size", "Writes that shared one transaction.");
    let mut sizes = begin(out, &sizes, MetricType::Histogram)?;
    sizes.encode_histogram::<[(&str, &str); 0]>(writer.jobs as f64, groups, &buckets, None)?;
    counter(out, &family("panel_writer_commits", "Transactions that are on the disk."), writer.commits)?;
    let longest = family(
        "panel_writer_transaction_seconds_max",
        "The longest write of each name in the last five to ten minutes, in seconds: a route's or an audit row's action, or why there is none; (commit) is the disk.",
    );
    gauges(out, &longest, writer.longest.iter().map(|(name, took)| ([("name", *name)], took.as_secs_f64())))
}

fn begin<'a>(
    out: &'a mut DescriptorEncoder<'_>,
    family: &'a Family,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    out.encode_descriptor(family.name, family.help, family.unit.as_ref(), kind)
}

fn gauge(out: &mut DescriptorEncoder<'_>, family: &Family, value: impl EncodeGaugeValue) -> fmt::Result {
    ConstGauge::new(value).encode(begin(out, family, MetricType::Gauge)?)
}

/// A family that could not be read is not there; a zero would be a lie.
fn some(out: &mut DescriptorEncoder<'_>, family: &Family, value: Option<impl EncodeGaugeValue>) -> fmt::Result {
    value.map_or(Ok(()), |value| gauge(out, family, value))
}

fn counter(out: &mut DescriptorEncoder<'_>, family: &Family, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(begin(out, family, MetricType::Counter)?)
}

fn gauges<L: EncodeLabelSet>(
    out: &mut DescriptorEncoder<'_>,
    family: &Family,
    rows: impl IntoIterator<Item = (L, impl EncodeGaugeValue)>,
) -> fmt::Result {
    let mut encoder = begin(out, family, MetricType::Gauge)?;
    rows.into_iter().try_for_each(|(labels, value)| ConstGauge::new(value).encode(encoder.encode_family(&labels)?))
}

fn counters<L: EncodeLabelSet>(
    out: &mut DescriptorEncoder<'_>,
    family: &Family,
    rows: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut encoder = begin(out, family, MetricType::Counter)?;
    rows.into_iter().try_for_each(|(labels, value)| ConstCounter::new(value).encode(encoder.encode_family(&labels)?))
}
