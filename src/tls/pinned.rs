//! A client that accepts one certificate and no other, whoever signed it and for whatever name.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::{TlsFileError, VERSIONS, files, provider};

/// A client for the server that presents the first certificate of this file.
#[expect(clippy::expect_used, reason = "ring has cipher suites for both versions")]
pub fn only_with(cert: &Path) -> Result<ClientConfig, TlsFileError> {
    let certificate = files::chain(cert)?.into_iter().next();
    let only = Arc::new(Only { certificate, provider: provider() });
    let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS);
    let config = config.expect("ring has both versions").dangerous();
    Ok(config.with_custom_certificate_verifier(only).with_no_client_auth())
}

/// Whether a connection failed because the server presented another certificate.
pub fn is_another_certificate(error: &io::Error) -> bool {
    matches!(cause(error), Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)))
}

/// Whether what the server answered is not TLS at all.
pub fn is_no_tls(error: &io::Error) -> bool {
    matches!(cause(error), Some(Error::InvalidMessage(_)))
}

fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

#[derive(Debug)]
struct Only {
    certificate: Option<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Only {
    /// The same bytes hold the same public key; the signature that follows shows that the server has the private one.
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.certificate {
            Some(certificate) if certificate == presented => Ok(ServerCertVerified::assertion()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
