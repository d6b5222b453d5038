//! What must never be said: keys, passwords and setup tokens, on stderr or in a file.

use serde_json::json;

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
fn a_log_for_machines_is_one_json_object_a_line() {
    let home = Home::with_database();
    home.ok(["user", "passwd", "admin"]);
    let mut server = home.serve_with(&[("PANEL_LOG__FORMAT", "json")]);
    assert_eq!(server.stop(), Some(0));
    for line in server.said().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(event["message"].is_string() && event["level"].is_string(), "{line}");
    }
}
