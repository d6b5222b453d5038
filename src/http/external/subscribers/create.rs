//! POST /subscribers.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::Detail;
use crate::actions::{self, subscribers::password};
use crate::crypto::random;
use crate::domain::error::{AppError, Invalid};
use crate::domain::policy::Permit;
use crate::domain::services::ServiceId;
use crate::domain::subscribers::{self, Draft, Login, NewSubscriber, Status, Text};
use crate::domain::time::Date;
use crate::http::answer::Answer;
use crate::http::call::{Call, Secrets};
use crate::http::external::envelope;
use crate::store::WriteTx;

#[derive(Deserialize, JsonSchema)]
pub(in crate::http::external) struct CreateBody {
    /// 1-100 characters without spaces; unique in any letter case.
    #[schemars(required)]
    username: Option<String>,
    #[schemars(required)]
    service_id: Option<i64>,
    /// Absent, empty or `auto-generate`: a random one, shown once.
    password: Option<String>,
    full_name: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    email: Option<String>,
    note: Option<String>,
    /// The last day that works: `YYYY-MM-DD`, or RFC 3339 of which the date counts. Default: one service period from today.
    expiry_date: Option<String>,
    nas_id: Option<i64>,
    /// Your own id, unique among the rows of the owner; makes a retry safe.
    external_id: Option<String>,
    /// Only 1: suspend it afterwards.
    status: Option<i64>,
    /// Only 0: post a transaction.
    balance: Option<serde_json::Number>,
}

impl CreateBody {
    fn draft(&self) -> Result<Draft, AppError> {
        let username = Login::parse("username", self.username.as_deref().unwrap_or_default())?;
        let service_id = self.service_id.ok_or_else(|| Invalid::required("service_id"))?;
        self.refuse_what_is_not_settable()?;
        let text = |of: Text, value: &Option<String>| value.as_deref().map(|value| of.parse(value)).transpose();
        Ok(Draft {
            username,
            service_id: ServiceId(service_id),
            full_name: text(Text::FullName, &self.full_name)?,
            phone: text(Text::Phone, &self.phone)?,
            address: text(Text::Address, &self.address)?,
            email: text(Text::Email, &self.email)?,
            note: text(Text::Note, &self.note)?,
            expiry_date: self.expiry_date.as_deref().map(|text| Date::parse("expiry_date", text)).transpose()?,
            nas_id: self.nas_id,
            mac_address: None,
            external_id: self
                .external_id
                .as_deref()
                .map(|id| subscribers::external_id("external_id", id))
                .transpose()?,
        })
    }

    /// A new subscriber is active and owes nothing; other values have calls of their own.
    fn refuse_what_is_not_settable(&self) -> Result<(), AppError> {
        if self.status.is_some_and(|status| status != Status::Active.number()) {
            let problem = "cannot be set here; create the subscriber, then use suspend";
            return Err(AppError::FieldForbidden { field: "status", problem });
        }
        if self.balance.as_ref().is_some_and(|balance| balance.as_f64() != Some(0.0)) {
            let problem = "cannot be set; post a transaction";
            return Err(AppError::FieldForbidden { field: "balance", problem });
        }
        Ok(())
    }
}

/// POST /api/v1/external/subscribers
pub async fn create(call: Call) -> Answer {
    let body: CreateBody = call.json()?;
    let draft = body.draft()?;
    let (password, generated) = password::chosen(body.password.as_deref())?;
    let uid = random::uid()?;
    let password_sealed = password::seal(&call.state.app.sealer, &uid, &password)?;
    let (now, today) = (call.now, call.today());
    let new = NewSubscriber { draft, uid, password_sealed, now, today };
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::subscribers::create(tx, permit, &new);
    call.write(action, move |made, secrets| {
        let mut detail = Detail::from(&made.subscriber);
        if generated && made.fresh {
            detail.password = Some(Some(password.expose_secret()).filter(|_| secrets == Secrets::Shown));
        }
        envelope::one(StatusCode::CREATED, &detail, now)
    })
    .await
}
