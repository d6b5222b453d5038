//! Logging in, the same on both surfaces that have sessions: who may try, the password on the hasher's thread, the session
//! in one write, the token signed.

use std::sync::Arc;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::answer::Failure;
use super::call::Call;
use crate::actions::sessions::{self, Door, Tokens};
use crate::crypto::signer::Token;
use crate::crypto::{Standing, random};
use crate::domain::encoding::base64url;
use crate::domain::error::{AppError, Invalid};
use crate::domain::keys::hash_of;
use crate::domain::policy::{Denial, OwnerFacts};
use crate::domain::sessions::{ADMIN_TOKEN_MILLIS, Audience, PANEL_TOKEN_MILLIS, REFRESH_MILLIS};
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, User};

#[derive(Deserialize, JsonSchema)]
pub struct LoginBody {
    #[schemars(required)]
    username: Option<String>,
    #[schemars(with = "String")]
    password: Option<SecretString>,
}

/// Who logs in where.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub audience: Audience,
    /// The least role that may.
    pub least: Role,
    /// A refresh token is made, and the session lasts as long as that.
    pub refreshable: bool,
}

/// A session that was just opened; its secrets are shown this once.
#[derive(Debug)]
pub struct LoggedIn {
    pub user: User,
    pub token: SecretString,
    pub refresh: Option<SecretString>,
}

/// How long a token of a surface lives, in milliseconds.
pub fn token_lives(audience: Audience) -> i64 {
    match audience {
        Audience::Panel => PANEL_TOKEN_MILLIS,
        Audience::Admin => ADMIN_TOKEN_MILLIS,
    }
}

/// 128 random bits.
pub fn session_id() -> Result<SecretString, AppError> {
    Ok(base64url(&random::bytes::<16>()?).into())
}

/// The next refresh token of a session: its id, by which an access token can be made again, and 256 random bits.
pub fn refresh_token(session_id: &SecretString) -> Result<SecretString, AppError> {
    Ok(format!("{}.{}", session_id.expose_secret(), base64url(&random::bytes::<32>()?)).into())
}

pub fn sign(
    call: &Call,
    audience: Audience,
    account: &OwnerFacts,
    session_id: &SecretString,
    expires_at: Timestamp,
) -> Result<SecretString, AppError> {
    let (user, role, issued_at) = (account.id, account.role, call.now);
    call.state.app.signer.sign(Token { user, role, audience, session_id, issued_at, expires_at })
}

pub async fn log_in(call: &Call, kind: Kind) -> Result<LoggedIn, Failure> {
    let ip = call.permit.origin().ip;
    call.state.shield.login(ip).map_err(too_many)?;
    let body: LoginBody = call.json()?;
    let missing = || Invalid::new("Username and password", "are required");
    let name = body.username.filter(|name| !name.is_empty()).ok_or_else(missing)?;
    let password = body.password.filter(|password| !password.expose_secret().is_empty()).ok_or_else(missing)?;
    let door = Door { name, ip, now: call.now };
    let known = call.read(|tx| sessions::look_up(tx, &door))?;
    let hash = known.as_ref().and_then(|login| login.password_hash.clone());
    let guess = call.state.shield.guess(ip, call.now);
    let standing = if guess.is_suspect { Standing::Suspect } else { Standing::Good };
    let right = call.state.app.hasher.verify(standing, password, hash).await?;
    drop(guess);
    let Some(verified) = known.filter(|_| right) else {
        return Err(failed(call, door, AppError::BadCredentials).await);
    };
    // Nothing is said of the account yet: a guess that came too late must not learn that it was right.
    open(call, kind, door, verified).await
}

/// Whoever found an open session must not be able to take the account over: its password is asked for, on the same
/// ladder as a login. A wrong one is refused in the name of `field`.
pub async fn check_password(
    call: &Call,
    username: &str,
    password: SecretString,
    field: &'static str,
) -> Result<(), Failure> {
    let door = Door { name: username.to_owned(), ip: call.permit.origin().ip, now: call.now };
    let hash = call.read(|tx| sessions::look_up(tx, &door))?.and_then(|login| login.password_hash);
    if call.state.app.hasher.verify(Standing::Good, password, hash).await? {
        return Ok(call.read(|tx| sessions::refuse_locked(tx, &door))?);
    }
    Err(failed(call, door, AppError::WrongPassword { field }).await)
}

async fn open(call: &Call, kind: Kind, door: Door, verified: crate::store::users::Login) -> Result<LoggedIn, Failure> {
    let session_id = session_id()?;
    let refresh = if kind.refreshable { Some(refresh_token(&session_id)?) } else { None };
    let hash = |secret: &SecretString| hash_of(secret.expose_secret().as_bytes());
    let expires_at = call.now.plus_millis(token_lives(kind.audience));
    let token = sign(call, kind.audience, &verified.account, &session_id, expires_at)?;
    let login = sessions::Login {
        door,
        verified,
        audience: kind.audience,
        least: kind.least,
        tokens: Tokens { id_hash: hash(&session_id), refresh_hash: refresh.as_ref().map(hash) },
        lives: if kind.refreshable { REFRESH_MILLIS } else { token_lives(kind.audience) },
        user_agent: call.agent.user_agent.clone(),
    };
    let origin = Arc::new(call.permit.origin().clone());
    let user = call.state.app.db.write(move |tx| sessions::open(tx, &login, &origin)).await?;
    Ok(LoggedIn { user, token, refresh })
}

/// A wrong password is one step up the ladder of its name, and one of the failing credentials of its address.
async fn failed(call: &Call, door: Door, refusal: AppError) -> Failure {
    let (ip, now) = (door.ip, door.now);
    let counted = call.state.app.db.write(move |tx| sessions::fail(tx, &door)).await;
    match (counted, call.state.shield.failure(ip, now)) {
        (Err(error), _) => error.into(),
        (Ok(()), Err(seconds)) => too_many(seconds),
        (Ok(()), Ok(())) => refusal.into(),
    }
}

fn too_many(seconds: i64) -> Failure {
    Failure::Denied(Box::new(Denial::too_many_from_address(seconds)))
}
