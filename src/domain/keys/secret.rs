//! How a secret is made, shown and recognised.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::encoding::{base64url, hex};

/// The SHA-256 by which a secret is recognised.
pub type SecretHash = [u8; 32];

/// How many characters of a key are shown after its creation.
pub const SHOWN: usize = 12;

/// A key that was just made: the only place where its plaintext exists.
#[derive(Debug)]
pub struct NewSecret {
    /// What the caller sends as its key (billing: the `npk_` identifier, which is no secret).
    pub key: SecretString,
    /// Billing only: the `nps_` half.
    pub secret: Option<SecretString>,
    /// What lists show: the first 12 characters; billing: the `npk_` value.
    pub display: String,
    pub hash: SecretHash,
}

impl NewSecret {
    /// `pk_live_` + 32 hex. The random bytes come from the operating system.
    pub fn external(random: &[u8; 16]) -> Self {
        Self::whole(format!("pk_live_{}", hex(random)))
    }

    /// `npk_` + 43 base64url, an identifier, and `nps_` + 64 base64url, the secret.
    pub fn billing(random_id: &[u8; 32], random_secret: &[u8; 48]) -> Self {
        let key = format!("npk_{}", base64url(random_id));
        let secret = Self::billing_secret(random_secret);
        Self { display: key.clone(), key: key.into(), ..secret }
    }

    /// A new secret for an `npk_` that stays.
    pub fn billing_secret(random: &[u8; 48]) -> Self {
        let secret = format!("nps_{}", base64url(random));
        let hash = hash_of(secret.as_bytes());
        Self { key: SecretString::default(), secret: Some(secret.into()), display: String::new(), hash }
    }

    /// `wsp_` + 48 hex.
    pub fn panel(random: &[u8; 24]) -> Self {
        Self::whole(format!("wsp_{}", hex(random)))
    }

    fn whole(key: String) -> Self {
        let display = key.chars().take(SHOWN).collect();
        Self { hash: hash_of(key.as_bytes()), key: key.into(), secret: None, display }
    }
}

/// Hashes what was presented, whatever its alphabet: the lookup decides, not the form.
pub fn hash_of(presented: &[u8]) -> SecretHash {
    Sha256::digest(presented).into()
}

impl NewSecret {
    /// The plaintext, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        self.key.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_documented_shape() {
        let external = NewSecret::external(&[0xa8; 16]);
        assert_eq!(external.reveal(), format!("pk_live_{}", "a8".repeat(16)));
        assert_eq!(external.display, "pk_live_a8a8");
        assert_eq!(external.hash, hash_of(external.reveal().as_bytes()));
        let panel = NewSecret::panel(&[0x0f; 24]);
        assert_eq!(panel.reveal(), format!("wsp_{}", "0f".repeat(24)));
        assert_eq!(panel.display, "wsp_0f0f0f0f");
        let billing = NewSecret::billing(&[1; 32], &[2; 48]);
        assert_eq!(billing.reveal().len(), "npk_".len() + 43);
        assert_eq!(billing.display, billing.reveal());
        let secret = billing.secret.as_ref().unwrap().expose_secret();
        assert_eq!(secret.len(), "nps_".len() + 64);
        assert_eq!(billing.hash, hash_of(secret.as_bytes()));
    }

    #[test]
    fn a_new_secret_never_shows_itself_in_debug_output() {
        for made in [NewSecret::external(&[0xa8; 16]), NewSecret::billing(&[1; 32], &[2; 48])] {
            let shown = format!("{:?}", made.secret) + &format!("{:?}", made.key);
            let secret = made.secret.as_ref().unwrap_or(&made.key).expose_secret();
            assert!(!shown.contains(secret));
        }
    }
}
