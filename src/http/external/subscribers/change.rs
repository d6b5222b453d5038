//! PUT, DELETE, suspend, activate, renew.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Detail;
use crate::actions::subscribers::{self as actions, Change, Renew, Switch, password};
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::policy::Permit;
use crate::domain::services::ServiceId;
use crate::domain::subscribers::{self, Status, SubscriberId, Text};
use crate::domain::time::Date;
use crate::domain::transactions::parse_amount;
use crate::http::answer::{Answer, Failure};
use crate::http::call::Call;
use crate::http::external::envelope;
use crate::http::external::transactions::Row as TransactionRow;
use crate::http::fields::{self, Sent, sent};
use crate::store::WriteTx;

#[derive(Deserialize, JsonSchema)]
pub(in crate::http::external) struct UpdateBody {
    /// The current value is accepted; another is refused.
    username: Option<String>,
    /// The current value is accepted; another is refused.
    #[schemars(range(min = 1, max = 4))]
    status: Option<i64>,
    #[serde(default, deserialize_with = "sent")]
    full_name: Sent<String>,
    #[serde(default, deserialize_with = "sent")]
    phone: Sent<String>,
    #[serde(default, deserialize_with = "sent")]
    address: Sent<String>,
    #[serde(default, deserialize_with = "sent")]
    email: Sent<String>,
    #[serde(default, deserialize_with = "sent")]
    note: Sent<String>,
    service_id: Option<i64>,
    password: Option<String>,
    /// The last day that works: `YYYY-MM-DD`, or RFC 3339 of which the date counts.
    expiry_date: Option<String>,
    /// Your own id, unique among the rows of the owner; makes a retry safe.
    #[serde(default, deserialize_with = "sent")]
    external_id: Sent<String>,
    #[serde(default, deserialize_with = "sent")]
    nas_id: Sent<i64>,
    /// The current value is accepted; another is refused.
    #[schemars(with = "Option<f64>")]
    balance: Option<Box<RawValue>>,
}

impl UpdateBody {
    /// The change, except for the password, which must be sealed for its row.
    fn change(&self) -> Result<Change, AppError> {
        let text = |of: Text, sent| fields::cleared(sent, |text| of.parse(text));
        let external_id = |text: &String| subscribers::external_id("external_id", text);
        Ok(Change {
            username: self.username.clone(),
            status: self.status,
            balance: self.balance.as_ref().map(|raw| raw.get().to_owned()).filter(|text| text != "null"),
            full_name: text(Text::FullName, &self.full_name)?,
            phone: text(Text::Phone, &self.phone)?,
            address: text(Text::Address, &self.address)?,
            email: text(Text::Email, &self.email)?,
            note: text(Text::Note, &self.note)?,
            service_id: self.service_id.map(ServiceId),
            password_sealed: None,
            expiry_date: self.expiry_date.as_deref().map(|text| Date::parse("expiry_date", text)).transpose()?,
            external_id: fields::parsed(&self.external_id, external_id)?,
            nas_id: self.nas_id,
            mac_address: None,
        })
    }
}

