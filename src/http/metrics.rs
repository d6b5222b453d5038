//! The listener of its own for monitoring: `GET /metrics` and `GET /health`, without a credential (contract: admin.md, its
//! last lines). It has its own thread, so it answers when all of the others are busy.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::None as NoBody;
use actix_web::dev::Server;
use actix_web::http::{ConnectionType, Method, StatusCode, header};
use actix_web::rt::task::{JoinHandle, spawn_blocking};
use actix_web::web::{self, Bytes, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::json;
use tokio::sync::Mutex;

use super::patience::Busy;
use super::state::State;
use super::{answer, door, listener};
use crate::actions;
use crate::metrics::{self, Figures, Told};
use crate::panics;

/// How long a page is good: however often somebody asks, the database is asked once.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// How long figures may take; after that the page does without them. Prometheus waits 10 s.
const PATIENCE: Duration = Duration::from_secs(3);

/// A few scrapers and probes, and somebody who looks.
const CONNECTIONS: usize = 256;

const TEXT: &str = "text/plain; charset=utf-8";

/// Where pages are made, one at a time.
struct Desk {
    state: Data<State>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    page: Option<(Instant, Bytes)>,
    /// Figures that were not there in time may still come; nobody starts reading them twice.
    reading: Option<JoinHandle<Result<Figures, String>>>,
}

/// A listener that does not answer yet.
pub struct Bound {
    pub address: SocketAddr,
    pub run: Box<dyn FnOnce() -> Server>,
}

/// Binds the address of the settings; `None` where there is none. One that cannot be had names its setting.
pub fn bind(state: &Data<State>) -> io::Result<Option<Bound>> {
    let Some(listen) = state.app.config().metrics.listen else { return Ok(None) };
    let desk = Data::new(Desk { state: state.clone(), table: Mutex::default() });
    let app = move || App::new().app_data(desk.clone()).default_service(web::to(serve));
    let server = Server::build()
        .workers(1)
        .max_concurrent_connections(CONNECTIONS)
        .worker_max_blocking_threads(1)
        .shutdown_timeout(1)
        .disable_signals();
    let bound = listener::bind(listen).and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((address, listener::tcp(server, listener, app)?))
    });
    let (address, server) = bound.map_err(|e| {
        let why = format!("metrics.listen: {listen} cannot be listened on: {e}.");
        let remedy =
            "Stop what uses it (another panel?), choose another address, or turn it off: metrics.listen = \"\".";
        io::Error::new(e.kind(), format!("{why}\n{remedy}"))
    })?;
    Ok(Some(Bound { address, run: Box::new(|| server.run()) }))
}

async fn serve(request: HttpRequest, payload: Payload, desk: Data<Desk>) -> HttpResponse {
    let _busy = Busy::with(&request, &desk.state.app.config().server);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = match request.path() {
        "/metrics" if reads => desk.metrics().await,
        // Whoever asks the main listener for its health asks the same here.
        "/health" | "/api/health" if reads => desk.health().await,
        "/metrics" | "/health" | "/api/health" => begin(StatusCode::METHOD_NOT_ALLOWED, TEXT)
            .insert_header((header::ALLOW, "GET, HEAD"))
            .body("Only GET and HEAD.\n"),
        _ => begin(StatusCode::NOT_FOUND, TEXT).body("Here are /metrics and /health.\n"),
    };
    if response.status().is_client_error() {
        tracing::debug!(status = response.status().as_u16(), "a request was refused where the metrics are");
    }
    if request.head().upgrade() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    if *request.method() == Method::HEAD {
        response = response.set_body(NoBody::new()).map_into_boxed_body();
    }
    match [header::TRANSFER_ENCODING, header::CONTENT_LENGTH].iter().any(|name| request.headers().contains_key(name)) {
        // Nobody here reads a body, whose end may never come.
        true => door::hold(response, payload),
        false => response,
    }
}

