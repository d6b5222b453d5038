//! `/api/auth`: logging in and out, the refresh cookie, own password and sessions.

use std::sync::Arc;

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::envelope;
use crate::actions;
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::keys::hash_of;
use crate::domain::passwords::Password;
use crate::domain::policy::{self, Permit};
use crate::domain::sessions::{Audience, REFRESH_MILLIS, Session};
use crate::domain::users::{AccountStatus, Role, User};
use crate::http::answer::{Answer, Failure, Reply};
use crate::http::call::Call;
use crate::http::login::{self, Kind};
use crate::http::visit::REFRESH_COOKIE;
use crate::store::WriteTx;

/// Only these paths get to see the cookie.
const COOKIE_PATH: &str = "/api/auth";

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdminUser")]
pub(super) struct UserView<'a> {
    id: i64,
    username: &'a str,
    email: &'a str,
    #[schemars(extend("enum" = ["user", "reseller", "admin"]))]
    user_type: &'a str,
    is_active: bool,
    /// What the role opens on this surface.
    permissions: &'static [&'static str],
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id.0,
            username: &user.username,
            email: &user.email,
            user_type: user.role.as_str(),
            is_active: user.status == AccountStatus::Active,
            // What the role opens on this surface.
            permissions: match user.role {
                Role::Admin => &["all"],
                Role::Reseller => &["subscribers", "services.read"],
                Role::User => &[],
            },
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LoggedIn<'a> {
    #[schemars(extend("const" = true))]
    success: bool,
    token: &'a str,
    user: UserView<'a>,
}

const KIND: Kind = Kind { audience: Audience::Admin, least: Role::Reseller, refreshable: true };

fn cookie(call: &Call, value: &SecretString, lives: i64) -> String {
    let cookie = Cookie::build(REFRESH_COOKIE, value.expose_secret())
        .path(COOKIE_PATH)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(call.agent.secure)
        .max_age(Duration::milliseconds(lives));
    cookie.finish().to_string()
}

fn logged_in(call: &Call, user: &User, token: &SecretString, refresh: &SecretString) -> Answer {
    let body = LoggedIn { success: true, token: token.expose_secret(), user: UserView::from(user) };
    Ok(Reply::json(StatusCode::OK, &body)?.with("set-cookie", cookie(call, refresh, REFRESH_MILLIS)))
}

/// POST /api/auth/login
pub async fn log_in(call: Call) -> Answer {
    let opened = login::log_in(&call, KIND).await?;
    let refresh = opened.refresh.unwrap_or_default();
    logged_in(&call, &opened.user, &opened.token, &refresh)
}

/// POST /api/auth/login/json
pub async fn log_in_json(call: Call) -> Answer {
    let opened = login::log_in(&call, Kind { refreshable: false, ..KIND }).await?;
    let body = json!({"access_token": opened.token.expose_secret(), "token_type": "bearer"});
    Ok(Reply::json(StatusCode::OK, &body)?)
}

/// POST /api/auth/refresh
pub async fn refresh(call: Call) -> Answer {
    let refused = || Failure::Denied(Box::new(policy::no_session()));
    let presented = call.agent.refresh_token.as_ref().ok_or_else(refused)?;
    let session_id = presented.expose_secret().split_once('.').ok_or_else(refused)?.0;
    let session_id = SecretString::from(session_id);
    let next = login::refresh_token(&session_id)?;
    let hash = |secret: &SecretString| hash_of(secret.expose_secret().as_bytes());
    let (presented, next_hash, now) = (hash(presented), hash(&next), call.now);
    let origin = Arc::new(call.permit.origin().clone());
    let trade = move |tx: &WriteTx<'_>| actions::sessions::refresh(tx, &presented, &next_hash, &origin, now);
    let (account, user) = call.state.app.db.write(trade).await?.ok_or_else(refused)?;
    let expires_at = now.plus_millis(login::token_lives(Audience::Admin));
    let token = login::sign(&call, Audience::Admin, &account, &session_id, expires_at)?;
    logged_in(&call, &user, &token, &next)
}

