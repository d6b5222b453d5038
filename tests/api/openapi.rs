//! `/openapi.json` and `/docs` as they are served, and the description against the running server.

mod fields;
mod life;
mod world;

use panel::http::openapi;
use serde_json::Value;

use crate::support::document::{escaped, hold};
use crate::support::{Key, Request, TestApp};

#[tokio::test]
async fn the_document_is_served_to_everybody_as_it_is_made() {
    let app = TestApp::spawn().await;

    let answer = app.get("/openapi.json", &Key::none()).await;

    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.text, openapi::text());
    assert_eq!(&answer.body, openapi::document());
    let head = app.call(Request::new("HEAD", "/openapi.json")).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn the_page_needs_nothing_but_itself() {
    let app = TestApp::spawn().await;

    let page = app.get("/docs", &Key::none()).await;

    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("script-src") && !policy.contains("http"), "{policy}");
    assert!(!page.text.contains("<script") && !page.text.contains("://"));
    let parent = app.call(Request::new("POST", "/docs")).await;
    assert_eq!((parent.status, parent.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
}

/// Every example, of bodies and of answers, is one that its own schema takes.
#[test]
fn examples_are_what_their_schemas_say() {
    let mut seen = 0;
    let mut hold_all = |of: &str, content: &Value| {
        for (kind, media) in content.as_object().into_iter().flatten() {
            if let Some(example) = media.get("example") {
                seen += 1;
                hold(&format!("{of}/content/{}/schema", escaped(kind)), example, "the example");
            }
        }
    };
    let document = openapi::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("/paths/{}/{method}", escaped(path));
            hold_all(&format!("{at}/requestBody"), &operation["requestBody"]["content"]);
            for (status, response) in operation["responses"].as_object().unwrap() {
                hold_all(&format!("{at}/responses/{status}"), &response["content"]);
            }
        }
    }
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        hold_all(&format!("/components/responses/{name}"), &response["content"]);
    }
    assert!(seen > 100, "{seen}");
}
