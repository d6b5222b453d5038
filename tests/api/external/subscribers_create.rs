//! `POST /subscribers`: what a create makes, and what a retry of it finds.

use panel::domain::encoding::hex;
use serde_json::{Value, json};

use crate::support::{Key, Plan, Request, SUBSCRIBERS, TestApp};

/// The seed's own example.
fn example() -> Value {
    json!({
        "username": "user1234@example.lb",
        "password": "auto-generate",
        "service_id": 4,
        "full_name": "John Customer",
        "phone": "+96170123456",
        "expiry_date": "2026-12-31"
    })
}

#[tokio::test]
async fn the_seeds_example_needs_its_service_and_then_creates() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "write");
    let before = app.footprint();

    let refused = app.post(SUBSCRIBERS, &key, example()).await;
    assert_eq!((refused.status, refused.code()), (400, "INVALID_PARAMETER"));
    assert_eq!(refused.message(), "service_id does not exist");
    assert_eq!(app.footprint(), before);

    app.service(4, 1, "month");
    let made = app.post(SUBSCRIBERS, &key, example()).await;
    assert_eq!(made.status, 201);
    let password = made.data()["password"].clone();
    assert!(password.as_str().is_some_and(|text| text.len() >= 20), "{password}");
    let expected = json!({
        "success": true,
        "data": {
            "id": 1, "username": "user1234@example.lb", "full_name": "John Customer", "phone": "+96170123456",
            "address": "", "email": "", "note": "", "external_id": null, "status": 1, "service_id": 4,
            "service_name": "Plan 4", "nas_id": null, "is_online": false, "ip_address": null, "mac_address": null,
            "expiry_date": "2026-12-31T00:00:00Z", "balance": 0.0, "daily_download_used": 0,
            "monthly_download_used": 0, "created_at": "2026-03-20T12:00:00Z", "updated_at": "2026-03-20T12:00:00Z",
            "password": password,
        },
        "timestamp": "2026-03-20T12:00:00Z",
    });
    assert_eq!(made.body, expected);
    assert!(made.text.contains("\"balance\":0.00,"), "money has two decimals: {}", made.text);
    assert_eq!(app.count("subscribers"), 1);
}

#[tokio::test]
async fn a_create_leaves_one_audit_row_that_knows_who_and_hides_what_is_secret() {
    let app = TestApp::spawn().await;
    let reseller = app.reseller("rex");
    let key = app.external_key("rex", "write");
    let body = json!({"username": "ada", "service_id": 1, "password": "hunter2-hunter2", "note": "a\nb\tc"});

    let request = Request::new("POST", SUBSCRIBERS).key(&key).json(&body).header("x-request-id", "req-77");
    let made = app.call(request).await;

    assert_eq!(made.status, 201);
    let rows = app.rows("SELECT * FROM audit WHERE action = 'subscribers.create'");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row["actor_kind"], "key");
    assert_eq!((&row["actor_user_id"], &row["actor_key_id"]), (&json!(reseller), &json!(key.id)));
    assert_eq!((&row["object_kind"], &row["object_id"]), (&json!("subscriber"), &json!(made.id())));
    assert_eq!(
        (&row["ip"], &row["request_id"], &row["surface"]),
        (&json!("127.0.0.1"), &json!("req-77"), &json!("external"))
    );
    let after: Value = serde_json::from_str(row["after"].as_str().unwrap()).unwrap();
    assert_eq!((&after["username"], &after["note"]), (&json!("ada"), &json!("a\nb\tc")));
    assert!(!row.to_string().contains("hunter2"), "{row}");
    assert_eq!(app.number("SELECT owner_id FROM subscribers"), reseller);
    let counted = app.rows("SELECT owner_key, status, subscribers FROM counters ORDER BY owner_key");
    let expected = [-1, reseller].map(|owner| json!({"owner_key": owner, "status": 1, "subscribers": 1}));
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn the_expiry_is_one_period_from_today_in_the_configured_zone() {
    for (zone, now, service, expiry) in [
        ("UTC", "2026-01-31T23:30:00Z", 1, "2026-02-28T00:00:00Z"),
        ("Asia/Beirut", "2026-01-31T23:30:00Z", 1, "2026-03-01T00:00:00Z"),
        ("UTC", "2028-01-31T00:00:00Z", 1, "2028-02-29T00:00:00Z"),
        ("UTC", "2026-12-25T00:00:00Z", 2, "2027-01-24T00:00:00Z"),
        ("Pacific/Auckland", "2026-12-25T12:00:00Z", 2, "2027-01-25T00:00:00Z"),
    ] {
        let plan = Plan::new().config(|config| config.locale.time_zone = zone.parse().unwrap()).at(now);
        let app = plan.spawn().await;
        app.service(2, 30, "day");
        let key = app.external_key("admin", "write");
        let made = app.post(SUBSCRIBERS, &key, json!({"username": "ada", "service_id": service})).await;
        assert_eq!(made.data()["expiry_date"], expiry, "{zone} {now}");
    }
}

