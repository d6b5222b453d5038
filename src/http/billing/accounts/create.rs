//! POST /accounts.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{account, fields};
use crate::actions::accounts::{self as actions, Draft, Verified};
use crate::actions::users;
use crate::crypto::{Standing, random};
use crate::domain::accounts::Text;
use crate::domain::error::{AppError, Invalid};
use crate::domain::passwords::Password;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::domain::users::{Email, Profile, Role, Username};
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::store::WriteTx;

#[derive(Deserialize, JsonSchema)]
pub(in crate::http::billing) struct CreateBody {
    #[schemars(required)]
    username: Option<String>,
    #[schemars(required)]
    email: Option<String>,
    #[schemars(required)]
    password: Option<String>,
    full_name: Option<String>,
    phone: Option<String>,
    company: Option<String>,
    #[schemars(with = "Option<serde_json::Value>", extend("type" = ["string", "integer", "null"]))]
    package_id: Option<Box<RawValue>>,
    is_admin: Option<bool>,
    #[schemars(with = "Option<serde_json::Value>", extend("type" = ["string", "integer", "null"]))]
    billing_id: Option<Box<RawValue>>,
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    metadata: Option<Box<RawValue>>,
}

impl CreateBody {
    /// The draft, except for the password's hash, which takes long to make.
    fn draft(&self, now: Timestamp) -> Result<Draft, AppError> {
        let username = Username::parse("username", self.username.as_deref().unwrap_or_default())?;
        let email = Email::parse("email", self.email.as_deref().unwrap_or_default())?;
        let role = if self.is_admin == Some(true) { Role::Reseller } else { Role::User };
        let draft = users::Draft::new(random::uid()?, username, email, String::new(), now);
        let user = users::Draft { role, profile: self.profile()?, ..draft };
        let package_id = self.package_id.as_deref().map_or(Ok(None), |raw| fields::id("package_id", raw))?;
        Ok(Draft { user, package_id })
    }

    fn profile(&self) -> Result<Profile, AppError> {
        let text = |of: Text, value: &Option<String>| of.parse(value.as_deref().unwrap_or_default());
        let billing_id = self.billing_id.as_deref().map_or(Ok(None), |raw| fields::id("billing_id", raw))?;
        Ok(Profile {
            full_name: text(Text::FullName, &self.full_name)?,
            phone: text(Text::Phone, &self.phone)?,
            company: text(Text::Company, &self.company)?,
            billing_id: text(Text::BillingId, &billing_id)?,
            metadata: self.metadata.as_deref().map_or(Ok(None), fields::metadata)?,
        })
    }

    fn password(&self) -> Result<SecretString, AppError> {
        let text = self.password.as_deref().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Invalid::required("password"))?;
        Ok(Password::parse("password", text)?.into_secret())
    }
}

/// POST /api/v1/billing/accounts
pub async fn create(call: Call) -> Answer {
    let body: CreateBody = call.json()?;
    let (mut draft, password) = (body.draft(call.now)?, body.password()?);
    actions::check_level(&call.permit, draft.user.role)?;
    draft.user.password_hash = call.state.app.hasher.hash(password.clone()).await?;
    let verified = verify_original(&call, &draft, password).await?;
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::create(tx, permit, &draft, verified.as_ref());
    call.write(action, |made, _| account(StatusCode::CREATED, made)).await
}

/// Where this create was sent before, whether it had the same password. Looked for after the hashing, because a twin that
/// arrived together with this one has been made by then.
async fn verify_original(call: &Call, draft: &Draft, password: SecretString) -> Result<Option<Verified>, AppError> {
    let Some(hash) = call.read(|tx| actions::find_original(tx, &call.permit, draft))? else { return Ok(None) };
    let is_same = call.state.app.hasher.verify(Standing::Good, password, Some(hash.clone())).await?;
    Ok(Some(Verified { hash, is_same }))
}
