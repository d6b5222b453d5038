//! This surface's part of the interface description.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::keys::{self, Created};
use super::session::LoggedIn;
use super::users::SuspendBody;
use super::view::{Done, KeyView, Made, Me, UserView};
use crate::domain::features::Feature;
use crate::domain::quotas::Quota;
use crate::domain::users::Role;
use crate::http::describe::{
    Description, Face, Kind, Parameter, answers, body, both, flag, is, number, object, of, one_of, optional, or_null,
    parameter, schema, text,
};
use crate::http::login::LoginBody;

pub const FACE: Face = Face {
    title: "Panel",
    about: "For people, resellers and their automation: `/api/v1`, with a `wsp_` key or the token of a login as a bearer. Times carry the panel's offset; `0001-01-01T00:00:00Z` is never. Collections answer with and without a trailing slash.",
    refusal,
    described: DESCRIBED,
};

/// The `code` of each status.
const CODES: &[(u16, &[&str])] = &[
    (400, &["VALIDATION_ERROR"]),
    (401, &["UNAUTHORIZED"]),
    (403, &["FORBIDDEN"]),
    (404, &["NOT_FOUND"]),
    (405, &["METHOD_NOT_ALLOWED"]),
    (408, &["REQUEST_TIMEOUT"]),
    (409, &["CONFLICT", "IDEMPOTENCY_CONFLICT"]),
    (413, &["PAYLOAD_TOO_LARGE"]),
    (415, &["UNSUPPORTED_MEDIA_TYPE"]),
    (429, &["RATE_LIMITED"]),
    (500, &["INTERNAL_ERROR"]),
    (501, &["NOT_IMPLEMENTED"]),
    (503, &["UNAVAILABLE"]),
];

fn refusal(status: u16) -> Option<Schema> {
    let (_, codes) = CODES.iter().find(|(known, _)| *known == status)?;
    Some(object([
        ("success", is(false)),
        ("code", one_of(codes)),
        ("error", text("Says what to change.")),
        ("message", text("The same text as `error`.")),
        ("status", is(status)),
    ]))
}

fn quotas(which: &[Quota]) -> Schema {
    let mut quota = number("-1 is unlimited.");
    quota.insert("minimum".to_owned(), json!(-1));
    object(which.iter().map(|of| (of.as_str(), quota.clone())))
}

fn flags(prefix: &str) -> Schema {
    let names = Feature::ALL.map(|feature| format!("{prefix}{}", feature.as_str()));
    object(names.iter().map(|name| (name.as_str(), flag(""))))
}

/// The fields of a change: none is needed, and null goes back to the package's value.
fn change(mut fields: Schema) -> Schema {
    let properties = fields.get_mut("properties").and_then(serde_json::Value::as_object_mut);
    for (_, field) in properties.into_iter().flatten() {
        *field = or_null(schema(field.take())).to_value();
    }
    optional(fields)
}

fn role() -> Schema {
    one_of(&Role::ALL.map(Role::as_str))
}

fn password() -> Schema {
    text("8-128 characters, not a common one.")
}

/// What a new account must have.
fn account() -> Schema {
    object([
        ("username", text("2-32 of `A-Z a-z 0-9 . _ -`, beginning with a letter.")),
        ("email", text("")),
        ("password", password()),
    ])
}

fn placement() -> Schema {
    object([("package", text("The name of a package.")), ("creator", text("Who owns it. For admins."))])
}

fn new_user(_: &mut SchemaGenerator) -> Schema {
    let more = both(placement(), &both(object([("role", role())]), &quotas(&Quota::OF_ACCOUNT)));
    both(account(), &change(more))
}

fn changed_user(_: &mut SchemaGenerator) -> Schema {
    let own = object([
        ("username", text("The current one is accepted.")),
        ("status", text("The current one is accepted.")),
        ("email", text("")),
        ("password", password()),
        ("current_password", text("Needed to change one's own password.")),
        ("role", role()),
    ]);
    change(both(own, &both(placement(), &quotas(&Quota::OF_ACCOUNT))))
}

fn features_body(_: &mut SchemaGenerator) -> Schema {
    change(flags(""))
}