#[tokio::test]
async fn both_forms_of_a_date_are_taken_and_the_date_part_is_kept() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    for (at, (sent, kept)) in [
        ("2026-12-31", "2026-12-31T00:00:00Z"),
        ("2026-12-31T23:59:59-11:00", "2026-12-31T00:00:00Z"),
        ("2026-12-31T00:00:00.123+14:00", "2026-12-31T00:00:00Z"),
        ("2028-02-29", "2028-02-29T00:00:00Z"),
        ("9999-12-31", "9999-12-31T00:00:00Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"username": format!("ada-{at}"), "service_id": 1, "expiry_date": sent});
        assert_eq!(app.post(SUBSCRIBERS, &key, body).await.data()["expiry_date"], kept, "{sent}");
    }
    let past = json!({"username": "late", "service_id": 1, "expiry_date": "2020-01-01"});
    assert_eq!(app.post(SUBSCRIBERS, &key, past).await.data()["status"], 3, "expired is computed on read");
}

#[tokio::test]
async fn a_password_that_we_made_is_shown_once_and_sealed() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let mut seen = Vec::new();
    for (at, password) in
        [None, Some(json!(null)), Some(json!("")), Some(json!("auto-generate"))].into_iter().enumerate()
    {
        let mut body = json!({"username": format!("ada-{at}"), "service_id": 1});
        if let Some(password) = password {
            body["password"] = password;
        }
        let made = app.post(SUBSCRIBERS, &key, body).await;
        let shown = made.data()["password"].as_str().unwrap().to_owned();

        assert_eq!(app.password_of(made.id()), shown);
        let sealed = app.blob(&format!("SELECT password_sealed FROM subscribers WHERE id = {}", made.id()));
        assert!(!sealed.windows(shown.len()).any(|window| window == shown.as_bytes()));
        let read = app.get(&format!("{SUBSCRIBERS}/{}", made.id()), &key).await;
        assert!(read.data().get("password").is_none() && !read.text.contains(&shown));
        seen.push(shown);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "no two are the same");
}

#[tokio::test]
async fn a_password_that_was_given_is_sealed_and_never_comes_back() {
    let mut app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let given = "Correct-Horse é 1";
    let body = json!({"username": "ada", "service_id": 1, "password": given, "external_id": "a"});

    let request = Request::new("POST", SUBSCRIBERS).key(&key).json(&body).header("idempotency-key", "one");
    let made = app.call(request).await;

    assert_eq!(made.status, 201);
    assert!(made.data().get("password").is_none() && !made.text.contains(given));
    assert_eq!(app.password_of(made.id()), given);
    app.stop();
    let needles = [given.as_bytes(), key.secret().as_bytes()];
    for (name, bytes) in app.files() {
        for needle in needles {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{name} holds a secret in clear");
        }
    }
}

