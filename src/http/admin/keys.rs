//! `/api/api-keys`: keys of all styles (seed: external keys; contract: admin.md).

use actix_web::http::StatusCode;
use chrono_tz::Tz;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::envelope;
use crate::actions;
use crate::crypto::random;
use crate::domain::addresses::AllowList;
use crate::domain::error::{AppError, Invalid, Noun};
use crate::domain::keys::view::View;
use crate::domain::keys::{self, BillingScope, Grants, Key, KeyDraft, Level, NewSecret, Scope, Style};
use crate::domain::policy::Permit;
use crate::domain::request_logs;
use crate::domain::text::line;
use crate::domain::time::{Date, Timestamp};
use crate::http::answer::{Answer, Reply};
use crate::http::call::{Call, Secrets};
use crate::store::{self, WriteTx};

/// What is said when a key is shown. `pk_live_` looks like another product's publishable prefix.
const SAVE_KEY: &str =
    "Save the key now: it is never shown again. It is a secret, although pk_live_ looks like a publishable prefix.";
const SAVE_PAIR: &str = "Save key_id and key_secret now: the secret is never shown again.";

#[derive(Deserialize, JsonSchema)]
pub(super) struct CreateBody {
    /// Default `API Key`.
    name: Option<String>,
    description: Option<String>,
    /// Whose key it is. Default: one's own.
    username: Option<String>,
    /// One word (`read`, `write`, `delete`) for an external key, a list for a billing key.
    #[schemars(extend("type" = ["string", "array", "null"], "items" = {"type": "string"}))]
    scopes: Option<Value>,
    /// `READ_ONLY`, `USER`, `DEVELOPER`, `BILLING`, `ADMIN` or `SUPER_ADMIN`: makes it a billing key.
    permission_level: Option<String>,
    /// `YYYY-MM-DD`, which is the end of that day, or RFC 3339.
    expires_at: Option<String>,
    /// Addresses and networks; empty: anywhere.
    allowed_ips: Option<Vec<String>>,
    /// 0: no limit.
    rate_limit_per_minute: Option<u32>,
    rate_limit_per_hour: Option<u32>,
    rate_limit_per_day: Option<u32>,
}

pub(super) fn level(text: &str) -> Result<Level, Invalid> {
    let wrong = || {
        let levels = Level::ALL.map(Level::as_str).join(", ");
        Invalid::new("permission_level", format!("must be one of {levels}"))
    };
    Level::parse(text).ok_or_else(wrong)
}

/// One word for an external key.
pub(super) fn scope(value: &Value) -> Result<Scope, Invalid> {
    value.as_str().and_then(Scope::parse).ok_or_else(|| Invalid::new("scopes", "must be read, write or delete"))
}