fn limits_body(_: &mut SchemaGenerator) -> Schema {
    change(both(quotas(&Quota::ALL), &flags("can_grant_")))
}

fn new_reseller(generator: &mut SchemaGenerator) -> Schema {
    both(account(), &both(change(placement()), &limits_body(generator)))
}

fn changed_reseller(generator: &mut SchemaGenerator) -> Schema {
    let own = object([("email", text("")), ("password", password())]);
    both(change(both(own, &placement())), &limits_body(generator))
}

fn changed_package(_: &mut SchemaGenerator) -> Schema {
    let values = both(quotas(&Quota::ALL), &flags(""));
    let values = both(values, &both(flags("can_use_"), &flags("can_grant_")));
    change(both(object([("name", text("Its name."))]), &values))
}

fn new_package(generator: &mut SchemaGenerator) -> Schema {
    both(object([("name", text("Its name."))]), &change_without_name(generator))
}

fn change_without_name(generator: &mut SchemaGenerator) -> Schema {
    let mut fields = changed_package(generator);
    if let Some(serde_json::Value::Object(properties)) = fields.get_mut("properties") {
        properties.remove("name");
    }
    fields
}

/// What `view::reseller` shows.
struct Reseller;

impl JsonSchema for Reseller {
    fn schema_name() -> Cow<'static, str> {
        "PanelReseller".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = object([("username", text("")), ("package", text(""))]);
        both(names, &both(quotas(&Quota::ALL), &flags("can_grant_")))
    }
}

/// What `view::package` shows.
struct Package;

impl JsonSchema for Package {
    fn schema_name() -> Cow<'static, str> {
        "PanelPackage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = object([("id", number("")), ("name", text(""))]);
        let values = both(quotas(&Quota::ALL), &flags(""));
        both(names, &both(values, &both(flags("can_use_"), &flags("can_grant_"))))
    }
}

fn made_package(_: &mut SchemaGenerator) -> Schema {
    object([("success", is(true)), ("message", text("")), ("id", number("")), ("package", text(""))])
}

fn features(_: &mut SchemaGenerator) -> Schema {
    object([("success", is(true)), ("username", text("")), ("features", flags(""))])
}

fn changed_features(generator: &mut SchemaGenerator) -> Schema {
    both(features(generator), &object([("message", is("Features updated"))]))
}

