//! The key file as text that may be kept anywhere: sealed under a passphrase (argon2id, XChaCha20-Poly1305).

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};

use super::key_file::SecretKey;
use super::{KeyFile, Sealer, random};
use crate::domain::encoding::{base64url, from_base64url, hex};
use crate::domain::error::AppError;

/// 64 MiB, three passes: whoever holds the text may guess for years, and this is derived once in a year.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

const HEAD: &str = "panel-keyfile-v1";
const SALT: usize = 16;

/// Shorter ones are guessed.
pub const SHORTEST_PASSPHRASE: usize = 12;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportError {
    /// Not a text that an export made, or a part of one.
    NotAnExport,
    /// The passphrase is another one, or the text was altered.
    WrongPassphrase,
    /// A fault of ours.
    Fault(AppError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::NotAnExport => f.write_str("this is not what panel keyfile export printed"),
            ImportError::WrongPassphrase => f.write_str("the passphrase is not the one it was exported with"),
            ImportError::Fault(error) => error.fmt(f),
        }
    }
}

/// One line: `panel-keyfile-v1 salt sealed`, base64url.
pub fn export(key_file: &KeyFile, passphrase: &SecretString) -> Result<String, AppError> {
    let salt = random::bytes::<SALT>()?;
    let sealer = sealer(passphrase, &salt)?;
    let digits = SecretString::from(hex(key_file.key().expose_secret()));
    let sealed = sealer.seal("keyfile", "key", &salt, &digits)?;
    Ok(format!("{HEAD} {} {}", base64url(&salt), base64url(&sealed)))
}

/// The key of an exported text.
pub fn import(text: &str, passphrase: &SecretString) -> Result<KeyFile, ImportError> {
    let mut words = text.split_ascii_whitespace();
    let (head, salt, sealed) = (words.next(), words.next(), words.next());
    let (Some(HEAD), Some(salt), Some(sealed), None) = (head, salt, sealed, words.next()) else {
        return Err(ImportError::NotAnExport);
    };
    let decode = |text: &str| from_base64url(text).ok_or(ImportError::NotAnExport);
    let salt: [u8; SALT] = decode(salt)?.try_into().map_err(|_| ImportError::NotAnExport)?;
    let sealed = decode(sealed)?;
    let sealer = sealer(passphrase, &salt).map_err(ImportError::Fault)?;
    let digits = sealer.open("keyfile", "key", &salt, &sealed);
    let digits = digits.map_err(|_| ImportError::WrongPassphrase)?;
    KeyFile::from_digits(digits.expose_secret()).ok_or(ImportError::NotAnExport)
}

fn sealer(passphrase: &SecretString, salt: &[u8; SALT]) -> Result<Sealer, AppError> {
    let fault = |error: argon2::Error| AppError::Internal(format!("a passphrase cannot be used: {error}"));
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(fault)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut key: SecretKey = SecretBox::new(Box::new([0; 32]));
    argon2.hash_password_into(passphrase.expose_secret().as_bytes(), salt, key.expose_secret_mut()).map_err(fault)?;
    Ok(Sealer::with_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_wrong_passphrase_and_an_altered_text_open_nothing_and_the_right_one_gives_the_key_back() {
        let folder = tempfile::tempdir().unwrap();
        let key_file = KeyFile::open_or_create(folder.path().join("panel.key")).unwrap();
        let text = export(&key_file, &secret("correct horse battery")).unwrap();
        let digits = hex(key_file.key().expose_secret());
        assert!(!text.contains(&digits), "it is sealed");

        let refused = import(&text, &secret("correct horse batterz")).unwrap_err();
        assert_eq!(refused, ImportError::WrongPassphrase);
        let altered = text.replace(|c: char| c.is_ascii_digit(), "7");
        assert!(import(&altered, &secret("correct horse battery")).is_err());
        for broken in [
            "",
            "panel-keyfile-v1",
            "panel-keyfile-v2 AAAA AAAA",
            text.rsplit_once(' ').unwrap().0,
            &format!("{text} x"),
        ] {
            assert_eq!(import(broken, &secret("x")).unwrap_err(), ImportError::NotAnExport, "{broken}");
        }
        let again = import(&format!("\n{text}\n"), &secret("correct horse battery")).unwrap();
        assert!(again.is_same(&key_file));
    }
}
