//! Seals the columns that must not be readable in the database file: XChaCha20-Poly1305, bound to the place they are stored in.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::key_file::{KeyFile, SecretKey};
use super::random;
use crate::domain::error::AppError;

/// A sealed value is this byte, 24 bytes of nonce, the ciphertext (as long as the text) and 16 bytes of tag.
const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;

const CHECK_TABLE: &str = "meta";
const CHECK_COLUMN: &str = "seal_check";
/// `meta` has no row uid; the check is the one value that is sealed under this one.
const CHECK_UID: [u8; 16] = [0; 16];
const CHECK: &str = "this key file belongs to this database";

/// Cheap to clone; all clones share one key.
#[derive(Clone)]
pub struct Sealer {
    key: Arc<SecretKey>,
}

impl Sealer {
    pub fn new(key_file: &KeyFile) -> Self {
        Self { key: Arc::new(key_file.sealing_key()) }
    }

    /// With a key that is no key file's.
    pub(super) fn with_key(key: SecretKey) -> Self {
        Self { key: Arc::new(key) }
    }

    /// Encrypts `plaintext` for one column of the row with this `uid`. The nonce is drawn here, so call it before the
    /// write: a re-run write must store the same bytes. Fails with `Internal` when there is no randomness.
    pub fn seal(
        &self,
        table: &str,
        column: &str,
        uid: &[u8; 16],
        plaintext: &SecretString,
    ) -> Result<Vec<u8>, AppError> {
        let nonce = random::bytes::<NONCE>()?;
        let payload = Payload { msg: plaintext.expose_secret().as_bytes(), aad: &associated_data(table, column, uid) };
        let ciphertext = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| AppError::Internal(format!("{table}.{column} cannot be sealed: it is too long")))?;
        Ok([&[VERSION][..], &nonce, &ciphertext].concat())
    }

    /// Decrypts what [`Sealer::seal`] made for the same table, column, uid and key; anything else is `Internal`, with a
    /// text that names the column and never the value.
    pub fn open(&self, table: &str, column: &str, uid: &[u8; 16], sealed: &[u8]) -> Result<SecretString, AppError> {
        let refuse = |why: &str| AppError::Internal(format!("{table}.{column} cannot be opened: {why}"));

        let (version, rest) = sealed.split_first().ok_or_else(|| refuse("it is empty"))?;
        if *version != VERSION {
            return Err(refuse("it was sealed by another version"));
        }
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or_else(|| refuse("it is too short"))?;
        if ciphertext.len() < TAG {
            return Err(refuse("it is too short"));
        }
        let payload = Payload { msg: ciphertext, aad: &associated_data(table, column, uid) };
        let plaintext = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| refuse("another key file, another row, or altered"))?;
        // Wiped also on the way out of a failed conversion, hence the detour.
        let plaintext = SecretSlice::from(plaintext);
        let text = std::str::from_utf8(plaintext.expose_secret()).map_err(|_| refuse("it is not text"))?;
        Ok(SecretString::from(text))
    }

    /// What `meta` keeps so that a wrong key file is noticed at start and not at the first subscriber.
    pub fn seal_check(&self) -> Result<Vec<u8>, AppError> {
        self.seal(CHECK_TABLE, CHECK_COLUMN, &CHECK_UID, &SecretString::from(CHECK))
    }

    /// Whether the check in `meta` was sealed with this key.
    pub fn opens_check(&self, sealed: &[u8]) -> bool {
        self.open(CHECK_TABLE, CHECK_COLUMN, &CHECK_UID, sealed).is_ok_and(|text| text.expose_secret() == CHECK)
    }

    /// Made for each call: it is a copy of the key, which lives no longer than the call.
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.expose_secret().into())
    }
}

