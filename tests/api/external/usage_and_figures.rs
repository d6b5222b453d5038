//! Usage, sessions, figures, plans and routers: what they show, and in which shape.

use panel::domain::time::Date;
use serde_json::json;

use super::calls::{STATS, act, delete, fields, read, subscriber};
use crate::support::{Answer, Key, Plan, SUBSCRIBERS, TestApp, instant_of};

const SERVICES: &str = "/api/v1/external/services";
const NAS: &str = "/api/v1/external/nas";

async fn shop() -> (TestApp, Key, i64) {
    let app = TestApp::at("2026-03-20T12:00:00Z").await;
    let key = app.external_key("admin", "delete");
    let id = subscriber(&app, &key, "ada").await;
    app.nas(7);
    (app, key, id)
}

fn used(app: &TestApp, id: i64, day: &str, download: i64, upload: i64) {
    let day = Date::parse("day", day).unwrap().days();
    let insert =
        "INSERT INTO subscriber_usage (subscriber_id, day, download_bytes, upload_bytes) VALUES (?1, ?2, ?3, ?4)";
    app.change(insert, [id, day, download, upload]);
}

/// Session `session`, with an address and open, unless told otherwise.
fn session(app: &TestApp, id: i64, session: &str, ip: Option<&str>, stopped: bool) {
    let insert =
        "INSERT INTO access_sessions (session_id, subscriber_id, nas_id, framed_ip, started_at, updated_at, stopped_at)
                  VALUES (?1, ?2, 7, ?3, 0, 0, ?4)";
    app.change(insert, (session, id, ip, stopped.then_some(1)));
}

fn stop(app: &TestApp, session: &str) {
    app.change("UPDATE access_sessions SET stopped_at = 1 WHERE session_id = ?1", [session]);
}

