//! What operations share: refusals, headers, security schemes, and the tidying of schemas.

use serde_json::{Map, Value, json};

use super::face;
use crate::domain::policy::{self, Gate};
use crate::domain::routes::{Need, PanelNeed, Route, Surface};
use crate::http::answer;
use crate::http::call;

const ABOUT: &str = "The control panel of a small ISP. Four surfaces over one core, each with credentials, envelope and words of its own.

Every answer carries `X-Request-Id`; send one (1-64 of `A-Z a-z 0-9 . _ -`) to have it kept. A refusal with 401, 403 or 429 has a `denied` list that says which gate refused, what it needs, what it saw, and a command that mends it. A path that does not exist answers 404, a wrong method 405 with `Allow`, both in the envelope of the surface whose prefix was called. `HEAD` is `GET` without a body; `OPTIONS` answers 204 with `Allow`. Unknown fields in a body are ignored; `null` in an optional field is as if it were absent, and clears it in a PUT where it can be empty. An empty body is `{}`, an empty query parameter as if it were absent.";

pub fn info() -> Value {
    json!({
        "title": "panel",
        "version": env!("CARGO_PKG_VERSION"),
        "description": ABOUT,
        "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
    })
}

pub fn security_schemes() -> Value {
    let header =
        |name: &str, about: &str| json!({"type": "apiKey", "in": "header", "name": name, "description": about});
    let bearer = |format: &str, about: &str| json!({"type": "http", "scheme": "bearer", "bearerFormat": format, "description": about});
    json!({
        "externalKey": header("X-API-Key", "An external key, `pk_live_` and 32 hex digits."),
        "panelKey": bearer("wsp_ key", "A panel key, `wsp_` and 48 hex digits."),
        "panelSession": bearer("JWT", "The token of `POST /api/v1/auth/login`."),
        "billingKey": header("X-API-Key", "The identifier of a billing key, `npk_…`. Goes with the secret."),
        "billingSecret": header("X-API-Secret", "The secret of a billing key, `nps_…`."),
        "adminSession": bearer("JWT", "The token of `POST /api/auth/login`; it lives 15 minutes."),
        "refreshCookie": {"type": "apiKey", "in": "cookie", "name": "refresh_token", "description": "Set by `POST /api/auth/login`, for `/api/auth` only."},
    })
}

pub fn parameters() -> Value {
    let about = "1-255 visible ASCII characters. A repeat within 24 hours answers what the first call answered, without its secrets; with another body it is refused with 409.";
    json!({"IdempotencyKey": {
        "name": "Idempotency-Key", "in": "header", "required": false, "description": about,
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    }})
}

pub fn headers() -> Value {
    let header = |about: &str, schema: Value| json!({"description": about, "required": false, "schema": schema});
    let count = || json!({"type": "integer", "minimum": 0});
    let mut all = json!({
        "X-RateLimit-Limit": header("Requests of the window with least left.", count()),
        "X-RateLimit-Remaining": header("What is left of it.", count()),
        "X-RateLimit-Reset": header("When it begins anew, in Unix seconds.", count()),
        "Retry-After": header("Seconds to wait.", count()),
        "Retry-After-Always": header("Seconds to wait.", count()),
        "Idempotent-Replayed": header("This is the answer to an earlier call with the same `Idempotency-Key`.", json!({"const": "true"})),
        "Deprecation": header("The secret of this key was replaced, at `@` Unix seconds (RFC 9745).", json!({"type": "string", "pattern": "^@[0-9]+$"})),
        "Sunset": header("When the replaced secret stops working, as an HTTP date (RFC 8594).", json!({"type": "string"})),
        "X-Accepted-Permissions": header("What this route would have accepted; to keys only.", json!({"type": "string"})),
        "Allow": header("The methods of this path.", json!({"type": "string"})),
        "X-Request-Id": header("Leads to the log.", json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})),
    });
    for always in ["X-Request-Id", "Retry-After-Always", "Allow"] {
        all[always]["required"] = true.into();
    }
    all
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// Those of every answer to a key.
const OF_KEYS: [&str; 5] = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Deprecation", "Sunset"];

