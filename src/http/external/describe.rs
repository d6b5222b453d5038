//! This surface's part of the interface description.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::envelope::Envelope;
use super::subscribers::change::{Deleted, RenewBody, Renewed, SwitchBody, Switched, UpdateBody};
use super::subscribers::create::CreateBody;
use super::subscribers::{Detail, Row, UsageView};
use super::system::{Health, Stats, Unhealthy};
use super::{nas, transactions};
use crate::domain::services;
use crate::http::describe::{
    Content, Description, Face, Kind, Parameter, answers, body, is, object, one_of, parameter, text,
};

pub const FACE: Face = Face {
    title: "External",
    about: "For ISP billing, helpdesks and monitoring: `/api/v1/external`, with a `pk_live_` key in `X-API-Key`. Never from a browser.",
    refusal,
    described: DESCRIBED,
};

/// The `error.code` of each status.
const CODES: &[(u16, &[&str])] = &[
    (400, &["INVALID_PARAMETER", "INVALID_JSON"]),
    (401, &["MISSING_API_KEY", "INVALID_API_KEY", "API_KEY_REVOKED", "API_KEY_EXPIRED", "INVALID_USER"]),
    (403, &["USER_SUSPENDED", "API_ACCESS_DISABLED", "IP_NOT_ALLOWED", "SCOPE_REQUIRED", "FORBIDDEN"]),
    (404, &["NOT_FOUND"]),
    (405, &["METHOD_NOT_ALLOWED"]),
    (408, &["REQUEST_TIMEOUT"]),
    (409, &["USERNAME_TAKEN", "EXTERNAL_ID_TAKEN", "IDEMPOTENCY_CONFLICT", "CONFLICT"]),
    (413, &["PAYLOAD_TOO_LARGE"]),
    (415, &["UNSUPPORTED_MEDIA_TYPE"]),
    (429, &["RATE_LIMIT_EXCEEDED"]),
    (500, &["INTERNAL_ERROR"]),
    (503, &["OVERLOADED", "DATABASE_UNAVAILABLE"]),
];

fn refusal(status: u16) -> Option<Schema> {
    let (_, codes) = CODES.iter().find(|(known, _)| *known == status)?;
    let error = object([("code", one_of(codes)), ("message", text("Says what to change."))]);
    Some(object([("success", is(false)), ("error", error), ("timestamp", text("Now, in UTC."))]))
}

/// `data` alone.
fn one<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = body::<Envelope<'_, T>>(generator);
    for part in ["properties", "required"] {
        match schema.get_mut(part) {
            Some(serde_json::Value::Object(properties)) => drop(properties.remove("pagination")),
            Some(serde_json::Value::Array(names)) => names.retain(|name| name != "pagination"),
            _ => {}
        }
    }
    schema
}

/// A part of a list.
fn page<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    body::<Envelope<'_, Vec<T>>>(generator)
}

const PAGE: Parameter = parameter("page", Kind::Integer { least: 1, most: i64::MAX }, "From 1. Default 1.");
const LIMIT: Parameter = parameter("limit", Kind::Integer { least: 1, most: 100 }, "Rows of a page. Default 20.");
const CURSOR: Parameter = parameter(
    "cursor",
    Kind::Integer { least: 0, most: i64::MAX },
    "Instead of `page`: the `pagination.next_cursor` of an earlier answer, or 0 to begin. Costs the same however deep; `total` and `pages` are absent.",
);

const SUBSCRIBERS: &[Parameter] = &[
    PAGE,
    LIMIT,
    CURSOR,
    parameter("username", Kind::Text, "A part of the username, in any letter case."),
    parameter("status", Kind::Integer { least: 1, most: 4 }, "1 active, 2 inactive (suspended), 3 expired, 4 stopped."),
    parameter("service_id", Kind::Id, "Only those of this service."),
    parameter("nas_id", Kind::Id, "Only those of this NAS."),
    parameter("is_online", Kind::Flag, "Only those with an open session, or without."),
    parameter("external_id", Kind::Text, "Your own id."),
    parameter("expires_before", Kind::Date, "Only those whose last day is before this one."),
    parameter("updated_since", Kind::Instant, "Only those changed since."),
];

