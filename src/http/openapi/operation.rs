//! One route as an operation.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Shapes, face, parts};
use crate::domain::policy;
use crate::domain::routes::{Entry, Method, Need, PanelNeed, Route};
use crate::domain::users::Role;
use crate::http::answer;
use crate::http::call;
use crate::http::describe::{Content, Description, Kind};

pub fn describe(route: &Route, description: &Description, shapes: &mut Shapes) -> Value {
    let mut operation = Map::from_iter([
        ("tags".to_owned(), json!([face(route.surface).title])),
        ("operationId".to_owned(), json!(name(route))),
        ("summary".to_owned(), json!(description.summary)),
        ("description".to_owned(), json!(about(route, description))),
        ("security".to_owned(), security(route, description)),
    ]);
    let parameters = parameters(route, description);
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(body) = request_body(description, shapes) {
        operation.insert("requestBody".to_owned(), body);
    }
    operation.insert("responses".to_owned(), responses(route, description, shapes));
    operation.into()
}

fn name(route: &Route) -> String {
    format!("{}_{}", route.surface.as_str(), route.action.replace('.', "_"))
}

fn about(route: &Route, description: &Description) -> String {
    let accepted = policy::accepted(route);
    let need = match route.need {
        Need::Nobody => String::new(),
        Need::External(None) => "A key is not needed.".to_owned(),
        Need::External(Some(_)) => format!("Needs a key with one of the scopes {accepted}."),
        Need::Panel(PanelNeed::Nothing) => "Any key or session may.".to_owned(),
        Need::Panel(PanelNeed::Session) => "Needs a session; a key is refused.".to_owned(),
        Need::Panel(PanelNeed::Resource(_)) => {
            format!("Needs a key with one of the permissions {accepted}, or a session.")
        }
        Need::Billing { .. } => format!("Needs a key with {accepted}."),
        Need::Admin => "Needs a session.".to_owned(),
    };
    let role = match route.role {
        Role::User => "",
        Role::Reseller => "For resellers and admins.",
        Role::Admin => "For admins.",
    };
    let parts = [description.notes, &need, role];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn security(route: &Route, description: &Description) -> Value {
    let schemes = match route.need {
        Need::Nobody => description.secured_by.map_or_else(|| json!([]), |scheme| json!([{scheme: []}])),
        Need::External(_) => json!([{"externalKey": []}]),
        Need::Panel(PanelNeed::Session) => json!([{"panelSession": []}]),
        Need::Panel(_) => json!([{"panelKey": []}, {"panelSession": []}]),
        Need::Billing { .. } => json!([{"billingKey": [], "billingSecret": []}]),
        Need::Admin => json!([{"adminSession": []}]),
    };
    match (route.entry, schemes) {
        (Entry::OpenUnmetered, Value::Array(mut schemes)) => {
            schemes.insert(0, json!({}));
            schemes.into()
        }
        (_, schemes) => schemes,
    }
}

fn parameters(route: &Route, description: &Description) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path = names.map(|name| {
        let own = description.path.iter().find(|parameter| parameter.name == name);
        let kind = own.map_or(if name == "id" { Kind::Id } else { Kind::Text }, |parameter| parameter.kind);
        parameter(name, "path", kind, own.map_or("", |parameter| parameter.text))
    });
    let of_query = description.query.iter().map(|of| parameter(of.name, "query", of.kind, of.text));
    let mut all: Vec<_> = of_path.chain(of_query).collect();
    if call::is_repeatable(route) {
        all.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    all
}

fn parameter(name: &str, place: &str, kind: Kind, text: &str) -> Value {
    let mut parameter = json!({"name": name, "in": place, "required": place == "path", "schema": schema(kind)});
    if !text.is_empty() {
        parameter["description"] = text.into();
    }
    parameter
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Id => json!({"type": "integer", "format": "int64", "minimum": 1}),
        Kind::Integer { least, most: i64::MAX } => json!({"type": "integer", "format": "int64", "minimum": least}),
        Kind::Integer { least, most } => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Text => json!({"type": "string", "maxLength": 255}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Date => json!({"type": "string", "format": "date"}),
        Kind::Instant => json!({"type": "string", "format": "date-time"}),
        Kind::Hex => json!({"type": "string", "pattern": "^[0-9a-fA-F]{16}$"}),
        Kind::AnyKeyId => json!({"type": "string", "pattern": "^([1-9][0-9]*|[0-9a-fA-F]{16})$"}),
    }
}

fn request_body(description: &Description, shapes: &mut Shapes) -> Option<Value> {
    if !description.form.is_empty() {
        let fields = description.form.iter().map(|field| ((*field).to_owned(), json!({"type": "string"})));
        let schema =
            json!({"type": "object", "properties": fields.collect::<Map<_, _>>(), "required": description.form});
        let content = json!({"application/x-www-form-urlencoded": {"schema": schema}});
        return Some(json!({"required": true, "content": content}));
    }
    let schema = parts::open(description.body?(&mut shapes.read).to_value());
    let required = schema.get("required").is_some();
    let mut media = json!({"schema": schema});
    if let Ok(example) = serde_json::from_str::<Value>(description.example) {
        media["example"] = example;
    }
    Some(json!({"required": required, "content": {answer::JSON: media}}))
}

/// The statuses of refusals that the row implies, and those of the description.
fn refusals(route: &Route, description: &Description) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([500, 503]);
    statuses.extend(description.refuses);
    if route.need != Need::Nobody {
        // A credential header that is given twice is a bad request.
        statuses.extend([400, 401, 403]);
        if route.path.contains('{') {
            statuses.insert(404);
        }
    }
    if route.entry == Entry::Closed {
        statuses.insert(429);
    }
    if route.method != Method::Get {
        statuses.extend([400, 408, 413]);
    }
    if description.body.is_some() {
        statuses.insert(415);
    }
    if call::is_repeatable(route) {
        statuses.insert(409);
    }
    statuses
}