fn takes_keys(need: Need) -> bool {
    !matches!(need, Need::Nobody | Need::Admin | Need::Panel(PanelNeed::Session))
}

pub fn headers_of_success(route: &Route) -> Value {
    let mut names = vec!["X-Request-Id"];
    if takes_keys(route.need) {
        names.extend(OF_KEYS);
        if !policy::accepted(route).is_empty() {
            names.push("X-Accepted-Permissions");
        }
    }
    if call::is_repeatable(route) {
        names.push("Idempotent-Replayed");
    }
    names.into_iter().map(|name| (name.to_owned(), reference(name))).collect::<Map<_, _>>().into()
}

fn has_keys(surface: Surface) -> bool {
    surface != Surface::Admin
}

/// Every status that a refusal may have.
const STATUSES: [(u16, &str, &str); 13] = [
    (400, "The request is not one we can take; the text names the field.", "name is required"),
    (401, "No credential, or one that opens nothing.", "Invalid credentials"),
    (403, "The credential is good, but may not do this.", "Admin access required"),
    (404, "It does not exist, or not for you.", "Not found"),
    (405, "The path takes other methods.", "This path takes GET, HEAD, OPTIONS"),
    (408, "The body did not arrive in time.", "The body did not arrive in time"),
    (409, "As things stand this cannot be done.", "this Idempotency-Key was used with another body; use a new one"),
    (413, "The body is too large.", "The body is larger than 1048576 bytes"),
    (415, "The body is not JSON.", "Send the body as application/json in UTF-8, not compressed"),
    (429, "Too many requests.", "Rate limit exceeded"),
    (500, "A fault of ours.", "Something went wrong on our side; the request id leads to the log"),
    (501, "Part of the interface that is not built.", "This part of the API is not available"),
    (503, "Too busy, or the database cannot be used.", "The database cannot be used at the moment"),
];

pub fn name_of_refusal(surface: Surface, status: u16) -> String {
    format!("{}{status}", face(surface).title)
}

pub fn responses() -> Value {
    let mut all = Map::new();
    for surface in Surface::ALL {
        for (status, ..) in STATUSES {
            if let Some(response) = refusal(surface, status) {
                all.insert(name_of_refusal(surface, status), response);
            }
        }
    }
    all.into()
}

/// What a status means.
pub fn about(status: u16) -> &'static str {
    STATUSES.iter().find(|(known, ..)| *known == status).map_or("", |(_, about, _)| about)
}

/// The bodies of all refusals, by name.
pub fn refusal_schemas() -> Map<String, Value> {
    let mut all = Map::new();
    for surface in Surface::ALL {
        for (status, ..) in STATUSES {
            if let Some(schema) = refusal_schema(surface, status) {
                all.insert(name_of_schema(surface, status), schema);
            }
        }
    }
    all
}

fn name_of_schema(surface: Surface, status: u16) -> String {
    format!("{}Refusal{status}", face(surface).title)
}

/// The surface's envelope; what a gate refused says which.
fn refusal_schema(surface: Surface, status: u16) -> Option<Value> {
    let mut schema = (face(surface).refusal)(status)?.to_value();
    if matches!(status, 401 | 403 | 429) {
        schema["properties"]["denied"] =
            json!({"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Denied"}});
        if let Some(required) = schema["required"].as_array_mut() {
            required.push("denied".into());
        }
    }
    Some(closed(schema))
}

