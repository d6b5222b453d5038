//! A TLS client that verifies what it is presented.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use super::made::{Made, NAME};
use crate::raw_http::{self, Answer, connect};

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

pub struct Client {
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub protocols: Vec<&'static str>,
    roots: RootCertStore,
}

impl Client {
    /// One that knows this root alone.
    pub fn knowing(made: &Made) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(made.root.clone()).unwrap();
        Self { versions: vec![&rustls::version::TLS13, &rustls::version::TLS12], protocols: Vec::new(), roots }
    }

    /// A connection whose handshake is over. No session is taken up again: each asks for the certificate.
    pub fn open(&self, address: SocketAddr) -> io::Result<Stream> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(&self.versions).unwrap().with_root_certificates(self.roots.clone());
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from(NAME).unwrap()).unwrap();
        let mut stream = connect(address);
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }

    pub fn send(&self, address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        raw_http::send_on(self.open(address).unwrap(), method, path, headers, body)
    }
}

/// The server's own certificate as it was presented.
pub fn presented(stream: &Stream) -> CertificateDer<'static> {
    stream.conn.peer_certificates().unwrap().first().unwrap().clone().into_owned()
}
