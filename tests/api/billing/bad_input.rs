//! What is wrong with a body is told as `<field>: <what is wrong>`, and nothing is written.

use serde_json::{Value, json};

use super::calls::{ACCOUNTS, account, create, detail, get, one, row, send, told, whole, with};
use crate::support::{Request, TestApp};

/// A field, a value it must not have, and what is said of it.
type Wrong = (&'static str, Value, &'static str);

const USERNAME: &str = "must be 2-32 of A-Z a-z 0-9 . _ - and begin with a letter";
const EMAIL: &str = "must be an e-mail address such as name@example.com, at most 254 bytes";
const EITHER: &str = "must be a string or an integer";
const SHORT: &str = "must be at most 200 characters without control characters";

/// What is wrong in a create and in an update alike.
fn everywhere() -> Vec<Wrong> {
    let long = |length: usize| json!("x".repeat(length));
    vec![
        ("email", json!(5), "must be a string"),
        ("email", json!("ada"), EMAIL),
        ("email", json!("ada@example.com\n"), EMAIL),
        ("email", json!("a\u{0}@example.com"), EMAIL),
        ("email", json!(format!("{}@example.com", "x".repeat(250))), EMAIL),
        ("password", json!(12_345_678), "must be a string"),
        ("password", json!("short12"), "must have at least 8 characters"),
        ("password", long(129), "must have at most 128 characters"),
        ("password", json!("TestPass\u{0}123"), "must not contain U+0000"),
        ("password", json!("password"), "is one of the 3000 commonest passwords; choose one that nobody else uses"),
        ("full_name", json!(["Ada"]), "must be a string"),
        ("full_name", long(201), SHORT),
        ("full_name", json!("Ada\u{0}"), SHORT),
        ("full_name", json!("Ada\r\nBcc: x"), SHORT),
        ("phone", json!(961), "must be a string"),
        ("phone", long(51), "must be at most 50 characters without control characters"),
        ("company", json!({}), "must be a string"),
        ("company", json!("\u{7}"), SHORT),
        ("package_id", json!(true), EITHER),
        ("package_id", json!(1.5), EITHER),
        ("package_id", json!([1]), EITHER),
        ("package_id", json!(-1), "unknown package"),
        ("package_id", json!(""), "unknown package"),
        ("package_id", json!("99999999999999999999"), "unknown package"),
        ("is_admin", json!("true"), "must be a boolean"),
        ("is_admin", json!(1), "must be a boolean"),
        ("billing_id", json!(1.5), EITHER),
        ("billing_id", json!(false), EITHER),
        ("billing_id", json!({"id": 1}), EITHER),
        ("billing_id", long(256), "must be 1-255 characters without control characters"),
        ("billing_id", json!("a\u{0}b"), "must be 1-255 characters without control characters"),
        ("metadata", json!("{}"), "must be an object"),
        ("metadata", json!([]), "must be an object"),
        ("metadata", json!(5), "must be an object"),
        ("metadata", json!({"a": "x".repeat(16 * 1024)}), "must be at most 16 KiB"),
        ("metadata", json!({"a": ["\u{0}"]}), "must not contain U+0000"),
    ]
}

#[tokio::test]
async fn each_field_of_a_create_is_checked() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let of_create: Vec<Wrong> = vec![
        ("username", json!(null), "is required"),
        ("username", json!(""), "is required"),
        ("username", json!(7), "must be a string"),
        ("username", json!("a"), USERNAME),
        ("username", json!("1ada"), USERNAME),
        ("username", json!("a".repeat(33)), USERNAME),
        ("username", json!("ada lovelace"), USERNAME),
        ("username", json!("ada\u{0}"), USERNAME),
        ("username", json!("../etc"), USERNAME),
        ("username", json!("ádá"), USERNAME),
        ("email", json!(null), "is required"),
        ("email", json!(""), "is required"),
        ("password", json!(null), "is required"),
        ("password", json!(""), "is required"),
    ];
    let before = app.footprint();
    for (field, value, problem) in of_create.into_iter().chain(everywhere()) {
        let answer = create(&app, &key, &with("ada", &json!({field: value}))).await;
        assert_eq!(told(&answer), (400, format!("{field}: {problem}").as_str()), "{field} {value:.80}");
        assert!(answer.body["request_id"].is_string());
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn each_field_of_an_update_is_checked() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let id = account(&app, &key, "ada").await;
    let of_update: Vec<Wrong> = vec![
        ("username", json!(7), "must be a string"),
        ("email", json!(""), "is required"),
        ("password", json!(""), "must have at least 8 characters"),
        ("is_active", json!(0), "must be a boolean"),
    ];
    let before = (app.footprint(), row(&app, id));
    for (field, value, problem) in of_update.into_iter().chain(everywhere()) {
        let answer = send(&app, &key, "PUT", &one(id), &json!({"phone": "9", field: value})).await;
        assert_eq!(told(&answer), (400, format!("{field}: {problem}").as_str()), "{field} {value:.80}");
    }
    assert_eq!((app.footprint(), row(&app, id)), before);
}

