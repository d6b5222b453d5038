//! Whatever is done, the audit trail explains it: replayed over the first state of the audited columns it gives the last.
//!
//! Audited are the columns named in `STATES`. Not audited: counters, `last_*`, `updated_at`, sessions, whose a subscriber is
//! (it changes with its reseller's deletion, which names the heir), and secrets, which are masked.

use std::collections::BTreeMap;

use panel::domain::sessions::Audience;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::admin_token;
use crate::support::{Request, TestApp};

/// Object kind, and how its audited columns are read: `id`, then the columns by the audit's names.
const STATES: &[(&str, &str)] = &[
    (
        "package",
        "SELECT id, name, max_users, max_domains, max_databases, max_email_accounts, max_ftp_accounts, disk_quota_mb,
                bandwidth_quota_mb, can_use_api, can_use_php, can_use_ssh, can_grant_api, can_grant_php FROM packages",
    ),
    (
        "user",
        "SELECT u.id, u.username, u.email, u.role, u.status, c.username AS creator, p.name AS package, u.max_domains,
                u.max_databases, u.can_use_api, u.can_use_php, u.can_use_ssh,
                r.max_users AS reseller_max_users, r.max_domains AS reseller_max_domains, r.can_grant_api, r.can_grant_php
         FROM users u JOIN packages p ON p.id = u.package_id LEFT JOIN users c ON c.id = u.creator_id
         LEFT JOIN resellers r ON r.user_id = u.id WHERE u.deleted_at IS NULL",
    ),
    (
        "key",
        "SELECT k.id, k.name, k.description, k.rate_per_minute, k.enabled, k.generation, k.revoked_at IS NOT NULL AS revoked
         FROM api_keys k",
    ),
    (
        "service",
        "SELECT id, name, download_speed, upload_speed, daily_quota, monthly_quota, period_value, period_unit
         FROM services WHERE deleted_at IS NULL",
    ),
    ("nas", "SELECT id, name, ip_address, type, coa_port, is_active FROM nas WHERE deleted_at IS NULL"),
    (
        "subscriber",
        "SELECT id, username, full_name, phone, note, status, service_id, nas_id, mac_address, external_id
         FROM subscribers WHERE deleted_at IS NULL",
    ),
];

/// Columns that the database keeps as 0 and 1 and the audit as false and true.
const FLAGS: [&str; 3] = ["enabled", "revoked", "is_active"];

type State = BTreeMap<(String, i64), Map<String, Value>>;

fn state(app: &TestApp) -> State {
    let mut state = State::new();
    for (kind, sql) in STATES {
        for row in app.rows(sql) {
            let Value::Object(mut columns) = row else { panic!("{sql}") };
            let id = columns.remove("id").and_then(|id| id.as_i64()).unwrap();
            for (name, value) in &mut columns {
                if (name.starts_with("can_") || FLAGS.contains(&name.as_str())) && value.is_i64() {
                    *value = json!(value == 1);
                }
            }
            state.insert(((*kind).to_owned(), id), columns);
        }
    }
    state
}

/// The names of packages as ids: accounts name theirs, and a package may be renamed.
fn package_ids(state: &State) -> BTreeMap<String, i64> {
    let packages = state.iter().filter(|((kind, _), _)| kind == "package");
    packages.map(|((_, id), columns)| (columns["name"].as_str().unwrap().to_owned(), *id)).collect()
}

fn by_package_id(mut state: State) -> State {
    let ids = package_ids(&state);
    for ((kind, _), columns) in &mut state {
        if kind == "user" && columns["package"].is_string() {
            columns["package"] = json!(ids[columns["package"].as_str().unwrap()]);
        }
    }
    state
}

/// What a row of the trail does to the state.
fn replay(state: &mut State, entry: &Value) {
    let parse = |name: &str| -> Option<Map<String, Value>> {
        entry[name].as_str().map(|text| serde_json::from_str(text).unwrap())
    };
    let (kind, id) = (entry["object_kind"].as_str().unwrap(), entry["object_id"].as_i64().unwrap_or(0));
    if !STATES.iter().any(|(known, _)| *known == kind) {
        return;
    }
    let action = entry["action"].as_str().unwrap();
    let place = (kind.to_owned(), id);
    if action.ends_with(".delete") {
        assert!(state.remove(&place).is_some(), "{entry} deletes what is not there");
        let before = parse("before").unwrap();
        if let Some(heir) = before.get("transferred_to") {
            hand_over(state, &before["username"], heir);
        }
        return;
    }
    let after = parse("after").unwrap_or_default();
    let ids = package_ids(state);
    if action.ends_with(".create") {
        assert!(!state.contains_key(&place), "{entry} makes what is there");
        state.insert(place.clone(), fresh(kind));
    }
    let columns = state.get_mut(&place).unwrap_or_else(|| panic!("{entry} changes what is not there"));
    for (name, value) in after {
        if !columns.contains_key(&name) {
            continue;
        }
        let value = if name == "package" { json!(ids[value.as_str().unwrap()]) } else { value };
        columns.insert(name, value);
    }
}

fn hand_over(state: &mut State, from: &Value, to: &Value) {
    for ((kind, _), columns) in state.iter_mut() {
        if kind == "user" && columns["creator"] == *from {
            columns["creator"] = to.clone();
        }
    }
}