fn begin(status: StatusCode, content_type: &'static str) -> HttpResponseBuilder {
    let mut builder = HttpResponseBuilder::new(status);
    builder
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    builder.content_type(content_type);
    builder
}

impl Desk {
    /// GET /health: what `/api/health` says to a stranger, and what only monitoring is told.
    async fn health(&self) -> HttpResponse {
        let (status, verdict, database) = match self.state.health.is_good().await {
            true => (StatusCode::OK, "healthy", "connected"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "unavailable"),
        };
        let app = Arc::clone(&self.state.app);
        let read = spawn_blocking(move || app.db.read_slowly(|tx| actions::backups::verified_age(tx, app.now())));
        // Null where there is none, and where it cannot be told in time.
        let backup = match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(Ok(age))) => age,
            _ => None,
        };
        let body = json!({
            "status": verdict,
            "database": database,
            "version": env!("CARGO_PKG_VERSION"),
            "last_verified_backup_age": backup,
        });
        begin(status, answer::JSON).body(body.to_string())
    }

    /// GET /metrics
    async fn metrics(&self) -> HttpResponse {
        let mut table = self.table.lock().await;
        let fresh = table.page.as_ref().filter(|(made, _)| made.elapsed() < GOOD_FOR).map(|(_, page)| page.clone());
        if let Some(page) = fresh {
            return begin(StatusCode::OK, metrics::CONTENT_TYPE).body(page);
        }
        let (state, of_reader) = (&self.state, self.state.clone());
        let reading = table.figures(move || Figures::read(&of_reader.app), PATIENCE);
        let (is_good, figures) = tokio::join!(state.health.is_good(), reading);
        let told = Told { is_good, figures, writer: state.app.db.writer_figures(), dropped: state.logs.dropped() };
        match state.metrics.page(told) {
            Ok(page) => {
                let page = Bytes::from(page);
                table.page = Some((Instant::now(), page.clone()));
                begin(StatusCode::OK, metrics::CONTENT_TYPE).body(page)
            }
            Err(error) => {
                tracing::error!(%error, "the metrics could not be written");
                begin(StatusCode::INTERNAL_SERVER_ERROR, TEXT).body("The metrics could not be written.\n")
            }
        }
    }
}

impl Table {
    /// Reads figures on a thread that may wait; what is not there in time is missing.
    async fn figures(&mut self, read: impl FnOnce() -> Figures + Send + 'static, patience: Duration) -> Figures {
        // What came too late for one page is too old for the next.
        self.reading.take_if(|reading| reading.is_finished());
        let reading = self.reading.get_or_insert_with(|| spawn_blocking(|| panics::catch(read)));
        let Ok(done) = tokio::time::timeout(patience, reading).await else {
            tracing::warn!("the figures for the metrics were not there in time");
            return Figures::default();
        };
        self.reading = None;
        done.map_err(|error| error.to_string()).flatten().unwrap_or_else(|why| {
            tracing::error!(why, "reading the figures for the metrics failed");
            Figures::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(count: i64) -> Figures {
        Figures { sessions: Some(count), ..Figures::default() }
    }

    #[tokio::test]
    async fn figures_that_come_too_late_are_missing_and_nobody_reads_them_twice_or_uses_them_later() {
        let (patience, short) = (Duration::from_secs(20), Duration::from_millis(20));
        let mut table = Table::default();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let slow = move || {
            assert!(held.recv().is_err(), "the other end is dropped, never sent");
            sessions(1)
        };
        assert_eq!(table.figures(slow, short).await.sessions, None);
        let twice = || -> Figures { panic!("read twice") };
        assert_eq!(table.figures(twice, short).await.sessions, None);
        drop(release);
        while !table.reading.as_ref().unwrap().is_finished() {
            tokio::time::sleep(short).await;
        }
        assert_eq!(table.figures(|| sessions(2), patience).await.sessions, Some(2));
        assert_eq!(table.figures(|| panic!("on purpose"), patience).await.sessions, None);
        assert_eq!(table.figures(|| sessions(3), patience).await.sessions, Some(3));
    }
}
