//! `GET /subscribers` and one of them: pages, cursors, filters, and whose rows are seen.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, HEALTH, Key, Plan, Request, SUBSCRIBERS, TestApp};

async fn make(app: &TestApp, key: &Key, bodies: impl IntoIterator<Item = Value>) {
    for mut body in bodies {
        if body.get("service_id").is_none() {
            body["service_id"] = json!(1);
        }
        let made = app.post(SUBSCRIBERS, key, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
}

fn names(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.data().as_array().unwrap().iter().map(|row| row["username"].as_str().unwrap()).collect()
}

async fn listed(app: &TestApp, key: &Key, query: &str) -> Vec<String> {
    let answer = app.get(&format!("{SUBSCRIBERS}?{query}"), key).await;
    let total = answer.body["pagination"]["total"].as_u64().unwrap();
    let names: Vec<_> = names(&answer).into_iter().map(str::to_owned).collect();
    assert_eq!(usize::try_from(total).unwrap(), names.len(), "{query}: the total is of what the filter lets through");
    names
}

#[tokio::test]
async fn a_row_has_these_fields_and_no_others() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "write");
    make(&app, &key, [json!({"username": "ada", "full_name": "Ada L", "phone": "+1", "password": "p4ssw0rd-x"})]).await;

    let answer = app.get(SUBSCRIBERS, &key).await;

    let expected = json!({
        "success": true,
        "data": [{
            "id": 1, "username": "ada", "full_name": "Ada L", "phone": "+1", "status": 1, "service_id": 1,
            "is_online": false, "ip_address": null, "expiry_date": "2026-04-20T00:00:00Z",
            "created_at": "2026-03-20T12:00:00Z",
        }],
        "pagination": {"page": 1, "limit": 20, "total": 1, "pages": 1},
        "timestamp": "2026-03-20T12:00:00Z",
    });
    assert_eq!(answer.body, expected);
    assert_eq!(answer.header("x-accepted-permissions"), Some("read, write, delete"));
}

#[tokio::test]
async fn an_empty_list_has_a_total_of_zero() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "read");
    for query in ["", "?username=nobody", "?page=7"] {
        let answer = app.get(&format!("{SUBSCRIBERS}{query}"), &key).await;
        assert_eq!(answer.body["data"], json!([]), "{query}");
        assert_eq!((&answer.body["pagination"]["total"], &answer.body["pagination"]["pages"]), (&json!(0), &json!(0)));
    }
}

#[tokio::test]
async fn pages_add_up() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    make(&app, &key, (1..=25).map(|at| json!({"username": format!("user-{at:02}")}))).await;

    for (query, rows, page, limit, pages, next) in [
        ("", 20, 1, 20, 2, json!("20")),
        ("?page=2", 5, 2, 20, 2, json!(null)),
        ("?limit=25", 25, 1, 25, 1, json!(null)),
        ("?limit=24", 24, 1, 24, 2, json!("24")),
        ("?limit=1&page=25", 1, 25, 1, 25, json!(null)),
        ("?limit=5&page=5", 5, 5, 5, 5, json!(null)),
        ("?limit=5&page=6", 0, 6, 5, 5, json!(null)),
        ("?limit=100", 25, 1, 100, 1, json!(null)),
        ("?page=9223372036854775807&limit=100", 0, i64::MAX, 100, 1, json!(null)),
        ("?page=&limit=&cursor=", 20, 1, 20, 2, json!("20")),
        ("?unknown=1&unknown=2", 20, 1, 20, 2, json!("20")),
    ] {
        let answer = app.get(&format!("{SUBSCRIBERS}{query}"), &key).await;
        let mut expected = json!({"page": page, "limit": limit, "total": 25, "pages": pages});
        if !next.is_null() {
            expected["next_cursor"] = next;
        }
        assert_eq!(names(&answer).len(), rows, "{query}");
        assert_eq!(answer.body["pagination"], expected, "{query}");
    }
}