/// Lengths first, so that no two places share their bytes (`ab`,`c` and `a`,`bc`).
fn associated_data(table: &str, column: &str, uid: &[u8; 16]) -> Vec<u8> {
    let mut data = Vec::with_capacity(16 + table.len() + column.len() + uid.len());
    for name in [table, column] {
        data.extend_from_slice(&(name.len() as u64).to_be_bytes());
        data.extend_from_slice(name.as_bytes());
    }
    data.extend_from_slice(uid);
    data
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    const UID: [u8; 16] = [7; 16];

    fn sealer(key: u8) -> Sealer {
        Sealer { key: Arc::new(SecretBox::new(Box::new([key; 32]))) }
    }

    fn sealed(text: &str) -> Vec<u8> {
        sealer(1).seal("subscribers", "password", &UID, &SecretString::from(text)).unwrap()
    }

    fn refused(answer: Result<SecretString, AppError>) -> String {
        match answer.unwrap_err() {
            AppError::Internal(text) => text,
            other => panic!("not an internal fault: {other:?}"),
        }
    }

    #[test]
    fn another_key_row_column_or_table_does_not_open() {
        let sealed = sealed("hunter2!");
        let mut uid = UID;
        uid[15] ^= 1;
        for answer in [
            sealer(2).open("subscribers", "password", &UID, &sealed),
            sealer(1).open("subscribers", "password", &uid, &sealed),
            sealer(1).open("subscribers", "note", &UID, &sealed),
            sealer(1).open("nas", "password", &UID, &sealed),
            sealer(1).open("subscriberspassword", "", &UID, &sealed),
            sealer(1).open("subscriber", "spassword", &UID, &sealed),
        ] {
            let text = refused(answer);
            assert!(!text.contains("hunter2!"));
        }
        assert_eq!(
            refused(sealer(1).open("nas", "secret", &UID, &sealed)),
            "nas.secret cannot be opened: another key file, another row, or altered"
        );
    }

    #[test]
    fn a_flipped_bit_in_any_byte_does_not_open() {
        let good = sealed("hunter2!");
        for position in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[position] ^= 1 << bit;
                refused(sealer(1).open("subscribers", "password", &UID, &bad));
            }
        }
    }

    #[test]
    fn a_value_cut_or_lengthened_anywhere_does_not_open() {
        let good = sealed("hunter2!");
        for length in 0..good.len() {
            refused(sealer(1).open("subscribers", "password", &UID, &good[..length]));
        }
        refused(sealer(1).open("subscribers", "password", &UID, &[&good[..], b"x"].concat()));
    }

    #[test]
    fn two_seals_of_one_text_differ_and_both_open() {
        let (one, other) = (sealed("hunter2!"), sealed("hunter2!"));
        assert_ne!(one, other);
        assert_ne!(one[1..=NONCE], other[1..=NONCE]);
        for sealed in [one, other] {
            let opened = sealer(1).open("subscribers", "password", &UID, &sealed).unwrap();
            assert_eq!(opened.expose_secret(), "hunter2!");
        }
    }

    #[test]
    fn what_is_sealed_opens_again_and_cannot_be_read() {
        for text in ["", "a", "пароль 🔑", &"x".repeat(100_000)] {
            let sealed = sealed(text);
            assert_eq!(sealed.len(), 1 + NONCE + text.len() + TAG);
            assert!(text.len() < 2 || !sealed.windows(text.len()).any(|window| window == text.as_bytes()));
            let opened = sealer(1).open("subscribers", "password", &UID, &sealed).unwrap();
            assert_eq!(opened.expose_secret(), text);
        }
    }

    #[test]
    fn the_check_tells_a_wrong_key_and_a_value_of_another_place() {
        let check = sealer(1).seal_check().unwrap();
        assert!(!sealer(2).opens_check(&check));
        assert!(!sealer(1).opens_check(&sealed(CHECK)));
        assert!(!sealer(1).opens_check(b""));
        assert!(sealer(1).opens_check(&check));
        assert!(sealer(1).clone().opens_check(&check));
    }

    #[test]
    fn debug_prints_nothing_secret() {
        assert_eq!(format!("{:?}", sealer(1)), "Sealer");
    }
}
