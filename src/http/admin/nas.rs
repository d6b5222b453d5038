//! `/api/nas`: the routers with their settings. A secret goes in and never comes out.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{envelope, pages};
use crate::actions::{self, nas::Change};
use crate::crypto::random;
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::nas::{self, COA_PORT, Kind};
use crate::domain::policy::Permit;
use crate::domain::services::parse_name;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::fields::{Sent, parsed, sent};
use crate::store::WriteTx;
use crate::store::nas::{NewNas, Stored};

pub(super) const SORTS: [&str; 3] = ["id", "name", "ip_address"];

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdminNas")]
pub(super) struct View<'a> {
    id: i64,
    name: &'a str,
    ip_address: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    coa_port: u16,
    is_active: bool,
    has_secret: bool,
    resellers: Vec<&'a str>,
}

impl<'a> From<&'a Stored> for View<'a> {
    fn from(of: &'a Stored) -> Self {
        Self {
            id: of.id,
            name: &of.name,
            ip_address: &of.ip_address,
            kind: of.kind.as_str(),
            coa_port: of.coa_port,
            is_active: of.is_active,
            has_secret: of.secret_sealed.is_some(),
            resellers: of.resellers.iter().map(|reseller| reseller.username.as_str()).collect(),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Body {
    name: Option<String>,
    ip_address: Option<String>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "sent")]
    #[schemars(with = "Option<String>")]
    secret: Sent<SecretString>,
    #[serde(rename = "type")]
    kind: Option<String>,
    coa_port: Option<u16>,
    is_active: Option<bool>,
    #[serde(default, deserialize_with = "sent")]
    resellers: Sent<Vec<String>>,
}

impl Body {
    /// Sealed for the row of this uid.
    fn sealed(&self, call: &Call, uid: &[u8; 16]) -> Result<Sent<Vec<u8>>, AppError> {
        parsed(&self.secret, |secret| actions::nas::seal_secret(&call.state.app.sealer, uid, secret))
    }

    fn change(&self, call: &Call, uid: &[u8; 16]) -> Result<Change, AppError> {
        if self.coa_port == Some(0) {
            return Err(Invalid::new("coa_port", "must be 1-65535").into());
        }
        let kind = |text: &String| {
            let kind = [Kind::Mikrotik, Kind::Generic].into_iter().find(|kind| kind.as_str() == text);
            kind.ok_or_else(|| Invalid::new("type", "must be mikrotik or generic"))
        };
        Ok(Change {
            name: self.name.as_deref().map(|name| parse_name("name", name)).transpose()?,
            ip_address: self.ip_address.as_deref().map(|ip| nas::parse_ip_address("ip_address", ip)).transpose()?,
            kind: self.kind.as_ref().map(kind).transpose()?,
            coa_port: self.coa_port,
            is_active: self.is_active,
            secret_sealed: self.sealed(call, uid)?,
            // null: nobody.
            resellers: self.resellers.clone().map(Option::unwrap_or_default),
            ..Change::default()
        })
    }
}

/// GET /api/nas
pub async fn list(call: Call) -> Answer {
    let asked = pages::Asked::of(&call.query)?;
    let (sort, descending) = (pages::sort(&call.query, &SORTS)?, pages::descending(&call.query)?);
    let search = call.query.text("search")?;
    let mut all = call.read(|tx| actions::nas::list_stored(tx, &call.permit))?;
    all.retain(|nas| pages::matches(search, &[&nas.name, &nas.ip_address]));
    match sort {
        "name" => all.sort_by(|a, b| a.name.cmp(&b.name)),
        "ip_address" => all.sort_by(|a, b| a.ip_address.cmp(&b.ip_address)),
        _ => all.sort_by_key(|nas| nas.id),
    }
    if descending {
        all.reverse();
    }
    Ok(pages::cut(all.iter().map(View::from).collect(), asked)?)
}

fn find(call: &Call) -> Result<Stored, AppError> {
    let id = call.id(Noun::Nas)?;
    call.read(|tx| actions::nas::get_stored(tx, &call.permit, id))
}

/// GET /api/nas/{id}
pub async fn get(call: Call) -> Answer {
    Ok(envelope::data(StatusCode::OK, &View::from(&find(&call)?))?)
}

/// POST /api/nas
pub async fn create(call: Call) -> Answer {
    let body: Body = call.json()?;
    let uid = random::uid()?;
    let change = body.change(&call, &uid)?;
    let new = NewNas {
        uid,
        name: change.name.ok_or_else(|| Invalid::required("name"))?,
        ip_address: change.ip_address.ok_or_else(|| Invalid::required("ip_address"))?,
        secret_sealed: change.secret_sealed.flatten(),
        kind: change.kind.unwrap_or(Kind::Mikrotik),
        coa_port: change.coa_port.unwrap_or(COA_PORT),
        is_active: change.is_active.unwrap_or(true),
    };
    let (resellers, now) = (change.resellers.unwrap_or_default(), call.now);
    let add = move |tx: &WriteTx<'_>, permit: &Permit| {
        let id = actions::nas::add(tx, permit, &new, &resellers, now)?;
        actions::nas::get_stored(tx, permit, id)
    };
    call.write(add, |nas, _| envelope::data(StatusCode::CREATED, &View::from(nas))).await
}

/// PUT /api/nas/{id}
pub async fn update(call: Call) -> Answer {
    let (stored, now) = (find(&call)?, call.now);
    let change = call.json::<Body>()?.change(&call, &stored.uid)?;
    let id = stored.id;
    let update = move |tx: &WriteTx<'_>, permit: &Permit| actions::nas::update(tx, permit, id, &change, now);
    call.write(update, |nas, _| envelope::data(StatusCode::OK, &View::from(nas))).await
}

/// DELETE /api/nas/{id}
pub async fn delete(call: Call) -> Answer {
    let (id, now) = (call.id(Noun::Nas)?, call.now);
    let delete = move |tx: &WriteTx<'_>, permit: &Permit| actions::nas::delete(tx, permit, id, now);
    call.write(delete, |(), _| envelope::done("NAS deleted")).await
}