#[tokio::test]
async fn a_walk_by_cursor_sees_each_row_once_also_while_rows_come_and_go() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    make(&app, &key, (1..=25).map(|at| json!({"username": format!("user-{at:02}")}))).await;

    let mut seen = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let answer = app.get(&format!("{SUBSCRIBERS}?limit=4&cursor={cursor}"), &key).await;
        let pagination = &answer.body["pagination"];
        assert!(pagination.get("total").is_none() && pagination.get("pages").is_none(), "{pagination}");
        assert!(pagination.get("page").is_none(), "{pagination}");
        seen.extend(names(&answer).into_iter().map(str::to_owned));
        match pagination["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
        if seen.len() == 8 {
            app.change("UPDATE subscribers SET deleted_at = 1 WHERE id = 8 OR id = 20", []);
            make(&app, &key, [json!({"username": "user-26"})]).await;
        }
    }
    let expected: Vec<_> = (1..=26).filter(|at| *at != 20).map(|at| format!("user-{at:02}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn each_filter_lets_through_its_rows() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    app.service(2, 1, "month");
    app.nas(7);
    app.nas(8);
    let key = app.external_key("admin", "write");
    make(
        &app,
        &key,
        [
            json!({"username": "active", "expiry_date": "2026-03-20", "external_id": "x-1", "nas_id": 7}),
            json!({"username": "late", "expiry_date": "2026-03-19", "service_id": 2}),
            json!({"username": "inactive", "expiry_date": "2026-03-19", "nas_id": 8}),
            json!({"username": "stopped", "expiry_date": "2027-01-01", "external_id": "x-10"}),
        ],
    )
    .await;
    app.change("UPDATE subscribers SET status = 2 WHERE username = 'inactive'", []);
    app.change("UPDATE subscribers SET status = 4 WHERE username = 'stopped'", []);
    // Behind the panel's back, so the totals that it keeps are moved too.
    app.change(
        "UPDATE counters SET status = CASE expiry_date WHEN (SELECT expiry_date FROM subscribers WHERE username = 'stopped')
         THEN 4 ELSE status END",
        [],
    );
    let two = "SELECT owner_key, 2, expiry_date, 1 FROM counters WHERE subscribers = 2";
    app.change(&format!("INSERT INTO counters (owner_key, status, expiry_date, subscribers) {two}"), []);
    app.change("UPDATE counters SET subscribers = 1 WHERE subscribers = 2", []);
    app.online(1, 7, "100.64.0.9");
    app.move_to("2026-03-20T12:00:10Z");
    make(&app, &key, [json!({"username": "newest", "expiry_date": "2026-06-01"})]).await;

    let all = vec!["active", "late", "inactive", "stopped", "newest"];
    for (query, expected) in [
        ("status=1", vec!["active", "newest"]),
        ("status=2", vec!["inactive"]),
        ("status=3", vec!["late"]),
        ("status=4", vec!["stopped"]),
        ("service_id=2", vec!["late"]),
        ("service_id=99", vec![]),
        ("nas_id=7", vec!["active"]),
        ("nas_id=8", vec!["inactive"]),
        ("is_online=true", vec!["active"]),
        ("is_online=1", vec!["active"]),
        ("is_online=false", vec!["late", "inactive", "stopped", "newest"]),
        ("is_online=0&status=3", vec!["late"]),
        ("external_id=x-1", vec!["active"]),
        ("external_id=X-1", vec![]),
        ("external_id=x", vec![]),
        ("expires_before=2026-03-20", vec!["late", "inactive"]),
        ("expires_before=2026-03-21T00:00:00Z", vec!["active", "late", "inactive"]),
        ("updated_since=2026-03-20T12:00:10Z", vec!["newest"]),
        ("updated_since=2026-03-20T12:00:00Z", all.clone()),
        ("updated_since=2026-03-20T14:00:10%2B02:00", vec!["newest"]),
        ("updated_since=2026-03-20T14:00:10+02:00", vec!["newest"]),
        ("updated_since=2026-03-21", vec![]),
        ("updated_since=2026-03-20", all.clone()),
        ("username=ACTIVE", vec!["active", "inactive"]),
        ("username=active&status=1&nas_id=7&is_online=true&service_id=1", vec!["active"]),
        ("status=&nas_id=&username=", all),
    ] {
        assert_eq!(listed(&app, &key, query).await, expected, "{query}");
    }
    let online = app.get(&format!("{SUBSCRIBERS}?is_online=true"), &key).await;
    assert_eq!(online.data()[0]["ip_address"], "100.64.0.9");
    assert_eq!(online.data()[0]["is_online"], true);
}

#[tokio::test]
async fn a_subscriber_expires_by_the_calendar_of_the_zone_and_no_job() {
    let plan = Plan::new().without_jobs().at("2026-03-20T12:00:00Z");
    let app = plan.config(|config| config.locale.time_zone = "Asia/Beirut".parse().unwrap()).spawn().await;
    let key = app.external_key("admin", "write");
    make(&app, &key, [json!({"username": "ada", "expiry_date": "2026-03-20"})]).await;

    for (now, status) in [
        ("2026-03-20T21:59:59Z", 1),
        ("2026-03-20T22:00:00Z", 3),
        ("2030-01-01T00:00:00Z", 3),
        ("2026-03-20T12:00:00Z", 1),
    ] {
        app.move_to(now);
        assert_eq!(app.get(&format!("{SUBSCRIBERS}/1"), &key).await.data()["status"], status, "{now}");
        assert_eq!(listed(&app, &key, &format!("status={status}")).await, ["ada"], "{now}");
        assert!(listed(&app, &key, &format!("status={}", 4 - status)).await.is_empty(), "{now}");
    }
}

#[tokio::test]
async fn a_parameter_out_of_its_rule_is_named() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "read");
    let long = format!("username={}", "x".repeat(256));
    for (query, field) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=1.5", "page"),
        ("page=%2B1", "page"),
        ("page=%201", "page"),
        ("page=9223372036854775808", "page"),
        ("page=1&page=2", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-5", "limit"),
        ("limit=all", "limit"),
        ("limit=20&limit=20", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=-1", "cursor"),
        ("page=1&cursor=5", "cursor"),
        ("status=0", "status"),
        ("status=5", "status"),
        ("status=active", "status"),
        ("service_id=0", "service_id"),
        ("service_id=one", "service_id"),
        ("nas_id=-1", "nas_id"),
        ("nas_id=%00", "nas_id"),
        ("is_online=yes", "is_online"),
        ("is_online=TRUE", "is_online"),
        ("is_online=2", "is_online"),
        ("expires_before=2026-02-30", "expires_before"),
        ("expires_before=soon", "expires_before"),
        ("updated_since=yesterday", "updated_since"),
        ("updated_since=2026-03-20T25:00:00Z", "updated_since"),
        ("updated_since=1700000000", "updated_since"),
        ("username=a%00b", "username"),
        (&long, "username"),
        ("external_id=a&external_id=b", "external_id"),
    ] {
        let refused = app.get(&format!("{SUBSCRIBERS}?{query}"), &key).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID_PARAMETER"), "{query}: {}", refused.text);
        assert!(refused.message().starts_with(&format!("{field} ")), "{query}: {}", refused.message());
    }
}

