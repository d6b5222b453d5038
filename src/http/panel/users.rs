//! `/users`: accounts and who may change them.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::view::{self, UserView};
use crate::actions;
use crate::crypto::random;
use crate::domain::error::{AppError, Invalid};
use crate::domain::passwords::Password;
use crate::domain::policy::Permit;
use crate::domain::quotas::{Quota, Quotas};
use crate::domain::text::line;
use crate::domain::users::{AccountStatus, Email, Role, User, Username, fold};
use crate::http::answer::{Answer, Failure, Reply};
use crate::http::call::Call;
use crate::http::fields::{Fields, Sent, parsed};
use crate::http::login;
use crate::store::WriteTx;

/// The quotas that an account has of its own; null goes back to the package's. The others are a reseller's.
fn own_quotas(fields: &Fields) -> Result<Quotas<Sent<i64>>, AppError> {
    for quota in Quota::ALL.into_iter().filter(|quota| !Quota::OF_ACCOUNT.contains(quota)) {
        if fields.number(quota.as_str())?.is_some() {
            let problem = "is a reseller's; set it on /resellers/{username}";
            return Err(AppError::FieldForbidden { field: quota.as_str(), problem });
        }
    }
    let mut quotas = Quotas::default();
    for quota in Quota::OF_ACCOUNT {
        let sent = fields.number(quota.as_str())?;
        quotas.set(quota, parsed(&sent, |value| quota.check(*value))?);
    }
    Ok(quotas)
}

fn role(text: &str) -> Result<Role, Invalid> {
    Role::parse(text).ok_or_else(|| Invalid::new("role", "must be user, reseller or admin"))
}

/// What a new account must have; the password is hashed on its own thread.
pub async fn draft(call: &Call, fields: &Fields) -> Result<actions::users::Draft, Failure> {
    let given = |name| fields.text(name).map(|text| text.filter(|text| !text.is_empty()));
    let (Some(username), Some(email), Some(password)) = (given("username")?, given("email")?, given("password")?)
    else {
        return Err(Invalid::new("Username, email, and password", "are required").into());
    };
    let (username, email) = (Username::parse("username", &username)?, Email::parse("email", &email)?);
    let hash = hash(call, &password).await?;
    Ok(actions::users::Draft::new(random::uid()?, username, email, hash, call.now))
}

pub async fn hash(call: &Call, password: &str) -> Result<String, Failure> {
    let password = Password::parse("password", password)?;
    Ok(call.state.app.hasher.hash(password.into_secret()).await?)
}

pub fn username(call: &Call) -> String {
    call.params.get("username").unwrap_or_default().to_owned()
}

/// GET /api/v1/users
pub async fn list(call: Call) -> Answer {
    let permit = call.permit.clone();
    let users = call.read_slowly(move |tx| actions::users::list(tx, &permit)).await?;
    Ok(view::users(&users, call.state.app.zone())?)
}

/// GET /api/v1/users/{username}
pub async fn get(call: Call) -> Answer {
    let user = call.read(|tx| actions::users::get(tx, &call.permit, &username(&call)))?;
    Ok(Reply::json(StatusCode::OK, &UserView::of(&user, call.state.app.zone()))?)
}

/// POST /api/v1/users
pub async fn create(call: Call) -> Answer {
    let fields: Fields = call.json()?;
    let quotas = own_quotas(&fields)?;
    let role = fields.text("role")?.as_deref().map_or(Ok(Role::User), role)?;
    let (package, creator) = (fields.text("package")?, fields.text("creator")?);
    let mut draft = draft(&call, &fields).await?;
    draft.role = role;
    draft.creator = creator;
    for quota in Quota::OF_ACCOUNT {
        draft.quotas.set(quota, quotas.get(quota).flatten());
    }
    if let Some(package) = package {
        draft.package = package;
    }
    let add = move |tx: &WriteTx<'_>, permit: &Permit| actions::users::add(tx, permit, &draft);
    call.write(add, |user, _| view::made("User created successfully", user)).await
}

