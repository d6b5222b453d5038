//! The key file: 32 random bytes beside the database from which every other secret of this installation is derived.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::random;
use crate::domain::encoding;

#[cfg(test)]
mod tests;

/// 256 bits that are wiped when dropped and that `Debug` does not print.
pub type SecretKey = SecretBox<[u8; 32]>;

const FAMILY: &str = "panel-key-";
const HEAD: &str = "panel-key-v1 ";
/// More than the one line has, so that a longer file is seen to be longer.
const READ_AT_MOST: usize = 128;
const FOREIGN_BITS: u32 = 0o077;

pub struct KeyFile {
    key: SecretKey,
}

/// `Display` is one sentence of what is wrong and one of what to do; neither ever quotes the content.
#[derive(Debug)]
pub enum KeyFileError {
    Missing { path: PathBuf },
    ReadableByOthers { path: PathBuf, mode: u32 },
    NotAFile { path: PathBuf },
    Damaged { path: PathBuf },
    OfAnotherVersion { path: PathBuf },
    Unreadable { path: PathBuf, source: io::Error },
    NotCreated { path: PathBuf, source: io::Error },
}

impl KeyFile {
    /// Opens the file, creating it with a new key if there is none. Processes that do this at once all get the same key.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        let path = path.as_ref();
        match Self::open(path) {
            Err(KeyFileError::Missing { .. }) => {}
            answer => return answer,
        }
        let key =
            SecretKey::new(Box::new(random::bytes().map_err(|error| not_created(path, io::Error::other(error)))?));
        create(path, &key).map_err(|source| not_created(path, source))?;
        // Read back rather than kept: whoever was first to put a file there decides the key.
        Self::open(path)
    }

    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        let path = path.as_ref();
        let unreadable = |source: io::Error| match source.kind() {
            ErrorKind::NotFound => KeyFileError::Missing { path: path.into() },
            _ => KeyFileError::Unreadable { path: path.into(), source },
        };
        // A named pipe would otherwise be waited for.
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(unreadable)?;
        // Asked of the open file, not of its name, which may point elsewhere a moment later.
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(KeyFileError::NotAFile { path: path.into() });
        }
        let mode = metadata.mode() & 0o7777;
        if mode & FOREIGN_BITS != 0 {
            return Err(KeyFileError::ReadableByOthers { path: path.into(), mode });
        }
        // Sized beforehand: a vector that grows leaves copies of the key behind.
        let mut content = SecretBox::new(Box::new(Vec::with_capacity(READ_AT_MOST)));
        file.take(READ_AT_MOST as u64).read_to_end(content.expose_secret_mut()).map_err(unreadable)?;
        match parse(content.expose_secret()) {
            Some(key) => Ok(Self { key }),
            None if of_another_version(content.expose_secret()) => {
                Err(KeyFileError::OfAnotherVersion { path: path.into() })
            }
            None => Err(KeyFileError::Damaged { path: path.into() }),
        }
    }

    /// Puts this key where there is no file yet.
    pub fn store(&self, path: &Path) -> Result<(), KeyFileError> {
        create(path, &self.key).map_err(|source| not_created(path, source))
    }

    pub fn is_same(&self, other: &KeyFile) -> bool {
        self.key.expose_secret().ct_eq(other.key.expose_secret()).into()
    }

    pub(super) fn key(&self) -> &SecretKey {
        &self.key
    }

    /// From the 64 digits that the file has.
    pub(super) fn from_digits(digits: &str) -> Option<Self> {
        parse([HEAD, digits].concat().as_bytes()).map(|key| Self { key })
    }

    /// Encrypts columns, see [`super::Sealer`].
    pub fn sealing_key(&self) -> SecretKey {
        self.derive("panel sealing key v1")
    }

    /// Signs session tokens (HS256). Derived, so that no database and no backup holds it.
    pub fn jwt_secret(&self) -> SecretKey {
        self.derive("panel jwt secret v1")
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    fn derive(&self, label: &str) -> SecretKey {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.key.expose_secret()).expect("HMAC takes keys of every length");
        mac.update(label.as_bytes());
        let digest = mac.finalize().into_bytes();
        SecretBox::init_with_mut(|key: &mut [u8; 32]| key.copy_from_slice(&digest))
    }
}

