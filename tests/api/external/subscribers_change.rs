//! PUT, DELETE, suspend and activate of a subscriber.

use panel::domain::time::Date;
use serde_json::{Value, json};

use super::calls::{act, assert_chain, assert_counted, book, delete, fields, put, read, subscriber};
use crate::support::{Key, Request, SUBSCRIBERS, TestApp};

const DETAIL: [&str; 21] = [
    "id",
    "username",
    "full_name",
    "phone",
    "address",
    "email",
    "note",
    "external_id",
    "status",
    "service_id",
    "service_name",
    "nas_id",
    "is_online",
    "ip_address",
    "mac_address",
    "expiry_date",
    "balance",
    "daily_download_used",
    "monthly_download_used",
    "created_at",
    "updated_at",
];

/// Made at noon; the clock then stands an hour later.
async fn one() -> (TestApp, Key, i64) {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "delete");
    let body = json!({
        "username": "ada@isp.lb", "service_id": 1, "password": "first-password", "full_name": "Ada L", "phone": "+1",
        "address": "a", "email": "e", "note": "n", "external_id": "crm-1", "expiry_date": "2026-12-31",
    });
    let id = app.post(SUBSCRIBERS, &key, body).await.id();
    app.move_to("2026-03-20T13:00:00Z");
    (app, key, id)
}

/// The newest audit row: its action, what was, and what is.
fn audited(app: &TestApp) -> (String, Value, Value) {
    let row = app.rows("SELECT * FROM audit ORDER BY id DESC LIMIT 1").remove(0);
    let parsed = |name: &str| row[name].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
    (row["action"].as_str().unwrap().to_owned(), parsed("before"), parsed("after"))
}

#[tokio::test]
async fn a_change_that_may_not_be_is_refused_and_nothing_is_written() {
    let (app, key, id) = one().await;
    subscriber(&app, &key, "bob").await;
    let taken = json!({"username": "eve", "service_id": 1, "external_id": "crm-2"});
    assert_eq!(app.post(SUBSCRIBERS, &key, taken).await.status, 201);
    app.service(3, 1, "month");
    app.change("UPDATE services SET deleted_at = 1 WHERE id = 3", []);
    let before = (app.footprint(), app.rows("SELECT * FROM subscribers"));
    for (body, status, code, message) in [
        (json!({"username": "bob"}), 400, "INVALID_PARAMETER", "username cannot be changed"),
        (json!({"username": "new"}), 400, "INVALID_PARAMETER", "username cannot be changed"),
        (json!({"username": ""}), 400, "INVALID_PARAMETER", "username cannot be changed"),
        (json!({"status": 2}), 400, "INVALID_PARAMETER", "status cannot be changed"),
        (json!({"status": 3}), 400, "INVALID_PARAMETER", "status cannot be changed"),
        (json!({"status": 4}), 400, "INVALID_PARAMETER", "status cannot be changed"),
        (json!({"status": 0}), 400, "INVALID_PARAMETER", "status cannot be changed"),
        (json!({"external_id": "crm-2"}), 409, "EXTERNAL_ID_TAKEN", ""),
        (json!({"service_id": 3}), 400, "INVALID_PARAMETER", "service_id does not exist"),
        (json!({"service_id": 99}), 400, "INVALID_PARAMETER", "service_id does not exist"),
        (json!({"nas_id": 1}), 400, "INVALID_PARAMETER", "nas_id does not exist"),
        (json!({"balance": 5}), 403, "FORBIDDEN", "balance "),
        (json!({"balance": -0.01}), 403, "FORBIDDEN", "balance "),
        (json!({"full_name": "good", "status": 2}), 400, "INVALID_PARAMETER", "status cannot be changed"),
    ] {
        let refused = put(&app, &key, id, &body).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{body}: {}", refused.text);
        assert!(refused.message().starts_with(message), "{body}: {}", refused.message());
        assert_eq!((app.footprint(), app.rows("SELECT * FROM subscribers")), before, "{body}");
    }
}

