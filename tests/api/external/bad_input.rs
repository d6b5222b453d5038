//! Bodies that are not taken by the calls that change something; those of a create stand in `subscribers_create_refusals`.

use serde_json::json;

use super::calls::{TRANSACTIONS, subscriber};
use crate::support::{Key, Request, SUBSCRIBERS, TestApp};

const INVALID: &str = "INVALID_PARAMETER";
const NOT_JSON: &str = "INVALID_JSON";

/// The call, a field, its value, and how the message goes on after the field's name.
type Row = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const FIELDS: &[Row] = &[
    ("PUT", "username", "5", "must be a string"),
    ("PUT", "username", "[\"ada\"]", "must be a string"),
    ("PUT", "username", "\"ada \"", "cannot be changed"),
    ("PUT", "username", "\"ada\\u0000\"", "cannot be changed"),
    ("PUT", "username", "\"\u{430}da\"", "cannot be changed"),
    ("PUT", "status", "\"1\"", "must be an integer"),
    ("PUT", "status", "1.0", "must be an integer"),
    ("PUT", "status", "true", "must be an integer"),
    ("PUT", "status", "1e400", "is out of range"),
    ("PUT", "status", "9223372036854775808", "must be an integer"),
    ("PUT", "status", "-1", "cannot be changed"),
    ("PUT", "full_name", "5", "must be a string"),
    ("PUT", "full_name", "\"a\\nb\"", "must be at most 200"),
    ("PUT", "full_name", "\"a\\u0000b\"", "must be at most 200"),
    ("PUT", "full_name", "\"a\\u009fb\"", "must be at most 200"),
    ("PUT", "full_name", "\"*201\"", "must be at most 200"),
    ("PUT", "phone", "96170123456", "must be a string"),
    ("PUT", "phone", "\"*51\"", "must be at most 50"),
    ("PUT", "phone", "\"\\t1\"", "must be at most 50"),
    ("PUT", "address", "{}", "must be a string"),
    ("PUT", "address", "\"*501\"", "must be at most 500"),
    ("PUT", "address", "\"a\\u001b[31m\"", "must be at most 500"),
    ("PUT", "email", "false", "must be a string"),
    ("PUT", "email", "\"*255\"", "must be at most 254"),
    ("PUT", "email", "\"a\\r\\nBcc: b\"", "must be at most 254"),
    ("PUT", "note", "[]", "must be a string"),
    ("PUT", "note", "\"*2001\"", "must be at most 2000"),
    ("PUT", "note", "\"\\u0007\"", "must be at most 2000"),
    ("PUT", "service_id", "\"1\"", "must be an integer"),
    ("PUT", "service_id", "1.5", "must be an integer"),
    ("PUT", "service_id", "1e2", "must be an integer"),
    ("PUT", "service_id", "1e400", "is out of range"),
    ("PUT", "service_id", "0", "does not exist"),
    ("PUT", "service_id", "-1", "does not exist"),
    ("PUT", "service_id", "9223372036854775807", "does not exist"),
    ("PUT", "service_id", "-9223372036854775809", "must be an integer"),
    ("PUT", "password", "5", "must be a string"),
    ("PUT", "password", "\"\"", "must be 1-128 bytes"),
    ("PUT", "password", "\"a\\nb\"", "must be 1-128 bytes"),
    ("PUT", "password", "\"*129\"", "must be 1-128 bytes"),
    ("PUT", "expiry_date", "20261231", "must be a string"),
    ("PUT", "expiry_date", "\"\"", "must be a date"),
    ("PUT", "expiry_date", "\"2026-02-30\"", "must be a date"),
    ("PUT", "expiry_date", "\"2027-02-29\"", "must be a date"),
    ("PUT", "expiry_date", "\"2026-2-3\"", "must be a date"),
    ("PUT", "expiry_date", "\"2026-12-31T24:00:01Z\"", "must be a date"),
    ("PUT", "expiry_date", "\"2026-12-31 \"", "must be a date"),
    ("PUT", "expiry_date", "\"-2026-12-31\"", "must be a date"),
    ("PUT", "expiry_date", "\"9999-12-32\"", "must be a date"),
    ("PUT", "external_id", "\"\"", "must be 1-255"),
    ("PUT", "external_id", "\"*256\"", "must be 1-255"),
    ("PUT", "external_id", "\"a\\u0000\"", "must be 1-255"),
    ("PUT", "external_id", "17", "must be a string"),
    ("PUT", "nas_id", "\"7\"", "must be an integer"),
    ("PUT", "nas_id", "7.5", "must be an integer"),
    ("PUT", "nas_id", "0", "does not exist"),
    ("PUT", "nas_id", "999", "does not exist"),
    ("suspend", "reason", "5", "must be a string"),
    ("suspend", "reason", "[\"x\"]", "must be a string"),
    ("suspend", "reason", "\"*501\"", "must be at most 500"),
    ("suspend", "reason", "\"\\u0000\"", "must be at most 500"),
    ("activate", "reason", "true", "must be a string"),
    ("activate", "reason", "\"*501\"", "must be at most 500"),
    ("renew", "periods", "0", "must be an integer from 1 to 24"),
    ("renew", "periods", "-1", "must be an integer from 1 to 24"),
    ("renew", "periods", "25", "must be an integer from 1 to 24"),
    ("renew", "periods", "4294967297", "must be an integer from 1 to 24"),
    ("renew", "periods", "9223372036854775807", "must be an integer from 1 to 24"),
    ("renew", "periods", "9223372036854775808", "must be an integer"),
    ("renew", "periods", "1.0", "must be an integer"),
    ("renew", "periods", "\"1\"", "must be an integer"),
    ("renew", "periods", "1e0", "must be an integer"),
    ("renew", "periods", "1e400", "is out of range"),
    ("renew", "periods", "true", "must be an integer"),
    ("renew", "periods", "[1]", "must be an integer"),
    ("renew", "charge", "1", "must be a boolean"),
    ("renew", "charge", "\"false\"", "must be a boolean"),
    ("renew", "price", "\"5\"", "must be a number"),
    ("renew", "price", "-1", "must be a number"),
    ("renew", "price", "0.001", "must be a number"),
    ("renew", "price", "10000000", "must be a number"),
    ("renew", "price", "1e400", "must be a number"),
    ("renew", "price", "{}", "must be a number"),
    ("renew", "price", "false", "must be a number"),
    ("renew", "external_id", "\"\"", "must be 1-255"),
    ("renew", "external_id", "\"*256\"", "must be 1-255"),
    ("renew", "external_id", "\"\\u0001\"", "must be 1-255"),
    ("renew", "external_id", "5", "must be a string"),
    ("book", "subscriber_id", "null", "is required"),
    ("book", "subscriber_id", "\"1\"", "must be an integer"),
    ("book", "subscriber_id", "1.0", "must be an integer"),
    ("book", "subscriber_id", "0", "does not exist"),
    ("book", "subscriber_id", "-1", "does not exist"),
    ("book", "subscriber_id", "999", "does not exist"),
    ("book", "subscriber_id", "9223372036854775807", "does not exist"),
    ("book", "subscriber_id", "9223372036854775808", "must be an integer"),
    ("book", "subscriber_id", "1e400", "is out of range"),
    ("book", "subscriber_id", "true", "must be an integer"),
    ("book", "subscriber_id", "[1]", "must be an integer"),
    ("book", "type", "null", "is required"),
    ("book", "type", "\"\"", "must be payment, charge, renewal or refund"),
    ("book", "type", "\"Payment\"", "must be payment, charge, renewal or refund"),
    ("book", "type", "\"payment \"", "must be payment, charge, renewal or refund"),
    ("book", "type", "\"debit\"", "must be payment, charge, renewal or refund"),
    ("book", "type", "\"payment\\u0000\"", "must be payment, charge, renewal or refund"),
    ("book", "type", "\"p\u{430}yment\"", "must be payment, charge, renewal or refund"),
    ("book", "type", "1", "must be a string"),
    ("book", "type", "[\"payment\"]", "must be a string"),
    ("book", "amount", "null", "is required"),
    ("book", "amount", "\"25\"", "must be a number"),
    ("book", "amount", "0", "must be a number"),
    ("book", "amount", "-25", "must be a number"),
    ("book", "amount", "0.001", "must be a number"),
    ("book", "amount", "1e400", "must be a number"),
    ("book", "amount", "10000000", "must be a number"),
    ("book", "amount", "true", "must be a number"),
    ("book", "amount", "{\"value\": 25}", "must be a number"),
    ("book", "description", "5", "must be a string"),
    ("book", "description", "{}", "must be a string"),
    ("book", "description", "\"*501\"", "must be at most 500"),
    ("book", "description", "\"a\\u0000b\"", "must be at most 500"),
    ("book", "description", "\"\\u001b[2J\"", "must be at most 500"),
    ("book", "external_id", "\"\"", "must be 1-255"),
    ("book", "external_id", "\"*256\"", "must be 1-255"),
    ("book", "external_id", "\"a\\nb\"", "must be 1-255"),
    ("book", "external_id", "5", "must be a string"),
    ("book", "external_id", "1e400", "is out of range"),
];

