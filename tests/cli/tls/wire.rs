//! What is spoken on the wire, and who is sent away before a request is read.

use std::io::{Read, Write};

use rustls::ProtocolVersion;

use super::client::{Client, presented};
use super::made::{self, Made};
use crate::home::Home;
use crate::raw_http::{connect, receive};
use crate::server::Server;

const HEALTH: &str = "/api/v1/external/system/health";

fn served() -> (Home, Made, Server) {
    let (home, made) = (Home::new(), Made::new());
    let server = made::serve(&home, &made, &[]);
    (home, made, server)
}

/// A first message of TLS 1.1, as long as it has to be.
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut body = vec![0x03, 0x02];
    body.extend([7; 32]);
    // No session, one cipher suite, no compression.
    body.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    // One extension, which signatures it can check: without it the version is not looked at.
    body.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(body.len()).unwrap();
    [&[0x16, 0x03, 0x01, 0, length + 4, 0x01, 0, 0, length], body.as_slice()].concat()
}

#[test]
fn plain_http_is_closed_without_an_answer_and_without_a_word_in_the_log() {
    let (_home, made, server) = served();
    let before = server.said();
    for _ in 0..50 {
        let mut stream = connect(server.address);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(Client::knowing(&made).send(server.address, "GET", HEALTH, &[], "").status, 200);
    assert_eq!(server.said(), before);
}

#[test]
fn an_old_protocol_is_refused_by_its_alert() {
    let (_home, _made, server) = served();
    let mut stream = connect(server.address);
    stream.write_all(&hello_of_tls_1_1()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    // An alert, fatal, protocol_version.
    assert_eq!((answer.first(), answer.get(5..7)), (Some(&0x15), Some(&[2, 70][..])), "{answer:x?}");
}

#[test]
fn who_never_finishes_the_handshake_is_dropped_and_nobody_waits_for_it() {
    let (_home, made, server) = served();
    let before = server.said();
    let mut waiting: Vec<_> = (0..60).map(|_| connect(server.address)).collect();
    for (at, stream) in waiting.iter_mut().enumerate().skip(1) {
        stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00][..at % 6]).unwrap();
    }
    assert_eq!(Client::knowing(&made).send(server.address, "GET", HEALTH, &[], "").status, 200);
    for stream in &mut waiting {
        // The deadline of a read is far below how long an idle connection is kept.
        if let Err(error) = stream.read_to_end(&mut Vec::new()) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
    assert_eq!(server.said(), before);
}

#[test]
fn both_versions_are_spoken_and_the_end_is_told() {
    let (_home, made, server) = served();
    for (offered, spoken) in
        [(&rustls::version::TLS12, ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut client = Client::knowing(&made);
        client.versions = vec![offered];
        let mut stream = client.open(server.address).unwrap();
        assert_eq!(stream.conn.protocol_version(), Some(spoken));
        assert_eq!(presented(&stream), made.leaf);
        stream
            .write_all(format!("GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        // Without the end being told, reading to the end is an error.
        let answer = receive(&mut stream);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.head.to_lowercase().contains("strict-transport-security"), "{}", answer.head);
    }
}

#[test]
fn http_1_1_is_the_one_protocol() {
    let (_home, made, server) = served();
    for (offered, agreed) in
        [(vec![], None), (vec!["http/1.1"], Some("http/1.1")), (vec!["h2", "http/1.1"], Some("http/1.1"))]
    {
        let mut client = Client::knowing(&made);
        client.protocols = offered;
        let stream = client.open(server.address).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), agreed.map(str::as_bytes));
    }
    let mut client = Client::knowing(&made);
    client.protocols = vec!["h2"];
    let refused = client.open(server.address).unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[test]
fn every_tcp_address_speaks_tls_and_neither_the_unix_socket_nor_the_metrics_do() {
    let (home, made) = (Home::new(), Made::new());
    let socket = home.path("panel.sock");
    let listen = format!("127.0.0.1:0,unix:{},127.0.0.2:0", socket.display());
    let server =
        made::serve(&home, &made, &[("PANEL_SERVER__LISTEN", &listen), ("PANEL_METRICS__LISTEN", "127.0.0.1:0")]);
    server.says("listening on", 3);
    let addresses = server.addresses();
    assert_eq!(addresses[1], format!("unix:{}", socket.display()));
    for at in [0, 2] {
        let address = addresses[at].parse().unwrap();
        assert_eq!(Client::knowing(&made).send(address, "GET", HEALTH, &[], "").status, 200, "{address}");
    }
    let request = format!("GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(receive(&mut stream).status, 200);
    let said = server.said();
    let metrics = said.lines().find_map(|line| line.split_once("metrics on ")).unwrap().1;
    assert_eq!(crate::raw_http::send(metrics.parse().unwrap(), "GET", "/metrics", &[], "").status, 200);
}
