//! The key file: 32 random bytes beside the database from which every other secret of this installation is derived.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use sha2::Sha256;

use super::random;
use crate::domain::encoding;

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
        create(path).map_err(|source| KeyFileError::NotCreated { path: path.into(), source })?;
        // Read back rather than kept: whoever was first to put a file there decides the key.
        Self::open(path)
    }

    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        let path = path.as_ref();
        let unreadable = |source: io::Error| match source.kind() {
            ErrorKind::NotFound => KeyFileError::Missing { path: path.into() },
            _ => KeyFileError::Unreadable { path: path.into(), source },
        };
        let file = File::open(path).map_err(unreadable)?;
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

/// Puts a new key at `path`, or leaves what is there. On return the file and its name have reached the disk:
/// nothing may be sealed with a key that a power cut could still take away.
fn create(path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::from(ErrorKind::InvalidFilename))?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let key = SecretKey::new(Box::new(random::bytes().map_err(io::Error::other)?));
    let suffix = encoding::hex(&random::bytes::<8>().map_err(io::Error::other)?);
    let draft = folder.join(format!(".{}.{suffix}", name.to_string_lossy()));

    let written = write_new(&draft, &render(&key)).and_then(|()| {
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
                 Restore it from your export of the key.",
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
                 runs the panel and has room.",
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

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    use tempfile::TempDir;

    use super::*;

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("panel.key");
        (folder, path)
    }

    fn write(path: &Path, content: &[u8]) {
        let _ = fs::remove_file(path);
        fs::write(path, content).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn line() -> String {
        format!("panel-key-v1 {}\n", "0a".repeat(32))
    }

    #[test]
    fn a_file_that_others_can_read_or_write_is_refused_with_the_command_to_run() {
        let (_folder, path) = folder();
        KeyFile::open_or_create(&path).unwrap();
        for mode in [0o604, 0o640, 0o620, 0o602, 0o601, 0o610, 0o644, 0o666, 0o777] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            for answer in [KeyFile::open(&path), KeyFile::open_or_create(&path)] {
                let error = answer.unwrap_err();
                assert!(matches!(error, KeyFileError::ReadableByOthers { mode: seen, .. } if seen == mode));
                assert!(error.to_string().ends_with(&format!("Run: chmod 600 {}", path.display())), "{error}");
            }
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            KeyFile::open(&path).unwrap();
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_and_left_as_it_is() {
        let (_folder, path) = folder();
        let whole = line();
        for length in 0..whole.len() - 1 {
            let cut = &whole.as_bytes()[..length];
            write(&path, cut);
            let error = KeyFile::open_or_create(&path).unwrap_err();
            assert!(matches!(error, KeyFileError::Damaged { .. } | KeyFileError::OfAnotherVersion { .. }));
            assert_eq!(fs::read(&path).unwrap(), cut);
        }
    }

    #[test]
    fn content_that_is_not_one_line_of_ours_is_refused_and_never_quoted() {
        let (_folder, path) = folder();
        let digits = "0a".repeat(32);
        for content in [
            format!("panel-key-v1 {digits}0\n"),
            format!("panel-key-v1 {digits}\n\n"),
            format!("panel-key-v1 {digits}\n{digits}\n"),
            format!("panel-key-v1 {digits}\r\n"),
            format!("panel-key-v1  {digits}\n"),
            format!("panel-key-v1 +{}\n", digits.get(1..).unwrap()),
            format!("panel-key-v1 {}é\n", digits.get(2..).unwrap()),
            format!("{digits}\n"),
            format!("{}{}", line(), "x".repeat(100_000)),
        ] {
            write(&path, content.as_bytes());
            let error = KeyFile::open(&path).unwrap_err();
            assert!(matches!(error, KeyFileError::Damaged { .. }), "{content}: {error}");
            assert!(!format!("{error} {error:?}").contains("0a0a"));
        }
    }

    #[test]
    fn a_later_format_is_told_from_a_damaged_file() {
        let (_folder, path) = folder();
        write(&path, b"panel-key-v2 something\n");
        assert!(matches!(KeyFile::open(&path), Err(KeyFileError::OfAnotherVersion { .. })));
    }

    #[test]
    fn a_missing_file_a_missing_folder_and_a_folder_are_told_apart() {
        let (folder, path) = folder();
        assert!(matches!(KeyFile::open(&path), Err(KeyFileError::Missing { .. })));
        assert!(!path.exists());
        let nowhere = folder.path().join("nowhere").join("panel.key");
        assert!(matches!(KeyFile::open_or_create(nowhere), Err(KeyFileError::NotCreated { .. })));
        assert!(matches!(KeyFile::open_or_create(folder.path()), Err(KeyFileError::NotAFile { .. })));
    }

    #[test]
    fn a_dangling_link_is_not_followed_to_create_a_file_elsewhere() {
        let (folder, path) = folder();
        let elsewhere = folder.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(KeyFile::open_or_create(&path).is_err());
        assert!(!elsewhere.exists());
    }

    #[test]
    fn a_new_file_has_mode_0600_one_line_and_no_leftovers() {
        let (folder, path) = folder();
        let made = KeyFile::open_or_create(&path).unwrap();

        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("panel-key-v1 {}\n", encoding::hex(made.key.expose_secret())));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(KeyFile::open(&path).unwrap().key.expose_secret(), made.key.expose_secret());
    }

    #[test]
    fn a_line_without_its_newline_or_in_capitals_is_the_same_key() {
        let (_folder, path) = folder();
        write(&path, line().trim_end().as_bytes());
        assert_eq!(KeyFile::open(&path).unwrap().key.expose_secret(), &[0x0a; 32]);
        write(&path, line().replace("0a", "0A").as_bytes());
        assert_eq!(KeyFile::open(&path).unwrap().key.expose_secret(), &[0x0a; 32]);
    }

    #[test]
    fn eight_that_create_at_once_end_with_the_same_key() {
        for _ in 0..20 {
            let (folder, path) = folder();
            let start = Barrier::new(8);
            let keys: Vec<[u8; 32]> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            *KeyFile::open_or_create(&path).unwrap().key.expose_secret()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn derived_secrets_differ_from_each_other_and_from_the_key_and_stay_the_same() {
        let (_folder, path) = folder();
        write(&path, line().as_bytes());
        let file = KeyFile::open(&path).unwrap();
        let (sealing, jwt) = (file.sealing_key(), file.jwt_secret());

        assert_ne!(sealing.expose_secret(), jwt.expose_secret());
        assert_ne!(sealing.expose_secret(), file.key.expose_secret());
        assert_ne!(jwt.expose_secret(), file.key.expose_secret());
        // Fixed: a change of these two makes every stored secret and session of an installation unreadable.
        assert_eq!(encoding::hex(sealing.expose_secret()), SEALING_KEY_OF_0A);
        assert_eq!(encoding::hex(jwt.expose_secret()), JWT_SECRET_OF_0A);
    }

    #[test]
    fn debug_prints_nothing_secret() {
        let (_folder, path) = folder();
        write(&path, line().as_bytes());
        let file = KeyFile::open(&path).unwrap();
        let printed = format!("{file:?} {:?}", file.sealing_key());
        assert!(!printed.contains("10, 10") && !printed.contains("0a0a"), "{printed}");
    }

    const SEALING_KEY_OF_0A: &str = "fce9490021c13344c5bd9d7ae9ccf615b009fd87ddeac07e5e04f2157d984bad";
    const JWT_SECRET_OF_0A: &str = "53503a57948c2cb48e51b17568c737f0ec73425e310ef20cf985eb1861312943";
}