#[tokio::test]
async fn only_what_was_sent_changes() {
    let (app, key, id) = one().await;
    app.service(2, 1, "month");
    app.nas(7);
    let mut expected = read(&app, &key, id).await.data().clone();
    for (body, shown) in [
        (json!({"full_name": "Ada King"}), json!({"full_name": "Ada King"})),
        (json!({"phone": "+2", "email": "x@y"}), json!({"phone": "+2", "email": "x@y"})),
        (json!({"address": "1\n2", "note": "a\tb"}), json!({"address": "1\n2", "note": "a\tb"})),
        (json!({"service_id": 2}), json!({"service_id": 2, "service_name": "Plan 2"})),
        (json!({"nas_id": 7}), json!({"nas_id": 7})),
        (json!({"expiry_date": "2027-01-31T23:00:00-05:00"}), json!({"expiry_date": "2027-01-31T00:00:00Z"})),
        (json!({"external_id": "crm-9"}), json!({"external_id": "crm-9"})),
        (json!({"external_id": null, "nas_id": null}), json!({"external_id": null, "nas_id": null})),
        (json!({"full_name": null, "phone": null, "note": null}), json!({"full_name": "", "phone": "", "note": ""})),
        (json!({"address": null, "email": ""}), json!({"address": "", "email": ""})),
        // What cannot be empty takes null for absent.
        (
            json!({"service_id": null, "password": null, "expiry_date": null, "full_name": "A"}),
            json!({"full_name": "A"}),
        ),
        (json!({"username": null, "status": null, "balance": null, "phone": "3"}), json!({"phone": "3"})),
    ] {
        let put = put(&app, &key, id, &body).await;
        assert_eq!(put.status, 200, "{body}: {}", put.text);
        expected.as_object_mut().unwrap().extend(shown.as_object().unwrap().clone());
        expected["updated_at"] = json!("2026-03-20T13:00:00Z");
        assert_eq!(put.data(), &expected, "{body}");
        assert_eq!(read(&app, &key, id).await.data(), &expected, "{body}");
        let (action, was, is) = audited(&app);
        assert_eq!((action.as_str(), fields(&was)), ("subscribers.update", fields(&is)), "{body}");
        assert_counted(&app);
    }
    assert_eq!(fields(&expected), DETAIL);
    assert_eq!(app.password_of(id), "first-password");
}

/// What a client does that reads, edits one field and writes the whole back.
#[tokio::test]
async fn the_object_as_it_was_read_is_taken_back() {
    let (app, key, id) = one().await;
    app.nas(7);
    assert_eq!(put(&app, &key, id, &json!({"nas_id": 7})).await.status, 200);
    let body = json!({"subscriber_id": id, "type": "payment", "amount": 25.5});
    assert_eq!(book(&app, &key, body).await.status, 201);
    for status in [1, 2, 4, 3] {
        let stored = if status == 3 { 1 } else { status };
        app.change("UPDATE subscribers SET status = ?1", [stored]);
        app.move_to(if status == 3 { "2028-01-01T00:00:00Z" } else { "2026-03-20T14:00:00Z" });
        let whole = read(&app, &key, id).await.data().clone();
        assert_eq!(whole["status"], status);
        for field in fields(&whole) {
            let put = put(&app, &key, id, &json!({field: whole[field]})).await;
            assert_eq!(put.status, 200, "{field}: {}", put.text);
        }
        let put = put(&app, &key, id, &whole).await;
        assert_eq!((put.status, put.data()), (200, &whole), "{}", put.text);
    }
}

#[tokio::test]
async fn a_new_password_is_sealed_and_never_comes_back() {
    let (mut app, key, id) = one().await;
    let before = app.blob("SELECT password_sealed FROM subscribers");
    let given = "Second-Horse é 2";
    let put = put(&app, &key, id, &json!({"password": given})).await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert_eq!(fields(put.data()), DETAIL);
    assert!(!put.text.contains(given));
    assert_eq!(app.password_of(id), given);
    assert_ne!(app.blob("SELECT password_sealed FROM subscribers"), before);
    let (action, was, is) = audited(&app);
    assert_eq!(
        (action.as_str(), fields(&was), fields(&is)),
        ("subscribers.update", vec!["password"], vec!["password"])
    );
    assert_eq!(read(&app, &key, id).await.data()["updated_at"], "2026-03-20T13:00:00Z");
    app.stop();
    for (name, bytes) in app.files() {
        assert!(!bytes.windows(given.len()).any(|part| part == given.as_bytes()), "{name} holds it in clear");
    }
}

