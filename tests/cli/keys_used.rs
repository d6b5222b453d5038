//! What is known of a key's use: its log, who still uses an old secret, and counts that a killed server leaves behind.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::home::{DEADLINE, Home, SUBSCRIBERS};

/// Asks until the answer is yes.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "{what}: never");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn logged(home: &Home, reference: &str, rows: usize) -> Vec<Value> {
    let all = || home.ok(["--json", "key", "logs", reference]).json().as_array().unwrap().clone();
    eventually("the log is written", || all().len() >= rows);
    all()
}

#[test]
fn the_log_of_an_unused_key_is_an_empty_array() {
    let home = Home::with_database();
    home.mint("read");
    assert_eq!(home.ok(["--json", "key", "logs", "1"]).json(), json!([]));
    let shown = home.ok(["--json", "key", "show", "1"]).json();
    assert_eq!(shown["old_secret_used_by"], json!([]));
    let newest = json!([{"generation": 1, "replaced_at": null, "works_until": null, "alive": true}]);
    assert_eq!(shown["generations"], newest);
}

#[test]
fn the_log_shows_the_newest_call_first_with_its_gate_and_as_many_as_asked_for() {
    let home = Home::new();
    let server = home.serve();
    let (_, key) = home.mint("read");
    home.mint("read");
    server.get(SUBSCRIBERS, &key);
    server.send("POST", SUBSCRIBERS, &[("X-API-Key", &key)], "");
    server.get("/api/v1/external/nope", &key);
    let rows = logged(&home, "1", 3);
    let seen: Vec<_> =
        rows.iter().map(|row| json!([row["method"], row["path"], row["status_code"], row["gate"]])).collect();
    let expected = [
        json!(["GET", "/api/v1/external/nope", 404, null]),
        json!(["POST", SUBSCRIBERS, 403, "scope"]),
        json!(["GET", SUBSCRIBERS, 200, null]),
    ];
    assert_eq!(seen, expected);
    assert_eq!((&rows[0]["generation"], &rows[0]["ip"]), (&json!(1), &json!("127.0.0.1")));
    assert!(rows[0]["latency_ms"].is_number() && rows[0]["request_id"].is_string(), "{}", rows[0]);
    assert_eq!(home.ok(["--json", "key", "logs", "1", "--limit", "2"]).json().as_array().unwrap()[..], rows[..2]);
    assert_eq!(home.ok(["--json", "key", "logs", "2"]).json(), json!([]), "another key's log");
}

#[test]
fn the_log_says_how_many_rows_could_not_be_kept() {
    let home = Home::new();
    let mut server = home.serve();
    let (_, key) = home.mint("read");
    server.get(SUBSCRIBERS, &key);
    assert_eq!(server.stop(), Some(0));
    let quiet = home.ok(["key", "logs", "1"]);
    assert!(!quiet.stderr.contains("could not be kept"), "{quiet:?}");
    let insert = "INSERT INTO dropped_logs (hour, rows) VALUES (491670, 40), (491671, 2)";
    home.open("panel-logs.db").execute(insert, []).unwrap();
    for arguments in [&["key", "logs", "1"][..], &["--json", "key", "logs", "1"]] {
        let ran = home.ok(arguments);
        assert!(ran.stderr.contains("42 rows of all keys could not be kept"), "{ran:?}");
        assert!(!ran.stdout.contains("could not"), "data stays data: {ran:?}");
    }
}

#[test]
fn each_refusal_of_a_key_is_one_line_of_the_servers_log_and_never_holds_the_secret() {
    let home = Home::new();
    let server = home.serve();
    let (_, key) = home.mint("read");
    let headers = [("X-API-Key", key.as_str()), ("X-Request-Id", "req-7")];
    assert_eq!(server.send("POST", SUBSCRIBERS, &headers, "").status, 403);
    let line = format!(
        "API key {} permission refused: 403 scope needs write, has read ip=127.0.0.1 request_id=req-7",
        &key[..12]
    );
    eventually("the line is written", || server.said().matches(&line).count() == 1);
    assert!(!server.said().contains(&key[12..]), "{}", server.said());
}

#[test]
fn who_still_uses_an_old_secret_is_listed_only_after_it_was_replaced() {
    let home = Home::new();
    let server = home.serve();
    let (_, old) = home.mint("read");
    server.get(SUBSCRIBERS, &old);
    logged(&home, "1", 1);
    let users = || home.ok(["--json", "key", "show", "1"]).json()["old_secret_used_by"].clone();
    assert_eq!(users(), json!([]));

    let new = home.ok(["--json", "key", "rotate", "1", "--grace", "1h"]).json()["key"].as_str().unwrap().to_owned();
    server.get(SUBSCRIBERS, &new);
    logged(&home, "1", 2);
    assert_eq!(users(), json!([]), "before it was replaced it was no old secret");
    let answer = server.get(SUBSCRIBERS, &old);
    assert!(answer.head.to_ascii_lowercase().contains("\r\ndeprecation: @"), "{answer:?}");
    assert!(answer.head.to_ascii_lowercase().contains("\r\nsunset: "), "{answer:?}");
    server.get(SUBSCRIBERS, &old);
    logged(&home, "1", 4);

    let listed = users();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(json!([listed[0]["ip"], listed[0]["generation"], listed[0]["calls"]]), json!(["127.0.0.1", 1, 2]));
    let generations = home.ok(["--json", "key", "show", "1"]).json()["generations"].clone();
    let alive: Vec<_> =
        generations.as_array().unwrap().iter().map(|one| json!([one["generation"], one["alive"]])).collect();
    assert_eq!(alive, [json!([2, true]), json!([1, true])]);
    home.ok(["key", "rotate", "1", "--grace", "0"]);
    assert_eq!(server.get(SUBSCRIBERS, &new).code(), "API_KEY_REVOKED");
    let generations = home.ok(["--json", "key", "show", "1"]).json()["generations"].clone();
    let alive: Vec<_> = generations.as_array().unwrap().iter().map(|one| one["alive"].clone()).collect();
    assert_eq!(alive, [json!(true), json!(false), json!(false)]);
}

#[test]
fn the_counts_of_an_hour_and_a_day_survive_a_server_that_was_killed() {
    let home = Home::new();
    let (_, key) = home.mint("read");
    home.ok(["key", "update", "1", "--rate-day", "5"]);
    let server = home.serve();
    for _ in 0..5 {
        assert_eq!(server.get(SUBSCRIBERS, &key).status, 200);
    }
    let stored =
        || home.value::<i64>("panel.db", "SELECT coalesce(max(requests), 0) FROM key_usage WHERE period = 'day'");
    eventually("the counts are stored within a second or so", || stored() == 5);
    server.kill();

    let server = home.serve();
    let full = server.get(SUBSCRIBERS, &key);
    // The day may turn while this runs, but not twice.
    let full = if full.status == 429 { full } else { server.get(SUBSCRIBERS, &key) };
    assert!(full.status == 429 || stored() < 5, "{full:?}");
    assert!(full.status != 429 || full.json()["denied"][0]["have"] == "5 of 5 this day", "{full:?}");
}
