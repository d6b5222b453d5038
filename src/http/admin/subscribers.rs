//! `/api/subscribers`: the customers, for the panel's own pages.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{envelope, pages};
use crate::actions;
use crate::actions::subscribers::{Change, Switch, password};
use crate::crypto::random;
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::policy::{Permit, Rows};
use crate::domain::services::ServiceId;
use crate::domain::subscribers::view::{Related, Row, View};
use crate::domain::subscribers::{
    self, Draft, Filter, Login, NewSubscriber, PageOf, Place, Sort, Status, Subscriber, SubscriberId, Text,
};
use crate::domain::time::Date;
use crate::domain::users::{UserId, fold};
use crate::http::answer::{Answer, Failure};
use crate::http::call::{Call, Secrets};
use crate::http::fields::{self, Sent, sent};
use crate::store::WriteTx;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdminNewSubscriber")]
pub(super) struct Detail<'a> {
    #[serde(flatten)]
    view: View<'a>,
    /// Only in the answer that made it; null where that answer is replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Option<&'a str>>,
}

/// A create and an update take the same. null clears a text; a status is changed where an operator may change it.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Body {
    username: Option<String>,
    #[schemars(with = "Option<String>")]
    password: Option<SecretString>,
    service_id: Option<i64>,
    reseller_id: Option<i64>,
    status: Option<String>,
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
    #[serde(default, deserialize_with = "sent")]
    external_id: Sent<String>,
    #[serde(default, deserialize_with = "sent")]
    nas_id: Sent<i64>,
    #[serde(default, deserialize_with = "sent")]
    mac_address: Sent<String>,
    expiry_date: Option<String>,
}

fn status(text: &str) -> Result<Status, Invalid> {
    let known = [Status::Active, Status::Inactive, Status::Expired, Status::Stopped];
    let found = known.into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| Invalid::new("status", "must be active, inactive, expired or stopped"))
}

impl Body {
    fn change(&self) -> Result<Change, AppError> {
        let text = |of: Text, sent| fields::cleared(sent, |text| of.parse(text));
        let external_id = |text: &String| subscribers::external_id("external_id", text);
        let mac_address = |text: &String| subscribers::mac_address("mac_address", text);
        Ok(Change {
            username: self.username.clone(),
            full_name: text(Text::FullName, &self.full_name)?,
            phone: text(Text::Phone, &self.phone)?,
            address: text(Text::Address, &self.address)?,
            email: text(Text::Email, &self.email)?,
            note: text(Text::Note, &self.note)?,
            service_id: self.service_id.map(ServiceId),
            expiry_date: self.expiry_date.as_deref().map(|text| Date::parse("expiry_date", text)).transpose()?,
            external_id: fields::parsed(&self.external_id, external_id)?,
            nas_id: self.nas_id,
            mac_address: fields::parsed(&self.mac_address, mac_address)?,
            ..Change::default()
        })
    }

    fn draft(&self) -> Result<Draft, AppError> {
        let change = self.change()?;
        let username = Login::parse("username", self.username.as_deref().unwrap_or_default())?;
        if self.status.as_deref().map(status).transpose()?.is_some_and(|status| status != Status::Active) {
            return Err(Invalid::new("status", "of a new subscriber is active; change it afterwards").into());
        }
        let service_id = change.service_id.ok_or_else(|| Invalid::required("service_id"))?;
        Ok(change.into_draft(username, service_id))
    }
}

/// The subscriber with what stands behind its ids.
type Told = (Subscriber, Related);

/// GET /api/subscribers/{id}
pub async fn get(call: Call) -> Answer {
    let id = SubscriberId(call.id(Noun::Subscriber)?);
    let (found, related) = call.read(|tx| actions::subscribers::told(tx, &call.permit, id, call.today()))?;
    Ok(envelope::data(StatusCode::OK, &View::of(&found, &related))?)
}

