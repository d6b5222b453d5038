//! A whole panel in the scratch folder, with the settings in force: what `panel serve` starts, on a port of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use actix_web::web::Data;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::interrupted;
use crate::actions;
use crate::actions::subscribers::{Change, password};
use crate::app::{App, Clock};
use crate::cli::operator;
use crate::cli::output::Failure;
use crate::config::{Config, Listen};
use crate::crypto::random;
use crate::domain::error::AppError;
use crate::domain::keys::{Grants, KeyDraft, Scope, Style};
use crate::domain::services::ServiceId;
use crate::domain::subscribers::{Login, NewSubscriber};
use crate::http::{self, State};
use crate::jobs;
use crate::running::Running;
use crate::store::WriteTx;

/// Subscribers made in one transaction.
const CHUNK: usize = 500;

pub struct House {
    pub address: SocketAddr,
    pub key: SecretString,
    quit: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    running: Option<Running>,
}

impl House {
    /// Makes the database, fills it and begins to answer.
    pub fn open(settings: &Config, folder: &Path, subscribers: u32, stop: &AtomicBool) -> Result<Self, Failure> {
        let mut config = settings.clone();
        config.database.path = folder.join("panel.db");
        config.server.listen = vec![Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))];
        (config.server.tls_cert, config.server.tls_key, config.metrics.listen) = (None, None, None);
        config.backup.daily_at = None;
        let sentences = |error: &dyn std::fmt::Display| Failure::sentences(&error.to_string());
        let app = App::open(config, Clock::default()).map_err(|error| sentences(&error))?;
        let key = mint(&app)?;
        fill(&app, subscribers, stop)?;
        let running = Running::begin(app, true)?;
        let (quit, asked) = oneshot::channel();
        let (tell, told) = channel();
        let served = running.state.clone();
        let run = move || actix_web::rt::System::new().block_on(serve(served, &tell, asked));
        let thread = std::thread::Builder::new().name("bench-server".to_owned()).spawn(run);
        let thread = thread.map_err(|error| sentences(&error))?;
        let address = told.recv().unwrap_or_else(|_| Err(io::Error::other("the server ended at once")));
        let address = address.map_err(|error| sentences(&error))?;
        Ok(Self { address, key, quit: Some(quit), thread: Some(thread), running: Some(running) })
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.quit = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        self.running.take().map(Running::end);
    }
}

async fn serve(state: Data<State>, tell: &Sender<io::Result<SocketAddr>>, asked: oneshot::Receiver<()>) {
    let started = http::start(state, None).and_then(|serving| match serving.addresses.first() {
        Some(Listen::Tcp(address)) => Ok((*address, serving)),
        Some(Listen::Unix(_)) | None => Err(io::Error::other("it does not listen")),
    });
    let (address, serving) = match started {
        Ok(started) => started,
        Err(error) => return drop(tell.send(Err(error))),
    };
    let handle = serving.handle();
    actix_web::rt::spawn(async move {
        // Its sender is dropped when all has been measured.
        drop(asked.await);
        handle.stop(false).await;
    });
    drop(tell.send(Ok(address)));
    drop(serving.run().await);
}

/// A key of the administrator without a limit.
fn mint(app: &App) -> Result<SecretString, Failure> {
    let secret = random::secret(Style::External)?;
    let shown = SecretString::from(secret.reveal());
    let draft = KeyDraft {
        rate_per_minute: Some(0),
        ..KeyDraft::new(actions::bootstrap::ADMIN, "bench", Grants::External(Scope::Write), app.now())
    };
    let default_rate = app.config().limits.per_key_per_minute;
    app.db.write_blocking(move |tx| actions::keys::mint(tx, &operator(), &draft, &secret, None, default_rate))?;
    Ok(shown)
}

/// Makes the subscribers that the reads ask for, and lets the search index catch up with them.
fn fill(app: &App, subscribers: u32, stop: &AtomicBool) -> Result<(), Failure> {
    let mut numbers = 1..=subscribers;
    loop {
        let chunk = numbers.by_ref().take(CHUNK).map(|number| subscriber(app, number));
        let chunk = chunk.collect::<Result<Vec<_>, AppError>>()?;
        if chunk.is_empty() {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        app.db.write_blocking(move |tx: &WriteTx<'_>| {
            chunk.iter().try_for_each(|new| actions::subscribers::create(tx, &operator(), new).map(|_| ()))
        })?;
    }
    Ok(jobs::fill_search(app)?)
}

fn subscriber(app: &App, number: u32) -> Result<NewSubscriber, AppError> {
    let (full_name, phone) = (Some(format!("Loaded Customer {number}")), Some("+961 1 234567".to_owned()));
    let username = Login::parse("username", &format!("loaded{number}@example.net"))?;
    let draft = Change { full_name, phone, ..Change::default() }.into_draft(username, ServiceId(1));
    let (uid, secret) = (random::uid()?, random::password()?);
    let password_sealed = password::seal(&app.sealer, &uid, &secret)?;
    Ok(NewSubscriber { draft, uid, password_sealed, now: app.now(), today: app.today() })
}

/// What the clients send with every call.
pub fn header(key: &SecretString) -> String {
    format!("Host: localhost\r\nX-API-Key: {}\r\n", key.expose_secret())
}