/// A list of words for a billing key.
pub(super) fn billing_scopes(value: &Value) -> Result<Vec<BillingScope>, Invalid> {
    let wrong = || {
        let all = BillingScope::ALL.map(BillingScope::as_str).join(", ");
        Invalid::new("scopes", format!("must be a list of {all}"))
    };
    let mut scopes = Vec::new();
    for word in value.as_array().ok_or_else(wrong)? {
        let scope = word.as_str().and_then(BillingScope::parse).ok_or_else(wrong)?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

/// A date, which is its last second in the configured zone, or an instant.
pub(super) fn expiry(zone: Tz, now: Timestamp, text: &str) -> Result<Timestamp, Invalid> {
    let at = match Timestamp::parse_rfc3339(text) {
        Some(at) => at,
        None => Date::parse("expires_at", text)?.last_second_in(zone),
    };
    keys::check_expiry("expires_at", at, now)?;
    Ok(at)
}

pub(super) fn allow_list(entries: &[String]) -> Result<AllowList, Invalid> {
    AllowList::parse("allowed_ips", entries.iter().map(String::as_str))
}

pub(super) fn description(text: &str) -> Result<String, Invalid> {
    line("description", text, 500)
}

impl CreateBody {
    fn draft(&self, call: &Call) -> Result<KeyDraft, AppError> {
        let scopes = self.scopes.as_ref().filter(|scopes| !scopes.is_null());
        let grants = match &self.permission_level {
            Some(text) => {
                let level = level(text)?;
                let scopes = scopes.map_or_else(|| Ok(level.default_scopes()), billing_scopes)?;
                Grants::Billing { level, scopes }
            }
            None => Grants::External(scopes.map_or(Ok(Scope::Read), scope)?),
        };
        let name = keys::parse_name("name", self.name.as_deref().unwrap_or("API Key"))?;
        let me = call.permit.account().map(|account| account.username.as_str());
        let owner = self.username.as_deref().or(me).unwrap_or_default();
        Ok(KeyDraft {
            description: self.description.as_deref().map(description).transpose()?,
            allowed_ips: self.allowed_ips.as_deref().map(allow_list).transpose()?,
            expires_at: Some(
                self.expires_at.as_deref().map(|text| expiry(call.state.app.zone(), call.now, text)).transpose()?,
            ),
            rate_per_minute: self.rate_limit_per_minute,
            rate_per_hour: self.rate_limit_per_hour,
            rate_per_day: self.rate_limit_per_day,
            ..KeyDraft::new(owner, &name, grants, call.now)
        })
    }
}

/// The seed's answer to a mint: what it shows of an external key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdminMintedKey")]
pub(super) struct Minted<'a> {
    id: i64,
    name: &'a str,
    key_prefix: &'a str,
    #[schemars(with = "String")]
    scopes: Vec<&'static str>,
    expires_at: Option<String>,
    created_at: String,
}

/// A key with its secret, which is null in what is kept for a replay. `data` is the seed's or the whole view.
fn shown(status: StatusCode, key: &Key, secret: &Shown, secrets: Secrets, data: Value) -> Result<Reply, AppError> {
    let reveal = |text: &SecretString| Some(text.expose_secret().to_owned()).filter(|_| secrets == Secrets::Shown);
    let mut body = Map::from_iter([("success".to_owned(), json!(true))]);
    let message = match &secret.half {
        Some(half) => {
            body.insert("key_id".to_owned(), json!(key.display));
            body.insert("key_secret".to_owned(), json!(reveal(half)));
            SAVE_PAIR
        }
        None => {
            body.insert("key".to_owned(), json!(reveal(&secret.whole)));
            SAVE_KEY
        }
    };
    body.insert("data".to_owned(), data);
    // Ours, behind the seed's own.
    body.insert("message".to_owned(), json!(message));
    Reply::json(status, &body)
}

/// The plaintext, until it is shown.
struct Shown {
    whole: SecretString,
    half: Option<SecretString>,
}

impl Shown {
    fn of(secret: &NewSecret) -> Self {
        Self { whole: secret.key.clone(), half: secret.secret.clone() }
    }
}

/// POST /api/api-keys
pub async fn create(call: Call) -> Answer {
    let body: CreateBody = call.json()?;
    let draft = body.draft(&call)?;
    let style = draft.grants.style();
    let secret = random::secret(style)?;
    let plain = Shown::of(&secret);
    let default_rate = call.state.app.config().limits.per_key_per_minute;
    let mint = move |tx: &WriteTx<'_>, permit: &Permit| {
        let made = actions::keys::mint(tx, permit, &draft, &secret, None, default_rate);
        let id = made.map_err(in_own_words)?;
        actions::keys::get(tx, permit, id)
    };
    call.write(mint, move |key, secrets| {
        let data = if style == Style::External { seed_view(key) } else { json!(View::from(key)) };
        shown(StatusCode::CREATED, key, &plain, secrets, data)
    })
    .await
}

/// What the command line calls the user and the grace has other names here.
fn in_own_words(error: AppError) -> AppError {
    let AppError::Invalid(Invalid { field, problem }) = error else { return error };
    match field.as_ref() {
        "user" => Invalid::new("username", problem).into(),
        "grace" => Invalid::new("grace_seconds", problem).into(),
        _ => Invalid { field, problem }.into(),
    }
}

fn seed_view(key: &Key) -> Value {
    let minted = Minted {
        id: key.id.0,
        name: &key.settings.name,
        key_prefix: &key.display,
        scopes: key.settings.grants.words(),
        expires_at: key.settings.expires_at.map(Timestamp::rfc3339),
        created_at: key.created_at.rfc3339(),
    };
    let mut view = json!(minted);
    view["scopes"] = json!(minted.scopes.first());
    view
}

/// The seed's item of the list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdminKeyItem")]
pub(super) struct Item<'a> {
    id: i64,
    name: &'a str,
    key_prefix: &'a str,
    scopes: Option<&'static str>,
    last_used_at: Option<String>,
    expires_at: Option<String>,
    is_active: bool,
}

impl<'a> From<&'a Key> for Item<'a> {
    fn from(key: &'a Key) -> Self {
        Self {
            id: key.id.0,
            name: &key.settings.name,
            key_prefix: &key.display,
            scopes: key.settings.grants.words().first().copied(),
            last_used_at: key.last_used_at.map(Timestamp::rfc3339),
            expires_at: key.settings.expires_at.map(Timestamp::rfc3339),
            is_active: key.is_active(),
        }
    }
}

/// Which styles a `kind` means; without one the seed's.
fn kind(call: &Call) -> Result<Option<Style>, Invalid> {
    match call.query.text("kind")? {
        None => Ok(Some(Style::External)),
        Some("all") => Ok(None),
        Some(text) => match Style::parse(text) {
            Some(style) => Ok(Some(style)),
            None => Err(Invalid::new("kind", "must be external, panel, billing or all")),
        },
    }
}

