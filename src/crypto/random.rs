//! Randomness: from the operating system, but for what is no secret.

use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::SecretString;

use crate::domain::encoding::hex;
use crate::domain::error::AppError;
use crate::domain::keys::{NewSecret, Style};

/// 31 letters and digits of which no two look alike: no `i`, `l`, `o`, `0`, `1`.
const READABLE: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// 20 symbols of 31 are 99 bits, in groups of five.
const READABLE_SYMBOLS: usize = 20;
const READABLE_GROUP: usize = 5;

/// `N` bytes straight from the operating system: secrets come from no generator of ours whose state could leak or be forked.
/// Fails with `Internal` when the operating system gives none (a sandbox that forbids the call).
pub fn bytes<const N: usize>() -> Result<[u8; N], AppError> {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| AppError::Internal(format!("the operating system gave no random bytes: {error}")))?;
    Ok(bytes)
}

/// What a request is called that came without a name: unlikely to be another's, and no secret.
pub fn request_id() -> String {
    hex(&rand::random::<u64>().to_be_bytes())
}

/// What a row with sealed columns is bound to, see [`crate::crypto::Sealer`].
pub fn uid() -> Result<[u8; 16], AppError> {
    bytes()
}

/// A new key's secret, in the form of its style.
pub fn secret(style: Style) -> Result<NewSecret, AppError> {
    Ok(match style {
        Style::External => NewSecret::external(&bytes()?),
        Style::Panel => NewSecret::panel(&bytes()?),
        Style::Billing => NewSecret::billing(&bytes()?, &bytes()?),
    })
}

/// The secret that replaces another; a billing key's identifier stays.
pub fn next_secret(style: Style) -> Result<NewSecret, AppError> {
    match style {
        Style::Billing => Ok(NewSecret::billing_secret(&bytes()?)),
        Style::External | Style::Panel => secret(style),
    }
}

/// A panel key's id in URLs: 16 hex digits.
pub fn panel_id() -> Result<String, AppError> {
    Ok(hex(&bytes::<8>()?))
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
}