/// POST /api/auth/logout
pub async fn log_out(call: Call) -> Answer {
    let now = call.now;
    let close = move |tx: &WriteTx<'_>, permit: &Permit| actions::sessions::close(tx, permit, now);
    let reply = call.write(close, |(), _| envelope::done("Logged out successfully")).await?;
    Ok(reply.with("set-cookie", cookie(&call, &SecretString::default(), 0)))
}

/// GET /api/auth/me
pub async fn me(call: Call) -> Answer {
    let id = call.permit.user().ok_or(AppError::NotFound(Noun::User))?;
    let user = call.read(|tx| actions::users::get_by_id(tx, &call.permit, id))?;
    Ok(envelope::data(StatusCode::OK, &UserView::from(&user))?)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct PasswordBody {
    #[schemars(with = "String")]
    current_password: Option<SecretString>,
    #[schemars(with = "String")]
    new_password: Option<SecretString>,
}

/// POST /api/auth/password
pub async fn password(call: Call) -> Answer {
    let session = call.permit.session().ok_or_else(policy::session_required)?;
    let (user, keep) = (session.user.id, session.id);
    let body: PasswordBody = call.json()?;
    let current = body.current_password.ok_or_else(|| Invalid::required("current_password"))?;
    let new = body.new_password.ok_or_else(|| Invalid::required("new_password"))?;
    let new = Password::parse("new_password", new.expose_secret())?;
    login::check_password(&call, &session.user.username, current, "current_password").await?;
    let (hash, now) = (call.state.app.hasher.hash(new.into_secret()).await?, call.now);
    let set =
        move |tx: &WriteTx<'_>, permit: &Permit| actions::users::set_password(tx, permit, user, &hash, Some(keep), now);
    call.write(set, |(), _| envelope::done("Password changed; other sessions are ended")).await
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdminSession")]
pub(super) struct SessionView {
    id: i64,
    /// `admin` or `panel`.
    surface: String,
    ip: Option<String>,
    user_agent: Option<String>,
    created_at: String,
    renewed_at: String,
    expires_at: String,
    /// The one that asks.
    current: bool,
}

impl SessionView {
    fn of(session: Session, current: Option<i64>) -> Self {
        Self {
            current: current == Some(session.id),
            id: session.id,
            surface: session.audience,
            ip: session.ip,
            user_agent: session.user_agent,
            created_at: session.created_at.rfc3339(),
            renewed_at: session.renewed_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
        }
    }
}

fn current(call: &Call) -> Option<i64> {
    call.permit.session().map(|session| session.id)
}

/// GET /api/auth/sessions
pub async fn sessions(call: Call) -> Answer {
    let all = call.read(|tx| actions::sessions::list(tx, &call.permit, call.now))?;
    let views: Vec<_> = all.into_iter().map(|session| SessionView::of(session, current(&call))).collect();
    Ok(envelope::data(StatusCode::OK, &views)?)
}

/// GET /api/auth/sessions/{id}
pub async fn session(call: Call) -> Answer {
    let id = call.id(Noun::Session)?;
    let session = call.read(|tx| actions::sessions::get(tx, &call.permit, id, call.now))?;
    Ok(envelope::data(StatusCode::OK, &SessionView::of(session, current(&call)))?)
}

/// DELETE /api/auth/sessions/{id}
pub async fn end_session(call: Call) -> Answer {
    let (id, now) = (call.id(Noun::Session)?, call.now);
    let end = move |tx: &WriteTx<'_>, permit: &Permit| actions::sessions::end(tx, permit, id, now);
    call.write(end, |(), _| envelope::done("Session ended")).await
}

/// DELETE /api/auth/sessions
pub async fn end_other_sessions(call: Call) -> Answer {
    let now = call.now;
    let end = move |tx: &WriteTx<'_>, permit: &Permit| actions::sessions::end_others(tx, permit, now);
    call.write(end, |_, _| envelope::done("The other sessions are ended")).await
}
