//! `Idempotency-Key`: a repeat is answered with the first outcome, and shows no secret again (README.md, Every answer).

use serde_json::{Value, json};

use crate::support::{Answer, Key, Request, SUBSCRIBERS, TestApp};

fn body(name: &str) -> Value {
    json!({"username": name, "service_id": 1})
}

async fn post(app: &TestApp, target: &str, key: &Key, header: &str, body: &Value) -> Answer {
    app.call(Request::new("POST", target).key(key).json(body).header("idempotency-key", header)).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_without_its_password() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "write");

    let first = post(&app, SUBSCRIBERS, &key, "one", &body("ada")).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.header("idempotent-replayed"), None);
    let before = app.footprint();
    app.move_to("2026-03-20T13:00:00Z");
    let repeat = post(&app, SUBSCRIBERS, &key, "one", &body("ada")).await;

    assert_eq!(repeat.status, 201);
    assert!(is_replay(&repeat));
    let mut expected = first.body.clone();
    expected["data"]["password"] = Value::Null;
    assert_eq!(repeat.body, expected);
    assert_eq!(app.footprint(), before);
    let kept = app.rows("SELECT caller, method, target, header, status FROM idempotency");
    let row = json!({"caller": format!("key:{}", key.id), "method": "POST", "target": SUBSCRIBERS, "header": "one", "status": 201});
    assert_eq!(kept, [row]);
    let answer = String::from_utf8(app.blob("SELECT answer FROM idempotency")).unwrap();
    assert!(!answer.contains(first.data()["password"].as_str().unwrap()), "a kept answer holds a secret");
}

#[tokio::test]
async fn the_same_header_with_another_body_is_a_conflict_and_writes_nothing() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    post(&app, SUBSCRIBERS, &key, "one", &body("ada")).await;
    let before = app.footprint();

    for other in
        [body("bob"), json!({"service_id": 1, "username": "ada"}), json!({"username": "ada", "service_id": 1, "x": 1})]
    {
        let refused = post(&app, SUBSCRIBERS, &key, "one", &other).await;
        assert_eq!((refused.status, refused.code()), (409, "IDEMPOTENCY_CONFLICT"), "{other}");
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn another_header_caller_or_target_is_another_request() {
    let app = TestApp::spawn().await;
    let (one, two) = (app.external_key("admin", "write"), app.external_key("admin", "write"));
    post(&app, SUBSCRIBERS, &one, "one", &body("ada")).await;

    let with_query = format!("{SUBSCRIBERS}?x=1");
    for (key, target, header) in [
        (&one, SUBSCRIBERS, "two"),
        (&one, SUBSCRIBERS, "ONE"),
        (&two, SUBSCRIBERS, "one"),
        (&one, with_query.as_str(), "one"),
    ] {
        let answer = post(&app, target, key, header, &body("ada")).await;
        assert_eq!((answer.status, answer.code()), (409, "USERNAME_TAKEN"), "{target} {header}");
        assert!(!is_replay(&answer));
    }
    assert_eq!(app.count("idempotency"), 1);
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let late = json!({"username": "ada", "service_id": 4});

    assert_eq!(post(&app, SUBSCRIBERS, &key, "one", &late).await.status, 400);
    assert_eq!(app.count("idempotency"), 0);
    app.service(4, 1, "month");
    let made = post(&app, SUBSCRIBERS, &key, "one", &late).await;
    assert_eq!((made.status, is_replay(&made)), (201, false));
}

#[tokio::test]
async fn a_replay_passes_the_gates_first() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    post(&app, SUBSCRIBERS, &key, "one", &body("ada")).await;

    app.change("UPDATE api_keys SET scope = 'read'", []);
    assert_eq!(post(&app, SUBSCRIBERS, &key, "one", &body("ada")).await.code(), "SCOPE_REQUIRED");
    app.revoke(&key);
    assert_eq!(post(&app, SUBSCRIBERS, &key, "one", &body("ada")).await.code(), "API_KEY_REVOKED");
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day_and_no_longer() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "write");
    post(&app, SUBSCRIBERS, &key, "one", &body("ada")).await;

    app.move_to("2026-03-21T11:59:59Z");
    assert!(is_replay(&post(&app, SUBSCRIBERS, &key, "one", &body("ada")).await));
    app.move_to("2026-03-21T12:00:01Z");
    let anew = post(&app, SUBSCRIBERS, &key, "one", &body("bob")).await;
    assert_eq!((anew.status, is_replay(&anew)), (201, false), "{}", anew.text);
    let again = post(&app, SUBSCRIBERS, &key, "one", &body("bob")).await;
    assert_eq!((again.id(), is_replay(&again)), (anew.id(), true));
}

#[tokio::test]
async fn a_get_is_never_kept() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    for _ in 0..2 {
        let answer = app.call(Request::new("GET", SUBSCRIBERS).key(&key).header("idempotency-key", "one")).await;
        assert_eq!((answer.status, is_replay(&answer)), (200, false));
    }
    assert_eq!(app.count("idempotency"), 0);
}

#[tokio::test]
async fn a_header_that_cannot_be_meant_is_refused() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let long = "x".repeat(256);
    for value in ["", " ", "a b", "ключ", "a\tb", &long] {
        let request = Request::new("POST", SUBSCRIBERS).key(&key).json(&body("ada"));
        let refused = app.call(request.header("idempotency-key", value)).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID_PARAMETER"), "{value:?}");
        assert!(refused.message().starts_with("Idempotency-Key "), "{value:?}");
    }
    let twice = Request::new("POST", SUBSCRIBERS).key(&key).json(&body("ada"));
    let twice = twice.header("idempotency-key", "one").header("idempotency-key", "two");
    assert_eq!(app.call(twice).await.status, 400);
    assert_eq!(app.count("subscribers"), 0);
    assert_eq!(post(&app, SUBSCRIBERS, &key, &"x".repeat(255), &body("ada")).await.status, 201);
}

#[tokio::test]
async fn twins_that_arrive_at_once_get_one_outcome() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let ada = body("ada");
    let twins = (0..16).map(|_| post(&app, SUBSCRIBERS, &key, "one", &ada));
    let answers = futures_util::future::join_all(twins).await;

    assert!(answers.iter().all(|answer| answer.status == 201 && answer.id() == answers[0].id()));
    assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.data()["password"].is_string()).count(), 1);
    assert_eq!((app.count("subscribers"), app.count("idempotency")), (1, 1));
    assert_eq!(app.number("SELECT count(*) FROM audit WHERE action = 'subscribers.create'"), 1);
}
