//! `GET /accounts`: a bare array, by id.

use panel::domain::keys::Level;
use serde_json::{Value, json};

use super::calls::{ACCOUNTS, account, create, get, made, of_level, one, send, whole, with};
use crate::keys::Minted;
use crate::support::TestApp;

async fn ids(app: &TestApp, key: &Minted, query: &str) -> Vec<i64> {
    let answer = get(app, key, &format!("{ACCOUNTS}{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.body.as_array().unwrap().iter().map(|account| account["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_row_of_the_list_is_the_account_itself() {
    let app = TestApp::spawn().await;
    let key = whole(&app);
    assert_eq!(get(&app, &key, ACCOUNTS).await.text, "[]");
    let id = made(&create(&app, &key, &with("ada", &json!({"billing_id": 7, "metadata": {"a": 1}}))).await);
    let shown = get(&app, &key, &one(id)).await;
    assert_eq!(get(&app, &key, ACCOUNTS).await.text, format!("[{}]", shown.text));
}

/// Rows as a database of a thousand customers has them.
fn fill(app: &TestApp, creator: i64, from: i64, count: i64) {
    let mut database = app.beside();
    let all = database.transaction().unwrap();
    for number in from..from + count {
        all.execute(
            "INSERT INTO users (uid, username, username_key, email, email_key, role, creator_id, package_id, billing_id,
                                created_at, updated_at)
             VALUES (zeroblob(16), 'u' || ?1, 'u' || ?1, ?1 || '@x', ?1 || '@x', 'user', ?2, 1, 'b' || (?1 % 10), 0, 0)",
            (number, creator),
        )
        .unwrap();
    }
    all.commit().unwrap();
}

#[tokio::test]
async fn a_list_is_cut_by_skip_and_limit() {
    let app = TestApp::spawn().await;
    let rex = app.reseller("rex");
    let (house, of_rex) = (whole(&app), of_level(&app, "rex", Level::ReadOnly));
    fill(&app, 1, 1, 600);
    fill(&app, rex, 601, 600);
    let all: Vec<i64> = (0..).zip(rex..=rex + 1200).map(|(_, id)| id).collect();
    let mine = &all[601..];
    for (key, rows) in [(&house, &all[..]), (&of_rex, mine)] {
        assert_eq!(ids(&app, key, "").await, rows[..100]);
        assert_eq!(ids(&app, key, "?limit=3").await, rows[..3]);
        assert_eq!(ids(&app, key, "?skip=2&limit=3").await, rows[2..5]);
        assert_eq!(ids(&app, key, "?skip=550&limit=20").await, rows[550..570]);
        let end = rows.len().min(1000);
        assert_eq!(ids(&app, key, "?limit=1000").await, rows[..end]);
        assert_eq!(ids(&app, key, "?skip=1201").await, Vec::<i64>::new());
    }
    let mut walked = Vec::new();
    for page in 0..13 {
        walked.extend(ids(&app, &house, &format!("?skip={}", page * 100)).await);
    }
    assert_eq!(walked, all);
}

#[tokio::test]
async fn a_list_is_narrowed_by_name_and_by_billing_id() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    let (house, of_rex) = (whole(&app), of_level(&app, "rex", Level::Billing));
    let mut made_by_all = Vec::new();
    for (key, name, billing_id) in [
        (&house, "ada", json!(7)),
        (&house, "bob", json!("7")),
        (&of_rex, "cleo", json!("a&b/ü")),
        (&of_rex, "dan", json!(7)),
    ] {
        made_by_all.push(made(&create(&app, key, &with(name, &json!({"billing_id": billing_id}))).await));
    }
    let [ada, bob, cleo, dan] = made_by_all[..] else { panic!("four") };
    let none: [i64; 0] = [];
    let cases: [(&Minted, &str, &[i64]); 10] = [
        (&house, "?billing_id=7", &[ada, bob, dan]),
        (&house, "?billing_id=7&skip=1&limit=1", &[bob]),
        (&house, "?billing_id=07", &none),
        (&of_rex, "?billing_id=7", &[dan]),
        (&of_rex, "?billing_id=a%26b%2F%C3%BC", &[cleo]),
        (&house, "?username=ADA", &[ada]),
        (&house, "?username=ad", &none),
        (&of_rex, "?username=ada", &none),
        (&house, "?username=bob&billing_id=7", &[bob]),
        (&house, "?username=bob&billing_id=8", &none),
    ];
    for (key, query, expected) in cases {
        assert_eq!(ids(&app, key, query).await, expected, "{query}");
    }
    assert_eq!(send(&app, &house, "DELETE", &one(ada), &Value::Object(serde_json::Map::new())).await.status, 200);
    assert_eq!(ids(&app, &house, "?billing_id=7").await, [bob, dan]);
    assert_eq!(account(&app, &house, "ada").await, dan + 1, "an id is never used again");
}
