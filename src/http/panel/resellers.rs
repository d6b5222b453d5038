//! `/resellers`: ceilings of resellers, and what they may grant.

use super::users::{creator, draft, hash, refuse_what_stays, username};
use super::view;
use crate::actions::{self, resellers::Change};
use crate::domain::error::AppError;
use crate::domain::features::Feature;
use crate::domain::policy::Permit;
use crate::domain::quotas::Quota;
use crate::domain::users::{Email, Role};
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;
use crate::http::fields::{Fields, parsed};
use crate::store::WriteTx;
use actix_web::http::StatusCode;

/// GET /api/v1/resellers
pub async fn list(call: Call) -> Answer {
    let permit = call.permit.clone();
    let resellers = call.read_slowly(move |tx| actions::resellers::list(tx, &permit)).await?;
    let rows: Vec<_> = resellers.iter().map(view::reseller).collect();
    Ok(Reply::json(StatusCode::OK, &rows)?)
}

/// GET /api/v1/resellers/{username} and …/limits
pub async fn get(call: Call) -> Answer {
    let reseller = call.read(|tx| actions::resellers::get(tx, &call.permit, &username(&call)))?;
    Ok(Reply::json(StatusCode::OK, &view::reseller(&reseller))?)
}

/// GET /api/v1/resellers/{username}/users
pub async fn users(call: Call) -> Answer {
    let (permit, name) = (call.permit.clone(), username(&call));
    let users = call.read_slowly(move |tx| actions::resellers::users_of(tx, &permit, &name)).await?;
    Ok(view::users(&users, call.state.app.zone())?)
}

/// Ceilings and levers; null goes back to the package's value.
fn own(fields: &Fields) -> Result<Change, AppError> {
    let mut change = Change::default();
    for quota in Quota::ALL {
        let sent = fields.number(quota.as_str())?;
        change.quotas.set(quota, parsed(&sent, |value| quota.check(*value))?);
    }
    for feature in Feature::ALL {
        change.grants.set(feature, fields.flag(&format!("can_grant_{}", feature.as_str()))?);
    }
    Ok(change)
}

/// POST /api/v1/resellers
pub async fn create(call: Call) -> Answer {
    let fields: Fields = call.json()?;
    let change = own(&fields)?;
    let package = fields.text("package")?;
    let mut draft = draft(&call, &fields).await?;
    draft.role = Role::Reseller;
    draft.creator = fields.text("creator")?;
    if let Some(package) = package {
        draft.package = package;
    }
    for (quota, value) in change.quotas.iter() {
        draft.reseller.quotas.set(quota, value.flatten());
    }
    for (feature, value) in change.grants.iter() {
        draft.reseller.grants.set(feature, value.flatten());
    }
    let add = move |tx: &WriteTx<'_>, permit: &Permit| actions::users::add(tx, permit, &draft);
    call.write(add, |user, _| view::made("Reseller created successfully", user)).await
}

/// PUT /api/v1/resellers/{username}
pub async fn update(call: Call) -> Answer {
    let fields: Fields = call.json()?;
    let reseller = call.read(|tx| actions::resellers::get(tx, &call.permit, &username(&call)))?;
    refuse_what_stays(&fields, &reseller.user)?;
    if fields.text("role")?.is_some_and(|role| role != Role::Reseller.as_str()) {
        let problem = "is changed on /users/{username}";
        return Err(AppError::FieldForbidden { field: "role", problem }.into());
    }
    let mut change = own(&fields)?;
    change.account.package = fields.text("package")?;
    change.account.creator = creator(&fields)?;
    change.account.email = fields.text("email")?.map(|email| Email::parse("email", &email)).transpose()?;
    if let Some(password) = fields.text("password")? {
        change.account.password_hash = Some(hash(&call, &password).await?);
    }
    store(call, change, "Reseller updated").await
}

/// PUT /api/v1/resellers/{username}/limits
pub async fn update_limits(call: Call) -> Answer {
    let change = own(&call.json()?)?;
    store(call, change, "Limits updated").await
}

async fn store(call: Call, change: Change, message: &'static str) -> Answer {
    let (name, now) = (username(&call), call.now);
    let update = move |tx: &WriteTx<'_>, permit: &Permit| actions::resellers::update(tx, permit, &name, &change, now);
    call.write(update, move |_, _| view::done(message)).await
}

/// DELETE /api/v1/resellers/{username}
pub async fn delete(call: Call) -> Answer {
    let (name, now) = (username(&call), call.now);
    let heir = call.query.text("transfer_to")?.map(str::to_owned);
    let delete = move |tx: &WriteTx<'_>, permit: &Permit| {
        let reseller = actions::resellers::get(tx, permit, &name)?;
        actions::users::delete(tx, permit, &reseller.user, heir.as_deref(), now)
    };
    call.write(delete, |(), _| view::done("Reseller deleted")).await
}