#[tokio::test]
async fn a_reseller_sees_its_own_rows_and_an_admin_all() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    app.reseller("kim");
    let [house, rex, kim] = ["admin", "rex", "kim"].map(|name| app.external_key(name, "write"));
    make(&app, &house, [json!({"username": "of-house", "external_id": "x"})]).await;
    make(&app, &rex, [json!({"username": "of-rex", "external_id": "x"})]).await;
    make(&app, &kim, [json!({"username": "of-kim", "external_id": "x"}), json!({"username": "of-kim-2"})]).await;

    for query in ["limit=100", "username=of-", "username=of", "status=1", "is_online=false", "service_id=1"] {
        assert_eq!(listed(&app, &house, query).await, ["of-house", "of-rex", "of-kim", "of-kim-2"], "{query}");
        assert_eq!(listed(&app, &rex, query).await, ["of-rex"], "{query}");
        assert_eq!(listed(&app, &kim, query).await, ["of-kim", "of-kim-2"], "{query}");
    }
    assert_eq!(listed(&app, &rex, "external_id=x").await, ["of-rex"]);
    assert_eq!(names(&app.get(&format!("{SUBSCRIBERS}?cursor=0"), &rex).await), ["of-rex"]);

    // What another owns answers like what does not exist.
    for target in ["4", "999", "by-username/of-kim", "by-username/nobody"] {
        let refused = app.get(&format!("{SUBSCRIBERS}/{target}"), &rex).await;
        assert_eq!((refused.status, refused.code()), (404, "NOT_FOUND"), "{target}");
        assert_eq!(refused.message(), "Subscriber not found", "{target}");
    }
    assert_eq!(app.get(&format!("{SUBSCRIBERS}/2"), &rex).await.data()["username"], "of-rex");
    assert_eq!(app.get(&format!("{SUBSCRIBERS}/4"), &house).await.data()["username"], "of-kim-2");
}

