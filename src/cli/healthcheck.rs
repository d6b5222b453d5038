//! `panel healthcheck`: asks the running server over its own listener, without any credential.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::output::{Failure, Outcome, say};
use crate::config::{Config, Listen};
use crate::tls;

/// Health answers within 5 s; a little more for the way.
const PATIENCE: Duration = Duration::from_secs(6);

const REQUEST: &[u8] = b"GET /api/v1/external/system/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

const LOOK: &str = "Look at its log (journalctl -u panel), or start it: panel serve";

pub fn run(config: &Config) -> Outcome {
    answer_in_time(config)?;
    say("healthy");
    Ok(())
}

/// The version of the server that runs with these settings.
pub fn version(config: &Config) -> Result<String, Failure> {
    let answer = answer_in_time(config)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let version = body.pointer("/data/version").and_then(serde_json::Value::as_str);
    version.map(str::to_owned).ok_or_else(|| Failure::new("what answers there is not a panel", "Check server.listen."))
}

/// Whatever the other end does: one that accepts nothing, or answers byte by byte, is as good as none.
fn answer_in_time(config: &Config) -> Result<String, Failure> {
    let (tell, told) = channel();
    let asked = config.clone();
    std::thread::spawn(move || drop(tell.send(healthy_answer(&asked))));
    told.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let why = format!("no server answers within {} seconds", PATIENCE.as_secs());
        Err(Failure::new(why, LOOK))
    })
}

fn healthy_answer(config: &Config) -> Result<String, Failure> {
    let settings = &config.server;
    let Some(listen) = settings.listen.first() else {
        return Err(Failure::new("server.listen is empty", "Set it to an address."));
    };
    let answer = match (listen, settings.tls_files()) {
        (Listen::Tcp(address), Some((cert, _))) => {
            let client = tls::only_with(cert).map_err(|error| Failure::sentences(&error.to_string()))?;
            ask_tls(reachable(*address), client).map_err(|error| explain(listen, cert, &error))?
        }
        (Listen::Tcp(address), None) => ask_tcp(reachable(*address)).map_err(|error| unanswered(listen, &error))?,
        (Listen::Unix(path), _) => ask_unix(path).map_err(|error| unanswered(listen, &error))?,
    };
    if answer.starts_with("HTTP/1.1 200") {
        return Ok(answer);
    }
    let why = match answer.lines().next() {
        Some(line) if line.starts_with("HTTP/") => format!("the server at {listen} answers {line}"),
        Some(_) => format!("the server at {listen} answers something that is not HTTP; perhaps it speaks TLS"),
        None => format!("the server at {listen} answers nothing"),
    };
    Err(Failure::new(why, LOOK))
}

fn unanswered(listen: &Listen, error: &io::Error) -> Failure {
    Failure::new(format!("no server answers at {listen}: {error}"), LOOK)
}

fn explain(listen: &Listen, cert: &Path, error: &io::Error) -> Failure {
    if tls::is_another_certificate(error) {
        let why = format!("the server at {listen} presents another certificate than the one in {}", cert.display());
        return Failure::new(why, "It was renewed but not reloaded: systemctl reload panel, or send SIGHUP.");
    }
    if tls::is_no_tls(error) {
        let why = format!("the server at {listen} does not speak TLS, the settings say that it does");
        return Failure::new(why, "It was started without: systemctl restart panel");
    }
    unanswered(listen, error)
}

/// Where a server that listens everywhere can be reached.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask_tcp(address: SocketAddr) -> io::Result<String> {
    ask(connect(address)?)
}

fn ask_tls(address: SocketAddr, client: ClientConfig) -> io::Result<String> {
    let connection = ClientConnection::new(Arc::new(client), address.ip().into()).map_err(io::Error::other)?;
    ask(StreamOwned::new(connection, connect(address)?))
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn ask_unix(path: &Path) -> io::Result<String> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    ask(stream)
}

fn ask(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