const TRANSACTIONS: &[Parameter] = &[
    PAGE,
    LIMIT,
    CURSOR,
    parameter("subscriber_id", Kind::Id, "Only those of this subscriber."),
    parameter("type", Kind::Word(&["payment", "charge", "renewal", "refund"]), "Only movements of this type."),
    parameter("date_from", Kind::Date, "The first day, in the panel's time zone."),
    parameter("date_to", Kind::Date, "The last day, inclusive."),
];

const RETRY: &str = "A retry with the same `external_id` and the same values answers 201 with the original row; with other values 409 `EXTERNAL_ID_TAKEN`.";

/// The seed's sample.
const CREATE: &str = r#"{"username": "user1234@example.lb", "password": "auto-generate", "service_id": 4, "full_name": "John Customer", "phone": "+96170123456", "expiry_date": "2026-12-31"}"#;

const PAYMENT: &str = r#"{"subscriber_id": 14, "type": "payment", "amount": 25.00, "description": "Cash", "external_id": "invoice-1042"}"#;

pub const DESCRIBED: &[(&str, Description)] = &[
    ("subscribers.list", answers("List subscribers", 200, page::<Row<'_>>).query(SUBSCRIBERS)),
    ("subscribers.get", answers("One subscriber", 200, one::<Detail<'_>>)),
    (
        "subscribers.get_by_username",
        answers("One subscriber by its username", 200, one::<Detail<'_>>)
            .notes("An `@` in the username may be sent raw or percent-encoded."),
    ),
    (
        "subscribers.create",
        answers("Create a subscriber", 201, one::<Detail<'_>>)
            .takes(body::<CreateBody>, CREATE)
            .notes(RETRY)
            .refuses(&[403, 409]),
    ),
    (
        "subscribers.update",
        answers("Change a subscriber", 200, one::<Detail<'_>>)
            .takes(body::<UpdateBody>, r#"{"service_id": 4, "phone": "+96170123456", "expiry_date": "2026-12-31"}"#)
            .notes("Only the fields that are sent change; null clears one that can be empty.")
            .refuses(&[409]),
    ),
    (
        "subscribers.delete",
        answers("Delete a subscriber", 200, one::<Deleted>).notes("Its ledger stays; the username is free again."),
    ),
    (
        "subscribers.suspend",
        answers("Suspend a subscriber", 200, one::<Switched<'_>>)
            .takes(body::<SwitchBody>, r#"{"reason": "Unpaid invoice 1042"}"#)
            .notes("One that is suspended already is answered unchanged."),
    ),
    (
        "subscribers.activate",
        answers("Activate a subscriber", 200, one::<Switched<'_>>)
            .takes(body::<SwitchBody>, "{}")
            .notes("One whose expiry date has passed stays expired until it is renewed; `warning` says so."),
    ),
    (
        "subscribers.renew",
        answers("Renew a subscriber", 200, one::<Renewed<'_>>)
            .takes(body::<RenewBody>, r#"{"periods": 1, "external_id": "invoice-1042"}"#)
            .notes("Extends the expiry date by the service's period, and books it, in one transaction. The same `external_id` answers the first outcome.")
            .refuses(&[409]),
    ),
    ("subscribers.usage", answers("Traffic used, in bytes", 200, one::<UsageView>)),
    ("services.list", answers("List services (plans)", 200, one::<Vec<services::View<'_>>>)),
    ("services.get", answers("One service", 200, one::<services::View<'_>>)),
    ("nas.list", answers("List routers", 200, one::<Vec<nas::Row<'_>>>).notes("Their secrets are never returned.")),
    ("nas.get", answers("One router", 200, one::<nas::Row<'_>>)),
    (
        "transactions.list",
        answers("List transactions", 200, page::<transactions::Row<'_>>).query(TRANSACTIONS).notes("Newest first."),
    ),
    (
        "transactions.create",
        answers("Post a transaction", 201, one::<transactions::Row<'_>>)
            .takes(body::<transactions::CreateBody>, PAYMENT)
            .notes(RETRY)
            .refuses(&[409]),
    ),
    ("system.stats", answers("Figures of what the key sees", 200, one::<Stats>)),
    (
        "system.health",
        answers("Whether the panel works", 200, one::<Health>)
            .notes("Needs no key and is never limited. A key that is sent is judged, so that a connection test tells the truth.")
            .also(&[(503, Content::Json(body::<Unhealthy>))]),
    ),
];
