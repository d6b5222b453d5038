//! PUT, DELETE, suspend, unsuspend.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{account, fields, id_of};
use crate::actions::accounts::{self as actions, Change};
use crate::domain::accounts::Text;
use crate::domain::error::AppError;
use crate::domain::passwords::Password;
use crate::domain::policy::Permit;
use crate::domain::users::{AccountStatus, Email};
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;
use crate::http::fields::{Sent, cleared, sent};
use crate::store::WriteTx;

#[derive(Deserialize, JsonSchema)]
pub(in crate::http::billing) struct UpdateBody {
    username: Option<String>,
    email: Option<String>,
    password: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    full_name: Sent<String>,
    #[serde(default, deserialize_with = "sent")]
    phone: Sent<String>,
    #[serde(default, deserialize_with = "sent")]
    company: Sent<String>,
    #[schemars(with = "Option<serde_json::Value>", extend("type" = ["string", "integer", "null"]))]
    package_id: Option<Box<RawValue>>,
    is_admin: Option<bool>,
    is_active: Option<bool>,
    #[serde(default, deserialize_with = "sent")]
    #[schemars(with = "Option<serde_json::Value>", extend("type" = ["string", "integer", "null"]))]
    billing_id: Sent<Box<RawValue>>,
    #[serde(default, deserialize_with = "sent")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    metadata: Sent<Box<RawValue>>,
}

impl UpdateBody {
    /// The change, except for the password's hash, which takes long to make.
    fn change(&self) -> Result<Change, AppError> {
        let text = |of: Text, sent| cleared(sent, |text| of.parse(text));
        let billing_id = self.billing_id.as_ref().map(|sent| match sent {
            Some(raw) => fields::id("billing_id", raw),
            None => Ok(None),
        });
        let metadata = self.metadata.as_ref().map(|sent| match sent {
            Some(raw) => fields::metadata(raw),
            None => Ok(None),
        });
        Ok(Change {
            email: self.email.as_deref().map(|text| Email::parse("email", text)).transpose()?,
            password_hash: None,
            full_name: text(Text::FullName, &self.full_name)?,
            phone: text(Text::Phone, &self.phone)?,
            company: text(Text::Company, &self.company)?,
            billing_id: text(Text::BillingId, &billing_id.transpose()?)?,
            metadata: metadata.transpose()?,
            package_id: self.package_id.as_deref().map_or(Ok(None), |raw| fields::id("package_id", raw))?,
            username: self.username.clone(),
            is_admin: self.is_admin,
            is_active: self.is_active,
        })
    }

    fn password(&self) -> Result<Option<SecretString>, AppError> {
        let password = self.password.as_deref().map(|text| Password::parse("password", text)).transpose()?;
        Ok(password.map(Password::into_secret))
    }
}

/// PUT /api/v1/billing/accounts/{id}
pub async fn update(call: Call) -> Answer {
    let id = id_of(&call)?;
    let body: UpdateBody = call.json()?;
    let mut change = body.change()?;
    if let Some(password) = body.password()? {
        change.password_hash = Some(call.state.app.hasher.hash(password).await?);
    }
    let now = call.now;
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::update(tx, permit, id, &change, now);
    call.write(action, |updated, _| account(StatusCode::OK, updated)).await
}

#[derive(Deserialize, JsonSchema)]
pub(in crate::http::billing) struct SwitchBody {
    reason: Option<String>,
}

/// POST /api/v1/billing/accounts/{id}/suspend
pub async fn suspend(call: Call) -> Answer {
    switch(call, AccountStatus::Suspended).await
}

/// POST /api/v1/billing/accounts/{id}/unsuspend
pub async fn unsuspend(call: Call) -> Answer {
    switch(call, AccountStatus::Active).await
}

async fn switch(call: Call, to: AccountStatus) -> Answer {
    let id = id_of(&call)?;
    let body: SwitchBody = call.json()?;
    let reason = Text::Reason.parse(body.reason.as_deref().unwrap_or_default())?;
    // A reason is for what is suspended; an account that works has none.
    let reason = reason.filter(|_| to == AccountStatus::Suspended);
    let now = call.now;
    let action =
        move |tx: &WriteTx<'_>, permit: &Permit| actions::set_status(tx, permit, id, to, reason.as_deref(), now);
    call.write(action, |user, _| account(StatusCode::OK, user)).await
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BillingDeletedAccount")]
pub(in crate::http::billing) struct Deleted {
    message: &'static str,
    id: i64,
}

/// DELETE /api/v1/billing/accounts/{id}
pub async fn delete(call: Call) -> Answer {
    let id = id_of(&call)?;
    let now = call.now;
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::delete(tx, permit, id, now);
    call.write(action, move |(), _| Reply::json(StatusCode::OK, &Deleted { message: "Account deleted", id: id.0 }))
        .await
}