#[tokio::test]
async fn a_deleted_subscriber_is_gone_and_its_login_and_id_are_free() {
    let (app, key, id) = one().await;
    let paid = json!({"subscriber_id": id, "type": "payment", "amount": 10});
    assert_eq!(book(&app, &key, paid.clone()).await.status, 201);
    for wrong in ["0", "-1", "x", "99", "1.0", "01x", "9223372036854775808"] {
        let refused = app.call(Request::new("DELETE", &format!("{SUBSCRIBERS}/{wrong}")).key(&key)).await;
        assert_eq!((refused.status, refused.code()), (404, "NOT_FOUND"), "{wrong}");
    }
    let gone = delete(&app, &key, id).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    assert_eq!(gone.data(), &json!({"id": id, "deleted_at": "2026-03-20T13:00:00Z"}));
    let (action, was, is) = audited(&app);
    assert_eq!((action.as_str(), &was["username"], &is), ("subscribers.delete", &json!("ada@isp.lb"), &json!(null)));
    assert_counted(&app);

    let before = (app.footprint(), app.rows("SELECT * FROM subscribers"));
    assert_eq!(read(&app, &key, id).await.code(), "NOT_FOUND");
    assert_eq!(app.get(&format!("{SUBSCRIBERS}/{id}/usage"), &key).await.code(), "NOT_FOUND");
    assert_eq!(app.get(&format!("{SUBSCRIBERS}/by-username/ada@isp.lb"), &key).await.code(), "NOT_FOUND");
    assert_eq!(put(&app, &key, id, &json!({"note": "x", "password": "x"})).await.code(), "NOT_FOUND");
    assert_eq!(delete(&app, &key, id).await.code(), "NOT_FOUND");
    for what in ["suspend", "activate", "renew"] {
        assert_eq!(act(&app, &key, id, what, json!({})).await.code(), "NOT_FOUND", "{what}");
    }
    assert_eq!(book(&app, &key, paid).await.message(), "subscriber_id does not exist");
    for query in ["", "?username=ada", "?username=ad", "?external_id=crm-1", "?status=1"] {
        let listed = app.get(&format!("{SUBSCRIBERS}{query}"), &key).await;
        assert_eq!((listed.data(), &listed.body["pagination"]["total"]), (&json!([]), &json!(0)), "{query}");
    }
    assert_eq!((app.footprint(), app.rows("SELECT * FROM subscribers")), before);

    let again = json!({"username": "ADA@isp.lb", "service_id": 1, "external_id": "crm-1"});
    let made = app.post(SUBSCRIBERS, &key, again.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_ne!(made.id(), id, "ids are never used again");
    assert_eq!((&made.data()["balance"], &made.data()["full_name"]), (&json!(0.0), &json!("")));
    assert_eq!(app.post(SUBSCRIBERS, &key, again).await.id(), made.id());
    assert_eq!(app.count("transactions"), 1, "the ledger keeps what was booked");
    assert_counted(&app);
}

#[tokio::test]
async fn suspend_and_activate_go_by_the_table_of_states() {
    let (app, key, id) = one().await;
    for (stored, expiry, call, shown, moves) in [
        (1, "2026-12-31", "suspend", 2, true),
        (2, "2026-12-31", "suspend", 2, false),
        (1, "2026-01-01", "suspend", 2, true),
        (4, "2026-12-31", "suspend", 2, true),
        (1, "2026-12-31", "activate", 1, false),
        (2, "2026-12-31", "activate", 1, true),
        (1, "2026-01-01", "activate", 3, false),
        (4, "2026-12-31", "activate", 1, true),
        (2, "2026-01-01", "activate", 3, true),
        (4, "2026-01-01", "activate", 3, true),
        (2, "2026-03-20", "activate", 1, true),
        (2, "2026-03-19", "activate", 3, true),
    ] {
        let told = format!("{call} of {stored} until {expiry}");
        let days = Date::parse("d", expiry).unwrap().days();
        app.change("UPDATE subscribers SET status = ?1, expiry_date = ?2, updated_at = 0", [stored, days]);
        app.change("DELETE FROM counters", []);
        let both = "INSERT INTO counters SELECT o.k, status, expiry_date, 1 FROM subscribers,
                    (SELECT 0 AS k UNION SELECT -1) o";
        app.change(both, []);
        let rows = app.count("audit");

        let answer = act(&app, &key, id, call, json!({"reason": "why\nnot"})).await;

        assert_eq!((answer.status, &answer.data()["status"]), (200, &json!(shown)), "{told}: {}", answer.text);
        let warned = answer.data()["warning"].as_str().is_some_and(|text| !text.is_empty());
        assert_eq!(warned, call == "activate" && shown == 3, "{told}: {}", answer.text);
        let without: Vec<_> = fields(answer.data()).into_iter().filter(|name| *name != "warning").collect();
        assert_eq!(without, DETAIL, "{told}");
        assert_eq!(read(&app, &key, id).await.data()["status"], shown, "{told}");
        assert_eq!(app.count("audit"), rows + i64::from(moves), "{told}");
        assert_eq!(app.number("SELECT updated_at <> 0 FROM subscribers"), i64::from(moves), "{told}");
        if moves {
            let (action, was, is) = audited(&app);
            assert_eq!(action, format!("subscribers.{call}"), "{told}");
            assert_eq!((&was["status"], &is["reason"]), (&json!(stored), &json!("why\nnot")), "{told}");
        }
        assert_counted(&app);
    }
}

#[tokio::test]
async fn a_call_with_no_required_field_takes_an_empty_body_of_every_type() {
    let (app, key, id) = one().await;
    for what in ["suspend", "activate", "renew"] {
        for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", ""] {
            for body in ["", " ", "{}", r#"{"reason": null, "unknown": [1]}"#] {
                if !body.is_empty() && !matches!(kind, "" | "application/json") {
                    continue;
                }
                let mut request = Request::new("POST", &format!("{SUBSCRIBERS}/{id}/{what}")).key(&key);
                if !kind.is_empty() {
                    request = request.header("content-type", kind);
                }
                let answer = app.call(request.body(body)).await;
                assert_eq!(answer.status, 200, "{what} {kind} {body:?}: {}", answer.text);
            }
        }
    }
    let request = Request::new("DELETE", &format!("{SUBSCRIBERS}/{id}")).key(&key);
    assert_eq!(app.call(request.header("content-type", "application/json")).await.status, 200);
}

