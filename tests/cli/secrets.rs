//! What must never be said: keys, passwords and setup tokens, on stderr or in a file.

use panel::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::home::{Home, SUBSCRIBERS};

#[test]
fn no_key_password_or_token_occurs_in_the_servers_log_at_its_most_talkative() {
    let home = Home::new();
    let mut server = home.serve_with(&[("PANEL_LOG__LEVEL", "trace")]);
    let said = server.said();
    let link = said.lines().find(|line| line.contains("/setup/")).unwrap().to_owned();
    let token = link.rsplit('/').next().unwrap().to_owned();
    let (write, read) = (home.mint("write").1, home.mint("read").1);
    let wrong = format!("pk_live_{}", "9".repeat(32));

    let given = server.create(&write, &json!({"username": "ada", "password": "ada-secret-pw", "service_id": 1}));
    let made = server.create(&write, &json!({"username": "bob", "password": "auto-generate", "service_id": 1}));
    assert_eq!((given.status, made.status), (201, 201));
    let generated = made.json()["data"]["password"].as_str().unwrap().to_owned();
    assert_eq!(
        server.create(&read, &json!({"username": "eve", "password": "eve-secret-pw", "service_id": 1})).status,
        403
    );
    assert_eq!(
        server.create(&write, &json!({"username": "eve", "password": "eve-secret-pw", "service_id": 77})).status,
        400
    );
    assert_eq!(server.get(SUBSCRIBERS, &wrong).status, 401);
    assert_eq!(server.get(&format!("{SUBSCRIBERS}?username={read}"), &read).status, 200);
    home.ok(["key", "revoke", "2"]);
    assert_eq!(server.get(SUBSCRIBERS, &read).status, 401);
    assert_eq!(server.send("GET", &format!("/setup/{token}"), &[], "").status, 200);
    let form = "password=admin-secret-pw&again=admin-secret-pw";
    assert_eq!(
        server
            .send("POST", &format!("/setup/{token}"), &[("Content-Type", "application/x-www-form-urlencoded")], form)
            .status,
        200
    );
    assert_eq!(server.stop(), Some(0));

    let said = server.said();
    assert_eq!(said.matches(&token).count(), 1, "the token is said once, in its link:\n{said}");
    for secret in [&write, &read, &wrong, &generated, "ada-secret-pw", "eve-secret-pw", "admin-secret-pw"] {
        assert!(!said.contains(secret), "{secret} is said:\n{said}");
    }
    for secret in [&write, &wrong, &generated, &token, "ada-secret-pw", "eve-secret-pw", "admin-secret-pw"] {
        assert_eq!(home.files_with(secret), Vec::<String>::new(), "{secret}");
    }
}

#[test]
fn each_refused_key_writes_one_line_with_its_prefix_and_the_gate() {
    let home = Home::new();
    let mut server = home.serve();
    let read = home.mint("read").1;
    let body = json!({"username": "eve", "service_id": 1});
    assert_eq!(server.create(&read, &body).status, 403);
    assert_eq!(server.stop(), Some(0));
    let said = server.said();
    let lines: Vec<_> = said.lines().filter(|line| line.contains("permission refused")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    let expected = format!("API key {} permission refused: 403 scope", &read[..12]);
    assert!(lines[0].contains(&expected), "{}", lines[0]);
    assert!(lines[0].contains("ip=127.0.0.1") && lines[0].contains("request_id="), "{}", lines[0]);
}

#[test]
fn a_log_for_machines_is_one_json_object_a_line_the_setup_link_too() {
    let home = Home::new();
    let mut server = home.serve_with(&[("PANEL_LOG__FORMAT", "json"), ("PANEL_LOG__LEVEL", "info")]);
    let read = home.mint("read").1;
    let refused = [("X-API-Key", read.as_str()), ("X-Request-Id", "req-7")];
    assert_eq!(server.send("POST", "/api/v1/external/subscribers", &refused, "{}").status, 403);
    assert_eq!(server.stop(), Some(0));
    let said = server.said();
    let events: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    for event in &events {
        let at = event["timestamp"].as_str().unwrap();
        assert!(at.len() == 24 && at.ends_with('Z') && Timestamp::parse_rfc3339(at).is_some(), "{event}");
        assert!(event["message"].is_string() && matches!(event["level"].as_str(), Some("INFO" | "WARN")), "{event}");
    }
    assert_eq!(events.iter().filter(|event| event["link"].is_string()).count(), 1, "{said}");
    let of_request: Vec<_> = events.iter().filter(|event| event["request_id"] == "req-7").collect();
    assert_eq!(of_request.len(), 1, "{said}");
    let event = of_request[0];
    assert_eq!((&event["level"], &event["status"], &event["ip"]), (&json!("WARN"), &json!(403), &json!("127.0.0.1")));
}
