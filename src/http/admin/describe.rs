//! This surface's part of the interface description.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::envelope::Data;
use super::key_changes::{CanBody, UpdateBody};
use super::keys::{CreateBody, Item, Minted, RotateBody};
use super::pages::Page;
use super::session::{LoggedIn, PasswordBody, SessionView, UserView};
use super::{audit, nas, services, subscribers};
use crate::domain::keys::view::View;
use crate::domain::policy::verdict::Line;
use crate::domain::request_logs;
use crate::domain::services::View as Service;
use crate::domain::subscribers::Sort;
use crate::domain::subscribers::view::{Row, View as Subscriber};
use crate::http::describe::{
    Content, Description, Face, Kind, Parameter, answers, body, both, carries, flag, is, needs, number, object, of,
    or_null, parameter, schema, text,
};
use crate::http::login::LoginBody;

pub const FACE: Face = Face {
    title: "Admin",
    about: "For the panel's own use and the management of keys: `/api`, with the token of a login as a bearer. Whatever no other surface claims is here too.",
    refusal,
    described: DESCRIBED,
};

fn refusal(status: u16) -> Option<Schema> {
    let refused = object([("success", is(false)), ("message", text("Says what to change."))]);
    matches!(status, 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 429 | 500 | 503).then_some(refused)
}

fn data<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    body::<Data<'_, T>>(generator)
}

fn page<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    body::<Page<'_, T>>(generator)
}

fn new_service(generator: &mut SchemaGenerator) -> Schema {
    needs(body::<services::Body>(generator), &["name"])
}

fn new_nas(generator: &mut SchemaGenerator) -> Schema {
    needs(body::<nas::Body>(generator), &["name", "ip_address"])
}

fn new_subscriber(generator: &mut SchemaGenerator) -> Schema {
    needs(body::<subscribers::Body>(generator), &["username", "service_id"])
}

fn done(_: &mut SchemaGenerator) -> Schema {
    object([("success", is(true)), ("message", text(""))])
}

fn bearer(_: &mut SchemaGenerator) -> Schema {
    object([("access_token", text("")), ("token_type", is("bearer"))])
}

fn either(one: &Schema, other: &Schema) -> Schema {
    schema(json!({"anyOf": [one, other]}))
}

/// The seed's items, or whole keys where `kind` is asked for.
fn keys(generator: &mut SchemaGenerator) -> Schema {
    let list = either(&of::<Vec<Item<'_>>>(generator), &of::<Vec<View<'_>>>(generator));
    object([("success", is(true)), ("data", list)])
}

/// The secret of a key; null where the answer is replayed.
fn secret() -> Schema {
    object([("success", is(true)), ("key", or_null(text("Shown once."))), ("message", text(""))])
}

fn pair() -> Schema {
    object([
        ("success", is(true)),
        ("key_id", text("The identifier.")),
        ("key_secret", or_null(text("Shown once."))),
        ("message", text("")),
    ])
}