#[tokio::test]
async fn a_reason_is_checked() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let id = account(&app, &key, "ada").await;
    for (value, problem) in [
        (json!(5), "must be a string"),
        (json!("x".repeat(501)), "must be at most 500 characters without control characters"),
        (json!("a\u{0}"), "must be at most 500 characters without control characters"),
    ] {
        for call in ["suspend", "unsuspend"] {
            let body = json!({"reason": value});
            let answer = send(&app, &key, "POST", &format!("{}/{call}", one(id)), &body).await;
            assert_eq!(told(&answer), (400, format!("reason: {problem}").as_str()));
        }
    }
    assert_eq!(row(&app, id)["status"], "active");
}

/// What no client's library would write.
#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused_without_repeating_it() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let id = account(&app, &key, "ada").await;
    let full = |metadata: &str| {
        format!(r#"{{"username":"bob","email":"b@example.com","password":"TestPass123!","metadata":{metadata}}}"#)
    };
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(300), "]".repeat(300));
    let no_objects = ["[]", "\"TestPass123!\"", "null", "{", "{\"reason\": \"TestPass123!", "{'reason': 1}", "{} {}"];
    let of_fields = [
        r#"{"username":"bob","username":"eve"}"#.to_owned(),
        r#"{"username":"\ud800"}"#.to_owned(),
        full(&deep),
        full(r#"{"a":1e400}"#),
        full(r#"{"a":"\ud800"}"#),
        full(r#"{"\u0000":1}"#),
    ];
    let calls = [("POST", ACCOUNTS.to_owned()), ("PUT", one(id)), ("POST", format!("{}/suspend", one(id)))];
    let before = (app.footprint(), row(&app, id));
    for (at, body) in no_objects.map(str::to_owned).into_iter().chain(of_fields).enumerate() {
        // Suspending knows none of the fields, and skips what is in them.
        for (method, target) in &calls[..if at < no_objects.len() { 3 } else { 2 }] {
            let request = key.on(Request::new(method, target)).header("content-type", "application/json");
            let answer = app.call(request.body(body.clone())).await;
            assert_eq!(answer.status, 400, "{method} {target} {body:.60}: {}", answer.text);
            assert!(!detail(&answer).is_empty() && !answer.text.contains("TestPass"), "{}", answer.text);
        }
    }
    assert_eq!((app.footprint(), row(&app, id)), before);
}

#[tokio::test]
async fn a_list_is_asked_for_in_numbers() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    for (query, text) in [
        ("limit=0", "limit: must be an integer from 1 to 1000"),
        ("limit=1001", "limit: must be an integer from 1 to 1000"),
        ("limit=-1", "limit: must be an integer from 1 to 1000"),
        ("limit=ten", "limit: must be an integer from 1 to 1000"),
        ("limit=1&limit=2", "limit: is given twice"),
        ("skip=-1", "skip: must be an integer from 0 on"),
        ("skip=99999999999999999999", "skip: must be an integer from 0 on"),
        ("skip=x", "skip: must be an integer from 0 on"),
        ("username=%00", "username: must be at most 255 characters without control characters"),
        ("billing_id=1&billing_id=2", "billing_id: is given twice"),
    ] {
        assert_eq!(told(&get(&app, &key, &format!("{ACCOUNTS}?{query}")).await), (400, text), "{query}");
    }
    for query in ["limit=1000", "limit=", "skip=9223372036854775807&limit=1000", "unknown=1", "username="] {
        assert_eq!(get(&app, &key, &format!("{ACCOUNTS}?{query}")).await.status, 200, "{query}");
    }
}
