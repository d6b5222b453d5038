//! `/users/{username}/features`: what is refused, what is kept, what is written down.

use serde_json::{Value, json};

use super::{FLAGS, features_of, people};
use crate::support::{Request, TestApp};

#[tokio::test]
async fn a_flag_that_is_no_boolean_is_refused_by_name_and_nothing_of_the_rest_is_done() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let before = app.footprint();
    for flag in FLAGS {
        for bad in [json!("true"), json!(1), json!(0.5), json!([]), json!({}), json!("")] {
            let refused = app.ask("PUT", &features_of("ulla"), &admin, json!({"php": false, flag: bad})).await;
            let text = format!("{flag} must be a boolean");
            assert_eq!(refused.panel(), (400, "VALIDATION_ERROR", text.as_str()), "{bad}");
        }
    }
    let twice = Request::new("PUT", &features_of("ulla")).bearer(&admin).body(r#"{"api": false, "api": true}"#);
    assert_eq!(app.call(twice).await.panel(), (400, "VALIDATION_ERROR", "api is given twice"));
    for body in ["[]", "true", "{", "null"] {
        let broken = Request::new("PUT", &features_of("ulla")).bearer(&admin).body(body);
        assert_eq!(app.call(broken).await.status, 400, "{body}");
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn a_change_is_partial_and_its_audit_says_what_was_and_what_is() {
    let app = TestApp::at("2026-05-18T10:39:25Z").await;
    people(&app);
    let admin = app.panel_token("admin");
    let body = json!({"ssh": false, "cron": null, "unknown": 5});

    let done = app.ask("PUT", &features_of("ulla"), &admin, body).await;

    let off: Vec<_> = FLAGS.iter().filter(|flag| done.body["features"][flag] == false).collect();
    assert_eq!(off, [&"ssh"]);
    assert_eq!(app.see(&features_of("ulla"), &admin).await.body["features"], done.body["features"]);
    let row = app.last_audit();
    assert_eq!((&row["action"], &row["object_id"]), (&json!("users.update"), &json!(app.user_id("ulla"))));
    assert_eq!(serde_json::from_str::<Value>(row["before"].as_str().unwrap()).unwrap(), json!({"can_use_ssh": null}));
    assert_eq!(serde_json::from_str::<Value>(row["after"].as_str().unwrap()).unwrap(), json!({"can_use_ssh": false}));
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let app = TestApp::spawn().await;
    people(&app);
    let admin = app.panel_token("admin");
    let before = app.footprint();
    for body in [json!({}), json!({"api": null}), json!({"unknown": true})] {
        assert_eq!(app.ask("PUT", &features_of("ulla"), &admin, body.clone()).await.status, 200, "{body}");
        assert_eq!(app.footprint(), before, "{body}");
    }
    let empty = Request::new("PUT", &features_of("ulla")).bearer(&admin).header("content-type", "application/json");
    assert_eq!(app.call(empty).await.status, 200);
}

/// The current value is accepted of a field that this caller may not set (README.md, Every answer).
#[tokio::test]
async fn a_reseller_may_send_its_own_flags_back_as_it_got_them() {
    let app = TestApp::spawn().await;
    people(&app);
    let rita = app.panel_token("rita");
    let shown = app.see(&features_of("rita"), &rita).await.body["features"].clone();
    let before = app.footprint();
    let back = app.ask("PUT", &features_of("rita"), &rita, shown).await;
    assert_eq!(back.status, 200, "{}", back.text);
    assert_eq!(app.footprint(), before);
}