#[tokio::test]
async fn texts_are_kept_as_sent() {
    let app = TestApp::spawn().await;
    app.nas(7);
    let key = app.external_key("admin", "write");
    let body = json!({
        "username": "Étage-2@ISP.lb", "service_id": 1, "full_name": "Żółć 🙂 'quoted' \"double\" <b>", "phone": " +1 ",
        "address": "line 1\r\nline 2\ttab", "email": "not checked", "note": "n".repeat(2000), "nas_id": 7,
        "external_id": "ext/1?&", "expiry_date": "2030-01-01", "status": 1, "balance": 0.00,
        "some_new_field": {"of": ["another", "system"]}, "id": 999, "is_online": true,
    });

    let made = app.post(SUBSCRIBERS, &key, body.clone()).await;
    let read = app.get(&format!("{SUBSCRIBERS}/{}", made.id()), &key).await;

    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.id(), 1);
    for field in ["username", "full_name", "phone", "address", "email", "note", "nas_id", "external_id"] {
        assert_eq!(made.data()[field], body[field], "{field}");
        assert_eq!(read.data()[field], body[field], "{field}");
    }
    assert_eq!(made.data()["is_online"], false);
}

#[tokio::test]
async fn null_in_an_optional_field_is_absent() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "write");
    let body = json!({
        "username": "ada", "service_id": 1, "password": null, "full_name": null, "phone": null, "address": null,
        "email": null, "note": null, "expiry_date": null, "nas_id": null, "external_id": null, "status": null,
        "balance": null,
    });
    let made = app.post(SUBSCRIBERS, &key, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.data()["expiry_date"], "2026-04-20T00:00:00Z");
    assert_eq!(made.data()["full_name"], "");
}

#[tokio::test]
async fn a_login_is_taken_in_every_case_and_for_every_owner_until_its_row_is_deleted() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    let (house, rex) = (app.external_key("admin", "write"), app.external_key("rex", "write"));
    let body = |name: &str| json!({"username": name, "service_id": 1});
    assert_eq!(app.post(SUBSCRIBERS, &house, body("Ünïk@ISP")).await.status, 201);
    let before = app.footprint();

    for (key, name) in [(&house, "Ünïk@ISP"), (&house, "ünïk@isp"), (&rex, "ÜNÏK@ISP")] {
        let refused = app.post(SUBSCRIBERS, key, body(name)).await;
        assert_eq!((refused.status, refused.code()), (409, "USERNAME_TAKEN"), "{name}");
        assert_eq!(app.footprint(), before, "{name}");
    }
    app.change("UPDATE subscribers SET deleted_at = 1", []);
    assert_eq!(app.post(SUBSCRIBERS, &rex, body("ünïk@isp")).await.status, 201);
}

async fn created(app: &TestApp, key: &Key) -> Value {
    let body = json!({
        "username": "ada", "service_id": 1, "full_name": "Ada", "external_id": "crm-1", "expiry_date": "2026-12-31",
        "password": "first-password"
    });
    assert_eq!(app.post(SUBSCRIBERS, key, body.clone()).await.status, 201);
    body
}

#[tokio::test]
async fn an_equal_retry_finds_the_first_row_and_shows_no_password_again() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    let body = created(&app, &key).await;
    let before = app.footprint();
    app.change("UPDATE subscribers SET full_name = 'renamed since', status = 2", []);

    let mut fewer = body.clone();
    fewer.as_object_mut().unwrap().retain(|name, _| ["username", "service_id", "external_id"].contains(&name.as_str()));
    let mut other_password = body.clone();
    other_password["password"] = json!("auto-generate");
    let mut other_form = body.clone();
    other_form["expiry_date"] = json!("2026-12-31T08:00:00Z");
    for retry in [body, fewer, other_password, other_form] {
        let answer = app.post(SUBSCRIBERS, &key, retry.clone()).await;
        assert_eq!((answer.status, answer.id()), (201, 1), "{retry}");
        assert_eq!(answer.data()["full_name"], "renamed since", "the row as it is: {retry}");
        assert!(answer.data().get("password").is_none(), "{retry}");
    }
    assert_eq!(app.footprint(), before);
    assert_eq!(app.password_of(1), "first-password");
}