/// A refusal in the surface's envelope.
pub fn refusal(surface: Surface, status: u16) -> Option<Value> {
    let schema = refusal_schema(surface, status)?;
    let (_, about, sentence) = STATUSES.into_iter().find(|(known, ..)| *known == status)?;
    let mut headers = vec![("X-Request-Id", "X-Request-Id")];
    if has_keys(surface) {
        headers.extend(OF_KEYS.map(|name| (name, name)));
    }
    match status {
        405 => headers.push(("Allow", "Allow")),
        429 | 503 => headers.push(("Retry-After", "Retry-After-Always")),
        _ => {}
    }
    let headers: Map<_, _> = headers.into_iter().map(|(name, part)| (name.to_owned(), reference(part))).collect();
    let mut example = super::examples::compose(&schema, &Map::new());
    let said = [
        ("message", json!(sentence)),
        ("error", json!(sentence)),
        ("detail", json!(sentence)),
        ("status", json!(status)),
        ("denied", json!([denied_example(surface, status)])),
    ];
    for place in ["", "/error"] {
        let Some(Value::Object(object)) = example.pointer_mut(place) else { continue };
        for (name, value) in &said {
            if let Some(old) = object.get_mut(*name).filter(|old| !old.is_object()) {
                old.clone_from(value);
            }
        }
    }
    let schema = json!({"$ref": format!("#/components/schemas/{}", name_of_schema(surface, status))});
    let media = json!({"schema": schema, "example": example});
    Some(json!({"description": about, "headers": headers, "content": {answer::JSON: media}}))
}

/// The `denied` list's entry (contract: keys.md, A refusal explains itself).
pub fn denied() -> Value {
    let gates = Gate::ALL.map(Gate::as_str).into_iter().chain(["field", "limit"]);
    let text = |about: &str| json!({"type": "string", "description": about});
    json!({
        "type": "object",
        "description": "A gate that refused.",
        "properties": {
            "gate": {"type": "string", "enum": gates.collect::<Vec<_>>()},
            "need": text("What it needs."),
            "have": text("What it saw."),
            "fix": text("A command that mends it, or how long to wait."),
        },
        "required": ["gate"],
        "additionalProperties": false,
    })
}

fn denied_example(surface: Surface, status: u16) -> Value {
    match (surface, status) {
        (_, 401) => json!({"gate": "credential"}),
        (_, 429) => json!({"gate": "rate", "need": "60 a minute", "have": "60 used", "fix": "wait 23 s"}),
        (Surface::External, _) => {
            json!({"gate": "scope", "need": "write", "have": "read", "fix": "panel key update 14 --scopes write"})
        }
        (Surface::Billing, _) => {
            json!({"gate": "level", "need": "BILLING", "have": "USER", "fix": "panel key update 14 --level BILLING"})
        }
        _ => json!({"gate": "role", "need": "admin", "have": "user"}),
    }
}

/// A schema of what we read: fields that we do not know are ignored.
pub fn open(mut schema: Value) -> Value {
    each(&mut schema, &mut |schema| {
        if schema.get("default") == Some(&Value::Null) {
            schema.remove("default");
        }
    });
    schema
}

/// A schema of what we write: exactly these fields. What is named as an instant is one.
pub fn closed(schema: Value) -> Value {
    let mut schema = open(schema);
    each(&mut schema, &mut |schema| {
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            for (_, property) in properties.iter_mut().filter(|(name, _)| is_instant(name)) {
                if let Value::Object(property) = property
                    && property.get("type").is_some_and(says_string)
                {
                    property.entry("format").or_insert("date-time".into());
                }
            }
            schema.entry("additionalProperties").or_insert(false.into());
        }
    });
    schema
}

fn is_instant(name: &str) -> bool {
    name.ends_with("_at") || matches!(name, "timestamp" | "last_used" | "expiry_date")
}

fn says_string(kind: &Value) -> bool {
    kind == "string" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("string")))
}

/// Goes through a schema and all in it.
fn each(schema: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    let Value::Object(schema) = schema else { return };
    visit(schema);
    for (key, inner) in schema.iter_mut() {
        match (key.as_str(), inner) {
            ("properties" | "$defs", Value::Object(inner)) => inner.values_mut().for_each(|inner| each(inner, visit)),
            ("anyOf" | "oneOf" | "allOf", Value::Array(inner)) => inner.iter_mut().for_each(|inner| each(inner, visit)),
            ("items", inner) => each(inner, visit),
            _ => {}
        }
    }
}
