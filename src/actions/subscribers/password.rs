//! A subscriber's password: chosen or made up, and sealed for its row.

use secrecy::SecretString;

use crate::crypto::{Sealer, random};
use crate::domain::error::AppError;
use crate::domain::subscribers;

/// Asks for a random one (contract: external.md, Decided).
const GENERATE: &str = "auto-generate";

/// The password of a new subscriber, and whether it must be shown because it was made up here.
pub fn chosen(text: Option<&str>) -> Result<(SecretString, bool), AppError> {
    match text {
        None | Some("" | GENERATE) => Ok((random::password()?, true)),
        Some(text) => {
            subscribers::password("password", text)?;
            Ok((text.into(), false))
        }
    }
}

/// For the row of this uid, and for no other.
pub fn seal(sealer: &Sealer, uid: &[u8; 16], password: &SecretString) -> Result<Vec<u8>, AppError> {
    sealer.seal("subscribers", "password_sealed", uid, password)
}

pub fn open(sealer: &Sealer, uid: &[u8; 16], sealed: &[u8]) -> Result<SecretString, AppError> {
    sealer.open("subscribers", "password_sealed", uid, sealed)
}