/// Whole bodies that no call takes.
fn bodies() -> Vec<(Vec<u8>, &'static str)> {
    let deep = |name: &str| format!("{{\"{name}\": {}{}}}", "[".repeat(9999), "]".repeat(9999)).into_bytes();
    let text = |body: &str| body.as_bytes().to_vec();
    vec![
        (text("[]"), NOT_JSON),
        (text("null"), NOT_JSON),
        (text("\"text\""), NOT_JSON),
        (text("5"), NOT_JSON),
        (text("{"), NOT_JSON),
        (text("{} {}"), NOT_JSON),
        (text("{}x"), NOT_JSON),
        (text("{'external_id': 'x'}"), NOT_JSON),
        (text("{\"external_id\": \"x\",}"), NOT_JSON),
        (text("{\"external_id\": NaN}"), NOT_JSON),
        (text("// comment\n{}"), NOT_JSON),
        (text("external_id=x&reason=y"), NOT_JSON),
        (text("<external_id>x</external_id>"), NOT_JSON),
        (text("{\"external_id\": \"a\u{1}\", \"reason\": \"a\u{1}\"}"), NOT_JSON),
        (text("{\"external_id\": \"\\ud800\", \"reason\": \"\\ud800\"}"), NOT_JSON),
        (b"{\"external_id\": \"\xff\", \"reason\": \"\xff\"}".to_vec(), NOT_JSON),
        (b"{\"unknown\": \"\xc3\x28\"}".to_vec(), NOT_JSON),
        (b"\xef\xbb\xbf{}".to_vec(), NOT_JSON),
        (b"{\0}".to_vec(), NOT_JSON),
        (b"\x1f\x8b\x08\x00".to_vec(), NOT_JSON),
        ([deep("external_id"), Vec::new()].concat(), INVALID),
    ]
}

