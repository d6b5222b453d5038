//! The server's certificate and key: read from PEM files, judged, replaced while connections go on.

mod files;
mod pinned;
pub mod validity;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::domain::time::Timestamp;

pub use files::TlsFileError;
pub use pinned::{is_another_certificate, is_no_tls, only_with};
pub use validity::Validity;

const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A certificate with its chain and the key that belongs to it.
#[derive(Debug, Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    /// `None`: it does not say so in the usual words. Clients judge it, we only warn.
    validity: Option<Validity>,
}

impl Identity {
    /// Reads both files. Fails where clients could not be served; a certificate that is out of date can be.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, TlsFileError> {
        let chain = files::chain(cert)?;
        let validity = chain.first().and_then(|certificate| validity::of(certificate));
        let certified = CertifiedKey::from_der(chain, files::key(key)?, &ring::default_provider());
        let key = certified.map_err(|error| TlsFileError::of_pair(cert, key, &error))?;
        Ok(Self { key: Arc::new(key), validity })
    }

    pub fn validity(&self) -> Option<Validity> {
        self.validity
    }

    fn is_same(&self, other: &CertifiedKey) -> bool {
        self.key.cert == other.cert
    }
}

/// What is presented to clients.
#[derive(Debug)]
pub struct Certificates(ArcSwap<CertifiedKey>);

impl Certificates {
    pub fn new(identity: Identity) -> Self {
        Self(ArcSwap::new(identity.key))
    }

    /// New handshakes get this one, connections that are open go on. False: it is the one that was presented before.
    pub fn replace(&self, identity: Identity) -> bool {
        let is_other = !identity.is_same(&self.0.load());
        self.0.store(identity.key);
        is_other
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// How the listeners speak: with HTTP/1.1 as the one protocol of ALPN.
#[expect(clippy::expect_used, reason = "ring has cipher suites for both versions")]
pub fn server_config(certificates: Arc<Certificates>) -> ServerConfig {
    let config = ServerConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS);
    let config = config.expect("ring has both versions").with_no_client_auth();
    let mut config = config.with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What is wrong with a certificate's dates now, in one line.
pub fn warning(cert: &Path, validity: Option<Validity>, now: Timestamp) -> Option<String> {
    let Validity { not_before, not_after } = validity?;
    let cert = cert.display();
    if now > not_after {
        return Some(format!(
            "server.tls_cert: {cert} expired at {}; clients will refuse it until it is renewed",
            not_after.rfc3339()
        ));
    }
    let early = now < not_before;
    early.then(|| {
        let from = not_before.rfc3339();
        format!("server.tls_cert: {cert} is not valid before {from}; clients will refuse it, unless the clock is wrong")
    })
}
