//! `/auth`: logging in and out, and who one is.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;

use super::view::Me;
use crate::actions;
use crate::domain::error::{AppError, Noun};
use crate::domain::keys::hash_of;
use crate::domain::policy::{self, Permit};
use crate::domain::sessions::Audience;
use crate::domain::time::Timestamp;
use crate::domain::users::Role;
use crate::http::answer::{Answer, Failure, Reply};
use crate::http::call::Call;
use crate::http::login::{self, Kind};
use crate::store::WriteTx;

#[derive(Serialize, JsonSchema)]
pub(super) struct LoggedIn<'a> {
    token: &'a str,
    user: Me<'a>,
    /// Seconds.
    expires_in: i64,
}

/// POST /api/v1/auth/login
pub async fn log_in(call: Call) -> Answer {
    let kind = Kind { audience: Audience::Panel, least: Role::User, refreshable: false };
    let opened = login::log_in(&call, kind).await?;
    let body = LoggedIn {
        token: opened.token.expose_secret(),
        user: Me::from(&opened.user),
        expires_in: login::token_lives(Audience::Panel) / Timestamp::SECOND,
    };
    Ok(Reply::json(StatusCode::OK, &body)?)
}

/// POST /api/v1/auth/logout
pub async fn log_out(call: Call) -> Answer {
    let now = call.now;
    let close = move |tx: &WriteTx<'_>, permit: &Permit| actions::sessions::close(tx, permit, now);
    call.write(close, |(), _| Reply::json(StatusCode::OK, &json!({"message": "Logged out successfully"}))).await
}

/// POST /api/v1/auth/refresh
pub async fn refresh(call: Call) -> Answer {
    let session = call.permit.session().ok_or_else(policy::session_required)?;
    let session_id = login::session_id()?;
    let id_hash = hash_of(session_id.expose_secret().as_bytes());
    let (permit, now) = (call.permit.clone(), call.now);
    let renewed = call.state.app.db.write(move |tx| actions::sessions::renew(tx, &permit, &id_hash, now)).await;
    let expires_at = match renewed {
        Err(AppError::NotFound(Noun::Session)) => return Err(Failure::Denied(Box::new(policy::session_over()))),
        other => other?,
    };
    let token = login::sign(&call, Audience::Panel, &session.user, &session_id, expires_at)?;
    let expires_in = (expires_at.millis() - now.millis()) / Timestamp::SECOND;
    Ok(Reply::json(StatusCode::OK, &json!({"token": token.expose_secret(), "expires_in": expires_in}))?)
}

/// GET /api/v1/auth/me
pub async fn me(call: Call) -> Answer {
    let id = call.permit.user().ok_or(AppError::NotFound(Noun::User))?;
    let user = call.read(|tx| actions::users::get_by_id(tx, &call.permit, id))?;
    Ok(Reply::json(StatusCode::OK, &Me::from(&user))?)
}