#[tokio::test]
async fn one_subscriber_is_found_by_id_and_by_name() {
    let app = TestApp::spawn().await;
    app.nas(7);
    let key = app.external_key("admin", "write");
    make(&app, &key, [json!({"username": "Zoë@isp.lb"}), json!({"username": "a+b%c"})]).await;
    app.online(1, 7, "100.64.0.9");
    let today = app.panel.today().days();
    app.change("INSERT INTO subscriber_usage (subscriber_id, day, download_bytes) VALUES (1, ?1, 5000000000)", [today]);
    app.change("UPDATE subscribers SET balance = -1005, mac_address = 'aa:bb' WHERE id = 1", []);

    for target in ["1", "by-username/Zo%C3%AB@isp.lb", "by-username/zo%c3%ab%40ISP.lb"] {
        let found = app.get(&format!("{SUBSCRIBERS}/{target}"), &key).await;
        assert_eq!((found.status, found.id()), (200, 1), "{target}: {}", found.text);
        assert!(found.text.contains("\"balance\":-10.05,"), "{}", found.text);
        assert_eq!(found.data()["daily_download_used"], 5_000_000_000_i64);
        assert_eq!(
            (&found.data()["ip_address"], &found.data()["mac_address"]),
            (&json!("100.64.0.9"), &json!("aa:bb"))
        );
        let fields: BTreeSet<_> = found.data().as_object().unwrap().keys().map(String::as_str).collect();
        let documented = "id, username, full_name, phone, address, email, note, external_id, status, service_id, \
            service_name, nas_id, is_online, ip_address, mac_address, expiry_date, balance, daily_download_used, \
            monthly_download_used, created_at, updated_at";
        assert_eq!(fields, documented.split(", ").collect());
    }
    assert_eq!(
        app.get(&format!("{SUBSCRIBERS}/by-username/a+b%25c"), &key).await.id(),
        2,
        "a plus is a plus in a path"
    );
    app.change("UPDATE subscribers SET deleted_at = 1 WHERE id = 1", []);
    for target in ["1", "by-username/Zo%C3%AB@isp.lb"] {
        assert_eq!(app.get(&format!("{SUBSCRIBERS}/{target}"), &key).await.status, 404, "{target}");
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "read");
    for target in [SUBSCRIBERS, HEALTH] {
        let get = app.get(target, &key).await;
        let head = app.call(Request::new("HEAD", target).key(&key)).await;
        assert_eq!(head.status, 200, "{target}");
        // A length may be left out (RFC 9110, 8.6), but not be another one.
        let length = get.text.len().to_string();
        assert!(head.header("content-length").is_none_or(|said| said == length), "{target}");
        assert_eq!(head.header("x-accepted-permissions"), get.header("x-accepted-permissions"));
    }
    assert_eq!(app.call(Request::new("HEAD", SUBSCRIBERS)).await.status, 401);
}
