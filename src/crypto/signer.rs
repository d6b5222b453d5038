//! Session tokens: JWT, HS256 only, signed with a secret that is derived from the key file. The random session id in a
//! token is what opens anything; the signature alone opens nothing (contract: panel.md, Session).

use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::KeyFile;
use crate::domain::encoding::from_base64url;
use crate::domain::error::AppError;
use crate::domain::sessions::Audience;
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, UserId};

/// A longer token is none of ours.
const LONGEST: usize = 2_048;

pub struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// What a token begins with, and nothing else: whoever signs with our secret and names another key, an extension that must
/// be understood (RFC 7515, 4.1.11) or another type is not us.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Beginning {
    typ: String,
    alg: String,
}

/// What a token says, and nothing else. The session id opens; the rest must agree with it or is for whoever reads it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    sub: String,
    aud: String,
    sid: String,
    role: String,
    iat: i64,
    exp: i64,
}

/// What a token is made of.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    pub user: UserId,
    pub role: Role,
    pub audience: Audience,
    pub session_id: &'a SecretString,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A token whose signature is right.
#[derive(Debug)]
pub struct Opened {
    pub session_id: SecretString,
    pub user: UserId,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Signer {
    pub fn new(key_file: &KeyFile) -> Self {
        let secret = key_file.jwt_secret();
        let secret = secret.expose_secret();
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) }
    }

    pub fn sign(&self, token: Token<'_>) -> Result<SecretString, AppError> {
        let claims = Claims {
            sub: token.user.to_string(),
            aud: token.audience.as_str().to_owned(),
            sid: token.session_id.expose_secret().to_owned(),
            role: token.role.as_str().to_owned(),
            iat: token.issued_at.millis().div_euclid(Timestamp::SECOND),
            exp: token.expires_at.millis().div_euclid(Timestamp::SECOND),
        };
        let signed = encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        signed.map(Into::into).map_err(|error| AppError::Internal(format!("a token cannot be signed: {error}")))
    }

    /// `None`: not one of ours, or for the other surface. Whether it has expired is for whoever knows the time.
    pub fn open(&self, token: &[u8], audience: Audience) -> Option<Opened> {
        let token = std::str::from_utf8(token).ok().filter(|token| token.len() <= LONGEST)?;
        let beginning = from_base64url(token.split('.').next()?)?;
        let beginning = serde_json::from_slice::<Beginning>(&beginning).ok()?;
        if (beginning.typ.as_str(), beginning.alg.as_str()) != ("JWT", "HS256") {
            return None;
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[audience.as_str()]);
        rules.set_required_spec_claims(&["exp", "aud", "sub"]);
        rules.validate_exp = false;
        match decode::<Claims>(token, &self.decoding, &rules) {
            Ok(data) => Some(Opened {
                session_id: data.claims.sid.into(),
                user: UserId(data.claims.sub.parse().ok()?),
                issued_at: Timestamp(data.claims.iat.saturating_mul(Timestamp::SECOND)),
                expires_at: Timestamp(data.claims.exp.saturating_mul(Timestamp::SECOND)),
            }),
            Err(error) => {
                if let ErrorKind::Crypto(_) = error.kind() {
                    tracing::error!("a token could not be checked: the cryptography failed");
                }
                None
            }
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::encoding::base64url;

    fn signer() -> (Signer, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let key_file = KeyFile::open_or_create(folder.path().join("panel.key")).unwrap();
        (Signer::new(&key_file), folder)
    }

    fn token(signer: &Signer, audience: Audience) -> String {
        let session_id = SecretString::from("0123456789abcdef");
        let (issued_at, expires_at) = (Timestamp(1_000_000), Timestamp(2_000_000));
        let token =
            Token { user: UserId(7), role: Role::Admin, audience, session_id: &session_id, issued_at, expires_at };
        signer.sign(token).unwrap().expose_secret().to_owned()
    }

    #[test]
    fn tokens_of_another_algorithm_key_or_surface_open_nothing() {
        let (signer, _folder) = signer();
        let good = token(&signer, Audience::Panel);
        let parts: Vec<&str> = good.split('.').collect();
        let none = base64url(br#"{"alg":"none","typ":"JWT"}"#);
        let other_hash = base64url(br#"{"alg":"HS512","typ":"JWT"}"#);
        let (stranger, _other_folder) = self::signer();
        for bad in [
            String::new(),
            "a.b.c".to_owned(),
            parts[..2].join("."),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{other_hash}.{}.{}", parts[1], parts[2]),
            token(&signer, Audience::Admin),
            token(&stranger, Audience::Panel),
            format!("{good}{}", "a".repeat(LONGEST)),
        ] {
            assert!(signer.open(bad.as_bytes(), Audience::Panel).is_none(), "{bad}");
        }
        assert!(signer.open(b"\xff\xfe.a.b", Audience::Panel).is_none());
    }

    #[test]
    fn a_token_that_says_what_we_never_write_opens_nothing() {
        let (signer, _folder) = signer();
        let claims = r#"{"sub":"7","aud":"panel","sid":"a","role":"admin","iat":1,"exp":2"#;
        let sign = |header: &str, claims: &str| {
            let text = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
            let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &signer.encoding, Algorithm::HS256);
            format!("{text}.{}", signature.unwrap())
        };
        let opens =
            |header: &str, claims: &str| signer.open(sign(header, claims).as_bytes(), Audience::Panel).is_some();
        let ours = r#"{"typ":"JWT","alg":"HS256"}"#;
        assert!(opens(ours, &format!("{claims}}}")));
        for more in [r#""kid":"a""#, r#""crit":["exp"]"#, r#""b64":false"#, r#""jwk":{}"#, r#""typ":"JWT""#] {
            let header = format!(r#"{{"typ":"JWT","alg":"HS256",{more}}}"#);
            assert!(!opens(&header, &format!("{claims}}}")), "{header}");
        }
        for more in [r#""nbf":9"#, r#""iss":"a""#, r#""sub":"7""#, r#""sid":"b""#] {
            assert!(!opens(ours, &format!("{claims},{more}}}")), "{more}");
        }
    }

    #[test]
    fn a_token_gives_its_session_id_back_and_shows_it_to_no_debug_output() {
        let (signer, _folder) = signer();
        let opened = signer.open(token(&signer, Audience::Panel).as_bytes(), Audience::Panel).unwrap();
        assert_eq!(opened.session_id.expose_secret(), "0123456789abcdef");
        assert_eq!(opened.expires_at, Timestamp(2_000_000));
        assert!(!format!("{opened:?}").contains("0123456789abcdef"));
    }
}
