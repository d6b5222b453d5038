//! Holds an answer to the interface description: the route, the status, the headers and the body must be the described
//! ones, and a body that was taken must be one that is described.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use panel::domain::routes::{self, Found, Method, Surface};
use panel::http::openapi;
use serde_json::{Value, json};

/// One request and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The body that was sent, where it is known.
    pub sent: Option<&'a [u8]>,
    pub status: u16,
    /// By lower-case name.
    pub headers: &'a BTreeMap<String, String>,
    /// Null where the answer is no JSON.
    pub body: &'a Value,
}

/// Headers that every server sends.
const PLAIN: [&str; 10] = [
    "date",
    "connection",
    "content-type",
    "content-length",
    "transfer-encoding",
    "cache-control",
    "x-content-type-options",
    "content-security-policy",
    "referrer-policy",
    "vary",
];

/// The validator of the schema at a pointer, compiled once.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

fn validator(pointer: &str) -> Arc<Validator> {
    let mut known = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(validator) = known.get(pointer) {
        return Arc::clone(validator);
    }
    let document = openapi::document();
    let schema = document.pointer(pointer).unwrap_or_else(|| panic!("no schema at {pointer}"));
    let root = json!({"allOf": [schema], "components": {"schemas": document["components"]["schemas"]}});
    let validator = jsonschema::options().should_validate_formats(true).build(&root);
    let validator = Arc::new(validator.unwrap_or_else(|e| panic!("{pointer} is no schema: {e}")));
    known.insert(pointer.to_owned(), Arc::clone(&validator));
    validator
}

/// Panics where the value is not what the schema at the pointer says.
pub fn hold(pointer: &str, value: &Value, told: &str) {
    let errors: Vec<_> =
        validator(pointer).iter_errors(value).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(errors.is_empty(), "{told}\nis not what the description says at {pointer}: {errors:#?}");
}

pub fn escaped(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

/// Where the description of an operation is; `None` where the table has none that is built.
fn operation(of: &Exchange<'_>) -> Option<String> {
    let path = of.target.split('?').next().unwrap_or_default();
    match routes::find(Method::parse(of.method), path) {
        Found::Route(route, _) if route.served => {
            Some(format!("/paths/{}/{}", escaped(route.path), route.method.as_str().to_ascii_lowercase()))
        }
        _ => None,
    }
}

/// Where the answer is described. What no operation answers, the surface's refusals do.
fn response(of: &Exchange<'_>, told: &str) -> String {
    let document = openapi::document();
    let pointer = if let Some(operation) = operation(of) {
        assert!(document.pointer(&operation).is_some(), "{told}: the route is not in the description");
        let pointer = format!("{operation}/responses/{}", of.status);
        assert!(document.pointer(&pointer).is_some(), "{told}: the status is not in the description of the route");
        pointer
    } else {
        let surface = Surface::of(of.target.split('?').next().unwrap_or_default());
        let pointer = format!("/components/responses/{}{}", openapi::face(surface).title, of.status);
        assert!(document.pointer(&pointer).is_some(), "{told}: no refusal of the surface has this status");
        pointer
    };
    resolve(&pointer)
}

fn resolve(pointer: &str) -> String {
    let target = openapi::document().pointer(pointer).and_then(|value| value["$ref"].as_str());
    target.map_or_else(|| pointer.to_owned(), |target| target.trim_start_matches('#').to_owned())
}

pub fn check(of: &Exchange<'_>, told: &str) {
    if of.method == "OPTIONS" && of.status == 204 {
        return;
    }
    let document = openapi::document();
    let response = response(of, told);
    check_headers(&format!("{response}/headers"), of.headers, told);
    if of.method == "HEAD" {
        return;
    }
    let kind = of.headers.get("content-type").and_then(|kind| kind.split(';').next()).unwrap_or("none");
    let media = format!("{response}/content/{}", escaped(kind));
    assert!(document.pointer(&media).is_some(), "{told}: {kind} is not in the description");
    if kind == "application/json" {
        hold(&format!("{media}/schema"), of.body, told);
    }
    if of.status < 300 {
        check_request(of, told);
    }
}

fn check_headers(headers: &str, sent: &BTreeMap<String, String>, told: &str) {
    let described =
        openapi::document().pointer(headers).and_then(Value::as_object).unwrap_or_else(|| panic!("{headers}"));
    for (name, value) in sent {
        if PLAIN.contains(&name.as_str()) {
            continue;
        }
        let known = described.keys().find(|known| known.eq_ignore_ascii_case(name));
        let known = known.unwrap_or_else(|| panic!("{told}: the header {name} is not in the description"));
        let schema = format!("{}/schema", resolve(&format!("{headers}/{known}")));
        let typed = match openapi::document().pointer(&schema).map(|schema| &schema["type"]) {
            Some(kind) if kind == "integer" => value.parse::<i64>().map_or_else(|_| json!(value), Value::from),
            _ => json!(value),
        };
        hold(&schema, &typed, &format!("{told}: {name}"));
    }
    for name in described.keys() {
        let required =
            openapi::document().pointer(&resolve(&format!("{headers}/{name}"))).map(|header| &header["required"]);
        let must = required.is_some_and(|required| required == true);
        assert!(!must || sent.contains_key(&name.to_ascii_lowercase()), "{told}: the header {name} is missing");
    }
}

/// What the server took, a client that follows the description may send.
fn check_request(of: &Exchange<'_>, told: &str) {
    let Some(operation) = operation(of) else { return };
    // What a test wrote byte by byte is not known here.
    let Some(body) = of.sent else { return };
    let media = format!("{operation}/requestBody/content/application~1json/schema");
    let Some(schema) = openapi::document().pointer(&media) else { return };
    match serde_json::from_slice::<Value>(body) {
        Ok(sent) => hold(&media, &sent, &format!("{told}: what was sent")),
        Err(_) => assert!(schema.get("required").is_none(), "{told}: a body is required, and was not needed"),
    }
}
