//! Many callers at once: nothing is lost, nothing is doubled, and nobody is shown a lock.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, Key, Plan, Request, SUBSCRIBERS, TestApp};

const CLIENTS: usize = 64;
const CREATES: usize = 16;

async fn create_many(app: &TestApp, key: &Key, client: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for at in 0..CREATES {
        let body = json!({"username": format!("user-{client}-{at}"), "service_id": 1, "external_id": format!("{client}-{at}")});
        answers.push(app.post(SUBSCRIBERS, key, body).await);
    }
    answers
}

fn audited(app: &TestApp) -> i64 {
    app.number("SELECT count(*) FROM audit WHERE action = 'subscribers.create'")
}

#[tokio::test]
async fn creates_of_many_clients_are_all_there_and_all_accounted_for() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    let (house, rex) = (app.external_key("admin", "write"), app.external_key("rex", "write"));
    let clients = (0..CLIENTS).map(|client| create_many(&app, if client % 2 == 0 { &house } else { &rex }, client));
    let answers: Vec<_> = join_all(clients).await.into_iter().flatten().collect();

    for answer in &answers {
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let mut ids: Vec<_> = answers.iter().map(Answer::id).collect();
    ids.sort_unstable();
    ids.dedup();
    let all = i64::try_from(CLIENTS * CREATES).unwrap();
    assert_eq!(i64::try_from(ids.len()).unwrap(), all);
    assert_eq!((app.count("subscribers"), audited(&app)), (all, all));
    let counted = |owner: &str| app.number(&format!("SELECT sum(subscribers) FROM counters WHERE owner_key {owner}"));
    assert_eq!((counted("= -1"), counted("= 0"), counted("> 0")), (all, all / 2, all / 2));
    assert_eq!(app.get(SUBSCRIBERS, &rex).await.body["pagination"]["total"], all / 2);
    assert_eq!(app.text("PRAGMA integrity_check").as_deref(), Some("ok"));
}

#[tokio::test]
async fn equal_creates_at_once_make_one_row_that_all_are_answered_with() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let body = json!({"username": "ada", "service_id": 1, "external_id": "crm-1"});
    let answers = join_all((0..50).map(|_| app.post(SUBSCRIBERS, &key, body.clone()))).await;

    for answer in &answers {
        assert_eq!((answer.status, answer.id()), (201, 1), "{}", answer.text);
    }
    let shown = answers.iter().filter(|answer| answer.data()["password"].is_string()).count();
    assert_eq!(shown, 1, "one of them is told the password");
    assert_eq!((app.count("subscribers"), audited(&app)), (1, 1));
    assert_eq!(app.number("SELECT sum(subscribers) FROM counters WHERE owner_key = -1"), 1);
}

#[tokio::test]
async fn one_of_many_gets_a_login_that_all_want() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let answers = join_all((0..50).map(|at| {
        let name = if at % 2 == 0 { "ada" } else { "ADA" };
        app.post(SUBSCRIBERS, &key, json!({"username": name, "service_id": 1}))
    }))
    .await;

    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.code() == "USERNAME_TAKEN").count(), 49);
    assert_eq!((app.count("subscribers"), audited(&app)), (1, 1));
}

#[tokio::test]
async fn reads_go_on_while_another_process_holds_the_write_lock() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let beside = app.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = json!({"username": "ada", "service_id": 1});
    let write = app.post(SUBSCRIBERS, &key, body);
    let reads = async {
        for _ in 0..20 {
            assert_eq!(app.get(&format!("{SUBSCRIBERS}?username=a"), &key).await.status, 200);
        }
        beside.execute_batch("ROLLBACK").unwrap();
    };
    let (made, ()) = futures_util::future::join(write, reads).await;
    assert_eq!(made.status, 201, "it waited: {}", made.text);
}

/// More writes than may wait, while another process holds the lock: who finds no place is sent away at once.
#[tokio::test]
async fn writes_beyond_the_queue_are_sent_away_and_those_in_it_are_made() {
    let app = Plan::new().without_jobs().spawn().await;
    let key = app.external_key("admin", "write");
    let beside = app.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = Vec::new();
    // The writer takes a group out of the queue once, before it waits for the lock: full is what stays full.
    let mut full = 0;
    while full < 5 {
        let panel = Arc::clone(&app.panel);
        let mut write = Box::pin(async move { panel.db.write(|_| Ok(())).await });
        match futures_util::poll!(&mut write) {
            Poll::Pending => {
                full = 0;
                waiting.push(write);
            }
            Poll::Ready(refused) => {
                assert!(refused.is_err());
                full += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        assert!(waiting.len() < 10_000, "the queue has no end");
    }

    let request = |at: usize| {
        let body = json!({"username": format!("ada-{at}"), "service_id": 1});
        Request::new("POST", SUBSCRIBERS).key(&key).json(&body)
    };
    let answers = join_all((0..8).map(|at| app.call(request(at)))).await;
    for answer in &answers {
        assert_eq!((answer.status, answer.code()), (503, "OVERLOADED"), "{}", answer.text);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    beside.execute_batch("ROLLBACK").unwrap();
    assert!(join_all(waiting).await.iter().all(Result::is_ok), "what waited was made");
    assert_eq!(app.count("subscribers"), 0);
    assert_eq!(app.call(request(0)).await.status, 201, "the same request succeeds later");
}
