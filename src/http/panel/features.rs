//! `/users/{username}/features`: the flags of an account.

use actix_web::http::StatusCode;
use serde_json::json;

use super::users::username;
use super::view;
use crate::actions;
use crate::domain::error::AppError;
use crate::domain::features::Feature;
use crate::domain::policy::Permit;
use crate::domain::users::User;
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;
use crate::http::fields::Fields;
use crate::store::WriteTx;

/// GET /api/v1/users/{username}/features
pub async fn get(call: Call) -> Answer {
    let user = call.read(|tx| actions::users::get(tx, &call.permit, &username(&call)))?;
    let features = view::flags(&user.effective_flags, "");
    Ok(Reply::json(StatusCode::OK, &json!({"success": true, "username": user.username, "features": features}))?)
}

/// PUT /api/v1/users/{username}/features
pub async fn update(call: Call) -> Answer {
    let (name, now) = (username(&call), call.now);
    let fields: Fields = call.json()?;
    let mut change = actions::users::Change::default();
    for feature in Feature::ALL {
        change.flags.set(feature, fields.either_flag(feature)?);
    }
    let update = move |tx: &WriteTx<'_>, permit: &Permit| {
        let user = actions::users::get(tx, permit, &name)?;
        actions::users::update(tx, permit, &user, &change, now)
    };
    call.write(update, |user, _| updated(user)).await
}

fn updated(user: &User) -> Result<Reply, AppError> {
    let features = view::flags(&user.effective_flags, "");
    let body = json!({"success": true, "message": "Features updated", "username": user.username, "features": features});
    Reply::json(StatusCode::OK, &body)
}
