//! Examples of answers, composed from their schemas: what a property is worth is said once, by its name. Most values are
//! those of the seeds' samples.

use serde_json::{Map, Value, json};

/// Values as JSON.
const VALUES: &[(&str, &str)] = &[
    ("username", r#""user1234@example.lb""#),
    ("full_name", r#""John Customer""#),
    ("phone", r#""+96170123456""#),
    ("address", r#""Main Street 1""#),
    ("email", r#""user1234@example.lb""#),
    ("note", r#""""#),
    ("external_id", r#""whmcs-1042""#),
    ("ip_address", r#""10.20.0.7""#),
    ("mac_address", r#""02:00:00:00:00:07""#),
    ("expiry_date", r#""2026-12-31T00:00:00Z""#),
    ("password", r#""<shown once>""#),
    ("service_name", r#""Home 20""#),
    ("service_id", "4"),
    ("id", "14"),
    ("name", r#""Stripe sync""#),
    ("description", r#""Nightly sync""#),
    ("message", r#""Done""#),
    ("key", r#""pk_live_<32 hex digits, shown once>""#),
    ("key_id", r#""npk_<identifier>""#),
    ("key_secret", r#""nps_<shown once>""#),
    ("secret_key", r#""wsp_<48 hex digits, shown once>""#),
    ("api_key", r#""wsp_<48 hex digits, shown once>""#),
    ("token", r#""<JWT>""#),
    ("access_token", r#""<JWT>""#),
    ("expires_in", "86400"),
    ("key_prefix", r#""pk_live_a8f3""#),
    ("allowed_ips", r#"["192.0.2.0/24"]"#),
    ("ip_whitelist", r#"["192.0.2.0/24"]"#),
    ("owner", r#""admin""#),
    ("creator", r#""admin""#),
    ("package", r#""default""#),
    ("ip", r#""192.0.2.10""#),
    ("last_used_ip", r#""192.0.2.10""#),
    ("user_agent", r#""curl/8.5""#),
    ("path", r#""/api/v1/external/subscribers""#),
    ("route", r#""GET /api/v1/external/subscribers""#),
    ("status_code", "200"),
    ("request_id", r#""5f1c0e9a7b3d2c48""#),
    ("limit", "20"),
    ("total", "150"),
    ("pages", "8"),
    ("next_cursor", r#""14""#),
    ("download_speed", "20480"),
    ("upload_speed", "5120"),
    ("revoked_at", "null"),
    ("gate", "null"),
    ("warning", r#""The expiry date has passed: the subscriber stays expired until it is renewed""#),
    ("verdict", r#""allowed""#),
    ("max_domains", "-1"),
    ("max_databases", "-1"),
    ("max_email_accounts", "-1"),
    ("max_ftp_accounts", "-1"),
    ("version", concat!("\"", env!("CARGO_PKG_VERSION"), "\"")),
];

fn known(name: &str) -> Option<Value> {
    let (_, json) = VALUES.iter().find(|(known, _)| *known == name)?;
    serde_json::from_str(json).ok()
}

/// Gives every body of an answer that has none an example.
pub fn fill(document: &mut Value) {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    let operations = paths.filter_map(|(_, item)| item.as_object_mut()).flatten();
    for (_, operation) in operations {
        let responses = operation["responses"].as_object_mut().into_iter().flatten();
        let media = responses.filter_map(|(_, response)| response.get_mut("content")?.as_object_mut()).flatten();
        for (_, media) in media.filter(|(kind, media)| kind.contains("json") && media.get("example").is_none()) {
            media["example"] = compose(&media["schema"], &schemas);
        }
    }
}

pub fn compose(schema: &Value, schemas: &Map<String, Value>) -> Value {
    value(schema, "", schemas)
}

fn value(schema: &Value, name: &str, schemas: &Map<String, Value>) -> Value {
    if let Some(target) = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
        return schemas.get(target).map_or(Value::Null, |schema| value(schema, name, schemas));
    }
    let first = |key: &str| schema[key].as_array().and_then(|values| values.first());
    if let Some(constant) = schema.get("const").or_else(|| first("enum")).or_else(|| first("examples")) {
        return constant.clone();
    }
    // A calendar date goes by its format: its name may be another surface's instant.
    if schema["format"] == "date" {
        return json!("2026-12-31");
    }
    if let Some(known) = known(name).filter(|known| fits(known, schema)) {
        return known;
    }
    if let Some(inner) = first("anyOf").or_else(|| first("oneOf")) {
        return value(inner, name, schemas);
    }
    match kind(schema) {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, inner)| (name.clone(), value(inner, name, schemas))).collect::<Map<_, _>>().into()
        }
        "array" => json!([value(&schema["items"], name.strip_suffix('s').unwrap_or(name), schemas)]),
        "boolean" => json!(!name.starts_with("can_grant_")),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        "string" if schema["format"] == "date-time" => json!("2026-05-12T10:30:00Z"),
        "string" => json!(name),
        _ => Value::Null,
    }
}

/// The type of a schema; null only where nothing else may be.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ => "",
    }
}

fn fits(value: &Value, schema: &Value) -> bool {
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_null(),
    };
    match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}
