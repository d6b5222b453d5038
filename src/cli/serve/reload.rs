//! SIGHUP: settings and certificate are read again while connections go on. systemd is told.

use std::path::PathBuf;
use std::sync::Arc;

use actix_web::web::Data;
use sd_notify::NotifyState;
use tokio::signal::unix::Signal;

use super::notify;
use crate::config::{self, Config};
use crate::http::State;
use crate::logging::SetLevel;
use crate::tls::{self, Certificates, Identity};

pub struct Reload {
    pub state: Data<State>,
    /// The file that was read at the start. Without it now, its settings would silently be the defaults.
    pub named: Option<PathBuf>,
    /// `None`: TLS is not spoken.
    pub certificates: Option<Arc<Certificates>>,
    pub set_level: SetLevel,
}

impl Reload {
    pub async fn at_each(self, mut hangup: Signal) {
        let reload = Arc::new(self);
        while hangup.recv().await.is_some() {
            match NotifyState::monotonic_usec_now() {
                // systemd takes the two for one only in one message (sd_notify(3)).
                Ok(now) => notify(&[NotifyState::Reloading, now]),
                Err(error) => tracing::warn!(%error, "systemd could not be told"),
            }
            let again = Arc::clone(&reload);
            let status = match actix_web::rt::task::spawn_blocking(move || again.run()).await {
                Ok(Ok(())) => String::new(),
                Ok(Err(why)) => format!("The last reload failed: {why}"),
                Err(_) => "The last reload failed: it panicked".to_owned(),
            };
            // Without a way to say that it failed: the old settings are in force, and the panel is ready.
            notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
        }
    }

    /// Fails with what was said in the log.
    fn run(&self) -> Result<(), String> {
        let loaded = config::load(self.named.as_deref()).map_err(|error| {
            let why = one_line(&error);
            tracing::error!("reload refused, nothing changed: {why}");
            why
        })?;
        let reloaded = self.state.app.config().reloaded(&loaded.config);
        // A certificate that was not renewed well is no reason to keep old limits.
        let certificate = self.read_certificate(&reloaded.config);
        (self.set_level)(reloaded.config.log.level);
        self.state.set_config(reloaded.config);
        for key in reloaded.waiting {
            tracing::warn!("{key} changed: takes effect at the next start");
        }
        match reloaded.changed.as_slice() {
            [] => tracing::info!("reloaded: no setting changed"),
            changed => tracing::info!("reloaded: {}", changed.join(", ")),
        }
        certificate
    }

    fn read_certificate(&self, config: &Config) -> Result<(), String> {
        let Some((certificates, (cert, key))) = self.certificates.as_ref().zip(config.server.tls_files()) else {
            return Ok(());
        };
        let identity = Identity::read(cert, key).map_err(|error| {
            let why = one_line(&error);
            tracing::error!("the certificate that was in force stays: {why}");
            why
        })?;
        let validity = identity.validity();
        if certificates.replace(identity) {
            let until = validity.map(|validity| format!(", valid until {}", validity.not_after.rfc3339()));
            tracing::info!("another certificate is in force: {}{}", cert.display(), until.unwrap_or_default());
        }
        if let Some(warning) = tls::warning(cert, validity, self.state.app.now()) {
            tracing::warn!("{warning}");
        }
        Ok(())
    }
}

fn one_line(error: &impl ToString) -> String {
    error.to_string().replace('\n', ". ")
}
