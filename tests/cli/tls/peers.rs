//! Who is at the other end of a TLS connection decides what it may, as without TLS.

use serde_json::json;

use super::client::Client;
use super::made::{self, Made};
use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http;

#[test]
fn a_key_bound_to_another_address_is_refused_whatever_the_client_says_of_itself() {
    let (home, made) = (Home::new(), Made::new());
    let server = made::serve(&home, &made, &[]);
    let client = Client::knowing(&made);
    let elsewhere = home.mint_from("read", "192.0.2.1");
    for claim in [None, Some("x-forwarded-for"), Some("forwarded")] {
        let mut headers = vec![("X-API-Key", elsewhere.as_str())];
        headers.extend(claim.map(|name| (name, if name == "forwarded" { "for=192.0.2.1" } else { "192.0.2.1" })));
        let answer = client.send(server.address, "GET", SUBSCRIBERS, &headers, "");
        assert_eq!((answer.status, answer.code()), (403, "IP_NOT_ALLOWED".to_owned()), "{claim:?}");
    }
}

#[test]
fn a_key_bound_to_the_client_s_address_is_accepted() {
    let (home, made) = (Home::new(), Made::new());
    let server = made::serve(&home, &made, &[]);
    let here = home.mint_from("read", "127.0.0.1");
    let answer = Client::knowing(&made).send(server.address, "GET", SUBSCRIBERS, &[("X-API-Key", &here)], "");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn a_trusted_proxy_over_tls_is_believed() {
    let (home, made) = (Home::new(), Made::new());
    let server = made::serve(&home, &made, &[("PANEL_SERVER__TRUSTED_PROXIES", "127.0.0.1")]);
    let elsewhere = home.mint_from("read", "192.0.2.1");
    let answer = |claim: &str| {
        let headers = [("X-API-Key", elsewhere.as_str()), ("X-Forwarded-For", claim)];
        Client::knowing(&made).send(server.address, "GET", SUBSCRIBERS, &headers, "").status
    };
    assert_eq!((answer("192.0.2.1"), answer("192.0.2.2")), (200, 403));
}

#[test]
fn strangers_are_counted_by_their_address() {
    let (home, made) = (Home::new(), Made::new());
    let server = made::serve(&home, &made, &[("PANEL_LIMITS__PER_IP_PER_MINUTE", "2")]);
    let client = Client::knowing(&made);
    let status =
        |claim: &str| client.send(server.address, "GET", SUBSCRIBERS, &[("X-Forwarded-For", claim)], "").status;
    assert_eq!([status("192.0.2.1"), status("192.0.2.2"), status("192.0.2.3")], [401, 401, 429]);
}

#[test]
fn the_session_s_cookie_is_for_encrypted_connections_where_it_came_over_one() {
    let (home, made) = (Home::with_database(), Made::new());
    let typed = "correct horse battery staple\n";
    let set = home.run_typing(typed, ["user", "passwd", "admin", "--password-stdin"]);
    assert_eq!(set.code, 0, "{set:?}");
    let body = json!({"username": "admin", "password": typed.trim_end()}).to_string();
    let json = [("Content-Type", "application/json")];
    let cookie = |answer: raw_http::Answer| {
        let found = answer.head.lines().find(|line| line.to_lowercase().starts_with("set-cookie:")).map(str::to_owned);
        found.unwrap_or_else(|| panic!("no cookie: {answer:?}"))
    };
    let server = made::serve(&home, &made, &[]);
    let sent = Client::knowing(&made).send(server.address, "POST", "/api/auth/login", &json, &body);
    assert!(cookie(sent).contains("; Secure"));
    drop(server);
    let plain = home.serve();
    assert!(!cookie(plain.send("POST", "/api/auth/login", &json, &body)).contains("Secure"), "the same without TLS");
}
