//! The lines that failed requests leave in the server's log: one each, at its level, with what leads from the answer to it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{HEALTH, Key, NewKey, Request, SUBSCRIBERS, TestApp, prefix};

const SOON: Duration = Duration::from_secs(10);

/// An id that no other test of this binary has: they all share one log.
fn id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("log-lines-{}.", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Sends a request under an id of its own and gives the lines with that id, without their time.
async fn lines_of(app: &mut TestApp, request: Request) -> (u16, Vec<String>) {
    let id = id();
    let status = app.call(request.header("x-request-id", &id)).await.status;
    let of_id = |app: &TestApp| app.said().into_iter().filter(|line| line.contains(&id)).collect::<Vec<_>>();
    let known = app.call(Request::new("GET", "/fence").header("x-request-id", format!("{id}fence"))).await;
    assert_eq!(known.status, 404);
    // Lines keep the order of their requests: with the second one's there, the first one's would be.
    app.eventually("the line of the fence", SOON, || of_id(app).iter().any(|line| line.contains("fence"))).await;
    let lines = of_id(app).into_iter().filter(|line| !line.contains("fence"));
    let lines = lines.map(|line| line.split_once('Z').unwrap().1.trim().replace(&id, "ID"));
    (status, lines.collect())
}

#[tokio::test]
async fn each_failure_leaves_one_line_at_its_level_and_a_success_none() {
    let mut app = TestApp::spawn().await;
    let read = app.external_key("admin", "read");
    let shown = prefix(read.secret()).to_owned();
    let limited = app.key_with("admin", "read", NewKey { rate: Some(1), ..NewKey::default() });
    assert_eq!(app.get(SUBSCRIBERS, &limited).await.status, 200);
    let stranger = Key::of("pk_live_ffffffffffffffffffffffffffffffff");
    let get = |path: &str, key: &Key| Request::new("GET", path).key(key);
    let post = |body: &str| Request::new("POST", SUBSCRIBERS).key(&read).body(body);
    let of = |surface: &str, method: &str, route: &str| format!("surface={surface} method={method} route={route}");
    let list = of("external", "GET", SUBSCRIBERS);
    let login = json!({"username": "admin", "password": "not the password 1"});
    for (request, status, expected) in [
        (get(SUBSCRIBERS, &read), 200, String::new()),
        (get(HEALTH, &Key::none()), 200, String::new()),
        (
            post("{}"),
            403,
            format!(
                "WARN API key {shown} permission refused: 403 scope needs write, has read ip=127.0.0.1 request_id=ID {}",
                of("external", "POST", SUBSCRIBERS)
            ),
        ),
        (get(SUBSCRIBERS, &stranger), 401, "WARN API key (unknown) permission refused: 401 key refused".to_owned()),
        (get(SUBSCRIBERS, &Key::none()), 401, "DEBUG a request was refused: 401 credential".to_owned()),
        (
            get(SUBSCRIBERS, &limited),
            429,
            format!("WARN API key {} permission refused: 429 rate", prefix(limited.secret())),
        ),
        (
            get(&format!("{SUBSCRIBERS}?limit=x"), &read),
            400,
            format!("DEBUG a request was refused ip=127.0.0.1 request_id=ID {list}"),
        ),
        (get(&format!("{SUBSCRIBERS}/77"), &read), 404, "DEBUG a request was refused".to_owned()),
        (
            Request::new("POST", "/api/v1/auth/login").json(&login),
            401,
            "WARN login refused: 401 wrong name or password ip=127.0.0.1 request_id=ID".to_owned(),
        ),
        (Request::new("PATCH", "/setup/x"), 405, "DEBUG a request was refused".to_owned()),
    ] {
        let told = request.to_string();
        let (answered, lines) = lines_of(&mut app, request).await;
        assert_eq!(answered, status, "{told}");
        assert_eq!(lines.len(), usize::from(!expected.is_empty()), "{told}: {lines:?}");
        for line in lines {
            assert!(line.starts_with(&expected), "{told}: {line}");
            assert!(line.contains(&format!(" status={status} latency_us=")) && line.contains("surface="), "{line}");
        }
    }
}

#[tokio::test]
async fn a_fault_of_ours_is_told_with_its_cause_and_the_id_of_its_answer() {
    let mut app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    app.change("ALTER TABLE subscribers RENAME COLUMN note TO nota", []);
    let (status, lines) = lines_of(&mut app, Request::new("GET", &format!("{SUBSCRIBERS}/1")).key(&key)).await;
    assert_eq!((status, lines.len()), (500, 1), "{lines:?}");
    assert!(lines[0].starts_with("ERROR internal error ip=127.0.0.1 request_id=ID"), "{lines:?}");
    assert!(lines[0].contains("cause=\"no such column"), "{lines:?}");
}

#[tokio::test]
async fn what_callers_send_forges_no_line_and_leaves_no_secret_behind() {
    let mut app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let evil = json!({"username": "x\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J", "service_id": 1, "password": 7});
    let (_, lines) = lines_of(&mut app, Request::new("POST", SUBSCRIBERS).key(&key).json(&evil)).await;
    assert!(lines.len() == 1 && !lines[0].contains('\u{1b}') && !lines[0].contains('\n'), "{lines:?}");
    let token = "t".repeat(43);
    let path = format!("/setup/{token}/{}", key.secret());
    let (status, lines) = lines_of(&mut app, Request::new("GET", &path)).await;
    assert_eq!((status, lines.len()), (404, 1));
    assert!(lines[0].contains("path=/setup/***/pk_live_***"), "{lines:?}");
    for long in [format!("/{}", "ü".repeat(2_000)), format!("/{}", "a/".repeat(2_000))] {
        let (_, lines) = lines_of(&mut app, Request::new("GET", &long)).await;
        assert!(lines.len() == 1 && lines[0].len() < 2_000, "{}", lines[0].len());
    }
}

#[tokio::test]
async fn a_flood_leaves_so_many_lines_a_minute_and_then_their_number() {
    let mut app = TestApp::spawn().await;
    let read = app.external_key("admin", "read");
    let stranger = Key::of(&format!("pk_live_{}", "e".repeat(32)));
    for _ in 0..200 {
        assert_eq!(app.get(SUBSCRIBERS, &stranger).await.status, 401);
    }
    for _ in 0..100 {
        assert_eq!(app.post(SUBSCRIBERS, &read, json!({})).await.status, 403);
    }
    app.stop();
    let said = app.said();
    // A minute may end in between, and then each has as many lines again.
    let told = |text: &str| said.iter().filter(|line| line.contains(text)).count();
    let left_out = |kind: &str| -> usize {
        let number = |line: &String| line.split_once(kind)?.1.trim().strip_prefix("more=")?.parse::<usize>().ok();
        said.iter().filter_map(number).sum()
    };
    let of_key = format!("left out: refusals of the API key with the id {} ", read.id);
    assert_eq!(told(prefix(read.secret())) + left_out(&of_key), 100, "a key has lines of its own: {said:?}");
    assert!(left_out(&of_key) >= 40 || told(&of_key) > 1, "{said:?}");
    // What other tests' strangers did at the same time is told with these.
    assert!(told("left out: refused credentials and logins of strangers") > 0, "{said:?}");
}
