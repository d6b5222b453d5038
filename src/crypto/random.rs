//! Random bytes from the operating system, and the two ways we write them down.

use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::SecretString;

use crate::domain::error::AppError;

/// 31 letters and digits of which no two look alike: no `i`, `l`, `o`, `0`, `1`.
const READABLE: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// 20 symbols of 31 are 99 bits, in groups of five.
const READABLE_SYMBOLS: usize = 20;
const READABLE_GROUP: usize = 5;

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// `N` bytes straight from the operating system; there is no generator of ours whose state could leak or be forked.
/// Fails with `Internal` when the operating system gives none (a sandbox that forbids the call).
pub fn bytes<const N: usize>() -> Result<[u8; N], AppError> {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| AppError::Internal(format!("the operating system gave no random bytes: {error}")))?;
    Ok(bytes)
}

/// What a row with sealed columns is bound to, see [`crate::crypto::Sealer`].
pub fn uid() -> Result<[u8; 16], AppError> {
    bytes()
}

/// A password to be read from a screen and typed: `k7wqm-3nfzt-xc9ha-p4ved`, 99 bits. It passes `Password::parse`.
pub fn password() -> Result<SecretString, AppError> {
    let mut text = String::with_capacity(READABLE_SYMBOLS + READABLE_SYMBOLS / READABLE_GROUP);
    let mut symbols = 0;
    loop {
        for byte in bytes::<READABLE_SYMBOLS>()? {
            // Five bits hold 32 values and we have 31 symbols; taking the remainder instead would make one likelier.
            let Some(symbol) = READABLE.get(usize::from(byte & 31)) else { continue };
            if symbols > 0 && symbols % READABLE_GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(*symbol));
            symbols += 1;
            if symbols == READABLE_SYMBOLS {
                return Ok(SecretString::from(text));
            }
        }
    }
}

/// Lower case, two digits per byte.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text
}

/// RFC 4648 section 5, without padding.
pub fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut word = [0; 4];
        word[1..=chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes(word);
        for digit in 0..=chunk.len() {
            text.push(char::from(BASE64URL[(word >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::domain::passwords::Password;

    #[test]
    fn two_draws_differ() {
        assert_ne!(bytes::<32>().unwrap(), bytes::<32>().unwrap());
        assert_ne!(uid().unwrap(), uid().unwrap());
        assert_ne!(password().unwrap().expose_secret(), password().unwrap().expose_secret());
    }

    #[test]
    fn a_random_password_has_twenty_clear_symbols_in_groups_and_may_be_used() {
        for _ in 0..100 {
            let password = password().unwrap();
            let groups: Vec<&str> = password.expose_secret().split('-').collect();
            assert_eq!(groups.len(), 4);
            assert!(groups.iter().all(|group| group.len() == 5 && group.bytes().all(|b| READABLE.contains(&b))));
            Password::parse("password", password.expose_secret()).unwrap();
        }
    }

    #[test]
    fn the_symbols_of_a_password_carry_96_bits_and_are_each_there_once() {
        let mut symbols = READABLE.to_vec();
        symbols.sort_unstable();
        symbols.dedup();
        assert!((symbols.len() as f64).log2() * READABLE_SYMBOLS as f64 >= 96.0);
        assert!(!b"ilo01".iter().any(|b| symbols.contains(b)));
    }

    #[test]
    fn hex_is_lower_case_and_keeps_leading_zeros() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }

    #[test]
    fn base64url_agrees_with_the_vectors_of_rfc_4648() {
        let vectors =
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in vectors {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff, 0xfe]), "-__-");
    }
}