#[tokio::test]
async fn a_retry_with_other_values_is_refused_and_told_which() {
    let app = TestApp::spawn().await;
    app.service(2, 1, "month");
    app.nas(7);
    let key = app.external_key("admin", "write");
    let body = created(&app, &key).await;
    let before = app.footprint();

    for (changes, named) in [
        (json!({"username": "bob"}), "username"),
        (json!({"service_id": 2}), "service_id"),
        (json!({"full_name": "Eve", "phone": "1"}), "full_name, phone"),
        (json!({"full_name": ""}), "full_name"),
        (json!({"expiry_date": "2027-01-01", "nas_id": 7}), "expiry_date, nas_id"),
        (json!({"address": "a", "email": "b", "note": "c"}), "address, email, note"),
    ] {
        let mut retry = body.clone();
        retry.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let refused = app.post(SUBSCRIBERS, &key, retry).await;
        assert_eq!((refused.status, refused.code()), (409, "EXTERNAL_ID_TAKEN"), "{changes}");
        assert!(refused.message().ends_with(&format!(": {named}")), "{changes}: {}", refused.message());
    }
    assert_eq!(app.footprint(), before);
}

#[tokio::test]
async fn an_external_id_belongs_to_its_owner_and_is_free_again_after_its_row() {
    let app = TestApp::spawn().await;
    app.reseller("rex");
    app.reseller("kim");
    let body = |name: &str| json!({"username": name, "service_id": 1, "external_id": "crm-1"});
    for (owner, name) in [("admin", "a"), ("rex", "b"), ("kim", "c")] {
        let key = app.external_key(owner, "write");
        assert_eq!(app.post(SUBSCRIBERS, &key, body(name)).await.status, 201, "{owner}");
        assert_eq!(app.post(SUBSCRIBERS, &key, body("z")).await.code(), "EXTERNAL_ID_TAKEN", "{owner}");
    }
    app.change("UPDATE subscribers SET deleted_at = 1 WHERE username = 'b'", []);
    let key = app.external_key("rex", "write");
    assert_eq!(app.post(SUBSCRIBERS, &key, body("d")).await.status, 201);
    assert_eq!(app.number("SELECT count(*) FROM subscribers WHERE deleted_at IS NULL"), 3);
}

#[tokio::test]
async fn a_reseller_may_name_only_a_router_it_sees() {
    let app = TestApp::spawn().await;
    let rex = app.reseller("rex");
    app.nas(7);
    let key = app.external_key("rex", "write");
    let body = json!({"username": "ada", "service_id": 1, "nas_id": 7});

    let refused = app.post(SUBSCRIBERS, &key, body.clone()).await;
    assert_eq!((refused.status, refused.message()), (400, "nas_id does not exist"));
    app.change("INSERT INTO nas_resellers (user_id, nas_id) VALUES (?1, 7)", [rex]);
    assert_eq!(app.post(SUBSCRIBERS, &key, body).await.status, 201);
}

#[tokio::test]
async fn a_sealed_password_is_bound_to_its_row() {
    let app = TestApp::spawn().await;
    let key = app.external_key("admin", "write");
    for name in ["ada", "bob"] {
        let body = json!({"username": name, "service_id": 1, "password": "same-password"});
        assert_eq!(app.post(SUBSCRIBERS, &key, body).await.status, 201);
    }
    let sealed = |id: i64| hex(&app.blob(&format!("SELECT password_sealed FROM subscribers WHERE id = {id}")));
    assert_ne!(sealed(1), sealed(2), "equal passwords are not seen to be equal");
    assert_eq!(app.number("SELECT count(DISTINCT uid) FROM subscribers"), 2);
}
