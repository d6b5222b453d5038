//! Sockets, and what answers on them: actix's HTTP/1.1 over connections that are given up when they last too long.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Protocol, Request};
use actix_server::{GracefulShutdownSignal, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::rt::net::{TcpStream, UnixStream};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use super::patience::{Patient, Wait};
use super::visit::Encrypted;
use crate::domain::addresses::Peer;

/// How long the first request head of a connection may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept; longer than what is usual between two scrapes.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long whoever was answered early may go on sending before the connection is closed.
const LINGER: Duration = Duration::from_secs(1);

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// A TCP socket that listens.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The connections of the process before this one may not be over yet.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

pub fn tcp<F, I, S>(builder: ServerBuilder, listener: TcpListener, app: F) -> io::Result<ServerBuilder>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: App,
{
    let stopping = builder.graceful_shutdown_signal();
    builder.listen("tcp", listener, move || {
        let plain = fn_service(async |stream: TcpStream| Ok::<_, DispatchError>(ready(stream)));
        plain.and_then(http(stopping.clone(), app().into_factory()))
    })
}

pub fn tls<F, I, S>(
    builder: ServerBuilder,
    listener: TcpListener,
    config: &ServerConfig,
    app: F,
) -> io::Result<ServerBuilder>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: App,
{
    let stopping = builder.graceful_shutdown_signal();
    let mut acceptor = Acceptor::new(config.clone());
    acceptor.set_handshake_timeout(HANDSHAKE_TIMEOUT);
    builder.listen("tls", listener, move || {
        // Whoever does not get through the handshake is told so by its alert; nothing else is to be said of it.
        let encrypted = acceptor.clone().map_err(|_| DispatchError::DisconnectTimeout);
        let encrypted = encrypted.map(|stream: TlsStream<TcpStream>| ready(stream));
        encrypted.and_then(http(stopping.clone(), app().into_factory()))
    })
}

pub fn unix<F, I, S>(builder: ServerBuilder, listener: UnixListener, app: F) -> io::Result<ServerBuilder>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: App,
{
    let stopping = builder.graceful_shutdown_signal();
    builder.listen_uds("unix", listener, move || {
        let plain = fn_service(async |stream: UnixStream| Ok::<_, DispatchError>(ready(stream)));
        plain.and_then(http(stopping.clone(), app().into_factory()))
    })
}

/// What answers requests.
pub trait App:
    ServiceFactory<
        Request,
        Config = AppConfig,
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError: fmt::Debug,
        Service: 'static,
        Future: 'static,
    > + 'static
{
}

impl<S> App for S where
    S: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError: fmt::Debug,
            Service: 'static,
            Future: 'static,
        > + 'static
{
}

fn ready<T>(stream: T) -> (Patient<T>, Protocol, Option<SocketAddr>) {
    (Patient::new(stream), Protocol::Http1, None)
}

fn http<T: End, S: App>(
    stopping: GracefulShutdownSignal,
    app: S,
) -> impl ServiceFactory<
    (Patient<T>, Protocol, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
> {
    let app = app.map_err(|error: Error| error.error_response());
    HttpService::build()
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(LINGER)
        .keep_alive(KEEP_ALIVE)
        .on_connect_ext(note::<T>)
        .finish(map_config(app, |()| AppConfig::default()))
}

/// Remembers who is at the other end while that can still be asked: after a reset the system no longer knows, and a TCP
/// peer without an address must not be taken for a Unix socket's, which is trusted.
fn note<T: End>(connection: &Patient<T>, data: &mut Extensions) {
    data.insert::<Rc<Wait>>(connection.wait());
    if T::ENCRYPTED {
        data.insert(Encrypted);
    }
    if let Some(peer) = connection.stream().peer() {
        data.insert(peer);
    }
}

/// A connection that can say who is at its other end.
trait End: AsyncRead + AsyncWrite + Unpin + 'static {
    const ENCRYPTED: bool = false;

    fn peer(&self) -> Option<Peer>;
}

impl End for TcpStream {
    fn peer(&self) -> Option<Peer> {
        self.peer_addr().ok().map(|address| Peer::Ip(address.ip()))
    }
}

impl End for TlsStream<TcpStream> {
    const ENCRYPTED: bool = true;

    fn peer(&self) -> Option<Peer> {
        self.get_ref().0.peer()
    }
}

impl End for UnixStream {
    fn peer(&self) -> Option<Peer> {
        Some(Peer::UnixSocket)
    }
}
