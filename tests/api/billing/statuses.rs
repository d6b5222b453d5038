//! Each status of the contract's tables, with its `detail`; the answers that a framework would give wear the same face.

use serde_json::json;

use super::calls::{ACCOUNTS, account, create, detail, draft, fields, get, one, send, told, whole};
use crate::keys::{revoke, rotate};
use crate::support::{Plan, Request, TestApp};

#[tokio::test]
async fn an_error_has_a_detail_and_the_id_under_which_the_log_has_it() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let request = key.on(Request::new("GET", &one(999))).header("x-request-id", "support-7");
    let answer = app.call(request).await;
    assert_eq!(answer.body, json!({"detail": "Account not found", "request_id": "support-7"}));
    let refused = app.call(Request::new("GET", ACCOUNTS)).await;
    assert_eq!(fields(&refused.body), ["detail", "request_id", "denied"]);
}

#[tokio::test]
async fn what_names_no_account_is_not_found() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let id = account(&app, &key, "ada").await;
    for wrong in ["0", "-1", "abc", "1.5", "999", "%31x", "99999999999999999999", &format!("0{id}"), &format!("+{id}")]
    {
        let answer = get(&app, &key, &format!("{ACCOUNTS}/{wrong}")).await;
        assert_eq!(told(&answer), (404, "Account not found"), "{wrong}");
    }
    for target in ["/api/v1/billing/account", &format!("{ACCOUNTS}/"), &format!("{}/nothing", one(id)), "/api/health/x"]
    {
        assert_eq!(told(&get(&app, &key, target).await), (404, "Route not found"), "{target}");
    }
}

#[tokio::test]
async fn what_a_framework_refuses_is_told_in_a_detail_too() {
    let app = TestApp::with(|config| config.server.max_body_bytes = 2_000).await;
    let key = whole(&app);
    let post = || key.on(Request::new("POST", ACCOUNTS));
    for (name, request, status, text) in [
        ("a wrong method", key.on(Request::new("PUT", ACCOUNTS)), 405, "This path takes GET, POST, HEAD, OPTIONS"),
        (
            "another type",
            post().header("content-type", "text/xml").body("<a/>"),
            415,
            "Send the body as application/json",
        ),
        (
            "a form",
            post().header("content-type", "application/x-www-form-urlencoded").body("a=1"),
            415,
            "Send the body",
        ),
        (
            "a large body",
            post().json(&json!({"username": "x".repeat(3_000)})),
            413,
            "The body is larger than 2000 bytes",
        ),
        (
            "a bad header",
            post().json(&draft("ada")).header("idempotency-key", "a b"),
            400,
            "Idempotency-Key: must be given once",
        ),
    ] {
        let answer = app.call(request).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        assert!(detail(&answer).starts_with(text), "{name}: {}", answer.text);
    }
    let mut connection = app.connect();
    let twice = Request::new("GET", ACCOUNTS).header("x-api-key", &key.key).header("X-API-Key", &key.key);
    let answer = connection.call(&twice.header("x-api-secret", key.shown()));
    assert_eq!(told(&answer), (400, "X-API-Key is given twice"));
    assert_eq!(app.count("users"), 1);
}

#[tokio::test]
async fn a_dead_secret_is_a_revoked_key() {
    let app = TestApp::spawn().await;
    let old = whole(&app);
    let new = rotate(&app, &old, 0);
    assert_eq!(told(&get(&app, &old, ACCOUNTS).await), (401, "API key is revoked"));
    assert_eq!(get(&app, &new, ACCOUNTS).await.status, 200);
    revoke(&app, &new);
    assert_eq!(told(&get(&app, &new, ACCOUNTS).await), (401, "API key is revoked"));
}

/// More log-ins and creates than the one hasher can serve in time.
#[tokio::test]
async fn creates_beyond_the_hashers_queue_are_sent_away_and_can_be_sent_again() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let bodies: Vec<_> = (0..80).map(|at| draft(&format!("user{at}"))).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| create(&app, &key, body))).await;
    let away = answers.iter().filter(|answer| answer.status == 503).count();
    for answer in &answers {
        assert!(matches!(answer.status, 201 | 503), "{}", answer.text);
        if answer.status == 503 {
            assert_eq!((detail(answer), answer.header("retry-after")), ("too busy, try again in 1 s", Some("1")));
        }
    }
    assert!(away > 0, "nobody was sent away: ask more at once");
    for (body, answer) in bodies.iter().zip(&answers).filter(|(_, answer)| answer.status == 503) {
        let again = create(&app, &key, body).await;
        assert_eq!(again.status, 201, "{} after {}", again.text, answer.text);
    }
    assert_eq!(app.count("users"), 81);
}

#[tokio::test]
async fn a_database_that_fails_is_told_without_its_words() {
    let app = Plan::new().without_jobs().spawn().await;
    let key = whole(&app);
    app.change("ALTER TABLE audit RENAME TO lost", []);
    let answer = create(&app, &key, &draft("ada")).await;
    assert!(matches!(answer.status, 500 | 503), "{}", answer.text);
    assert!(!detail(&answer).is_empty());
    app.change("ALTER TABLE lost RENAME TO audit", []);
    assert_eq!(app.count("users"), 1, "what could not be audited was not made");
    account(&app, &key, "ada").await;
}

#[tokio::test]
async fn head_and_options_are_answered_as_everywhere() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    let id = account(&app, &key, "ada").await;
    let head = send(&app, &key, "HEAD", &one(id), &json!({})).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let options = app.call(Request::new("OPTIONS", &one(id))).await;
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, PUT, DELETE, HEAD, OPTIONS")));
}
