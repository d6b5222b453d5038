//! `panel serve`: opens everything, tells systemd when it is ready, and stops in order.

mod reload;

use std::path::PathBuf;
use std::sync::Arc;

use actix_web::web::Data;
use secrecy::ExposeSecret;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::admin::make_link;
use super::output::{Failure, Outcome, say};
use super::owner;
use crate::actions::{self, bootstrap};
use crate::app::{App, Clock};
use crate::config::{Config, Server};
use crate::domain::policy;
use crate::http::{self, State};
use crate::logging;
use crate::panics;
use crate::running::Running;
use crate::store;
use crate::tls::{self, Certificates, Identity};

use reload::Reload;

/// `named` is the file of `--config`, which a reload reads again.
pub fn run(config: Config, named: Option<PathBuf>) -> Outcome {
    owner::become_owner(&config.database.path)?;
    let set_level = logging::start(&config.log).unwrap_or_else(|error| {
        say(&format!("the log could not be started: {error}"));
        Box::new(|_| {})
    });
    let _flush = logging::flush_at_end();
    panics::watch();
    let system = actix_web::rt::System::new();
    let failed = |error: std::io::Error| Failure::sentences(&error.to_string());
    // A migration may take minutes: from here on SIGHUP waits for whoever will hear it, and is not the end.
    let hangup = system.block_on(async { signal(SignalKind::hangup()) }).map_err(failed)?;
    let certificates = read_certificates(&config.server)?;
    let app = App::open(config, Clock::default()).map_err(|error| Failure::sentences(&error.to_string()))?;
    let running = Running::begin(app, true)?;
    let state = running.state.clone();
    offer_setup(&state.app)?;
    let reload = Reload { state: state.clone(), named, certificates: certificates.clone(), set_level };
    let served = system.block_on(serve(state, certificates, reload, hangup));
    let state = running.end();
    // Threads of the server may hold the database until the process is gone, so its own end does not do this for sure.
    if let Err(error) = state.app.db.fold_log_in() {
        tracing::warn!(%error, "the write-ahead log could not be brought in; the next start does it");
    }
    served.map_err(failed)
}

fn read_certificates(settings: &Server) -> Result<Option<Arc<Certificates>>, Failure> {
    let Some((cert, key)) = settings.tls_files() else { return Ok(None) };
    let identity = Identity::read(cert, key).map_err(|error| Failure::sentences(&error.to_string()))?;
    if let Some(warning) = tls::warning(cert, identity.validity(), Clock::default().now()) {
        tracing::warn!("{warning}");
    }
    Ok(Some(Arc::new(Certificates::new(identity))))
}

async fn serve(
    state: Data<State>,
    certificates: Option<Arc<Certificates>>,
    reload: Reload,
    hangup: Signal,
) -> std::io::Result<()> {
    http::raise_limits();
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let serving = http::start(state.clone(), certificates)?;
    let (handle, addresses) = (serving.handle(), serving.addresses.clone());
    if let Some(address) = serving.metrics {
        tracing::info!("metrics on {address}");
    }
    for address in &addresses {
        tracing::info!("listening on {address}");
    }
    notify(&[sd_notify::NotifyState::Ready]);
    actix_web::rt::spawn(watchdog(state));
    // By itself, so that a disk that hangs in the middle of it does not keep the panel from stopping.
    actix_web::rt::spawn(reload.at_each(hangup));
    let stop = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new connections, what runs is finished");
        notify(&[sd_notify::NotifyState::Stopping]);
        handle.stop(true).await;
    };
    actix_web::rt::spawn(stop);
    serving.run().await
}

/// On a database whose administrator has no password yet, prints where to set one.
fn offer_setup(app: &App) -> Outcome {
    let permit = policy::system();
    let admin = match app.db.read(|tx| actions::users::get(tx, &permit, bootstrap::ADMIN)) {
        Ok(admin) if !admin.has_password => admin,
        _ => return Ok(()),
    };
    if app.db.read(|tx| store::setup_links::is_offered(tx, admin.id, app.now()))? {
        return Ok(());
    }
    let link = make_link(app, &permit)?;
    let what = "Set the password of admin within 30 minutes (the link works once)";
    logging::announce(&app.config().log, what, "link", link.expose_secret());
    Ok(())
}

/// Tells systemd that the writer answers. An error is an answer too: a full disk, or a lock that another process holds for
/// long, is not mended by a restart.
async fn watchdog(state: Data<State>) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(period / 3);
    let mut seen = state.app.db.writer_answered();
    loop {
        ticks.tick().await;
        // Its outcome does not matter: a full queue sends it away unseen while the writer works through what others sent.
        drop(tokio::time::timeout(period / 3, state.app.db.write(|_| Ok(()))).await);
        let answered = state.app.db.writer_answered();
        if answered != seen {
            notify(&[sd_notify::NotifyState::Watchdog]);
        }
        seen = answered;
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
