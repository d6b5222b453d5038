//! `/api/audit`: who changed what.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::actions;
use crate::domain::audit::{Entry, Filter};
use crate::domain::error::AppError;
use crate::domain::time::Timestamp;
use crate::http::answer::{Answer, Reply};
use crate::http::call::Call;
use crate::http::query::Query;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditActor")]
struct Actor<'a> {
    kind: &'a str,
    user_id: Option<i64>,
    key_id: Option<i64>,
    name: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditObject")]
struct Object<'a> {
    kind: &'a str,
    id: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
struct View<'a> {
    id: i64,
    timestamp: String,
    actor: Actor<'a>,
    surface: &'a str,
    action: &'a str,
    object: Object<'a>,
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    before: Option<&'a RawValue>,
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    after: Option<&'a RawValue>,
    ip: Option<&'a str>,
    request_id: Option<&'a str>,
}

fn json(text: Option<&String>) -> Result<Option<&RawValue>, AppError> {
    text.map(|text| serde_json::from_str(text))
        .transpose()
        .map_err(|e| AppError::Internal(format!("an audit row holds no JSON: {e}")))
}

impl<'a> View<'a> {
    fn of(entry: &'a Entry) -> Result<Self, AppError> {
        Ok(Self {
            id: entry.id,
            timestamp: entry.at.rfc3339(),
            actor: Actor {
                kind: &entry.actor_kind,
                user_id: entry.actor_user_id,
                key_id: entry.actor_key_id,
                name: &entry.actor_name,
            },
            surface: &entry.surface,
            action: &entry.action,
            object: Object { kind: &entry.object_kind, id: entry.object_id },
            before: json(entry.before.as_ref())?,
            after: json(entry.after.as_ref())?,
            ip: entry.ip.as_deref(),
            request_id: entry.request_id.as_deref(),
        })
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditPage")]
pub(super) struct Page<'a> {
    success: bool,
    data: Vec<View<'a>>,
    /// What `before` must be for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

fn filter(call: &Call) -> Result<Filter, AppError> {
    let (query, zone) = (&call.query, call.state.app.zone());
    let instant = |query: &Query, name: &'static str| -> Result<Option<Timestamp>, AppError> {
        // In a query an unescaped + of the offset arrives as a space.
        let text = query.text(name)?.map(|text| text.replace(' ', "+"));
        Ok(text.map(|text| Timestamp::parse_instant(name, &text, zone)).transpose()?)
    };
    Ok(Filter {
        actor: query.text("actor")?.map(str::to_owned),
        action: query.text("action")?.map(str::to_owned),
        object_kind: query.text("object_kind")?.map(str::to_owned),
        object_id: query.integer("object_id", 1, i64::MAX)?,
        since: instant(query, "since")?,
        until: instant(query, "until")?,
        before: query.integer("cursor", 1, i64::MAX)?,
        limit: query.integer("limit", 1, 500)?.unwrap_or(50),
    })
}

/// GET /api/audit: newest first, walked by cursor.
pub async fn list(call: Call) -> Answer {
    let filter = filter(&call)?;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let permit = call.permit.clone();
    let mut entries = call.read_slowly(move |tx| actions::audit::list(tx, &permit, &filter)).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next_cursor = entries.last().filter(|_| more).map(|entry| entry.id.to_string());
    let data = entries.iter().map(View::of).collect::<Result<_, _>>()?;
    Ok(Reply::json(StatusCode::OK, &Page { success: true, data, next_cursor })?)
}
