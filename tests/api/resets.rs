//! A connection that is reset while its request is read: the system no longer knows who was there.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use crate::support::{NewKey, PATIENCE, SUBSCRIBERS, TestApp};

#[tokio::test]
async fn a_reset_connection_is_not_taken_for_a_trusted_proxy() {
    let app = TestApp::spawn().await;
    let key = app.key_with("admin", "write", NewKey { ips: &["10.9.9.9"], rate: Some(0), ..NewKey::default() });
    let body = r#"{"username": "forged", "service_id": 1}"#;
    let request = format!(
        "POST {SUBSCRIBERS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nX-Forwarded-For: 10.9.9.9\r\nContent-Length: {}\r\n\r\n{body}",
        key.secret(),
        body.len()
    );

    let began = Instant::now();
    while app.logged().len() < 20 {
        assert!(began.elapsed() < PATIENCE, "the server reads what was sent before the reset");
        let mut connection = TcpStream::connect(app.address).unwrap();
        // Closing sends a reset instead of the usual farewell.
        set_socket_linger(&connection, Some(Duration::ZERO)).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
    }

    let forged = app.logged().iter().find(|row| row["gate"] != "ip" || row["ip"] == "10.9.9.9").cloned();
    assert_eq!(forged, None);
    assert_eq!(app.count("subscribers"), 0);
}
