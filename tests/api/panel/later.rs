//! What is not built yet: gated from the start, 501 behind the gate, and an out-of-scope key learns nothing (seed:
//! "Permission scope"; panel.md, Later).

use panel::domain::keys::Permission;
use serde_json::json;

use super::people;
use crate::support::{Request, TestApp};

/// The seed's table: the prefix, and the word that opens it.
const PREFIXES: &[(&str, Option<&str>)] = &[
    ("domains", Some("domains")),
    ("subdomains", Some("domains")),
    ("dns", Some("dns")),
    ("ssl", Some("ssl")),
    ("databases", Some("database")),
    ("email", Some("email")),
    ("files", Some("files")),
    ("ftp", Some("ftp")),
    ("backups", Some("backup")),
    ("restore", Some("backup")),
    ("backup-schedules", Some("backup")),
    // Resources without a word of their own.
    ("webhooks", None),
    ("auth/sso", None),
    ("nothing", None),
    ("domainsx", None),
    ("system", None),
    ("security", None),
];

fn opens(permission: &str, method: &str, word: Option<&str>) -> bool {
    permission == "all" || Some(permission) == word || (permission == "read" && matches!(method, "GET" | "HEAD"))
}

#[tokio::test]
async fn each_prefix_asks_for_its_word_before_it_says_that_it_is_not_there() {
    let app = TestApp::spawn().await;
    people(&app);
    for permission in Permission::ALL.map(Permission::as_str) {
        let key = app.panel_key("ulla", permission);
        for (prefix, word) in PREFIXES {
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
                for tail in ["", "/", "/7", "/a/b"] {
                    let target = format!("/api/v1/{prefix}{tail}");
                    let answer = app.call(Request::new(method, &target).bearer(key.secret())).await;
                    let built_later = word.is_some() || matches!(*prefix, "webhooks" | "auth/sso");
                    let expected = match opens(permission, method, *word) {
                        false => 403,
                        true if built_later => 501,
                        true => 404,
                    };
                    assert_eq!(answer.status, expected, "{permission}: {method} {target}: {}", answer.text);
                    if expected == 403 && method != "HEAD" {
                        let segment = prefix.split('/').next().unwrap();
                        let text = format!("API key is not scoped for '{segment}' on this request");
                        assert_eq!(
                            answer.panel(),
                            (403, "FORBIDDEN", text.as_str()),
                            "{permission}: {method} {target}"
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_session_learns_what_is_not_built_and_a_stranger_nothing() {
    let app = TestApp::spawn().await;
    people(&app);
    let ulla = app.panel_token("ulla");
    for (prefix, word) in PREFIXES {
        let built_later = word.is_some() || matches!(*prefix, "webhooks" | "auth/sso");
        for method in ["GET", "POST"] {
            let target = format!("/api/v1/{prefix}");
            let known = app.ask(method, &target, &ulla, json!({})).await;
            let expected = if built_later { (501, "NOT_IMPLEMENTED") } else { (404, "NOT_FOUND") };
            assert_eq!((known.status, known.panel().1), expected, "{method} {target}");
            let stranger = app.ask(method, &target, "", json!({})).await;
            assert_eq!(stranger.status, if built_later { 401 } else { 404 }, "{method} {target}");
            let wrong = app.ask(method, &target, "wsp_unknown", json!({})).await;
            assert_eq!(wrong.panel().2, "Invalid API key", "{method} {target}");
        }
    }
}