fn responses(route: &Route, description: &Description, shapes: &mut Shapes) -> Value {
    let surface = route.surface;
    let mut all = Map::new();
    let mut success = json!({"description": description.summary, "headers": parts::headers_of_success(route)});
    if let Some((name, text)) = description.header {
        success["headers"][name] = json!({"description": text, "schema": {"type": "string"}});
    }
    success["content"] = content(description.content, shapes);
    all.insert(description.status.to_string(), success);
    for status in refusals(route, description) {
        let reference = json!({"$ref": format!("#/components/responses/{}", parts::name_of_refusal(surface, status))});
        all.insert(status.to_string(), reference);
    }
    for (status, own) in description.also {
        let refusal = all.remove(&status.to_string()).and_then(|_| parts::refusal(surface, *status));
        let headers = parts::headers_of_success(route);
        let alone = json!({"description": parts::about(*status), "headers": headers, "content": {}});
        all.insert(status.to_string(), with(refusal.unwrap_or(alone), content(*own, shapes)));
    }
    all.sort_keys();
    all.into()
}

/// A response that carries something else as well.
fn with(mut response: Value, mut more: Value) -> Value {
    for (kind, media) in more.as_object_mut().into_iter().flatten() {
        let place = &mut response["content"][kind];
        *place = match place.get("schema") {
            Some(other) => json!({"schema": {"anyOf": [media["schema"], other]}}),
            None => media.take(),
        };
    }
    if response["headers"].get("Retry-After").is_some() {
        // Only the refusal has it.
        response["headers"]["Retry-After"] = json!({"$ref": "#/components/headers/Retry-After"});
    }
    response
}

fn content(content: Content, shapes: &mut Shapes) -> Value {
    match content {
        Content::Json(shape) => {
            let schema = parts::closed(shape(&mut shapes.written).to_value());
            json!({answer::JSON: {"schema": schema}})
        }
        Content::Html => json!({"text/html": {"schema": {"type": "string"}}}),
    }
}
