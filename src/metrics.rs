//! What monitoring is told: counters that the door keeps, figures that are read when somebody asks, one page of text
//! (contract: admin.md, its last lines). Never: actix, SQL. No name, key, address or path of a request gets here: every
//! label's values are fixed when the program is built.

mod figures;
mod page;
mod requests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::domain::time::Timestamp;
use crate::store::WriterFigures;

pub use figures::Figures;
pub use requests::Seen;

use page::Page;
use requests::Requests;

/// What [`Metrics::page`] makes; prometheus-client writes no other text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted from the start to the end of the process.
#[derive(Debug)]
pub struct Metrics {
    requests: Requests,
    /// How often each of the families of [`figures::FAMILIES`] could not be read.
    unread: [AtomicU64; figures::FAMILIES.len()],
    began: Timestamp,
}

/// What others count, as it is now.
#[derive(Debug)]
pub struct Told {
    /// The verdict of health.
    pub is_good: bool,
    pub figures: Figures,
    pub writer: WriterFigures,
    /// Rows of the request log that were lost since the start.
    pub dropped: u64,
}

impl Metrics {
    pub fn new(began: Timestamp) -> Self {
        Self { requests: Requests::default(), unread: Default::default(), began }
    }

    /// Counts an answer. Costs a look-up and three additions, and waits for nobody.
    pub fn count(&self, seen: &Seen<'_>) {
        self.requests.count(seen);
    }

    /// Everything, as text of OpenMetrics 1.0. Each figure that is missing is counted.
    pub fn page(self: &Arc<Self>, told: Told) -> Result<String, fmt::Error> {
        for (unread, missing) in self.unread.iter().zip(told.figures.missing()) {
            unread.fetch_add(u64::from(missing), Ordering::Relaxed);
        }
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Page { metrics: Arc::clone(self), told }));
        let mut page = String::with_capacity(64 * 1024);
        text::encode(&mut page, &registry)?;
        Ok(page)
    }
}