/// POST /api/subscribers
pub async fn create(call: Call) -> Answer {
    let body: Body = call.json()?;
    let draft = body.draft()?;
    let (password, generated) = password::chosen(body.password.as_ref().map(ExposeSecret::expose_secret))?;
    let uid = random::uid()?;
    let password_sealed = password::seal(&call.state.app.sealer, &uid, &password)?;
    let (now, today, reseller) = (call.now, call.today(), body.reseller_id);
    let new = NewSubscriber { draft, uid, password_sealed, now, today };
    let action = move |tx: &WriteTx<'_>, permit: &Permit| {
        let permit = actions::subscribers::making_for(tx, permit, reseller)?;
        let made = actions::subscribers::create(tx, &permit, &new)?;
        let related = actions::subscribers::related(tx, &permit, &made.subscriber)?;
        Ok(((made.subscriber, related), made.fresh))
    };
    call.write(action, move |((subscriber, related), fresh): &(Told, bool), secrets| {
        let shown = Some(password.expose_secret()).filter(|_| secrets == Secrets::Shown);
        let password = (generated && *fresh).then_some(shown);
        envelope::data(StatusCode::CREATED, &Detail { view: View::of(subscriber, related), password })
    })
    .await
}

/// PUT /api/subscribers/{id}
pub async fn update(call: Call) -> Answer {
    let id = SubscriberId(call.id(Noun::Subscriber)?);
    let uid = call.read(|tx| actions::subscribers::uid(tx, &call.permit, id))?;
    let body: Body = call.json()?;
    let mut change = body.change()?;
    if let Some(password) = &body.password {
        subscribers::password("password", password.expose_secret())?;
        change.password_sealed = Some(password::seal(&call.state.app.sealer, &uid, password)?);
    }
    let wanted = body.status.as_deref().map(status).transpose()?;
    let (now, today, reseller) = (call.now, call.today(), body.reseller_id);
    let update = move |tx: &WriteTx<'_>, permit: &Permit| {
        let before = actions::subscribers::get(tx, permit, id, today)?;
        if permit.rows() == Rows::All && reseller.is_some_and(|id| before.owner != Some(UserId(id))) {
            return Err(Invalid::new("reseller_id", "cannot be changed").into());
        }
        actions::subscribers::update(tx, permit, id, &change, now, today)?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != before.status) {
            let switch = Switch::to(wanted);
            let switch = switch.ok_or_else(|| Invalid::new("status", "expired is what a past expiry_date makes it"))?;
            actions::subscribers::switch(tx, permit, id, switch, None, now, today)?;
        }
        actions::subscribers::told(tx, permit, id, today)
    };
    call.write(update, |(subscriber, related): &Told, _| envelope::data(StatusCode::OK, &View::of(subscriber, related)))
        .await
}

/// DELETE /api/subscribers/{id}
pub async fn delete(call: Call) -> Answer {
    let (id, now) = (SubscriberId(call.id(Noun::Subscriber)?), call.now);
    let delete = move |tx: &WriteTx<'_>, permit: &Permit| actions::subscribers::delete(tx, permit, id, now);
    call.write(delete, |(), _| envelope::done("Subscriber deleted")).await
}

/// GET /api/subscribers
pub async fn list(call: Call) -> Answer {
    let asked = pages::Asked::of(&call.query)?;
    let (filter, sort) = (filter(&call)?, sort(&call)?);
    let page = PageOf { place: Place::Page(asked.page), limit: asked.limit, sort };
    let (permit, today) = (Arc::clone(&call.permit), call.today());
    let read = move |tx: &crate::store::ReadTx<'_>| {
        let services = actions::services::list(tx)?;
        Ok((actions::subscribers::list(tx, &permit, &filter, page, today)?, services))
    };
    let (listed, services) = call.read_slowly(read).await?;
    let names: HashMap<_, _> = services.iter().map(|service| (service.id, service.name.as_str())).collect();
    let rows: Vec<_> = listed.rows.iter().map(|of| Row::of(of, names.get(&of.service_id).copied())).collect();
    Ok(pages::page(&rows, listed.total.unwrap_or_default(), asked)?)
}

fn sort(call: &Call) -> Result<Sort, Invalid> {
    let word = pages::sort(&call.query, &Sort::WORDS)?;
    Ok(Sort::parse(word, pages::descending(&call.query)?))
}

fn filter(call: &Call) -> Result<Filter, Failure> {
    let query = &call.query;
    // A reseller has its own rows only, whatever it asks for.
    let reseller = query.integer("reseller_id", 0, i64::MAX)?.filter(|_| call.permit.rows() == Rows::All);
    Ok(Filter {
        username: query.text("search")?.map(fold),
        status: query.text("status")?.map(status).transpose()?,
        service_id: query.integer("service_id", 1, i64::MAX)?,
        nas_id: query.integer("nas_id", 1, i64::MAX)?,
        owner: reseller.map(|id| (id > 0).then_some(UserId(id))),
        ..Filter::default()
    })
}
