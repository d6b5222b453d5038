//! Listening, and stopping.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::max_concurrent_tls_connect;
use actix_web::App;
use actix_web::dev::{Server, ServerHandle};
use actix_web::web::{self, Data};

use super::state::State;
use super::unix_socket::{self, SocketFile};
use super::{descriptors, door, listener, metrics};
use crate::app::SLOW_READS;
use crate::config::Listen;
use crate::tls::{self, Certificates};

/// Threads of each worker for slow reads: all that may go on at once can be one worker's.
const BLOCKING_THREADS: usize = SLOW_READS as usize;

/// Unfinished handshakes of each worker, of about 14 kB each. At this number it accepts nobody, so strangers must not
/// get there cheaply: actix's own 256 would be reached by one of them.
const HANDSHAKES: usize = 4096;

/// What finishes on its own is waited for this long when stopping (contract: cli.md, serve).
const DRAIN_SECONDS: u64 = 10;

/// A log that cannot be written must not keep the process from ending.
const FLUSH_PATIENCE: Duration = Duration::from_secs(3);

/// A server that listens.
pub struct Serving {
    server: Server,
    /// Where it listens, with the port that the system chose where the settings say 0.
    pub addresses: Vec<Listen>,
    /// Where the metrics are, if anywhere.
    pub metrics: Option<SocketAddr>,
    beside: Option<ServerHandle>,
    sockets: Vec<SocketFile>,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Serving {
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Answers until it is stopped; the metrics can be read until everything has been answered.
    pub async fn run(self) -> io::Result<()> {
        let served = self.server.await;
        if let Some(beside) = self.beside {
            beside.stop(false).await;
        }
        // They would look like a server that does not answer.
        drop(self.sockets);
        served
    }
}

/// Binds every address of the settings and begins to answer; over TLS where there is a certificate, but for Unix
/// sockets. An address that cannot be had names its setting.
pub fn start(state: Data<State>, certificates: Option<Arc<Certificates>>) -> io::Result<Serving> {
    // First: whoever has this address is perhaps another panel, whose Unix socket must not be taken from it.
    let bound_metrics = metrics::bind(&state)?;
    let of_minutes = state.clone();
    let settings = state.app.config().server.clone();
    let (workers, listens) = (settings.workers(), settings.listen);
    let tls = certificates.map(tls::server_config);
    max_concurrent_tls_connect(HANDSHAKES);
    let app = move || App::new().app_data(state.clone()).default_service(web::to(door::serve));
    let mut server = Server::build()
        .workers(workers)
        .max_concurrent_connections(descriptors::connections(workers))
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals();
    let (mut addresses, mut sockets) = (Vec::new(), Vec::new());
    for listen in &listens {
        let bound = match listen {
            Listen::Tcp(address) => listener::bind(*address).and_then(|listener| {
                addresses.push(Listen::Tcp(listener.local_addr()?));
                match &tls {
                    Some(tls) => listener::tls(server, listener, tls, app.clone()),
                    None => listener::tcp(server, listener, app.clone()),
                }
            }),
            Listen::Unix(path) => unix_socket::bind(path).and_then(|(listener, file)| {
                addresses.push(Listen::Unix(path.clone()));
                sockets.push(file);
                listener::unix(server, listener, app.clone())
            }),
        };
        server = bound.map_err(|e| {
            let why = format!("server.listen: {listen} cannot be listened on: {e}.");
            io::Error::new(e.kind(), format!("{why}\nStop what uses it, or choose another address."))
        })?;
    }
    actix_web::rt::spawn(minutes(of_minutes));
    let metrics = bound_metrics.as_ref().map(|bound| bound.address);
    let beside = bound_metrics.map(|bound| {
        let server = (bound.run)();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        handle
    });
    Ok(Serving { server: server.run(), addresses, metrics, beside, sockets })
}

/// Sees to it that what was answered is written down, when no more answers come. The server's threads may still hold the
/// state then, so its own end cannot be waited for.
pub fn drain(state: &State) {
    state.aftermaths.flush(FLUSH_PATIENCE);
    state.aftermaths.end_minute();
    state.logs.flush(FLUSH_PATIENCE);
}

async fn minutes(state: Data<State>) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        state.end_minute();
    }
}
