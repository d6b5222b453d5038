//! `panel healthcheck`: asks the running server over its own listener, without any credential.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::output::{Failure, Outcome, say};
use crate::config::{Config, Listen};

/// Health answers within 5 s; a little more for the way.
const PATIENCE: Duration = Duration::from_secs(6);

const REQUEST: &[u8] = b"GET /api/v1/external/system/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub fn run(config: &Config) -> Outcome {
    let settings = &config.server;
    let Some(listen) = settings.listen.first() else {
        return Err(Failure::new("server.listen is empty", "Set it to an address."));
    };
    let why = match ask_at(listen) {
        Ok(text) if text.starts_with("HTTP/1.1 200") => {
            say("healthy");
            return Ok(());
        }
        Ok(text) => format!("the server at {listen} answers {}", text.lines().next().unwrap_or("nothing")),
        Err(error) => format!("no server answers at {listen}: {error}"),
    };
    Err(Failure::new(why, "Look at its log (journalctl -u panel), or start it: panel serve"))
}

/// The version of the server that runs with these settings, or why it does not answer.
pub fn version(config: &Config) -> Result<String, String> {
    let listen = config.server.listen.first().ok_or("server.listen is empty")?;
    let text = ask_at(listen).map_err(|error| format!("no server answers at {listen}: {error}"))?;
    if !text.starts_with("HTTP/1.1 200") {
        return Err(format!("the server at {listen} answers {}", text.lines().next().unwrap_or("nothing")));
    }
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let version = body.pointer("/data/version").and_then(serde_json::Value::as_str);
    version.map(str::to_owned).ok_or_else(|| format!("what answers at {listen} is not a panel"))
}

fn ask_at(listen: &Listen) -> std::io::Result<String> {
    match listen {
        Listen::Tcp(address) => ask_tcp(reachable(*address)),
        Listen::Unix(path) => ask_unix(path),
    }
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

fn ask_tcp(address: SocketAddr) -> std::io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    ask(stream)
}

fn ask_unix(path: &Path) -> std::io::Result<String> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    ask(stream)
}

fn ask(mut stream: impl Read + Write) -> std::io::Result<String> {
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