/// What a new row has that its entry does not name: nothing, or the schema's default.
fn fresh(kind: &str) -> Map<String, Value> {
    let (_, sql) = STATES.iter().find(|(known, _)| *known == kind).unwrap();
    let list = sql.split("FROM").next().unwrap().replace("SELECT", "");
    let mut columns = Map::new();
    for column in list.split(',').map(str::trim) {
        let name = column.rsplit(" AS ").next().unwrap().rsplit('.').next().unwrap();
        columns.insert(name.to_owned(), Value::Null);
    }
    columns.remove("id");
    for (of, name, value) in [
        ("user", "status", json!("active")),
        ("key", "generation", json!(1)),
        ("key", "revoked", json!(false)),
        ("subscriber", "mac_address", Value::Null),
    ] {
        if of == kind {
            columns.insert(name.to_owned(), value);
        }
    }
    columns
}

/// One call: method, path, body. `{n}` in a path or a body is a small number, so that calls meet each other's rows.
fn any_call() -> impl Strategy<Value = (&'static str, String, Value)> {
    let name = |n: u8| format!("n{n}");
    (0..26_u8, 0..4_u8, 0..4_u8, any::<bool>()).prop_map(move |(what, n, m, on)| {
        let (one, other) = (name(n), name(m));
        let id = n + 1;
        let password = "kettle-Bronze-41";
        match what {
            0 | 1 => ("POST", "/api/v1/users".into(), json!({"username": one, "email": format!("{one}@x.lb"), "password": password, "package": if on { "default".to_owned() } else { format!("p{m}") }})),
            2 => ("POST", "/api/v1/resellers".into(), json!({"username": format!("r{n}"), "email": format!("r{n}@x.lb"), "password": password, "max_users": m, "can_grant_api": on})),
            3 => ("PUT", format!("/api/v1/users/{one}"), json!({"email": format!("{one}.{m}@x.lb"), "max_domains": m})),
            4 => ("PUT", format!("/api/v1/users/{one}"), json!({"package": format!("p{m}"), "max_databases": null})),
            5 => ("PUT", format!("/api/v1/users/{one}"), json!({"creator": format!("r{m}")})),
            6 => ("PUT", format!("/api/v1/users/{one}/features"), json!({"api": on, "php": !on, "ssh": null})),
            7 => ("POST", format!("/api/v1/users/{one}/suspend"), json!({"reason": other})),
            8 => ("POST", format!("/api/v1/users/{one}/unsuspend"), json!({})),
            9 => ("DELETE", format!("/api/v1/users/{one}"), json!({})),
            10 => ("PUT", format!("/api/v1/resellers/r{n}"), json!({"can_grant_api": on, "can_grant_php": null, "max_users": m})),
            11 => ("DELETE", format!("/api/v1/resellers/r{n}?transfer_to={}", if on { "admin".to_owned() } else { format!("r{m}") }), json!({})),
            12 => ("POST", "/api/v1/packages".into(), json!({"name": format!("p{n}"), "max_users": m, "api": on})),
            13 => ("PUT", format!("/api/v1/packages/p{n}"), json!({"name": format!("p{m}"), "can_grant_api": on, "php": on})),
            14 => ("DELETE", format!("/api/v1/packages/p{n}"), json!({})),
            15 => ("POST", "/api/api-keys".into(), json!({"name": one, "scopes": "write", "rate_limit_per_minute": m})),
            16 => ("PUT", format!("/api/api-keys/{id}"), json!({"name": other, "description": if on { json!("d") } else { Value::Null }})),
            17 => ("POST", format!("/api/api-keys/{id}/rotate"), json!({"grace_seconds": m})),
            18 => ("DELETE", format!("/api/api-keys/{id}"), json!({})),
            19 => ("POST", "/api/services".into(), json!({"name": format!("s{n}"), "download_speed": m, "period_unit": if on { "day" } else { "month" }})),
            20 => ("PUT", format!("/api/services/{id}"), json!({"upload_speed": m, "name": format!("s{m}")})),
            21 => ("DELETE", format!("/api/services/{id}"), json!({})),
            22 => ("POST", "/api/nas".into(), json!({"name": format!("nas{n}"), "ip_address": format!("10.0.0.{n}"), "is_active": on, "secret": "very-secret"})),
            23 => ("PUT", format!("/api/nas/{id}"), json!({"coa_port": 1700 + u16::from(m), "is_active": on})),
            24 => ("POST", "/api/subscribers".into(), json!({"username": one, "service_id": u16::from(m) + 1, "phone": "1", "mac_address": "00:11:22:33:44:55"})),
            _ => ("PUT", format!("/api/subscribers/{id}"), json!({"note": other, "status": if on { "inactive" } else { "active" }, "full_name": if on { json!(one) } else { Value::Null }})),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PANEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_trail_explains_every_difference_between_the_first_and_the_last_state(
        calls in prop::collection::vec(any_call(), 60..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let app = TestApp::spawn().await;
            let first = state(&app);
            let seen = app.number("SELECT coalesce(max(id), 0) FROM audit");
            let (panel, admin) = (admin_token(&app, Audience::Panel), admin_token(&app, Audience::Admin));
            let mut done = 0;
            for (method, target, body) in &calls {
                let token = if target.starts_with("/api/v1/") { &panel } else { &admin };
                let request = Request::new(method, target).header("authorization", format!("Bearer {token}")).json(body);
                let answer = app.call(request).await;
                assert!(answer.status < 500 && answer.status != 401, "{method} {target} {body}: {}", answer.text);
                done += usize::from(answer.status < 300);
            }
            assert!(done > calls.len() / 10, "only {done} of {} calls did anything", calls.len());
            let mut replayed = by_package_id(first);
            for entry in app.rows(&format!("SELECT * FROM audit WHERE id > {seen} ORDER BY id")) {
                replay(&mut replayed, &entry);
            }
            let last = by_package_id(state(&app));
            for (place, columns) in &last {
                assert_eq!(replayed.get(place), Some(columns), "{place:?}");
            }
            assert_eq!(replayed.len(), last.len(), "{replayed:?}");
        });
    }
}