/// What has calls of its own, or none: only the value it has is taken.
pub fn refuse_what_stays(fields: &Fields, user: &User) -> Result<(), AppError> {
    if fields.text("username")?.is_some_and(|name| fold(&name) != fold(&user.username)) {
        return Err(AppError::FieldForbidden { field: "username", problem: "cannot be changed" });
    }
    if fields.text("status")?.is_some_and(|status| status != user.status.as_str()) {
        let problem = "cannot be set here; use suspend or unsuspend";
        return Err(AppError::FieldForbidden { field: "status", problem });
    }
    Ok(())
}

/// Everything but the password.
fn change(fields: &Fields, user: &User) -> Result<actions::users::Change, AppError> {
    refuse_what_stays(fields, user)?;
    Ok(actions::users::Change {
        email: fields.text("email")?.map(|email| Email::parse("email", &email)).transpose()?,
        role: fields.text("role")?.as_deref().map(role).transpose()?,
        creator: creator(fields)?,
        package: fields.text("package")?,
        quotas: own_quotas(fields)?,
        ..actions::users::Change::default()
    })
}

/// An empty name, which is how nobody is shown, and null are under nobody.
pub fn creator(fields: &Fields) -> Result<Option<Option<String>>, Invalid> {
    let sent = fields.nullable_text("creator")?;
    Ok(sent.map(|name| name.filter(|name| !name.is_empty())))
}

/// PUT /api/v1/users/{username}
pub async fn update(call: Call) -> Answer {
    let fields: Fields = call.json()?;
    let name = username(&call);
    let user = call.read(|tx| actions::users::get(tx, &call.permit, &name))?;
    let mut change = change(&fields, &user)?;
    let current = fields.text("current_password")?;
    if let Some(password) = fields.text("password")? {
        if call.permit.session().is_some_and(|session| session.user.id == user.id) {
            let current = current.ok_or_else(|| Invalid::required("current_password"))?;
            login::check_password(&call, &user.username, current.into(), "current_password").await?;
        }
        change.password_hash = Some(hash(&call, &password).await?);
    }
    let now = call.now;
    let update = move |tx: &WriteTx<'_>, permit: &Permit| {
        let user = actions::users::get(tx, permit, &name)?;
        actions::users::update(tx, permit, &user, &change, now)
    };
    call.write(update, |_, _| view::done("User updated")).await
}

/// DELETE /api/v1/users/{username}
pub async fn delete(call: Call) -> Answer {
    let (name, now) = (username(&call), call.now);
    let heir = call.query.text("transfer_to")?.map(str::to_owned);
    let delete = move |tx: &WriteTx<'_>, permit: &Permit| {
        let user = actions::users::get(tx, permit, &name)?;
        actions::users::delete(tx, permit, &user, heir.as_deref(), now)
    };
    call.write(delete, |(), _| view::done("User deleted")).await
}

/// POST /api/v1/users/{username}/suspend
pub async fn suspend(call: Call) -> Answer {
    set_status(call, AccountStatus::Suspended, "User suspended").await
}

/// POST /api/v1/users/{username}/unsuspend
pub async fn unsuspend(call: Call) -> Answer {
    set_status(call, AccountStatus::Active, "User unsuspended").await
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct SuspendBody {
    reason: Option<String>,
}

async fn set_status(call: Call, status: AccountStatus, message: &'static str) -> Answer {
    let body: SuspendBody = call.json()?;
    let reason = body.reason.map(|text| line("reason", &text, 255)).transpose()?;
    let (name, now) = (username(&call), call.now);
    let set = move |tx: &WriteTx<'_>, permit: &Permit| {
        let user = actions::users::get(tx, permit, &name)?;
        actions::users::set_status(tx, permit, &user, status, reason.as_deref(), now)
    };
    call.write(set, move |_, _| view::done(message)).await
}
