//! `POST /subscribers`: everything that is not taken, and that nothing is written for it.

use serde_json::json;

use crate::support::{Request, SUBSCRIBERS, TestApp};

const INVALID: &str = "INVALID_PARAMETER";
const NOT_JSON: &str = "INVALID_JSON";

/// The value of a field beside a good username and service, the code of its refusal, and how the message begins.
fn fields() -> Vec<(&'static str, String, &'static str, &'static str)> {
    let text = |length| format!("\"{}\"", "x".repeat(length));
    let plain = |text: &str| text.to_owned();
    vec![
        ("username", plain("null"), INVALID, "username is required"),
        ("username", plain("\"\""), INVALID, "username is required"),
        ("username", plain("5"), INVALID, "username must be a string"),
        ("username", plain("true"), INVALID, "username must be a string"),
        ("username", plain("[\"ada\"]"), INVALID, "username must be a string"),
        ("username", plain("{\"a\":1}"), INVALID, "username must be a string"),
        ("username", plain("\"a b\""), INVALID, "username must be 1-100 characters"),
        ("username", plain("\" \""), INVALID, "username must be 1-100 characters"),
        ("username", plain("\"ada\\n\""), INVALID, "username must be 1-100 characters"),
        ("username", plain("\"a\\tb\""), INVALID, "username must be 1-100 characters"),
        ("username", plain("\"a\\u0000b\""), INVALID, "username must be 1-100 characters"),
        ("username", plain("\"a\\u007fb\""), INVALID, "username must be 1-100 characters"),
        ("username", plain("\"a\\u00a0b\""), INVALID, "username must be 1-100 characters"),
        ("username", plain("\"a\\u2028b\""), INVALID, "username must be 1-100 characters"),
        ("username", plain("\"a\\u3000b\""), INVALID, "username must be 1-100 characters"),
        ("username", text(101), INVALID, "username must be 1-100 characters"),
        ("service_id", plain("null"), INVALID, "service_id is required"),
        ("service_id", plain("\"1\""), INVALID, "service_id must be an integer"),
        ("service_id", plain("\"\""), INVALID, "service_id must be an integer"),
        ("service_id", plain("1.5"), INVALID, "service_id must be an integer"),
        ("service_id", plain("1e2"), INVALID, "service_id must be an integer"),
        ("service_id", plain("true"), INVALID, "service_id must be an integer"),
        ("service_id", plain("[1]"), INVALID, "service_id must be an integer"),
        ("service_id", plain("9223372036854775808"), INVALID, "service_id must be an integer"),
        ("service_id", plain("123456789012345678901234567890"), INVALID, "service_id must be an integer"),
        ("service_id", plain("1e400"), INVALID, "service_id is out of range"),
        ("service_id", plain("0"), INVALID, "service_id does not exist"),
        ("service_id", plain("-1"), INVALID, "service_id does not exist"),
        ("service_id", plain("999"), INVALID, "service_id does not exist"),
        ("service_id", plain("9223372036854775807"), INVALID, "service_id does not exist"),
        ("service_id", plain("3"), INVALID, "service_id does not exist"),
        ("password", plain("5"), INVALID, "password must be a string"),
        ("password", plain("\"two\\nlines\""), INVALID, "password must be 1-128 bytes"),
        ("password", plain("\"\\u0000\""), INVALID, "password must be 1-128 bytes"),
        ("password", text(129), INVALID, "password must be 1-128 bytes"),
        ("password", format!("\"{}\"", "é".repeat(65)), INVALID, "password must be 1-128 bytes"),
        ("full_name", plain("5"), INVALID, "full_name must be a string"),
        ("full_name", text(201), INVALID, "full_name must be at most 200 characters"),
        ("full_name", plain("\"a\\u0000\""), INVALID, "full_name must be at most 200 characters"),
        ("full_name", plain("\"a\\nb\""), INVALID, "full_name must be at most 200 characters"),
        ("phone", plain("96170123456"), INVALID, "phone must be a string"),
        ("phone", text(51), INVALID, "phone must be at most 50 characters"),
        ("address", text(501), INVALID, "address must be at most 500 characters"),
        ("address", plain("\"a\\u0000\""), INVALID, "address must be at most 500 characters"),
        ("address", plain("\"a\\u001b[31m\""), INVALID, "address must be at most 500 characters"),
        ("email", text(255), INVALID, "email must be at most 254 characters"),
        ("email", plain("false"), INVALID, "email must be a string"),
        ("note", text(2001), INVALID, "note must be at most 2000 characters"),
        ("note", plain("\"\\u0000\""), INVALID, "note must be at most 2000 characters"),
        ("expiry_date", plain("20261231"), INVALID, "expiry_date must be a string"),
        ("expiry_date", plain("\"\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"tomorrow\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"2026-02-30\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"2026-13-01\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"2026-1-1\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"31/12/2026\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"1969-12-31\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"10000-01-01\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"2026-12-31T25:00:00Z\""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"2026-12-31 \""), INVALID, "expiry_date must be a date"),
        ("expiry_date", plain("\"2026-12-3\u{663}\""), INVALID, "expiry_date must be a date"),
        ("nas_id", plain("0"), INVALID, "nas_id does not exist"),
        ("nas_id", plain("-5"), INVALID, "nas_id does not exist"),
        ("nas_id", plain("9"), INVALID, "nas_id does not exist"),
        ("nas_id", plain("\"7\""), INVALID, "nas_id must be an integer"),
        ("nas_id", plain("7.5"), INVALID, "nas_id must be an integer"),
        ("external_id", plain("\"\""), INVALID, "external_id must be 1-255 characters"),
        ("external_id", text(256), INVALID, "external_id must be 1-255 characters"),
        ("external_id", plain("\"a\\u0000\""), INVALID, "external_id must be 1-255 characters"),
        ("external_id", plain("17"), INVALID, "external_id must be a string"),
        ("status", plain("2"), "FORBIDDEN", "status cannot be set"),
        ("status", plain("3"), "FORBIDDEN", "status cannot be set"),
        ("status", plain("0"), "FORBIDDEN", "status cannot be set"),
        ("status", plain("\"active\""), INVALID, "status must be an integer"),
        ("balance", plain("5"), "FORBIDDEN", "balance cannot be set"),
        ("balance", plain("-0.01"), "FORBIDDEN", "balance cannot be set"),
        ("balance", plain("1e400"), INVALID, "balance is out of range"),
        ("balance", plain("\"5\""), INVALID, "balance must be"),
    ]
}

