//! Reading PEM files. What is said about them never quotes their content.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustls::InconsistentKeys;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};

const CERT: &str = "server.tls_cert";
const KEY: &str = "server.tls_key";

/// Bytes of a PEM file; a long chain has a few thousand.
const LONGEST_FILE: u64 = 1024 * 1024;

/// The owner's group may read the key, because renewing programs hand it over so; nobody but the owner may change it.
const FOREIGN_BITS: u32 = 0o027;

/// `Display` is two lines: the setting, the file and what is wrong with it; then what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFileError {
    what: String,
    remedy: String,
}

impl TlsFileError {
    fn new(setting: &str, path: &Path, problem: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self { what: format!("{setting}: {} {problem}", path.display()), remedy: remedy.into() }
    }

    /// Why these two cannot be served together.
    pub(super) fn of_pair(cert: &Path, key: &Path, error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Self::new(
                KEY,
                key,
                format_args!("does not belong to the first certificate in {}", cert.display()),
                "Give the key that the certificate was made for; the server's own stands first in server.tls_cert.",
            ),
            rustls::Error::InvalidCertificate(_) => Self::new(
                CERT,
                cert,
                "has a first certificate that cannot be read",
                "Put an X.509 certificate of version 3 there.",
            ),
            _ => Self::new(
                KEY,
                key,
                "holds a private key of a kind that cannot be used",
                "Use RSA with 2048 bits or more, ECDSA on P-256 or P-384, or Ed25519.",
            ),
        }
    }
}

impl fmt::Display for TlsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what, self.remedy)
    }
}

impl std::error::Error for TlsFileError {}

/// All certificates of the file, at least one.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let pem = read(CERT, path, 0)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose_secret()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => {
            let remedy = match holds_key(pem.expose_secret()) {
                true => "It holds a private key: server.tls_cert and server.tls_key are perhaps exchanged.",
                false => "Put the certificate there as PEM: the server's own first, then the intermediate ones.",
            };
            Err(TlsFileError::new(CERT, path, "holds no certificate", remedy))
        }
        Err(_) => Err(damaged(CERT, path)),
    }
}

/// The first private key of the file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let pem = read(KEY, path, FOREIGN_BITS)?;
    match PrivateKeyDer::pem_slice_iter(pem.expose_secret()).next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(_)) => Err(damaged(KEY, path)),
        None => {
            let encrypted = pem.expose_secret().windows(9).any(|word| word == b"ENCRYPTED");
            let (problem, remedy) = match encrypted {
                true => (
                    "holds an encrypted private key",
                    format!(
                        "Nobody is there to type its passphrase; store it without: openssl pkey -in {} -out FILE",
                        path.display()
                    ),
                ),
                false => ("holds no private key", "Put the key there as PEM: PKCS#8, SEC1 or PKCS#1.".to_owned()),
            };
            Err(TlsFileError::new(KEY, path, problem, remedy))
        }
    }
}

fn holds_key(pem: &[u8]) -> bool {
    let mut kinds = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).flatten().map(|(kind, _)| kind);
    kinds.any(|kind| matches!(kind, SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey))
}

fn damaged(setting: &str, path: &Path) -> TlsFileError {
    TlsFileError::new(setting, path, "is not valid PEM", "Copy the file again, whole and as text.")
}

fn read(setting: &str, path: &Path, foreign_bits: u32) -> Result<SecretBox<Vec<u8>>, TlsFileError> {
    let refused = |problem: &str, remedy: &str| TlsFileError::new(setting, path, problem, remedy);
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => refused("is not there", "Put the file there, or correct the setting."),
        _ => {
            let problem = format!("cannot be read: {error}");
            TlsFileError::new(
                setting,
                path,
                problem,
                "Let the user who runs the panel read the file and enter its folder.",
            )
        }
    };
    // Opening a named pipe would otherwise wait for somebody who writes to it.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(unreadable)?;
    // Asked of the open file, not of its name, which may point elsewhere a moment later.
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(refused("is not a regular file", "Give the path of the PEM file itself."));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & foreign_bits != 0 {
        let problem = format!("has mode {mode:04o}, which lets others than its owner and group use it");
        return Err(TlsFileError::new(setting, path, problem, format!("Run: chmod 640 {}", path.display())));
    }
    if metadata.len() > LONGEST_FILE {
        return Err(refused("is longer than any PEM file", "Give the path of the PEM file itself."));
    }
    // Sized beforehand: a vector that grows leaves copies of a key behind.
    let length = usize::try_from(metadata.len()).unwrap_or_default();
    let mut content = SecretBox::new(Box::new(Vec::with_capacity(length + 1)));
    file.take(LONGEST_FILE).read_to_end(content.expose_secret_mut()).map_err(unreadable)?;
    Ok(content)
}
