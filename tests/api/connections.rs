//! How long a connection is waited for, and what it is never taken for.

use std::time::Duration;

use serde_json::json;

use crate::support::{HEALTH, Request, SUBSCRIBERS, TestApp};

/// actix gives the first head of a connection five seconds, and any other as long as it likes.
#[tokio::test]
async fn the_head_of_a_further_request_must_arrive_in_time_too() {
    let app = TestApp::spawn().await;
    let mut connection = app.connect();
    connection.call(&Request::new("GET", HEALTH));
    connection.send(format!("GET {HEALTH} HTTP/1.1\r\nX-Slow: "));
    let mut drips = 0;
    while connection.send("x") {
        drips += 1;
        assert!(drips < 150, "it is waited for");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(drips > 40, "after {drips} tenths of a second");
}

/// Neither gives it any answer a time to be taken in.
#[tokio::test]
async fn an_answer_that_is_not_taken_does_not_hold_its_connection() {
    let app = TestApp::with(|config| config.server.request_timeout_seconds = 1).await;
    let mut connection = app.connect();
    // More than what the sockets hold.
    connection.send("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(60));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let whole = 60 * app.call(Request::new("GET", "/openapi.json")).await.text.len();
    let taken = connection.rest();
    assert!(taken < whole, "all of {whole} bytes was kept for whoever did not read");
}

/// Where a WebSocket is asked for, actix has the body last as long as the connection, whatever its length.
#[tokio::test]
async fn a_body_beside_a_wish_for_a_websocket_is_as_long_as_it_says() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    for upgrade in ["websocket", "h2c"] {
        let body = json!({"username": upgrade, "service_id": 1}).to_string();
        let mut connection = app.connect();
        connection.send(format!(
            "POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nUpgrade: {upgrade}\r\nConnection: Upgrade\r\n\
             Content-Length: {}\r\n\r\n{body}",
            key.secret(),
            body.len(),
        ));
        let answer = connection.answer(&Request::new("POST", SUBSCRIBERS).key(&key)).unwrap();
        assert_eq!(answer.status, 201, "{upgrade}");
        assert_eq!(answer.header("connection"), Some("close"), "{upgrade}: a proxy would use the connection again");
        assert!(connection.is_closed_within(Duration::from_secs(4)), "{upgrade}");
    }
}
