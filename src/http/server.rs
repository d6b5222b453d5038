//! Listening, and stopping.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{Extensions, Server, ServerHandle};
use actix_web::rt::net::{TcpStream, UnixStream};
use actix_web::web::Data;
use actix_web::{App, HttpServer, web};

use super::state::State;
use super::unix_socket::{self, SocketFile};
use super::visit::Encrypted;
use super::{door, metrics};
use crate::app::SLOW_READS;
use crate::config::Listen;
use crate::domain::addresses::Peer;
use crate::tls::{self, Certificates};

/// Threads of each worker for slow reads: all that may go on at once can be one worker's.
const BLOCKING_THREADS: usize = SLOW_READS as usize;

/// How long a request head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Unfinished handshakes of each worker, of about 14 kB each. At this number it accepts nobody, so strangers must not
/// get there cheaply: actix's own 256 would be reached by one of them.
const HANDSHAKES: usize = 4096;

/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

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
    let mut server = HttpServer::new(move || App::new().app_data(state.clone()).default_service(web::to(door::serve)))
        .workers(workers)
        .on_connect(note_peer)
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .client_request_timeout(HEAD_TIMEOUT)
        .tls_handshake_timeout(HANDSHAKE_TIMEOUT)
        .max_connection_rate(HANDSHAKES)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals();
    let mut sockets = Vec::new();
    for listen in &listens {
        let bound = match (listen, &tls) {
            (Listen::Tcp(address), Some(tls)) => server.bind_rustls_0_23(address, tls.clone()),
            (Listen::Tcp(address), None) => server.bind(address),
            (Listen::Unix(path), _) => unix_socket::bind(path).and_then(|(listener, file)| {
                sockets.push(file);
                server.listen_uds(listener)
            }),
        };
        server = bound.map_err(|e| {
            let why = format!("server.listen: {listen} cannot be listened on: {e}.");
            io::Error::new(e.kind(), format!("{why}\nStop what uses it, or choose another address."))
        })?;
    }
    actix_web::rt::spawn(minutes(of_minutes));
    let bound = listens.iter().zip(server.addrs()).map(|(listen, address)| match listen {
        Listen::Tcp(_) => Listen::Tcp(address),
        Listen::Unix(path) => Listen::Unix(path.clone()),
    });
    let addresses = bound.collect();
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

/// Remembers who is at the other end while that can still be asked: after a reset the system no longer knows, and a TCP
/// peer without an address must not be taken for a Unix socket's, which is trusted.
fn note_peer(connection: &dyn Any, data: &mut Extensions) {
    let of_tcp = |stream: &TcpStream| stream.peer_addr().ok().map(|address| Peer::Ip(address.ip()));
    let peer = if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        of_tcp(stream)
    } else if let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() {
        data.insert(Encrypted);
        of_tcp(stream.get_ref().0)
    } else {
        connection.is::<UnixStream>().then_some(Peer::UnixSocket)
    };
    if let Some(peer) = peer {
        data.insert(peer);
    }
}
