//! `panel serve`: opens everything, tells systemd when it is ready, and stops in order.

use std::sync::Arc;

use actix_web::web::Data;
use secrecy::ExposeSecret;
use tokio::signal::unix::{SignalKind, signal};

use super::admin::make_link;
use super::output::{Failure, Outcome, say};
use super::owner;
use crate::actions::{self, bootstrap};
use crate::app::{App, Clock, LastUses};
use crate::config::{Config, Listen};
use crate::domain::policy;
use crate::http::{self, State};
use crate::jobs::{Jobs, On};
use crate::limits::KeyLimits;
use crate::logging;
use crate::panics;
use crate::store::{self, request_logs::RequestLogs};

pub fn run(config: Config) -> Outcome {
    if config.server.tls_cert.is_some() {
        let why = "server.tls_cert and server.tls_key are set, but this version does not speak TLS itself";
        return Err(Failure::new(why, "Remove both and put a reverse proxy in front (server.trusted_proxies)."));
    }
    owner::become_owner(&config.database.path)?;
    if let Err(error) = logging::start(&config.log) {
        say(&format!("the log could not be started: {error}"));
    }
    panics::watch();
    let logs_path = store::logs_path(&config.database.path);
    let app = App::open(config, Clock::default()).map_err(|error| Failure::sentences(&error.to_string()))?;
    let logs = RequestLogs::open(&logs_path).map_err(|error| Failure::sentences(&error.to_string()))?;
    let (app, logs, uses) = (Arc::new(app), Arc::new(logs), Arc::new(LastUses::default()));
    offer_setup(&app)?;
    let limits = Arc::new(KeyLimits::new(app.config.limits.per_key_per_minute));
    limits.restore(app.db.read(store::key_usage::list)?);
    let on =
        On { app: Arc::clone(&app), logs: Arc::clone(&logs), uses: Arc::clone(&uses), limits: Arc::clone(&limits) };
    let failed = |error: std::io::Error| Failure::sentences(&error.to_string());
    let jobs = Jobs::start(on).map_err(failed)?;
    let state = Data::new(State::new(app, logs, &uses, limits).map_err(failed)?);
    let served = actix_web::rt::System::new().block_on(serve(state.clone()));
    http::drain(&state);
    // The order matters: jobs store what they hold, then the last owners of log and database let them finish and close.
    drop(jobs);
    served.map_err(failed)
}

async fn serve(state: Data<State>) -> std::io::Result<()> {
    let (mut term, mut interrupt, mut hangup) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let serving = http::start(state.clone())?;
    let (handle, addresses) = (serving.handle(), serving.addresses.clone());
    if let Some(address) = serving.metrics {
        tracing::info!("metrics on {address}");
    }
    for address in &addresses {
        tracing::info!("listening on {address}");
    }
    notify(&[sd_notify::NotifyState::Ready]);
    actix_web::rt::spawn(watchdog(state));
    let stop = async move {
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => tracing::warn!("SIGHUP: no setting can be changed while running; restart to apply"),
            }
        }
        tracing::info!("stopping: no new connections, what runs is finished");
        notify(&[sd_notify::NotifyState::Stopping]);
        handle.stop(true).await;
    };
    actix_web::rt::spawn(stop);
    let served = serving.run().await;
    for address in &addresses {
        if let Listen::Unix(path) = address {
            // It would look like a server that does not answer.
            drop(std::fs::remove_file(path));
        }
    }
    served
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
    logging::announce(&app.config.log, what, "link", link.expose_secret());
    Ok(())
}

/// Tells systemd that the writer works. A write that fails is work too: a full disk is no reason to restart in a loop.
async fn watchdog(state: Data<State>) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(period / 3);
    loop {
        ticks.tick().await;
        let before = state.app.db.writer_turns();
        // Its outcome does not matter; that the writer took it up does.
        drop(tokio::time::timeout(period / 3, state.app.db.write(|_| Ok(()))).await);
        if state.app.db.writer_turns() != before {
            notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