fn not_created(path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::NotCreated { path: path.into(), source }
}

/// Puts a key at `path`, or leaves what is there. On return the file and its name have reached the disk:
/// nothing may be sealed with a key that a power cut could still take away.
fn create(path: &Path, key: &SecretKey) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::from(ErrorKind::InvalidFilename))?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let suffix = encoding::hex(&random::bytes::<8>().map_err(io::Error::other)?);
    let draft = folder.join(format!(".{}.{suffix}", name.to_string_lossy()));

    let written = write_new(&draft, &render(key)).and_then(|()| {
        // A link never overwrites, unlike a rename, and the name appears with its whole content, unlike O_EXCL in place.
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            answer => answer,
        }
    });
    match fs::remove_file(&draft) {
        Err(error) if written.is_ok() && error.kind() != ErrorKind::NotFound => return Err(error),
        _ => written?,
    }
    File::open(folder)?.sync_all()
}

fn write_new(path: &Path, text: &SecretString) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.sync_all()
}

fn render(key: &SecretKey) -> SecretString {
    let digits = SecretString::from(encoding::hex(key.expose_secret()));
    SecretString::from([HEAD, digits.expose_secret(), "\n"].concat())
}

/// The line may have lost its newline, as happens when somebody types it in again; nothing else may differ.
fn parse(content: &[u8]) -> Option<SecretKey> {
    let line = content.strip_suffix(b"\n").unwrap_or(content);
    let digits = line.strip_prefix(HEAD.as_bytes())?;
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    Some(SecretBox::init_with_mut(|key: &mut [u8; 32]| {
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0]) << 4 | value(pair[1]);
        }
    }))
}

fn value(hex_digit: u8) -> u8 {
    match hex_digit {
        b'0'..=b'9' => hex_digit - b'0',
        _ => (hex_digit | 0x20) - b'a' + 10,
    }
}

fn of_another_version(content: &[u8]) -> bool {
    content.starts_with(FAMILY.as_bytes()) && !content.starts_with(HEAD.trim_end().as_bytes())
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile")
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFileError::Missing { path } => write!(
                f,
                "The key file {0} is not there.\nPut the one that belongs to this database back as {0}, mode 0600.",
                path.display()
            ),
            KeyFileError::ReadableByOthers { path, mode } => write!(
                f,
                "The key file {0} has mode {mode:04o}, which lets others than its owner use it.\nRun: chmod 600 {0}",
                path.display()
            ),
            KeyFileError::NotAFile { path } => write!(
                f,
                "The key file {} is not a regular file.\nMove it away or set another path for the key file.",
                path.display()
            ),
            KeyFileError::Damaged { path } => write!(
                f,
                "The key file {} is damaged: it must be one line, `panel-key-v1` and 64 hex digits.\n\
                 Move it away, then restore the key from its export: panel keyfile import.",
                path.display()
            ),
            KeyFileError::OfAnotherVersion { path } => write!(
                f,
                "The key file {} is in a format that this version does not know.\nStart the version that wrote it.",
                path.display()
            ),
            KeyFileError::Unreadable { path, source } => {
                write!(f, "The key file {} cannot be read: {source}.\nRun as the user who owns it.", path.display())
            }
            KeyFileError::NotCreated { path, source } => write!(
                f,
                "The key file {} cannot be created: {source}.\nMake sure that its folder exists, belongs to the user who \
                 runs the panel and has room on its disk.",
                path.display()
            ),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyFileError::Unreadable { source, .. } | KeyFileError::NotCreated { source, .. } => Some(source),
            _ => None,
        }
    }
}