async fn usage(app: &TestApp, key: &Key, id: i64) -> Answer {
    let answer = app.get(&format!("{SUBSCRIBERS}/{id}/usage"), key).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

#[tokio::test]
async fn what_was_never_used_is_zero() {
    let (app, key, id) = shop().await;
    let expected = json!({
        "daily_download_used": 0, "daily_upload_used": 0, "monthly_download_used": 0, "monthly_upload_used": 0,
        "daily_quota": 0, "monthly_quota": 0, "fup_level": 0,
    });
    let answer = usage(&app, &key, id).await;
    assert_eq!((answer.data(), fields(answer.data())), (&expected, fields(&expected)));
}

#[tokio::test]
async fn usage_is_of_today_and_of_this_month_in_the_configured_zone() {
    for (zone, now, daily, monthly) in [
        ("UTC", "2026-03-01T00:00:00Z", (10, 1), (10, 1)),
        ("UTC", "2026-03-31T23:59:59Z", (200, 20), (3210, 321)),
        ("UTC", "2026-03-20T12:00:00Z", (0, 0), (10, 1)),
        ("UTC", "2026-04-01T00:00:00Z", (40_000, 4000), (40_000, 4000)),
        ("UTC", "2026-04-02T00:00:00Z", (0, 0), (40_000, 4000)),
        ("UTC", "2027-03-31T12:00:00Z", (0, 0), (0, 0)),
        ("Asia/Beirut", "2026-03-31T21:00:00Z", (40_000, 4000), (40_000, 4000)),
        ("Asia/Beirut", "2026-03-31T20:59:59Z", (200, 20), (3210, 321)),
        ("America/New_York", "2026-04-01T03:59:59Z", (200, 20), (3210, 321)),
    ] {
        let plan = Plan::new().config(|config| config.locale.time_zone = zone.parse().unwrap()).at(now);
        let app = plan.spawn().await;
        let key = app.external_key("admin", "write");
        let (id, other) = (subscriber(&app, &key, "ada").await, subscriber(&app, &key, "bob").await);
        app.change("UPDATE services SET daily_quota = 5, monthly_quota = 9007199254740993", []);
        app.change("UPDATE subscribers SET fup_level = 2 WHERE id = ?1", [id]);
        for (day, bytes) in
            [("2026-02-28", 7), ("2026-03-01", 10), ("2026-03-30", 3000), ("2026-03-31", 200), ("2026-04-01", 40_000)]
        {
            used(&app, id, day, bytes, bytes / 10);
            used(&app, other, day, 1, 1);
        }
        let answer = usage(&app, &key, id).await;
        let expected = json!({
            "daily_download_used": daily.0, "daily_upload_used": daily.1, "monthly_download_used": monthly.0,
            "monthly_upload_used": monthly.1, "daily_quota": 5, "monthly_quota": 9_007_199_254_740_993_i64, "fup_level": 2,
        });
        assert_eq!(answer.data(), &expected, "{zone} {now}");
        let shown = read(&app, &key, id).await;
        assert_eq!(shown.data()["daily_download_used"], daily.0, "{zone} {now}");
        assert_eq!(shown.data()["monthly_download_used"], monthly.0, "{zone} {now}");
    }
}

#[tokio::test]
async fn online_is_who_has_an_open_session_and_its_address_is_the_newest_ones() {
    let (app, key, id) = shop().await;
    app.change("UPDATE subscribers SET mac_address = '00:11:22:33:44:55'", []);
    let shown = async |expected: (bool, Option<&str>), when: &str| {
        let detail = read(&app, &key, id).await;
        let list = app.get(SUBSCRIBERS, &key).await;
        for of in [detail.data(), &list.data()[0]] {
            assert_eq!((&of["is_online"], &of["ip_address"]), (&json!(expected.0), &json!(expected.1)), "{when}");
        }
        assert_eq!(detail.data()["mac_address"], "00:11:22:33:44:55");
        for (query, there) in [("is_online=true", expected.0), ("is_online=0", !expected.0)] {
            let list = app.get(&format!("{SUBSCRIBERS}?{query}"), &key).await;
            assert_eq!(list.body["pagination"]["total"], i32::from(there), "{when} {query}");
        }
        let stats = app.get(STATS, &key).await;
        assert_eq!(stats.data()["online_users"], i32::from(expected.0), "{when}");
    };
    shown((false, None), "never").await;
    session(&app, id, "old", Some("10.0.0.1"), true);
    shown((false, None), "a session that has ended").await;
    session(&app, id, "first", Some("10.0.0.2"), false);
    shown((true, Some("10.0.0.2")), "one").await;
    session(&app, id, "second", Some("2001:db8::1"), false);
    shown((true, Some("2001:db8::1")), "two").await;
    assert_eq!(app.get(&format!("{NAS}/7"), &key).await.data()["active_sessions"], 2);
    stop(&app, "second");
    shown((true, Some("10.0.0.2")), "the first again").await;
    stop(&app, "first");
    session(&app, id, "bare", None, false);
    shown((true, None), "without an address").await;
    stop(&app, "bare");
    shown((false, None), "all over").await;
    assert_eq!(app.get(&format!("{NAS}/7"), &key).await.data()["active_sessions"], 0);
}

#[tokio::test]
async fn figures_are_of_what_the_caller_sees() {
    let (app, key, _) = shop().await;
    let rex = app.reseller("rex");
    let rex_key = app.external_key("rex", "delete");
    app.reseller("kim");
    let kim_key = app.external_key("kim", "read");
    app.change("INSERT INTO nas_resellers (user_id, nas_id) VALUES (?1, 7)", [rex]);
    app.nas(8);
    for (at, (key, day, what)) in [
        (&key, "2026-03-20", ""),
        (&key, "2026-03-19", ""),
        (&key, "2026-03-19", "suspend"),
        (&rex_key, "2027-01-01", ""),
        (&rex_key, "2026-01-01", ""),
        (&rex_key, "2026-01-02", ""),
        (&rex_key, "2027-01-01", "suspend"),
        (&rex_key, "2027-01-01", "online"),
        (&rex_key, "2027-01-01", "delete"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"username": format!("u{at}"), "service_id": 1, "expiry_date": day});
        let id = app.post(SUBSCRIBERS, key, body).await.id();
        match what {
            "suspend" => assert_eq!(act(&app, key, id, what, json!({})).await.status, 200),
            "delete" => assert_eq!(delete(&app, key, id).await.status, 200),
            "online" => {
                session(&app, id, "one", None, false);
                session(&app, id, "two", None, false);
            }
            _ => {}
        }
    }
    for (key, figures) in [(&key, [1, 9, 4, 3, 2, 2]), (&rex_key, [1, 5, 2, 2, 1, 1]), (&kim_key, [0; 6])] {
        let stats = app.get(STATS, key).await;
        let [online, total, active, expired, suspended, nas] = figures;
        let expected = json!({
            "online_users": online, "total_subscribers": total, "active_subscribers": active,
            "expired_subscribers": expired, "suspended_subscribers": suspended, "nas_count": nas,
        });
        assert_eq!((stats.data(), fields(stats.data())), (&expected, fields(&expected)));
    }
    // The next day the one whose last day it was has expired, with nobody having written anything.
    app.move_to("2026-03-21T00:00:00Z");
    let stats = app.get(STATS, &key).await;
    assert_eq!((&stats.data()["active_subscribers"], &stats.data()["expired_subscribers"]), (&json!(3), &json!(4)));
}

