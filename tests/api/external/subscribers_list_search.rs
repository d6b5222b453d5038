//! `GET /subscribers?username=`: the same rows before the search index has them, while it has some, and after.

use std::time::Duration;

use serde_json::json;

use crate::support::{Key, Plan, SUBSCRIBERS, TestApp};

const NAMES: &[&str] = &[
    "Alice@isp.lb",
    "malice",
    "al",
    "x%y",
    "xzy",
    "under_score",
    "underXscore",
    "quo\"te",
    "apos'trophe",
    "back\\slash",
    "AND",
    "or*star",
    "Ünïcode",
    "日本語の名前",
    "(paren)",
    "col:on",
    "minus-minus",
];

/// What is looked for (percent-encoded), and the rows that have it.
const SEARCHES: &[(&str, &[&str])] = &[
    ("alice", &["Alice@isp.lb", "malice"]),
    ("ALICE", &["Alice@isp.lb", "malice"]),
    ("lice%40isp", &["Alice@isp.lb"]),
    ("a", &["Alice@isp.lb", "malice", "al", "apos'trophe", "back\\slash", "AND", "or*star", "(paren)"]),
    ("al", &["Alice@isp.lb", "malice", "al"]),
    ("%25", &["x%y"]),
    ("x%25y", &["x%y"]),
    ("_", &["under_score"]),
    ("under_", &["under_score"]),
    ("r_s", &["under_score"]),
    ("%22", &["quo\"te"]),
    ("quo%22te", &["quo\"te"]),
    ("o%22t", &["quo\"te"]),
    ("%22%22%22", &[]),
    ("apos%27tro", &["apos'trophe"]),
    ("%27", &["apos'trophe"]),
    ("%27%20OR%201%3D1", &[]),
    ("k%5Cs", &["back\\slash"]),
    ("and", &["AND"]),
    ("AND", &["AND"]),
    ("alice%20OR%20AND", &[]),
    ("r*s", &["or*star"]),
    ("ali*", &[]),
    ("%C3%9CN%C3%8F", &["Ünïcode"]),
    ("%C3%BCn%C3%AF", &["Ünïcode"]),
    ("%C3%AF", &["Ünïcode"]),
    ("%E6%9C%AC%E8%AA%9E", &["日本語の名前"]),
    ("%E6%9C%AC%E8%AA%9E%E3%81%AE", &["日本語の名前"]),
    ("(paren)", &["(paren)"]),
    ("col:on", &["col:on"]),
    ("username_key:al", &[]),
    ("s-m", &["minus-minus"]),
    ("NOT", &[]),
    ("NEAR(", &[]),
    ("%5E", &[]),
];

async fn fill(app: &TestApp, key: &Key, names: &[&str]) {
    for name in names {
        let made = app.post(SUBSCRIBERS, key, json!({"username": name, "service_id": 1})).await;
        assert_eq!(made.status, 201, "{name}");
    }
}

async fn assert_found(app: &TestApp, key: &Key, when: &str) {
    for (needle, expected) in SEARCHES {
        let answer = app.get(&format!("{SUBSCRIBERS}?limit=100&username={needle}"), key).await;
        assert_eq!(answer.status, 200, "{when}: {needle}: {}", answer.text);
        let rows = answer.data().as_array().unwrap();
        let found: Vec<_> = rows.iter().map(|row| row["username"].as_str().unwrap()).collect();
        assert_eq!(found, *expected, "{when}: {needle}");
        assert_eq!(answer.body["pagination"]["total"], expected.len(), "{when}: {needle}");
    }
}

fn indexed(app: &TestApp) -> i64 {
    app.number("SELECT coalesce(max(upto_id), 0) FROM search_watermark")
}

#[tokio::test]
async fn rows_are_found_before_the_index_has_any() {
    let app = Plan::new().without_jobs().spawn().await;
    let key = app.external_key("admin", "write");
    fill(&app, &key, NAMES).await;
    assert_found(&app, &key, "without an index").await;
    assert_eq!(indexed(&app), 0);
}

#[tokio::test]
async fn rows_are_found_when_the_index_has_some_of_them() {
    let app = Plan::new().without_jobs().spawn().await;
    let key = app.external_key("admin", "write");
    fill(&app, &key, NAMES).await;
    assert!(app.write(|tx| panel::store::fill_search(tx, 8)).unwrap());
    assert_eq!(indexed(&app), 8);
    assert_found(&app, &key, "with half an index").await;
}

#[tokio::test]
async fn rows_are_found_when_the_job_has_indexed_them() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    fill(&app, &key, NAMES).await;
    let all = i64::try_from(NAMES.len()).unwrap();
    app.eventually("the index is full", Duration::from_secs(10), || indexed(&app) == all).await;
    assert_found(&app, &key, "with the index").await;

    app.change("UPDATE subscribers SET deleted_at = 1 WHERE username = 'malice'", []);
    let answer = app.get(&format!("{SUBSCRIBERS}?username=alice"), &key).await;
    assert_eq!(answer.body["pagination"]["total"], 1, "a deleted row is not found, whatever the index says");
}
