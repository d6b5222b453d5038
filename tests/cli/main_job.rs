//! What the README promises: a key is minted, a subscriber created, and neither a crash nor a restart takes it back.

use serde_json::{Value, json};

use crate::home::{Home, SUBSCRIBERS};

/// The body of the external documentation's own example.
fn example() -> Value {
    json!({
        "username": "user1234@example.lb",
        "password": "auto-generate",
        "service_id": 4,
        "full_name": "John Customer",
        "phone": "+96170123456",
        "expiry_date": "2026-12-31"
    })
}

/// Its service has the id 4.
fn with_four_services() -> Home {
    let home = Home::new();
    for (name, id) in [("Bronze", 2), ("Silver", 3), ("Gold", 4)] {
        let added = home.ok(["--json", "service", "add", name, "--download", "20000", "--price", "25.00"]);
        assert_eq!(added.json(), json!({"id": id, "name": name}));
    }
    home
}

#[test]
fn a_key_is_printed_once_on_stdout_and_kept_only_as_a_hash() {
    let home = Home::new();
    let server = home.serve();
    let text = home.ok(["key", "mint", "--style", "external", "--user", "admin", "--scopes", "write"]);
    let printed: Vec<&str> = text.stdout.lines().collect();
    assert_eq!(printed[0], "id: 1");
    let first = printed[1].strip_prefix("key: ").unwrap();
    let (id, second) = home.mint("write");
    assert_eq!((printed.len(), id), (2, 2));
    assert!(text.stderr.contains("never shown again"), "{}", text.stderr);

    for key in [first, &second] {
        let hex = key.strip_prefix("pk_live_").unwrap();
        assert!(hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{key}");
        assert_eq!(server.get(SUBSCRIBERS, key).status, 200);
        assert!(!text.stderr.contains(key));
        assert_eq!(home.files_with(key), Vec::<String>::new(), "the key must be in no file");
        assert_eq!(home.files_with(hex), Vec::<String>::new());
    }
    assert_ne!(first, second);
    assert_eq!(home.value::<i64>("panel.db", "SELECT count(*) FROM api_key_secrets WHERE length(secret_hash) = 32"), 2);
}

#[test]
fn a_created_subscriber_outlives_a_kill_right_after_its_answer() {
    let home = with_four_services();
    let (_, key) = home.mint("write");
    let server = home.serve();
    let made = server.create(&key, &example());
    server.kill();

    assert_eq!(made.status, 201, "{made:?}");
    let data = made.json()["data"].clone();
    assert_eq!(data["username"], "user1234@example.lb");
    assert_eq!(data["expiry_date"], "2026-12-31T00:00:00Z");
    let password = data["password"].as_str().unwrap();
    assert_eq!(home.files_with(password), Vec::<String>::new(), "the password is sealed");

    let server = home.serve();
    let read = home.mint("read").1;
    let found = server.get(&format!("{SUBSCRIBERS}/{}", data["id"]), &read);
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json()["data"].clone();
    for field in ["id", "username", "service_id", "full_name", "phone", "expiry_date", "created_at"] {
        assert_eq!(found[field], data[field], "{field}");
    }
    assert_eq!(home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
    assert_eq!(home.value::<i64>("panel.db", "SELECT count(*) FROM audit WHERE action = 'subscribers.create'"), 1);
}

#[test]
fn every_acknowledged_create_outlives_a_kill_amid_others() {
    let home = Home::new();
    let made = home
        .ok(["--json", "key", "mint", "--style", "external", "--user", "admin", "--scopes", "write", "--rate", "0"]);
    let key = made.json()["key"].as_str().unwrap().to_owned();
    let server = home.serve();
    let address = server.address;
    let (acknowledged, answers) = std::sync::mpsc::channel();
    let mut server = Some(server);
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (key, acknowledged) = (&key, acknowledged.clone());
            scope.spawn(move || {
                for turn in 0.. {
                    let name = format!("c{client}-{turn}");
                    let Some(status) = try_create(address, key, &name) else { break };
                    assert_eq!(status, 201);
                    acknowledged.send(name).unwrap();
                }
            });
        }
        let mut names: Vec<String> = answers.iter().take(100).collect();
        server.take().unwrap().kill();
        drop(acknowledged);
        names.extend(answers.iter());
        assert_eq!(home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
        let database = home.open("panel.db");
        for name in &names {
            let found = database.query_row("SELECT 1 FROM subscribers WHERE username = ?1", [name], |_| Ok(()));
            assert!(found.is_ok(), "{name} was acknowledged and is gone");
        }
    });
}

/// The status of a create; `None` where the server went away before it answered.
fn try_create(address: std::net::SocketAddr, key: &str, name: &str) -> Option<u16> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    let body = json!({"username": name, "service_id": 1}).to_string();
    let head = crate::raw_http::head("POST", SUBSCRIBERS, &[("X-API-Key", key)], body.len());
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

#[test]
fn a_retry_after_a_crash_finds_the_first_ones_answer() {
    let home = with_four_services();
    let (_, key) = home.mint("write");
    let headers = [("X-API-Key", key.as_str()), ("Idempotency-Key", "order-7"), ("Content-Type", "application/json")];
    let server = home.serve();
    let first = server.send("POST", SUBSCRIBERS, &headers, &example().to_string());
    server.kill();

    let server = home.serve();
    let second = server.send("POST", SUBSCRIBERS, &headers, &example().to_string());

    assert_eq!((first.status, second.status), (201, 201), "{second:?}");
    assert!(second.head.to_lowercase().contains("idempotent-replayed: true"), "{}", second.head);
    assert_eq!(first.json()["data"]["id"], second.json()["data"]["id"]);
    assert_eq!(second.json()["data"]["password"], Value::Null);
    assert_eq!(home.count("subscribers"), 1);
}
