//! Servers that are down, slow, or not the panel at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Whmcs, nobody};
use crate::home::{DEADLINE, Home};

const KEY: &str = "pk_live_5ecret0123456789";

const COMMANDS: [&str; 5] = ["TestConnection", "CreateAccount", "SuspendAccount", "TerminateAccount", "UsageUpdate"];

/// Answers the first requests with these in turn, and all further ones with the last; tells what it was asked.
pub fn stand_in(answers: &[(u16, &str, Value)]) -> (SocketAddr, Receiver<String>) {
    let text = |(status, headers, body): &(u16, &str, Value)| {
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        format!("HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let mut answers: Vec<String> = answers.iter().rev().map(text).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut request = vec![0; 64 * 1024];
            let length = stream.read(&mut request).unwrap_or(0);
            drop(tell.send(String::from_utf8_lossy(&request[..length]).into_owned()));
            drop(stream.write_all(answers[answers.len() - 1].as_bytes()));
            if answers.len() > 1 {
                answers.pop();
            }
        }
    });
    (address, asked)
}

fn whmcs(home: &Home, address: SocketAddr) -> Whmcs {
    let whmcs = Whmcs::install(home, "panelsubscriber", address, KEY);
    whmcs.table("tblhosting", &json!([usage_row(12, "Active")]));
    whmcs
}

pub fn usage_row(id: i64, status: &str) -> Value {
    json!({
        "id": id, "server": 3, "username": "ada@isp.example", "domainstatus": status, "diskusage": 1, "disklimit": 1,
        "bwusage": 1, "bwlimit": 1, "lastupdate": "2026-01-01 00:00:00",
    })
}

#[test]
fn a_server_that_is_down_is_named() {
    let home = Home::new();
    let address = nobody();
    for command in COMMANDS {
        whmcs(&home, address).call(command).fails(&[&format!("No answer from http://{address}: ")]);
    }
}

#[test]
fn a_server_that_does_not_answer_health_is_given_five_seconds() {
    let (home, listener) = (Home::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let began = Instant::now();
    whmcs(&home, listener.local_addr().unwrap()).call("TestConnection").fails(&["did not answer within 5 s"]);
    assert!((5..9).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_does_not_answer_a_command_is_given_ten_seconds() {
    let (home, listener) = (Home::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let began = Instant::now();
    whmcs(&home, listener.local_addr().unwrap()).call("TerminateAccount").fails(&["did not answer within 10 s"]);
    assert!((10..14).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[test]
fn another_program_on_that_port_is_never_taken_for_the_panel() {
    let home = Home::new();
    for (status, body) in [
        (200, json!("<html>It works!</html>")),
        (404, json!("<html>Not found</html>")),
        (200, json!("")),
        (200, json!("true")),
        (200, json!([])),
        (201, json!({})),
        (200, json!({"ok": true})),
        (404, json!({"message": "Not found"})),
        (404, json!({"error": "Not found"})),
        (500, json!({"success": true, "data": []})),
    ] {
        let (address, _asked) = stand_in(&[(status, "", body.clone())]);
        for command in COMMANDS {
            let called = whmcs(&home, address).call(command);
            called.fails(&["Check the server's hostname and port"]);
        }
    }
}

#[test]
fn a_redirect_is_not_followed_with_the_key() {
    let home = Home::new();
    let (elsewhere, asked) = stand_in(&[(200, "", json!({"success": true, "data": {"status": "healthy"}}))]);
    let (address, _asked) = stand_in(&[(302, &format!("Location: http://{elsewhere}/\r\n"), json!(""))]);
    whmcs(&home, address).call("TestConnection").fails(&["answered HTTP 302, but not as the panel does"]);
    assert!(asked.try_recv().is_err());
}

#[test]
fn what_a_server_says_is_shown_without_secrets_and_without_html() {
    let home = Home::new();
    let echo = json!({
        "success": false,
        "error": {"code": "X", "message": format!("<script>{KEY}\u{7}\nand s3cret \"p\u{e4}/1{}", "x".repeat(2000))},
    });
    let (address, _asked) = stand_in(&[(400, "", echo)]);
    let called = whmcs(&home, address).call("CreateAccount");
    called.fails(&["\u{2039}script\u{203a}********", "\u{2026}"]);
    let text = called.result().as_str().unwrap();
    assert!(text.chars().count() < 1000 && !text.chars().any(char::is_control), "{text}");
}

#[test]
fn a_fault_of_the_panel_leads_to_its_log() {
    let home = Home::new();
    let body = json!({"success": false, "error": {"code": "INTERNAL_ERROR", "message": "Something went wrong."}});
    let (address, _asked) = stand_in(&[(500, "X-Request-Id: abc-1\r\n", body)]);
    whmcs(&home, address).call("CreateAccount").fails(&["Something went wrong (HTTP 500). Request id: abc-1"]);
}

#[test]
fn what_somebody_else_deleted_meanwhile_counts_as_terminated() {
    let home = Home::new();
    let found = json!({"success": true, "data": [{"id": 1, "username": "ada@isp.example"}]});
    let gone = json!({"success": false, "error": {"code": "NOT_FOUND", "message": "Subscriber not found"}});
    let (address, asked) = stand_in(&[(200, "", found), (404, "", gone)]);
    whmcs(&home, address).call("TerminateAccount").succeeds();
    assert!(asked.iter().nth(1).unwrap().starts_with("DELETE /api/v1/external/subscribers/1 "));
}

#[test]
fn a_create_whose_answer_was_lost_says_that_it_may_be_repeated() {
    let (home, listener) = (Home::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
    });
    whmcs(&home, address)
        .call("CreateAccount")
        .fails(&["It may have done what was asked; repeating the command is safe"]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_gets_no_key() {
    let home = Home::new();
    let whmcs = whmcs(&home, nobody());
    let mut command = whmcs.php(&["self_signed.php"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let port: u16 = lines.next().unwrap().unwrap().parse().unwrap();
    let secure =
        whmcs.with(&[("serverport", json!(port)), ("serversecure", json!("on")), ("serverhttpprefix", json!(""))]);
    let called = secure.call("TestConnection");
    let (tell, heard) = channel();
    std::thread::spawn(move || tell.send(lines.next().map(Result::unwrap)));
    let heard = heard.recv_timeout(DEADLINE);
    drop(child.kill());
    drop(child.wait());
    called.fails(&[&format!("The TLS certificate of https://127.0.0.1:{port} is not accepted")]);
    assert_eq!(heard.unwrap().as_deref(), Some("refused"));
}