fn key_list(generator: &mut SchemaGenerator) -> Schema {
    object([("success", is(true)), ("keys", of::<Vec<KeyView<'_>>>(generator)), ("total", number(""))])
}

fn changed_key(generator: &mut SchemaGenerator) -> Schema {
    object([("success", is(true)), ("message", text("")), ("key", of::<KeyView<'_>>(generator))])
}

fn toggled_key(generator: &mut SchemaGenerator) -> Schema {
    both(changed_key(generator), &object([("enabled", flag("What it is now."))]))
}

fn logged_out(_: &mut SchemaGenerator) -> Schema {
    object([("message", is("Logged out successfully"))])
}

fn renewed(_: &mut SchemaGenerator) -> Schema {
    object([("token", text("The old one is dead.")), ("expires_in", number("Seconds."))])
}

const DONE: fn(&mut SchemaGenerator) -> Schema = body::<Done<'_>>;
const MADE: fn(&mut SchemaGenerator) -> Schema = body::<Made<'_>>;

const HEIR: &[Parameter] = &[parameter("transfer_to", Kind::Text, "Who takes over what it owns.")];
const KEY: &[Parameter] = &[parameter("id", Kind::Hex, "The key's id: 16 hex digits.")];

const USER: &str =
    r#"{"username": "ada", "email": "ada@example.com", "password": "correct horse battery", "package": "default"}"#;
const RESELLER: &str = r#"{"username": "rita", "email": "rita@example.com", "password": "correct horse battery", "max_users": 50, "can_grant_api": true}"#;

/// The seed's sample.
const NEW_KEY: &str =
    r#"{"name": "WHMCS Provisioning", "permissions": ["domains", "read"], "ip_whitelist": [], "expires_in": 0}"#;

pub const DESCRIBED: &[(&str, Description)] = &[
    (
        "auth.login",
        answers("Log in", 200, body::<LoggedIn<'_>>)
            .takes(body::<LoginBody>, r#"{"username": "admin", "password": "correct horse battery"}"#)
            .refuses(&[401, 403]),
    ),
    ("auth.logout", answers("Log out", 200, logged_out).notes("The token is dead at once.")),
    ("auth.refresh", answers("Trade the token for a new one", 200, renewed).notes("For 30 days at most.")),
    ("auth.me", answers("Who one is", 200, of::<Me<'_>>)),
    ("users.list", answers("List users", 200, body::<Vec<UserView<'_>>>)),
    ("users.create", answers("Create a user", 201, MADE).takes(new_user, USER)),
    ("users.get", answers("One user", 200, of::<UserView<'_>>)),
    (
        "users.update",
        answers("Change a user", 200, DONE)
            .takes(changed_user, r#"{"email": "ada@example.com"}"#)
            .notes("Of oneself, with a session: e-mail and password. A reseller's users: e-mail, password, package. An admin: all."),
    ),
    ("users.delete", answers("Delete a user", 200, DONE).query(HEIR)),
    (
        "users.suspend",
        answers("Suspend a user", 200, DONE).takes(body::<SuspendBody>, r#"{"reason": "Unpaid invoice 1042"}"#),
    ),
    ("users.unsuspend", answers("Unsuspend a user", 200, DONE).takes(body::<SuspendBody>, "{}")),
    ("features.get", answers("The flags of a user", 200, features)),
    (
        "features.update",
        answers("Switch flags of a user", 200, changed_features)
            .takes(features_body, r#"{"api": false, "php": true, "ssl": true}"#)
            .notes("All or nothing; null goes back to the package's value. A reseller needs `can_grant_…` to switch a flag on."),
    ),
    (
        "keys.create",
        answers("Mint a key", 201, body::<Created<'_>>)
            .takes(body::<keys::CreateBody>, NEW_KEY)
            .notes("`secret_key` and `api_key` are the same secret, shown once."),
    ),
    ("keys.list", answers("List the keys of a user", 200, key_list)),
    (
        "keys.update",
        answers("Change a key", 200, changed_key)
            .path(KEY)
            .takes(body::<keys::UpdateBody>, r#"{"permissions": ["read"], "enabled": true}"#),
    ),
    ("keys.toggle", answers("Switch a key on or off", 200, toggled_key).path(KEY)),
    ("keys.delete", answers("Delete a key", 200, DONE).path(KEY)),
    ("resellers.list", answers("List resellers", 200, body::<Vec<Reseller>>)),
    ("resellers.create", answers("Create a reseller", 201, MADE).takes(new_reseller, RESELLER)),
    ("resellers.get", answers("One reseller", 200, of::<Reseller>)),
    (
        "resellers.update",
        answers("Change a reseller", 200, DONE).takes(changed_reseller, r#"{"can_grant_api": false}"#),
    ),
    (
        "resellers.delete",
        answers("Delete a reseller", 200, DONE)
            .query(HEIR)
            .notes("Refused with 409 while it owns users or subscribers, unless `transfer_to` names who takes over."),
    ),
    ("resellers.limits", answers("The limits of a reseller", 200, of::<Reseller>)),
    (
        "resellers.update_limits",
        answers("Change the limits of a reseller", 200, DONE).takes(limits_body, r#"{"max_users": 100}"#),
    ),
    ("resellers.users", answers("The users of a reseller", 200, body::<Vec<UserView<'_>>>)),
    ("packages.list", answers("List packages", 200, body::<Vec<Package>>)),
    (
        "packages.create",
        answers("Create a package", 201, made_package)
            .takes(new_package, r#"{"name": "small", "max_domains": 1, "can_use_ssh": false}"#)
            .notes("A flag may be called `api` or `can_use_api`."),
    ),
    ("packages.get", answers("One package", 200, of::<Package>)),
    ("packages.update", answers("Change a package", 200, DONE).takes(changed_package, r#"{"max_domains": 5}"#)),
    ("packages.delete", answers("Delete a package", 200, DONE).notes("One in use is refused with 409.")),
];
