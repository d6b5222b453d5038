//! SIGHUP reads the settings again: what can change takes effect, what cannot is named, a wrong file changes nothing.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::home::{DEADLINE, Home, SUBSCRIBERS};
use crate::raw_http::{connect, head, receive};
use crate::server::{Server, until_it_ends_or_listens};
use crate::systemd::Manager;

const HEALTH: &str = "/api/v1/external/system/health";

/// A server whose settings are in the file, but for where it listens.
fn serve(home: &Home, settings: &str) -> Server {
    home.write("panel.toml", settings);
    home.serve()
}

#[test]
fn a_wrong_file_changes_nothing_and_says_so_in_one_line() {
    let home = Home::new();
    let mut server = serve(&home, "[server]\nmax_body_bytes = 2048\n");
    let key = home.mint("write").1;
    let big = json!({"username": "ada", "service_id": 1, "notes": "x".repeat(4000)});
    for (at, (text, why)) in [
        ("[server]\nmax_body_bytes = 1000000\nlisten_on = \"127.0.0.1:1\"\n", "server.listen_on"),
        ("[server]\nmax_body_bytes = 1000000\n[database]\nsynchronous = \"off\"\n", "database.synchronous"),
        ("[server]\nmax_body_bytes = 1000000\ntls_cert = \"cert.pem\"\n", "server.tls_cert"),
        ("[server", "panel.toml"),
    ]
    .into_iter()
    .enumerate()
    {
        home.write("panel.toml", text);
        server.signal(Signal::HUP);
        server.says("reload refused, nothing changed", at + 1);
        let said = server.said();
        let errors: Vec<_> = said.lines().filter(|line| line.contains("ERROR")).collect();
        assert!(errors.len() == at + 1 && errors[at].contains(why), "{said}");
        assert!(!said.contains("next start"), "{said}");
        assert_eq!(server.create(&key, &big).status, 413, "{why}");
    }
    home.write("panel.toml", "[server]\nmax_body_bytes = 1000000\n");
    server.reload(1);
    assert_ne!(server.create(&key, &big).status, 413);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_file_that_is_gone_or_a_pipe_is_no_reason_to_fall_back_to_the_defaults() {
    let home = Home::new();
    let mut server = serve(&home, "[server]\nmax_body_bytes = 2048\n");
    std::fs::remove_file(home.path("panel.toml")).unwrap();
    server.signal(Signal::HUP);
    server.says("reload refused, nothing changed", 1);
    rustix::fs::mkfifoat(rustix::fs::CWD, home.path("panel.toml"), rustix::fs::Mode::RUSR).unwrap();
    server.signal(Signal::HUP);
    server.says("reload refused, nothing changed", 2);
    assert!(server.said().contains("it is a named pipe"), "{}", server.said());
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_reload_that_comes_while_the_panel_starts_is_not_its_end() {
    let home = Home::new();
    let folder = std::fs::File::open(home.folder()).unwrap();
    // Whoever opens a database waits for whoever has its folder.
    folder.lock().unwrap();
    let mut command = home.command(["serve"]);
    command
        .env("PANEL_SERVER__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    let hears = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&caught, 16).unwrap() & 1 == 1
    };
    let until = Instant::now() + DEADLINE;
    while !hears() {
        assert!(Instant::now() < until, "never hears SIGHUP");
        std::thread::yield_now();
    }
    kill_process(pid, Signal::HUP).unwrap();
    folder.unlock().unwrap();
    let said = until_it_ends_or_listens(child);
    assert!(said.contains("listening on"), "{said}");
}

#[test]
fn a_named_file_is_read_again_and_the_environment_still_wins() {
    let home = Home::new();
    home.write("named.toml", "[server]\nmax_body_bytes = 2048\nbody_timeout_seconds = 20\n");
    let mut command = home.command(["--config", "named.toml", "serve"]);
    command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0").env("PANEL_SERVER__BODY_TIMEOUT_SECONDS", "15");
    let server = home.start(command);
    home.write("named.toml", "[server]\nmax_body_bytes = 4096\nbody_timeout_seconds = 30\n");
    server.reload(1);
    assert!(server.said().contains("reloaded: server.max_body_bytes\n"), "{}", server.said());
    std::fs::remove_file(home.path("named.toml")).unwrap();
    server.signal(Signal::HUP);
    server.says("reload refused, nothing changed: named.toml", 1);
}

#[test]
fn what_only_a_start_can_change_is_named_once_each_and_nothing_else_is() {
    let home = Home::new();
    home.write("panel.toml", "[server]\nlisten = \"127.0.0.1:0\"\n");
    let mut server = home.start(home.command(["serve"]));
    let before = server.said();
    home.write(
        "panel.toml",
        "[server]\nlisten = \"127.0.0.1:1\"\nworkers = 7\nmax_body_bytes = 2048\n[database]\npath = \"other.db\"\n\
         synchronous = \"normal\"\n[locale]\ntime_zone = \"Asia/Beirut\"\ncurrency = \"LBP\"\n\
         [log]\nformat = \"json\"\n",
    );
    server.reload(1);
    let said = server.said().strip_prefix(&before).unwrap().to_owned();
    let lines: Vec<_> = said.lines().map(|line| line.split_once("Z ").unwrap().1.trim()).collect();
    let waits = |key: &str| format!("WARN {key} changed: takes effect at the next start");
    let mut expected: Vec<_> = [
        "server.listen",
        "server.workers",
        "database.path",
        "database.synchronous",
        "locale.time_zone",
        "locale.currency",
        "log.format",
    ]
    .map(waits)
    .to_vec();
    expected.push("INFO reloaded: server.max_body_bytes".to_owned());
    assert_eq!(lines, expected);
    assert_eq!(server.send("GET", HEALTH, &[], "").status, 200);
    assert!(!home.path("other.db").exists());
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn nothing_new_is_said_to_be_nothing_new() {
    let home = Home::new();
    let server = serve(&home, "");
    server.reload(1);
    assert!(server.said().ends_with("reloaded: no setting changed\n"), "{}", server.said());
}

#[test]
fn the_limits_take_effect_with_the_next_request() {
    let home = Home::new();
    let server = serve(&home, "");
    let key = home.mint("read").1;
    let status = |credential: Option<&str>| {
        let headers: Vec<_> = credential.map(|key| ("X-API-Key", key)).into_iter().collect();
        server.send("GET", SUBSCRIBERS, &headers, "").status
    };
    let login = || {
        let body = json!({"username": "nobody", "password": "wrong"}).to_string();
        server.send("POST", "/api/auth/login", &[("Content-Type", "application/json")], &body).status
    };
    assert_eq!(([(); 5].map(|()| status(Some(&key))), login()), ([200; 5], 401));

    home.write("panel.toml", "[limits]\nper_key_per_minute = 1\n");
    server.reload(1);
    // A minute may begin in between, but not at each of them.
    assert!([(); 5].map(|()| status(Some(&key))).contains(&429));

    home.write("panel.toml", "[limits]\nper_key_per_minute = 0\nper_ip_per_minute = 1\n");
    server.reload(2);
    assert_eq!((status(Some(&key)), status(None), status(None)), (200, 401, 429));

    home.write("panel.toml", "[limits]\nper_ip_per_minute = 0\nfailures_per_minute = 3\n");
    server.reload(3);
    // One login failed already.
    let wrong = "pk_live_0000000000000000000000000000000000000000000000000000000000000000";
    assert_eq!([status(Some(wrong)), status(Some(wrong)), status(Some(wrong))], [401, 401, 429]);

    home.write("panel.toml", "[limits]\nper_ip_per_minute = 0\nfailures_per_minute = 0\nlogin_per_minute = 1\n");
    server.reload(4);
    assert_eq!((status(Some(wrong)), login(), login()), (401, 401, 429));

    home.write("panel.toml", "[limits]\nper_ip_per_minute = 0\nfailures_per_minute = 0\nlogin_per_minute = 0\n");
    server.reload(5);
    assert_eq!((status(None), login(), login()), (401, 401, 401));
}

#[test]
fn proxies_and_their_header_are_believed_or_not_from_the_next_request_on_also_on_an_open_connection() {
    let home = Home::new();
    let server = serve(&home, "");
    let key = home.mint_from("write", "192.0.2.1");
    let mut open = connect(server.address);
    let mut status = || {
        let head = format!(
            "GET {SUBSCRIBERS} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\
             X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.2\r\n\r\n"
        );
        open.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut byte = [0; 1];
            open.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let head = String::from_utf8(answer).unwrap();
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        open.read_exact(&mut vec![0; length.unwrap()]).unwrap();
        head[9..12].parse::<u16>().unwrap()
    };
    assert_eq!(status(), 403);
    home.write("panel.toml", "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n");
    server.reload(1);
    assert_eq!(status(), 200);
    home.write("panel.toml", "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\nclient_ip_header = \"forwarded\"\n");
    server.reload(2);
    assert_eq!(status(), 403);
    home.write("panel.toml", "");
    server.reload(3);
    assert_eq!(status(), 403);
}

#[test]
fn the_size_and_the_time_of_a_body_take_effect_with_the_next_request() {
    let home = Home::new();
    let server = serve(&home, "[server]\nbody_timeout_seconds = 3600\n");
    let key = home.mint("write").1;
    let big = json!({"username": "ada", "service_id": 1, "address": "x".repeat(4000)});
    assert_ne!(server.create(&key, &big).status, 413);
    home.write("panel.toml", "[server]\nbody_timeout_seconds = 1\nmax_body_bytes = 2048\n");
    server.reload(1);
    assert_eq!(server.create(&key, &big).status, 413);
    let mut unfinished = connect(server.address);
    let headers = [("X-API-Key", key.as_str()), ("Content-Type", "application/json")];
    unfinished.write_all(head("POST", SUBSCRIBERS, &headers, 100).as_bytes()).unwrap();
    assert_eq!(receive(&mut unfinished).status, 408);
}

#[test]
fn the_time_for_an_answer_takes_effect_with_the_next_request() {
    let home = Home::new();
    let server = serve(&home, "[server]\nrequest_timeout_seconds = 3600\n");
    home.write("panel.toml", "[server]\nrequest_timeout_seconds = 1\n");
    server.reload(1);
    // More than the sockets hold, and none of it is taken: twice the time, and the connection is over.
    let mut stream = connect(server.address);
    stream.write_all("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200).as_bytes()).unwrap();
    let until = Instant::now() + DEADLINE;
    while stream.write_all(b"\r\n").is_ok() {
        assert!(Instant::now() < until, "it is open after {DEADLINE:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn a_reseller_may_mint_for_its_users_as_soon_as_the_settings_say_so() {
    let home = Home::with_database();
    for (name, role, creator) in [("rita", "reseller", None), ("uma", "user", Some("rita"))] {
        let email = format!("{name}@example.com");
        let mut words = vec!["user", "add", name, "--role", role, "--email", &email, "--password-stdin"];
        words.extend(creator.into_iter().flat_map(|creator| ["--creator", creator]));
        let ran = home.run_typing("correct horse battery staple\n", words);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    home.ok(["reseller", "update", "rita", "--grant", "api=on"]);
    for name in ["rita", "uma"] {
        home.ok(["user", "update", name, "--feature", "api=on"]);
    }
    let server = serve(&home, "");
    let json = ("Content-Type", "application/json");
    let login = json!({"username": "rita", "password": "correct horse battery staple"}).to_string();
    let token = server.send("POST", "/api/v1/auth/login", &[json], &login).json()["token"].as_str().unwrap().to_owned();
    let mint = || {
        let bearer = format!("Bearer {token}");
        let body = json!({"name": "automation", "permissions": ["read"]}).to_string();
        server.send("POST", "/api/v1/users/uma/api-keys", &[("Authorization", &bearer), json], &body).status
    };
    assert_eq!(mint(), 403);
    home.write("panel.toml", "[keys]\nreseller_delegation = true\n");
    server.reload(1);
    assert_eq!(mint(), 201);
}

#[test]
fn the_log_becomes_quieter_and_louder_in_both_formats() {
    for format in ["text", "json"] {
        let home = Home::new();
        let manager = Manager::new(&home);
        let settings = |level: &str| format!("[log]\nformat = \"{format}\"\nlevel = \"{level}\"\n");
        home.write("panel.toml", settings("info"));
        let server = home.serve_with(&[("NOTIFY_SOCKET", &manager.path)]);
        manager.hears("READY=1");
        let fail = |id: &str| {
            let body = json!({"username": "nobody", "password": "wrong"}).to_string();
            let headers = [("Content-Type", "application/json"), ("X-Request-Id", id)];
            assert_eq!(server.send("POST", "/api/auth/login", &headers, &body).status, 401);
        };
        let of = |id: &str| match format {
            "json" => format!("\"request_id\":\"{id}\""),
            _ => format!("request_id={id}"),
        };
        fail("first");
        server.says(&of("first"), 1);
        home.write("panel.toml", settings("error"));
        server.signal(Signal::HUP);
        // A quiet log does not say that it is one.
        manager.hears("READY=1");
        fail("second");
        home.write("panel.toml", settings("info"));
        server.reload(1);
        fail("third");
        server.says(&of("third"), 1);
        assert!(!server.said().contains(&of("second")), "{}", server.said());
    }
}