/// A server with a subscriber that is suspended, and one that is not.
async fn shop() -> (TestApp, Key, [i64; 2]) {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "delete");
    let ids = [subscriber(&app, &key, "ada").await, subscriber(&app, &key, "bob").await];
    let suspended = app.post(&format!("{SUBSCRIBERS}/{}/suspend", ids[1]), &key, json!({})).await;
    assert_eq!(suspended.status, 200);
    (app, key, ids)
}

fn request(call: &str, key: &Key, ids: [i64; 2]) -> Request {
    let [active, suspended] = ids;
    match call {
        "PUT" => Request::new("PUT", &format!("{SUBSCRIBERS}/{active}")),
        "book" => Request::new("POST", TRANSACTIONS),
        "activate" => Request::new("POST", &format!("{SUBSCRIBERS}/{suspended}/activate")),
        other => Request::new("POST", &format!("{SUBSCRIBERS}/{active}/{other}")),
    }
    .key(key)
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn everything(app: &TestApp) -> impl PartialEq + std::fmt::Debug + use<> {
    (app.footprint(), app.rows("SELECT * FROM subscribers"), app.count("renewals"))
}

#[tokio::test]
async fn a_field_out_of_its_rule_is_named_and_nothing_is_written() {
    let (app, key, ids) = shop().await;
    let before = everything(&app);
    for (call, field, value, message) in FIELDS {
        // `*201`: 201 letters.
        let long = value.strip_prefix("\"*").and_then(|rest| rest.strip_suffix('"')?.parse().ok());
        let value = long.map_or_else(|| (*value).to_owned(), |length| format!("\"{}\"", "é".repeat(length)));
        let mut body = String::from("{");
        if *call == "book" {
            let good =
                [("subscriber_id", ids[0].to_string()), ("type", "\"payment\"".to_owned()), ("amount", "1".to_owned())];
            for (name, good) in good.iter().filter(|(name, _)| name != field) {
                body.push_str(&format!("\"{name}\": {good}, "));
            }
        }
        body.push_str(&format!("\"{field}\": {value}}}"));
        let refused = app.call(request(call, &key, ids).header(JSON.0, JSON.1).body(body)).await;
        let told = format!("{call} {field}: {value}: {}", refused.text);
        assert_eq!((refused.status, refused.code()), (400, INVALID), "{told}");
        assert!(refused.message().starts_with(&format!("{field} {message}")), "{told}");
        assert_eq!(everything(&app), before, "{told}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_by_every_call() {
    let (app, key, ids) = shop().await;
    let before = everything(&app);
    for call in ["PUT", "suspend", "activate", "renew", "book"] {
        for (body, code) in bodies() {
            let takes_it = code == INVALID && matches!(call, "suspend" | "activate");
            if takes_it {
                continue;
            }
            let shown: String = String::from_utf8_lossy(&body).chars().take(60).collect();
            let refused = app.call(request(call, &key, ids).header(JSON.0, JSON.1).body(body)).await;
            assert_eq!((refused.status, refused.code()), (400, code), "{call} {shown}: {}", refused.text);
            assert_eq!(everything(&app), before, "{call} {shown}");
        }
    }
}

#[tokio::test]
async fn a_field_that_is_given_twice_is_refused() {
    let (app, key, ids) = shop().await;
    let before = everything(&app);
    for (call, field, body) in [
        ("PUT", "note", r#"{"note": "a", "note": "a"}"#),
        ("PUT", "external_id", r#"{"external_id": "a", "phone": "1", "external_id": null}"#),
        ("PUT", "note", "{\"note\": \"a\", \"n\\u006fte\": \"b\"}"),
        ("suspend", "reason", r#"{"reason": null, "reason": "b"}"#),
        ("activate", "reason", r#"{"reason": "a", "reason": "b"}"#),
        ("renew", "periods", r#"{"periods": 1, "periods": 24}"#),
        ("renew", "price", r#"{"price": 1, "price": 1}"#),
        ("book", "amount", r#"{"subscriber_id": 1, "type": "payment", "amount": 1, "amount": 9}"#),
        ("book", "type", r#"{"subscriber_id": 1, "type": "payment", "type": "charge", "amount": 1}"#),
    ] {
        let refused = app.call(request(call, &key, ids).header(JSON.0, JSON.1).body(body)).await;
        assert_eq!((refused.status, refused.code()), (400, INVALID), "{call} {body}: {}", refused.text);
        assert_eq!(refused.message(), format!("{field} is given twice"), "{call} {body}");
        assert_eq!(everything(&app), before, "{call} {body}");
    }
}

#[tokio::test]
async fn only_json_is_read_where_there_is_a_body() {
    let (app, key, ids) = shop().await;
    let before = everything(&app);
    for call in ["PUT", "suspend", "activate", "renew", "book"] {
        for (name, value) in [
            ("content-type", "text/plain"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-type", "multipart/form-data; boundary=x"),
            ("content-type", "application/xml"),
            ("content-type", "application/json; charset=utf-16"),
            ("content-encoding", "gzip"),
        ] {
            let body = r#"{"note": "x", "subscriber_id": 1, "type": "payment", "amount": 1}"#;
            let refused = app.call(request(call, &key, ids).header(name, value).body(body)).await;
            let told = format!("{call} {name}: {value}: {}", refused.text);
            assert_eq!((refused.status, refused.code()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{told}");
            assert_eq!(everything(&app), before, "{told}");
        }
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_deep_unknown_fields_are_not() {
    let (app, key, ids) = shop().await;
    let before = everything(&app);
    for call in ["PUT", "suspend", "activate", "renew", "book"] {
        let refused = app.call(request(call, &key, ids).body(" ".repeat(8 << 20) + "{}")).await;
        assert_eq!((refused.status, refused.code()), (413, "PAYLOAD_TOO_LARGE"), "{call}: {}", refused.text);
        assert_eq!(everything(&app), before, "{call}");
    }
    let deep = format!("{{\"unknown\": {}{}}}", "{\"a\":".repeat(9999) + "1", "}".repeat(9999));
    for call in ["PUT", "suspend", "activate", "renew"] {
        let answer = app.call(request(call, &key, ids).body(deep.clone())).await;
        assert_eq!(answer.status, 200, "{call}: {}", answer.text);
    }
}
