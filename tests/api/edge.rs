//! What has nothing to do with the business: paths, methods, headers, bodies and connections, over bytes of our own.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{HEALTH, Key, Request, SUBSCRIBERS, TestApp};

#[tokio::test]
async fn an_unknown_route_answers_in_the_envelope_of_its_prefix() {
    let app = TestApp::spawn().await;
    for target in ["/api/v1/external/nope", "/api/v1/external", "/api/v1/external/subscribers/"] {
        let answer = app.call(Request::new("GET", target)).await;
        assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND"), "{target}");
    }
    for target in ["/api/v1/nope", "/api/v1", "/api/v1/externalx/subscribers"] {
        let answer = app.call(Request::new("GET", target)).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("NOT_FOUND")), "{target}");
    }
    for target in ["/api/v1/billing/nope", "/api/v1/billing", "/api/health/x"] {
        let answer = app.call(Request::new("GET", target)).await;
        assert_eq!((answer.status, &answer.body["detail"]), (404, &json!("Route not found")), "{target}");
    }
    for target in ["/api/nope", "/api", "/", "/nope", "/setup", "/API/v1/external/subscribers"] {
        let answer = app.call(Request::new("GET", target)).await;
        assert_eq!((answer.status, &answer.body["message"]), (404, &json!("Route not found")), "{target}");
    }
}

#[tokio::test]
async fn whoever_shows_a_bad_key_is_judged_before_it_learns_that_a_path_does_not_exist() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "read");
    assert_eq!(app.get("/api/v1/external/nope", &Key::of("pk_live_x")).await.code(), "INVALID_API_KEY");
    assert_eq!(app.get("/api/v1/external/nope", &key).await.code(), "NOT_FOUND");
    app.revoke(&key);
    assert_eq!(app.get("/api/v1/external/nope", &key).await.code(), "API_KEY_REVOKED");
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "delete");
    let before = app.footprint();
    for (method, target, allow) in [
        ("DELETE", SUBSCRIBERS, "GET, POST, HEAD, OPTIONS"),
        ("PUT", SUBSCRIBERS, "GET, POST, HEAD, OPTIONS"),
        ("PATCH", SUBSCRIBERS, "GET, POST, HEAD, OPTIONS"),
        ("TRACE", SUBSCRIBERS, "GET, POST, HEAD, OPTIONS"),
        ("BREW", SUBSCRIBERS, "GET, POST, HEAD, OPTIONS"),
        ("get", SUBSCRIBERS, "GET, POST, HEAD, OPTIONS"),
        ("POST", HEALTH, "GET, HEAD, OPTIONS"),
        ("GET", "/api/v1/external/subscribers/1/suspend", "POST, OPTIONS"),
        ("HEAD", "/api/v1/external/subscribers/1/suspend", "POST, OPTIONS"),
        ("POST", "/api/v1/external/subscribers/1", "GET, PUT, DELETE, HEAD, OPTIONS"),
    ] {
        let answer = app.call(Request::new(method, target).key(&key)).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {target}");
        assert!(method == "HEAD" || answer.code() == "METHOD_NOT_ALLOWED", "{method} {target}");
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn options_says_what_a_path_takes_and_nothing_for_browsers() {
    let app = TestApp::spawn().await;
    for (target, allow) in [
        (SUBSCRIBERS, "GET, POST, HEAD, OPTIONS"),
        (HEALTH, "GET, HEAD, OPTIONS"),
        ("/api/v1/users", "GET, POST, HEAD, OPTIONS"),
        ("/api/v1/billing/accounts", "GET, POST, HEAD, OPTIONS"),
    ] {
        let request = Request::new("OPTIONS", target).header("origin", "https://evil.example");
        let answer = app.call(request.header("access-control-request-method", "POST")).await;
        assert_eq!((answer.status, answer.header("allow")), (204, Some(allow)), "{target}");
    }
    assert_eq!(app.call(Request::new("OPTIONS", "/api/v1/external/nope")).await.status, 404);
}

#[tokio::test]
async fn a_path_id_is_a_positive_integer() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    app.post(SUBSCRIBERS, &key, json!({"username": "ada", "service_id": 1})).await;
    for id in
        ["0", "01", "-1", "+1", "1.0", "abc", "1e0", "0x1", "%20", "1%20", "9223372036854775808", "%D9%A1", "1;x", "2"]
    {
        let answer = app.get(&format!("{SUBSCRIBERS}/{id}"), &key).await;
        assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND"), "{id}");
    }
    assert_eq!(app.get(&format!("{SUBSCRIBERS}/1"), &key).await.status, 200);
    assert_eq!(app.get(&format!("{SUBSCRIBERS}/%31"), &key).await.status, 200, "an encoded digit is that digit");
}