/// Whole bodies that are not an object with the right fields.
fn bodies() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let deep = format!("{{\"username\": {}{}, \"service_id\": 1}}", "[".repeat(9999), "]".repeat(9999));
    let text = |body: &str| body.as_bytes().to_vec();
    vec![
        (text(""), INVALID, "username is required"),
        (text(" \r\n\t"), INVALID, "username is required"),
        (text("{}"), INVALID, "username is required"),
        (text(r#"{"username": "ada"}"#), INVALID, "service_id is required"),
        (text(r#"{"service_id": 1}"#), INVALID, "username is required"),
        (text(r#"{"Username": "ada", "service_id": 1}"#), INVALID, "username is required"),
        (text(r#"{"username": "ada", "username": "bob", "service_id": 1}"#), INVALID, "username is given twice"),
        (text(r#"{"username": "ada", "service_id": 1, "service_id": 2}"#), INVALID, "service_id is given twice"),
        (text("[]"), NOT_JSON, "The body is not valid JSON"),
        (text(r#"[{"username": "ada", "service_id": 1}]"#), NOT_JSON, "The body is not valid JSON"),
        (text("null"), NOT_JSON, "The body is not valid JSON"),
        (text("true"), NOT_JSON, "The body is not valid JSON"),
        (text("17"), NOT_JSON, "The body is not valid JSON"),
        (text("\"username\""), NOT_JSON, "The body is not valid JSON"),
        (text("username=ada&service_id=1"), NOT_JSON, "The body is not valid JSON"),
        (text("{"), NOT_JSON, "The body is not valid JSON"),
        (text(r#"{"username": "ada", "service_id": 1"#), NOT_JSON, "The body is not valid JSON"),
        (text(r#"{"username": "ada", "service_id": 1,}"#), NOT_JSON, "The body is not valid JSON"),
        (text(r#"{"username": "ada", "service_id": 1} {}"#), NOT_JSON, "The body is not valid JSON"),
        (text(r#"{"username": "ada", "service_id": 1}x"#), NOT_JSON, "The body is not valid JSON"),
        (text("{'username': 'ada', 'service_id': 1}"), NOT_JSON, "The body is not valid JSON"),
        (text(r#"{"username": "ada", "service_id": 01}"#), NOT_JSON, "The body is not valid JSON"),
        (text(r#"{"username": "ada", "service_id": NaN}"#), NOT_JSON, "The body is not valid JSON"),
        (text(r#"{"username": "\ud800", "service_id": 1}"#), NOT_JSON, "The body is not valid JSON"),
        (text("{\"username\": \"a\u{1}b\", \"service_id\": 1}"), NOT_JSON, "The body is not valid JSON"),
        (b"{\"username\": \"a\xff\", \"service_id\": 1}".to_vec(), NOT_JSON, "The body is not valid JSON"),
        (b"\xef\xbb\xbf{\"username\": \"ada\", \"service_id\": 1}".to_vec(), NOT_JSON, "The body is not valid JSON"),
        (b"\xff\xfe{\0}\0".to_vec(), NOT_JSON, "The body is not valid JSON"),
        (deep.into_bytes(), INVALID, "username must be a string"),
    ]
}

#[tokio::test]
async fn a_field_out_of_its_rule_is_named_and_nothing_is_written() {
    let app = TestApp::spawn().await;
    app.service(3, 1, "month");
    app.change("UPDATE services SET deleted_at = 1 WHERE id = 3", []);
    app.nas(9);
    app.change("UPDATE nas SET deleted_at = 1", []);
    let key = app.external_key("admin", "write");
    let before = app.footprint();

    for (field, value, code, message) in fields() {
        let mut body = String::from("{");
        for (name, good) in [("username", "\"ada\""), ("service_id", "1")].iter().filter(|(name, _)| *name != field) {
            body.push_str(&format!("\"{name}\": {good}, "));
        }
        body.push_str(&format!("\"{field}\": {value}}}"));
        let request = Request::new("POST", SUBSCRIBERS).key(&key).header("content-type", "application/json");
        let refused = app.call(request.body(body)).await;

        let status = if code == "FORBIDDEN" { 403 } else { 400 };
        assert_eq!((refused.status, refused.code()), (status, code), "{field}: {value}: {}", refused.text);
        assert!(refused.message().starts_with(message), "{field}: {value}: {}", refused.message());
        assert_eq!(app.footprint(), before, "{field}: {value}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_and_nothing_is_written() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let before = app.footprint();
    for (body, code, message) in bodies() {
        let shown: String = String::from_utf8_lossy(&body).chars().take(80).collect();
        let request = Request::new("POST", SUBSCRIBERS).key(&key).header("content-type", "application/json");
        let refused = app.call(request.body(body)).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{shown}: {}", refused.text);
        assert!(refused.message().starts_with(message), "{shown}: {}", refused.message());
        assert_eq!(app.footprint(), before, "{shown}");
    }
}

/// Also where the bytes stand in a field that is ignored.
#[tokio::test]
async fn a_body_that_is_not_utf8_is_refused_wherever_the_bytes_stand() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let body = b"{\"username\": \"ada\", \"service_id\": 1, \"x\": \"\xc3\x28\"}".as_slice();
    let refused = app.call(Request::new("POST", SUBSCRIBERS).key(&key).body(body)).await;
    assert_eq!((refused.status, refused.code()), (400, NOT_JSON), "{}", refused.text);
    assert_eq!(app.count("subscribers"), 0);
}

#[tokio::test]
async fn a_refusal_does_not_repeat_a_password() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    for body in [
        r#"{"username": "ada", "service_id": 1, "password": "s3cr3t-\u0001"}"#,
        r#"{"username": "ada", "service_id": "s3cr3t"}"#,
        r#"{"username": "ada", "password": "s3cr3t", "service_id": }"#,
        r#"{"username": "ada", "password": {"s3cr3t": 1}, "service_id": 1}"#,
        r#"{"username": "ada", "password": "s3cr3t", "password": "s3cr3t", "service_id": 1}"#,
    ] {
        let refused = app.call(Request::new("POST", SUBSCRIBERS).key(&key).body(body)).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(!refused.text.contains("s3cr3t"), "{}", refused.text);
    }
}

#[tokio::test]
async fn only_json_is_read_and_an_empty_body_is_an_empty_object() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let body = |at: usize| json!({"username": format!("ada-{at}"), "service_id": 1}).to_string();
    let before = app.footprint();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "text/json",
        "application/jsonp",
        "*/*",
    ] {
        let request = Request::new("POST", SUBSCRIBERS).key(&key).header("content-type", kind);
        let refused = app.call(request.clone().body(body(0))).await;
        assert_eq!((refused.status, refused.code()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{kind}");
        let empty = app.call(request.body("")).await;
        assert_eq!((empty.status, empty.message()), (400, "username is required"), "{kind}");
    }
    assert_eq!(app.footprint(), before);
    for (at, kind) in
        ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.isp+json", ""]
            .into_iter()
            .enumerate()
    {
        let mut request = Request::new("POST", SUBSCRIBERS).key(&key).body(body(at));
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        assert_eq!(app.call(request).await.status, 201, "{kind}");
    }
}

#[tokio::test]
async fn the_longest_values_are_taken() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let long = |length: usize| "é".repeat(length);
    let body = json!({
        "username": long(100), "service_id": 1, "password": "x".repeat(128), "full_name": long(200), "phone": long(50),
        "address": long(500), "email": long(254), "note": long(2000), "external_id": long(255),
    });
    let made = app.post(SUBSCRIBERS, &key, body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(app.post(SUBSCRIBERS, &key, body).await.id(), made.id());
}