/// A small generator: the same numbers every time.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[tokio::test]
async fn the_counters_are_what_counting_says_after_any_operations() {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    app.reseller("rex");
    let keys = [app.external_key("admin", "delete"), app.external_key("rex", "delete")];
    let (mut state, mut ids) = (7, Vec::new());
    for turn in 0..300 {
        let key = &keys[usize::from(next(&mut state).is_multiple_of(2))];
        let pick = usize::try_from(next(&mut state)).unwrap() % ids.len().max(1);
        let kind = next(&mut state) % 9;
        if ids.is_empty() || kind < 2 {
            let month = 1 + next(&mut state) % 9;
            let body =
                json!({"username": format!("u{turn}"), "service_id": 1, "expiry_date": format!("2026-0{month}-01")});
            ids.push(app.post(SUBSCRIBERS, key, body).await.id());
            continue;
        }
        let id: i64 = ids[pick];
        let status = match kind {
            2 => put(&app, key, id, &json!({"expiry_date": format!("2027-01-{:02}", 1 + turn % 28)})).await.status,
            3 => put(&app, key, id, &json!({"note": format!("{turn}")})).await.status,
            4 => act(&app, key, id, "activate", json!({})).await.status,
            5 | 6 => act(&app, key, id, "suspend", json!({})).await.status,
            7 => {
                act(&app, key, id, "renew", json!({"periods": 1 + turn % 3, "external_id": format!("r{pick}")}))
                    .await
                    .status
            }
            _ => delete(&app, key, id).await.status,
        };
        assert!(matches!(status, 200 | 404 | 409), "{kind}: {status}");
        if turn % 20 == 0 {
            assert_counted(&app);
        }
    }
    assert_counted(&app);
    for id in ids {
        assert_chain(&app, id);
    }
    assert!(app.count("subscribers WHERE deleted_at IS NULL") > 5 && app.count("subscribers WHERE status = 2") > 5);
}

#[tokio::test]
async fn the_time_of_the_last_change_moves_with_each_change_and_with_nothing_else() {
    let (app, key, id) = one().await;
    let paid = json!({"subscriber_id": id, "type": "payment", "amount": 1});
    let seen = async || read(&app, &key, id).await.data()["updated_at"].clone();
    for hour in 14..20 {
        let now = format!("2026-03-20T{hour}:00:00Z");
        app.move_to(&now);
        let before = seen().await;
        let status = match hour {
            14 => put(&app, &key, id, &json!({"note": "moved"})).await.status,
            15 => act(&app, &key, id, "suspend", json!({})).await.status,
            16 => act(&app, &key, id, "activate", json!({})).await.status,
            17 => act(&app, &key, id, "renew", json!({})).await.status,
            18 => book(&app, &key, paid.clone()).await.status,
            _ => put(&app, &key, id, &json!({"note": "moved", "full_name": "Ada L"})).await.status,
        };
        assert!(status < 300);
        let expected = if hour == 19 { before } else { json!(now) };
        assert_eq!(seen().await, expected, "{hour}");
        let since = app.get(&format!("{SUBSCRIBERS}?updated_since={now}"), &key).await;
        assert_eq!(since.data().as_array().unwrap().len(), usize::from(hour != 19), "{hour}");
    }
}
