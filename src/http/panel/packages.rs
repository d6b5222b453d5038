//! `/packages`: what accounts inherit.

use actix_web::http::StatusCode;
use serde_json::json;

use super::view;
use crate::actions::{self, packages::Change};
use crate::domain::error::{AppError, Invalid};
use crate::domain::features::Feature;
use crate::domain::packages::PackageName;
use crate::domain::policy::Permit;
use crate::domain::quotas::Quota;
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;
use crate::http::fields::Fields;
use crate::store::WriteTx;

/// GET /api/v1/packages
pub async fn list(call: Call) -> Answer {
    let rows: Vec<_> = call.read(actions::packages::list)?.iter().map(view::package).collect();
    Ok(Reply::json(StatusCode::OK, &rows)?)
}

fn name(call: &Call) -> String {
    call.params.get("name").unwrap_or_default().to_owned()
}

/// GET /api/v1/packages/{name}
pub async fn get(call: Call) -> Answer {
    let package = call.read(|tx| actions::packages::get(tx, &name(&call)))?;
    Ok(Reply::json(StatusCode::OK, &view::package(&package))?)
}

/// Limits, flags and grants. A flag may come as `api` (the seed's package data) or as `can_use_api`. A package inherits
/// from nothing, so null leaves a value as it is.
fn change(fields: &Fields) -> Result<Change, AppError> {
    let mut change = Change::default();
    for quota in Quota::ALL {
        let sent = fields.number(quota.as_str())?.flatten();
        change.quotas.set(quota, sent.map(|value| quota.check(value)).transpose()?);
    }
    for feature in Feature::ALL {
        change.flags.set(feature, fields.either_flag(feature)?.flatten());
        change.grants.set(feature, fields.flag(&format!("can_grant_{}", feature.as_str()))?.flatten());
    }
    change.name = fields.text("name")?.map(|name| PackageName::parse("name", &name)).transpose()?;
    Ok(change)
}

/// POST /api/v1/packages
pub async fn create(call: Call) -> Answer {
    let mut change = change(&call.json()?)?;
    let name = change.name.take().ok_or_else(|| Invalid::required("name"))?;
    let now = call.now;
    let add = move |tx: &WriteTx<'_>, permit: &Permit| actions::packages::add(tx, permit, &name, &change, now);
    call.write(add, |package, _| {
        let body = json!({"success": true, "message": "Package created", "id": package.id, "package": package.name});
        Reply::json(StatusCode::CREATED, &body)
    })
    .await
}

/// PUT /api/v1/packages/{name}
pub async fn update(call: Call) -> Answer {
    let (name, now) = (name(&call), call.now);
    let change = change(&call.json()?)?;
    let update = move |tx: &WriteTx<'_>, permit: &Permit| actions::packages::update(tx, permit, &name, &change, now);
    call.write(update, |_, _| view::done("Package updated")).await
}

/// DELETE /api/v1/packages/{name}
pub async fn delete(call: Call) -> Answer {
    let (name, now) = (name(&call), call.now);
    let delete = move |tx: &WriteTx<'_>, permit: &Permit| actions::packages::delete(tx, permit, &name, now);
    call.write(delete, |(), _| view::done("Package deleted")).await
}