#[tokio::test]
async fn segments_that_clients_tidy_up_name_nothing() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    app.post(SUBSCRIBERS, &key, json!({"username": "ada", "service_id": 1})).await;
    for target in [
        "/api/v1/external/./subscribers",
        "/api/v1/external/x/../subscribers",
        "/api/v1/external/subscribers/..",
        "/api/v1/external/subscribers/%2e%2e",
        "/api/v1/external/subscribers/%2E",
        "/api/v1/external//subscribers",
        "/api/v1/external/subscribers/",
        "/api/v1/external/subscribers//1",
        "/api/v1/external/subscribers%2F1",
        "/api/v1/external/subscribers/by-username%2fada",
        "/api/v1/external/subscribers/by-username/a%2Fda",
        "/api/v1/external/subscribers/by-username/ada%00",
        "/api/v1/external/subscribers/by-username/%ff",
        "/api/v1/external/subscribers/by-username/%zz",
        "/api/v1/external/subscribers/by-username/%",
    ] {
        let request = Request::new("GET", target).key(&key);
        let mut connection = app.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n", key.secret()));
        let answer = connection.answer(&request).unwrap_or_else(|| panic!("{target}: closed"));
        assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND"), "{target}");
    }
}

#[tokio::test]
async fn a_dot_segment_does_not_reach_a_route_that_needs_less() {
    let app = TestApp::spawn().await;
    let request = Request::new("GET", "/api/v1/external/system/health/../../subscribers");
    let mut connection = app.connect();
    connection.send(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", request.target));
    assert_eq!(connection.answer(&request).unwrap().status, 404);
}

#[tokio::test]
async fn a_request_id_is_taken_over_or_replaced() {
    let app = TestApp::spawn().await;
    for id in ["a", "ABC.def_1-2", &"x".repeat(64)] {
        let answer = app.call(Request::new("GET", HEALTH).header("x-request-id", id)).await;
        assert_eq!(answer.header("x-request-id"), Some(id));
    }
    let long = "x".repeat(65);
    let mut seen = Vec::new();
    for id in ["", "a b", "a/b", "<script>", "ключ", &long] {
        let answer = app.call(Request::new("GET", HEALTH).header("x-request-id", id)).await;
        assert_ne!(answer.header("x-request-id"), Some(id));
        seen.push(answer.header("x-request-id").unwrap().to_owned());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6, "each request has an id of its own");
}

#[tokio::test]
async fn a_credential_that_is_given_twice_is_refused() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "read");
    for (first, second) in [(key.secret(), key.secret()), (key.secret(), "x"), ("x", key.secret()), ("", key.secret())]
    {
        let request = Request::new("GET", SUBSCRIBERS).header("x-api-key", first).header("X-API-Key", second);
        let answer = app.call(request).await;
        assert_eq!((answer.status, answer.code()), (400, "INVALID_PARAMETER"));
        assert_eq!(answer.message(), "X-API-Key is given twice");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_is_framed() {
    let app = TestApp::with(|config| config.server.max_body_bytes = 2048).await;
    let key = app.external_key("admin", "write");
    let body = |note: usize| json!({"username": "ada", "service_id": 1, "note": "x".repeat(note)}).to_string();
    let request = Request::new("POST", SUBSCRIBERS).key(&key);

    let refused = app.call(request.clone().body(body(2048))).await;
    assert_eq!((refused.status, refused.code()), (413, "PAYLOAD_TOO_LARGE"));
    let mut connection = app.connect();
    let chunk = "x".repeat(1024);
    connection.send(format!(
        "POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        key.secret()
    ));
    for _ in 0..4 {
        connection.send(format!("400\r\n{chunk}\r\n"));
    }
    assert_eq!(connection.answer(&request).unwrap().status, 413);
    assert_eq!(app.count("subscribers"), 0);

    let exact = body(2048 - body(0).len());
    assert_eq!(exact.len(), 2048);
    let at_limit = app.call(request.body(exact)).await;
    assert_eq!(at_limit.status, 400, "2 003 characters are too many for a note, but the body is read");
    assert_eq!(at_limit.code(), "INVALID_PARAMETER");
}

/// Whoever was refused must not hold a connection by never ending its body.
#[tokio::test]
async fn a_refused_body_without_an_end_does_not_hold_its_connection() {
    let app = TestApp::with(|config| {
        config.server.max_body_bytes = 1024;
        config.server.body_timeout_seconds = 1;
    })
    .await;
    let key = app.external_key("admin", "write");
    let known = format!("X-API-Key: {}\r\n", key.secret());
    for (status, key) in [(401, ""), (413, known.as_str())] {
        for framing in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
            let mut connection = app.connect();
            connection.send(format!("POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\n{key}{framing}\r\n\r\n"));
            connection.send(format!("800\r\n{}\r\n", "x".repeat(2048)));
            let answer = connection.answer(&Request::new("POST", SUBSCRIBERS)).unwrap();
            assert_eq!(answer.status, status, "{framing}");
            assert!(connection.is_closed_within(Duration::from_secs(4)), "{status} {framing}: still open");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let app = TestApp::with(|config| config.server.body_timeout_seconds = 1).await;
    let key = app.external_key("admin", "write");
    let request = Request::new("POST", SUBSCRIBERS).key(&key);
    let mut connection = app.connect();
    let began = Instant::now();
    connection.send(format!(
        "POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: 50\r\n\r\n{{\"username\"",
        key.secret()
    ));
    let answer = connection.answer(&request).unwrap();
    assert_eq!((answer.status, answer.code()), (408, "REQUEST_TIMEOUT"));
    assert!(began.elapsed() >= Duration::from_millis(900) && began.elapsed() < Duration::from_secs(5));
    assert!(connection.is_closed_within(Duration::from_secs(4)));
    assert_eq!(app.count("subscribers"), 0);
}

#[tokio::test]
async fn a_stranger_is_refused_before_its_body_is_waited_for() {
    let app = TestApp::spawn().await;
    for key in ["", "X-API-Key: pk_live_unknown\r\n"] {
        let mut connection = app.connect();
        let began = Instant::now();
        connection.send(format!("POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 1000000\r\n\r\n{{"));
        assert_eq!(connection.answer(&Request::new("POST", SUBSCRIBERS)).unwrap().status, 401);
        assert!(began.elapsed() < Duration::from_secs(5), "the body time-out is 10 s");
    }
}

/// Refused before their body is read: what follows on the connection must be read as the next request, or not at all.
#[tokio::test]
async fn a_connection_never_takes_a_refused_body_for_the_next_request() {
    let app = TestApp::with(|config| config.server.max_body_bytes = 4096).await;
    let read = app.external_key("admin", "read");
    let smuggled = "DELETE /api/v1/external/smuggled HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3);
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    let sized = format!("Content-Length: {}\r\n\r\n{smuggled}", smuggled.len());
    let large = format!("Content-Length: 200000\r\n\r\n{}", smuggled.repeat(2000).get(..200_000).unwrap_or(&smuggled));
    let get = Request::new("GET", SUBSCRIBERS).key(&read);

    for (method, key, status) in [
        ("POST", String::new(), 401),
        ("POST", "X-API-Key: pk_live_unknown\r\n".to_owned(), 401),
        ("POST", format!("X-API-Key: {}\r\n", read.secret()), 403),
        ("GET", format!("X-API-Key: {}\r\n", read.secret()), 200),
        ("PATCH", format!("X-API-Key: {}\r\n", read.secret()), 405),
    ] {
        for framed in [&sized, &chunked, &large] {
            let told = format!("{method} {key}{}", framed.split("\r\n").next().unwrap());
            let mut connection = app.connect();
            connection.send(format!("{method} {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\n{key}{framed}"));
            let Some(first) = connection.answer(&Request::new(method, SUBSCRIBERS)) else {
                // A close with bytes of ours unread resets the connection, which may overtake the answer.
                assert!(framed == &large, "{told}: no answer");
                continue;
            };
            assert_eq!(first.status, status, "{told}");
            connection.send(format!("GET {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n", read.secret()));
            if let Some(second) = connection.answer(&get) {
                assert_eq!((second.status, &second.body["data"]), (200, &json!([])), "{told}: out of step");
            }
        }
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let mut connection = app.connect();
    let body = json!({"username": "ada", "service_id": 1}).to_string();
    let head = format!("HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n", key.secret());
    connection.send(format!("GET {SUBSCRIBERS}/1 {head}\r\nPOST {SUBSCRIBERS} {head}Content-Length: {}\r\n\r\n{body}GET {SUBSCRIBERS}/1 {head}\r\n", body.len()));
    let first = format!("{SUBSCRIBERS}/1");
    for (method, target, status) in [("GET", first.as_str(), 404), ("POST", SUBSCRIBERS, 201), ("GET", &first, 200)] {
        let answer = connection.answer(&Request::new(method, target).key(&key)).unwrap();
        assert_eq!(answer.status, status, "{method}");
    }
}

/// A body after HEAD would be read as the head of the next answer.
#[tokio::test]
async fn head_has_no_body_also_when_the_next_request_is_there_already() {
    let app = TestApp::spawn().await;
    let mut connection = app.connect();
    let rest = "HTTP/1.1\r\nHost: x\r\n\r\n";
    connection.send(format!("HEAD {HEALTH} {rest}GET {HEALTH} {rest}"));
    for method in ["HEAD", "GET"] {
        assert_eq!(connection.answer(&Request::new(method, HEALTH)).unwrap().status, 200, "{method}");
    }
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_not_served() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let body = json!({"username": "ada", "service_id": 1}).to_string();
    let length = body.len();
    let chunks = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    for (name, rest) in [
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 5\r\n\r\n{body}")),
        ("length and chunks", format!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")),
        ("a signed length", format!("Content-Length: +{length}\r\n\r\n{body}")),
        ("an unknown coding", format!("Transfer-Encoding: chunked, identity\r\n\r\n{chunks}")),
        ("a NUL in a header", format!("X-Note: a\0b\r\nContent-Length: {length}\r\n\r\n{body}")),
    ] {
        let mut connection = app.connect();
        connection.send(format!("POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n{rest}", key.secret()));
        let status = connection.status();
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{name}: {status:?}");
        assert_eq!(app.count("subscribers"), 0, "{name}");
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_no_harm() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    for _ in 0..20 {
        let mut connection = app.connect();
        connection.send(format!(
            "POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: 500\r\n\r\n{{\"user",
            key.secret()
        ));
    }
    assert_eq!(app.get(SUBSCRIBERS, &key).await.body["pagination"]["total"], 0);
}