/// GET /api/api-keys
pub async fn list(call: Call) -> Answer {
    let style = kind(&call)?;
    let (owner, active) = (call.query.text("owner")?.map(str::to_owned), call.query.boolean("active")?);
    let mut keys = call.read_slowly(move |tx| actions::keys::list(tx, style)).await?;
    keys.retain(|key| owner.as_ref().is_none_or(|owner| key.owner.eq_ignore_ascii_case(owner)));
    keys.retain(|key| active.is_none_or(|active| key.is_active() == active));
    if call.query.text("kind")?.is_none() {
        return Ok(envelope::data(StatusCode::OK, &keys.iter().map(Item::from).collect::<Vec<_>>())?);
    }
    Ok(envelope::data(StatusCode::OK, &keys.iter().map(View::from).collect::<Vec<_>>())?)
}

/// GET /api/api-keys/stats
pub async fn stats(call: Call) -> Answer {
    let style = kind(&call)?;
    let logs = store::logs_path(&call.state.app.config().database.path);
    let since = call.now.plus_millis(-Timestamp::DAY);
    let keys = call.read_slowly(move |tx| actions::keys::list(tx, style)).await?;
    let counted = call.block("counting calls", move || store::request_logs::count_by_key(&logs, since)).await?;
    let counted = counted.map_err(|e| AppError::Unavailable(format!("the request log cannot be read: {e}")))?;
    let calls: i64 = keys.iter().filter_map(|key| counted.get(&key.id)).sum();
    let revoked = keys.iter().filter(|key| key.revoked_at.is_some()).count();
    let stats = json!({"total": keys.len(), "active": keys.len() - revoked, "revoked": revoked, "calls_24h": calls});
    Ok(envelope::data(StatusCode::OK, &stats)?)
}

/// The key of the path: an integer, or 16 hex digits for a panel key.
pub(super) fn find(call: &Call) -> Result<Key, AppError> {
    let id = call.params.get("id").unwrap_or_default();
    let hex = id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex {
        call.id(Noun::Key)?;
    }
    call.read(|tx| actions::keys::resolve(tx, id))
}

/// GET /api/api-keys/{id}
pub async fn get(call: Call) -> Answer {
    Ok(envelope::data(StatusCode::OK, &View::from(&find(&call)?))?)
}

/// DELETE /api/api-keys/{id}
pub async fn revoke(call: Call) -> Answer {
    let (key, now) = (find(&call)?, call.now);
    let revoke = move |tx: &WriteTx<'_>, permit: &Permit| {
        if !actions::keys::revoke(tx, permit, key.id, now)? {
            tx.unaudited("it was revoked before");
        }
        Ok(())
    };
    call.write(revoke, |(), _| envelope::done("API key revoked")).await
}

/// GET /api/api-keys/{id}/logs
pub async fn logs(call: Call) -> Answer {
    let key = find(&call)?;
    let limit = call.query.integer("limit", 1, 1_000)?.unwrap_or(200);
    let path = store::logs_path(&call.state.app.config().database.path);
    let rows = call.block("reading the request log", move || store::request_logs::list(&path, key.id, limit)).await?;
    let rows = rows.map_err(|e| AppError::Unavailable(format!("the request log cannot be read: {e}")))?;
    let views: Vec<_> = rows.iter().map(request_logs::View::from).collect();
    Ok(envelope::data(StatusCode::OK, &views)?)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct RotateBody {
    /// How long the old secret works; 0: not at all.
    #[schemars(required, range(min = 0))]
    grace_seconds: Option<i64>,
}

/// POST /api/api-keys/{id}/rotate
pub async fn rotate(call: Call) -> Answer {
    let key = find(&call)?;
    let body: RotateBody = call.json()?;
    let grace = body.grace_seconds.ok_or_else(|| Invalid::required("grace_seconds"))?;
    let millis = grace.checked_mul(Timestamp::SECOND).filter(|millis| *millis >= 0);
    let millis =
        millis.ok_or_else(|| Invalid::new("grace_seconds", "must be 0 or more, and end before the year 10000"))?;
    let secret = random::next_secret(key.settings.grants.style())?;
    let plain = Shown::of(&secret);
    let (id, now, default_rate) = (key.id, call.now, call.state.app.config().limits.per_key_per_minute);
    let rotate = move |tx: &WriteTx<'_>, permit: &Permit| {
        actions::keys::rotate(tx, permit, id, &secret, millis, default_rate, now).map_err(in_own_words)
    };
    call.write(rotate, move |key, secrets| shown(StatusCode::OK, key, &plain, secrets, json!(View::from(key)))).await
}