/// The router tells of the end of a session when it gets to it; a deleted subscriber is nobody's meanwhile.
#[tokio::test]
async fn a_deleted_subscriber_is_not_counted_as_online() {
    let (app, key, _) = shop().await;
    app.reseller("rex");
    let rex = app.external_key("rex", "delete");
    for (key, name) in [(&key, "bob"), (&rex, "eve")] {
        let id = subscriber(&app, key, name).await;
        session(&app, id, name, Some("10.0.0.1"), false);
        assert_eq!(delete(&app, key, id).await.status, 200);
    }
    for (key, caller) in [(&rex, "reseller"), (&key, "house")] {
        assert_eq!(app.get(STATS, key).await.data()["online_users"], 0, "{caller}");
    }
}

#[tokio::test]
async fn a_plan_has_these_fields_and_money_has_two_decimals() {
    let (app, key, _) = shop().await;
    let insert =
        "INSERT INTO services (id, name, name_key, download_speed, upload_speed, price, daily_quota, monthly_quota,
                    period_value, period_unit, created_at, updated_at)
                  VALUES (4, 'Gold é', 'gold é', 51200, 10240, 250050, 5368709120, 9007199254740993, 30, 'day', 0, 0)";
    app.change(insert, []);
    app.service(5, 1, "month");
    app.change("UPDATE services SET deleted_at = 1 WHERE id = 5", []);
    let expected = json!({
        "id": 4, "name": "Gold é", "download_speed": 51200, "upload_speed": 10240, "price": 2500.5,
        "daily_quota": 5_368_709_120_i64, "monthly_quota": 9_007_199_254_740_993_i64, "period_value": 30,
        "period_unit": "day",
    });
    for missing in ["5", "99", "0", "x"] {
        assert_eq!(app.get(&format!("{SERVICES}/{missing}"), &key).await.code(), "NOT_FOUND", "{missing}");
    }
    let one = app.get(&format!("{SERVICES}/4"), &key).await;
    let list = app.get(SERVICES, &key).await;
    assert_eq!((one.data(), fields(one.data())), (&expected, fields(&expected)));
    assert_eq!(list.data().as_array().map(Vec::len), Some(2), "{}", list.text);
    assert_eq!(list.data()[1], expected);
    assert!(list.body.get("pagination").is_none(), "{}", list.text);
    for answer in [one, list] {
        assert!(answer.text.contains("\"price\":2500.50,"), "{}", answer.text);
    }
    assert!(app.get(&format!("{SERVICES}/1"), &key).await.text.contains("\"price\":0.00,"));
}

#[tokio::test]
async fn a_router_has_these_fields_and_no_secret() {
    let (app, key, id) = shop().await;
    let seen = instant_of("2026-03-20T11:55:00Z").millis();
    app.change("UPDATE nas SET secret_sealed = x'5345435245545f4f46', last_seen_at = ?1", [seen]);
    session(&app, id, "one", None, false);
    session(&app, id, "over", None, true);
    let expected = json!({
        "id": 7, "name": "nas7", "ip_address": "10.0.0.7", "type": "mikrotik", "is_online": true, "active_sessions": 1,
        "last_seen_at": "2026-03-20T11:55:00Z",
    });
    let one = app.get(&format!("{NAS}/7"), &key).await;
    let list = app.get(NAS, &key).await;
    assert_eq!((one.data(), fields(one.data())), (&expected, fields(&expected)));
    assert_eq!((list.data(), list.body.get("pagination")), (&json!([expected]), None));
    assert!(!one.text.contains("SECRET") && !one.text.contains("secret"), "{}", one.text);

    app.move_to("2026-03-20T23:00:00Z");
    assert_eq!(app.get(&format!("{NAS}/7"), &key).await.data()["is_online"], false, "silent for hours");
    app.change("UPDATE nas SET last_seen_at = NULL, type = 'generic'", []);
    let never = app.get(&format!("{NAS}/7"), &key).await;
    assert_eq!((&never.data()["is_online"], &never.data()["last_seen_at"]), (&json!(false), &json!(null)));
    assert_eq!(never.data()["type"], "generic");
}