/// PUT /api/v1/external/subscribers/{id}
pub async fn update(call: Call) -> Answer {
    let id = SubscriberId(call.id(Noun::Subscriber)?);
    let body: UpdateBody = call.json()?;
    let mut change = body.change()?;
    if let Some(password) = &body.password {
        subscribers::password("password", password)?;
        match call.read(|tx| actions::uid(tx, &call.permit, id)) {
            Ok(uid) => {
                let sealer = &call.state.app.sealer;
                change.password_sealed = Some(password::seal(sealer, &uid, &password.as_str().into())?);
            }
            // The write says so too, after it has looked whether this is a repeat from before the row was deleted.
            Err(AppError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (now, today) = (call.now, call.today());
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::update(tx, permit, id, &change, now, today);
    call.write(action, move |updated, _| envelope::one(StatusCode::OK, &Detail::from(updated), now)).await
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalDeleted")]
pub(in crate::http::external) struct Deleted {
    id: i64,
    deleted_at: String,
}

/// DELETE /api/v1/external/subscribers/{id}
pub async fn delete(call: Call) -> Answer {
    let id = SubscriberId(call.id(Noun::Subscriber)?);
    let now = call.now;
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::delete(tx, permit, id, now);
    call.write(action, move |(), _| {
        envelope::one(StatusCode::OK, &Deleted { id: id.0, deleted_at: now.rfc3339() }, now)
    })
    .await
}

#[derive(Deserialize, JsonSchema)]
pub(in crate::http::external) struct SwitchBody {
    /// Kept in the audit.
    reason: Option<String>,
}

/// POST /api/v1/external/subscribers/{id}/suspend
pub async fn suspend(call: Call) -> Answer {
    switch(call, Switch::Suspend).await
}

/// POST /api/v1/external/subscribers/{id}/activate
pub async fn activate(call: Call) -> Answer {
    switch(call, Switch::Activate).await
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalSwitchedSubscriber")]
pub(in crate::http::external) struct Switched<'a> {
    #[serde(flatten)]
    detail: Detail<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    warning: Option<&'static str>,
}

async fn switch(call: Call, to: Switch) -> Answer {
    let id = SubscriberId(call.id(Noun::Subscriber)?);
    let body: SwitchBody = call.json()?;
    let reason = body.reason.map(|reason| subscribers::lines("reason", &reason, 500)).transpose()?;
    let (now, today) = (call.now, call.today());
    let action =
        move |tx: &WriteTx<'_>, permit: &Permit| actions::switch(tx, permit, id, to, reason.as_deref(), now, today);
    call.write(action, move |subscriber, _| {
        let expired = to == Switch::Activate && subscriber.status == Status::Expired;
        let warning = expired.then_some("The expiry date has passed: the subscriber stays expired until it is renewed");
        envelope::one(StatusCode::OK, &Switched { detail: Detail::from(subscriber), warning }, now)
    })
    .await
}

#[derive(Deserialize, JsonSchema)]
pub(in crate::http::external) struct RenewBody {
    /// How many service periods. Default 1.
    #[schemars(range(min = 1, max = 24))]
    periods: Option<i64>,
    /// Your own id of this renewal; makes a retry safe.
    external_id: Option<String>,
    /// False: nothing is booked. For keys of admins.
    charge: Option<bool>,
    /// Instead of the service's. For keys of admins.
    #[schemars(with = "Option<f64>")]
    price: Option<Box<RawValue>>,
}

impl RenewBody {
    fn renew(&self) -> Result<Renew, Failure> {
        let periods = u32::try_from(self.periods.unwrap_or(1)).ok().filter(|periods| (1..=24).contains(periods));
        let price = self.price.as_ref().map(|raw| raw.get()).filter(|text| *text != "null");
        Ok(Renew {
            periods: periods.ok_or_else(|| Invalid::new("periods", "must be an integer from 1 to 24"))?,
            external_id: self
                .external_id
                .as_deref()
                .map(|id| subscribers::external_id("external_id", id))
                .transpose()?,
            charge: self.charge,
            price: price.map(|text| parse_amount("price", text)).transpose()?,
        })
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalRenewedSubscriber")]
pub(in crate::http::external) struct Renewed<'a> {
    #[serde(flatten)]
    detail: Detail<'a>,
    /// What was booked; null where nothing was.
    transaction: Option<TransactionRow<'a>>,
}

/// POST /api/v1/external/subscribers/{id}/renew
pub async fn renew(call: Call) -> Answer {
    let id = SubscriberId(call.id(Noun::Subscriber)?);
    let renew = call.json::<RenewBody>()?.renew()?;
    let (now, today) = (call.now, call.today());
    let action = move |tx: &WriteTx<'_>, permit: &Permit| actions::renew(tx, permit, id, &renew, now, today);
    call.write(action, move |renewed, _| {
        let transaction = renewed.transaction.as_ref().map(TransactionRow::from);
        envelope::one(StatusCode::OK, &Renewed { detail: Detail::from(&renewed.subscriber), transaction }, now)
    })
    .await
}
