//! What every worker thread shares.

use std::sync::Arc;

use crate::app::{App, LastUses, SLOW_READS};
use crate::config::Config;
use crate::health::Health;
use crate::limits::KeyLimits;
use crate::metrics::Metrics;
use crate::store::request_logs::RequestLogs;

use super::aftermath::Aftermaths;
use super::call::SlowReads;
use super::shield::Shield;

#[derive(Debug)]
pub struct State {
    pub app: Arc<App>,
    pub logs: Arc<RequestLogs>,
    pub uses: Arc<LastUses>,
    pub limits: Arc<KeyLimits>,
    pub shield: Shield,
    pub health: Health,
    pub aftermaths: Aftermaths,
    pub metrics: Arc<Metrics>,
    pub slow_reads: SlowReads,
}

impl State {
    pub fn new(
        app: Arc<App>,
        logs: Arc<RequestLogs>,
        uses: Arc<LastUses>,
        limits: Arc<KeyLimits>,
    ) -> std::io::Result<Self> {
        let shield = Shield::new(&app.config().limits);
        let health = Health::start(&app)?;
        let aftermaths = Aftermaths::start()?;
        let metrics = Arc::new(Metrics::new(app.now()));
        let slow_reads = SlowReads::new(SLOW_READS as usize);
        Ok(Self { aftermaths, health, metrics, slow_reads, app, logs, uses, limits, shield })
    }

    /// Puts settings in force that may change while running.
    pub fn set_config(&self, config: Config) {
        self.shield.set_limits(&config.limits);
        self.limits.set_default(config.limits.per_key_per_minute);
        self.app.set_config(config);
    }

    /// Drops counts that no longer matter, and tells what the log left out; once a minute.
    pub fn end_minute(&self) {
        self.aftermaths.end_minute();
        self.limits.forget_idle(self.app.now());
        self.shield.forget_idle(self.app.now());
    }
}