fn minted(generator: &mut SchemaGenerator) -> Schema {
    let external = both(secret(), &object([("data", of::<Minted<'_>>(generator))]));
    either(&external, &both(pair(), &object([("data", of::<View<'_>>(generator))])))
}

fn rotated(generator: &mut SchemaGenerator) -> Schema {
    let key = object([("data", of::<View<'_>>(generator))]);
    either(&both(secret(), &key), &both(pair(), &key))
}

fn stats(_: &mut SchemaGenerator) -> Schema {
    let figures = ["total", "active", "revoked", "calls_24h"].map(|name| (name, number("")));
    object([("success", is(true)), ("data", object(figures))])
}

fn verdict(generator: &mut SchemaGenerator) -> Schema {
    let told = object([
        ("allowed", flag("")),
        ("verdict", text("In one line.")),
        ("route", text("The method, and the template of the path.")),
        ("gates", of::<Vec<Line>>(generator)),
    ]);
    object([("success", is(true)), ("data", told)])
}

fn document(_: &mut SchemaGenerator) -> Schema {
    schema(json!({"type": "object", "description": "OpenAPI 3.1.", "examples": [{"openapi": "3.1.0"}]}))
}

const HTML: Content = Content::Html;
const COOKIE: &str = "The refresh token: `HttpOnly`, `SameSite=Strict`, for `/api/auth` only.";

const KIND: Parameter = parameter(
    "kind",
    Kind::Word(&["external", "panel", "billing", "all"]),
    "Keys of this style, whole. Without it external ones, in short.",
);
const LIST: &[Parameter] = &[
    KIND,
    parameter("owner", Kind::Text, "The username of the owner."),
    parameter("active", Kind::Flag, "Only those that work, or that do not."),
];
const KEY: &[Parameter] = &[parameter("id", Kind::AnyKeyId, "An integer, or the 16 hex digits of a panel key.")];
const LOGS: &[Parameter] = &[parameter("limit", Kind::Integer { least: 1, most: 1_000 }, "Default 200.")];

const PAGE: Parameter = parameter("page", Kind::Integer { least: 1, most: i64::MAX }, "From 1.");
const LIMIT: Parameter = parameter("limit", Kind::Integer { least: 1, most: 500 }, "Rows of a page; default 50.");
const SEARCH: Parameter = parameter("search", Kind::Text, "A part of a name, in any case.");
const ORDER: Parameter = parameter("order", Kind::Word(&["asc", "desc"]), "Default asc.");
const SORT_TEXT: &str = "Default id.";
const STATUSES: &[&str] = &["active", "inactive", "expired", "stopped"];
const SERVICES: &[Parameter] =
    &[PAGE, LIMIT, SEARCH, parameter("sort", Kind::Word(&services::SORTS), SORT_TEXT), ORDER];
const ROUTERS: &[Parameter] = &[PAGE, LIMIT, SEARCH, parameter("sort", Kind::Word(&nas::SORTS), SORT_TEXT), ORDER];
const SUBSCRIBERS: &[Parameter] = &[
    PAGE,
    LIMIT,
    parameter("search", Kind::Text, "A part of the username, in any case."),
    parameter("status", Kind::Word(STATUSES), ""),
    parameter("service_id", Kind::Id, ""),
    parameter("nas_id", Kind::Id, ""),
    parameter("reseller_id", Kind::Integer { least: 0, most: i64::MAX }, "0: the house. Ignored for a reseller."),
    parameter("sort", Kind::Word(&Sort::WORDS), SORT_TEXT),
    ORDER,
];
const AUDIT: &[Parameter] = &[
    parameter("actor", Kind::Text, "The name of who acted."),
    parameter("action", Kind::Text, "Such as users.update."),
    parameter("object_kind", Kind::Text, "Such as user."),
    parameter("object_id", Kind::Id, ""),
    parameter("since", Kind::Text, "RFC 3339, or a date."),
    parameter("until", Kind::Text, "Before this: RFC 3339, or a date."),
    parameter("cursor", Kind::Id, "The next_cursor of the page before."),
    LIMIT,
];

const LOGIN: &str = r#"{"username": "admin", "password": "correct horse battery"}"#;

pub const DESCRIBED: &[(&str, Description)] = &[
    (
        "setup.form",
        carries("The form that sets the first password", 200, HTML)
            .notes("The link of `panel serve` or `panel admin reset`.")
            .also(&[(404, HTML)]),
    ),
    (
        "setup.set_password",
        carries("Set the first password", 200, HTML)
            .form(&["password", "again"])
            .also(&[(400, HTML), (404, HTML)]),
    ),
    ("openapi.document", answers("This document", 200, document)),
    ("openapi.page", carries("This document for people", 200, HTML)),
    (
        "auth.login",
        answers("Log in", 200, body::<LoggedIn<'_>>)
            .takes(body::<LoginBody>, LOGIN)
            .refuses(&[401, 403])
            .header("Set-Cookie", COOKIE),
    ),
    (
        "auth.login_json",
        answers("Log in without a cookie", 200, bearer).takes(body::<LoginBody>, LOGIN).refuses(&[401, 403]),
    ),
    (
        "auth.refresh",
        answers("Trade the cookie for a new token and a new cookie", 200, body::<LoggedIn<'_>>)
            .notes("A cookie that was traded more than 10 seconds ago ends every session of the user.")
            .secured_by("refreshCookie")
            .refuses(&[401])
            .header("Set-Cookie", COOKIE),
    ),
    ("auth.logout", answers("Log out", 200, done).header("Set-Cookie", "An empty one.")),
    ("auth.me", answers("Who one is", 200, data::<UserView<'_>>)),
    (
        "auth.password",
        answers("Change one's own password", 200, done)
            .takes(body::<PasswordBody>, r#"{"current_password": "correct horse battery", "new_password": "a better horse battery"}"#)
            .notes("Ends the other sessions."),
    ),
    ("sessions.list", answers("List one's own sessions", 200, data::<Vec<SessionView>>)),
    ("sessions.get", answers("One of one's own sessions", 200, data::<SessionView>)),
    ("sessions.delete", answers("End a session", 200, done)),
    ("sessions.delete_all", answers("End the other sessions", 200, done)),
    ("keys.list", answers("List keys", 200, keys).query(LIST)),
    (
        "keys.create",
        answers("Mint a key", 201, minted)
            .takes(body::<CreateBody>, r#"{"name": "Stripe sync", "scopes": "write", "expires_at": "2027-12-31"}"#)
            .notes("With `permission_level` a billing key (`key_id` and `key_secret`), else an external one (`key`). The secret is shown once; in a replay it is null."),
    ),
    ("keys.stats", answers("Counts of keys and calls", 200, stats).query(&[KIND])),
    ("keys.get", answers("One key", 200, data::<View<'_>>).path(KEY)),
    (
        "keys.update",
        answers("Change a key", 200, data::<View<'_>>)
            .path(KEY)
            .takes(body::<UpdateBody>, r#"{"allowed_ips": ["192.0.2.0/24"], "rate_limit_per_minute": 120}"#)
            .notes("In force at once. `is_active: false` revokes an external key, and that is final."),
    ),
    ("keys.revoke", answers("Revoke a key", 200, done).path(KEY).notes("Final; a second time changes nothing.")),
    ("keys.logs", answers("Recent calls of a key", 200, data::<Vec<request_logs::View<'_>>>).path(KEY).query(LOGS)),
    (
        "keys.rotate",
        answers("Give a key a new secret", 200, rotated)
            .path(KEY)
            .takes(body::<RotateBody>, r#"{"grace_seconds": 86400}"#)
            .notes("The old secret works until the grace is over; answers to it carry `Deprecation` and `Sunset`."),
    ),
    (
        "keys.can",
        answers("What a key may do, and why not", 200, verdict)
            .path(KEY)
            .takes(body::<CanBody>, r#"{"method": "POST", "path": "/api/v1/external/subscribers", "ip": "192.0.2.10"}"#)
            .notes("Asking consumes nothing."),
    ),
    ("services.list", answers("List plans", 200, page::<Service<'_>>).query(SERVICES)),
    ("services.get", answers("One plan", 200, data::<Service<'_>>)),
    (
        "services.create",
        answers("Add a plan", 201, data::<Service<'_>>)
            .takes(new_service, r#"{"name": "Gold", "price": 25.00, "download_speed": 50000}"#)
            .notes("Speeds in kbit/s, quotas in bytes (0 is unlimited)."),
    ),
    (
        "services.update",
        answers("Change a plan", 200, data::<Service<'_>>).takes(body::<services::Body>, r#"{"price": 27.50}"#),
    ),
    ("services.delete", answers("Delete a plan that nobody has", 200, done)),
    ("nas.list", answers("List routers", 200, page::<nas::View<'_>>).query(ROUTERS)),
    ("nas.get", answers("One router", 200, data::<nas::View<'_>>)),
    (
        "nas.create",
        answers("Add a router", 201, data::<nas::View<'_>>)
            .takes(new_nas, r#"{"name": "tower-1", "ip_address": "10.0.0.1", "type": "mikrotik", "resellers": ["rita"]}"#)
            .notes("The secret goes in and never comes out."),
    ),
    (
        "nas.update",
        answers("Change a router", 200, data::<nas::View<'_>>).takes(body::<nas::Body>, r#"{"is_active": false}"#),
    ),
    ("nas.delete", answers("Delete a router that no subscriber is on", 200, done)),
    ("subscribers.list", answers("List subscribers", 200, page::<Row<'_>>).query(SUBSCRIBERS)),
    ("subscribers.get", answers("One subscriber", 200, data::<Subscriber<'_>>)),
    (
        "subscribers.create",
        answers("Add a subscriber", 201, data::<subscribers::Detail<'_>>)
            .takes(new_subscriber, r#"{"username": "user1234@example.lb", "service_id": 4, "password": "auto-generate"}"#)
            .notes("A password that was made for it is shown once."),
    ),
    (
        "subscribers.update",
        answers("Change a subscriber", 200, data::<Subscriber<'_>>)
            .takes(body::<subscribers::Body>, r#"{"status": "inactive", "note": null}"#),
    ),
    ("subscribers.delete", answers("Delete a subscriber", 200, done)),
    ("audit.list", answers("Who changed what, newest first", 200, body::<audit::Page<'_>>).query(AUDIT)),
];
