//! Fields in a body that its sender may not set: taken as if they were not there, or refused by name.

use panel::domain::routes::Need;
use serde_json::{Value, json};

use super::house::{House, Whose};
use super::{Says, ends_sessions, row};
use crate::size;
use crate::values::described::{Operation, operations};
use crate::values::wire::{Ask, Got};

/// Found nowhere else, as a number and as money.
const MARK: i64 = 424_242;

/// Columns, and names under which other systems let them be set, that no body of a reseller's may reach.
fn properties() -> Vec<(&'static str, Value)> {
    let numbers = [
        "id",
        "owner_id",
        "creator_id",
        "user_id",
        "created_by",
        "package_id",
        "balance_before",
        "balance_after",
        "quota",
        "generation",
        "revoked_at",
        "deleted_at",
        "fup_level",
        "max_users",
        "max_domains",
        "max_databases",
        "disk_quota_mb",
        "bandwidth_quota_mb",
        "daily_download_used",
        "version",
        "session_id",
        "last_used_at",
        "tenant_id",
        "reseller_id",
    ];
    let texts = [
        "uid",
        "owner",
        "creator",
        "created_at",
        "updated_at",
        "password_hash",
        "hash",
        "password_sealed",
        "secret_hash",
        "key_hash",
        "created_values",
        "role",
        "user_type",
        "kind",
        "style",
        "display",
        "panel_id",
        "level",
        "_id",
        "__proto__",
    ];
    let mut all: Vec<_> = numbers.into_iter().map(|name| (name, json!(MARK))).collect();
    all.extend(texts.into_iter().map(|name| (name, json!(MARK.to_string()))));
    all.push(("balance", json!(4_242.42)));
    for name in ["role", "user_type", "level", "permission_level"] {
        all.extend(["admin", "SUPER_ADMIN"].map(|value| (name, json!(value))));
    }
    for name in ["is_admin", "is_system", "is_superuser", "admin", "can_grant_api", "email_verified", "is_deleted"] {
        all.push((name, json!(true)));
    }
    all.push(("constructor", json!({"prototype": {"role": "admin"}})));
    all
}

/// Whoever is more than a user, and what the rows of others hold.
fn powers(house: &House) -> Vec<String> {
    let statement = "SELECT id || username || role || coalesce(creator_id, 0) || coalesce(can_use_api, '') FROM users WHERE role <> 'user' ORDER BY id";
    let database = house.world.home.open("panel.db");
    let mut statement = database.prepare(statement).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn no_body_sets_what_its_sender_may_not() {
    let house = House::new();
    let powers_before = powers(&house);
    let own = |of: &&Operation| of.has_body && !of.is_form && !ends_sessions(of) && row(of.route) != Some(Says::Role);
    let mut sent = 0;
    let operations = operations(&house.world);
    let open = |of: &&Operation| of.route.need != Need::Nobody;
    for (number, of) in operations.iter().filter(own).filter(open).enumerate() {
        let all = properties();
        // Each of them over the routes of a surface, all of them on all routes in the long form.
        let some = all.iter().skip(number % size::of(8, 1)).step_by(size::of(8, 1));
        for (name, value) in some {
            let mut body = house.body(of, Whose::Mine);
            body[*name] = value.clone();
            let mut ask = house.ask(of, Whose::Mine, "");
            ask.body = body.to_string().into_bytes();
            let got = house.world.ask(&ask);
            told_or_ignored(name, &ask, &got);
            sent += 1;
        }
        let kept = marked(&house);
        assert!(kept.is_empty(), "{} keeps {kept:#?}", of.route);
        house.world.change("UPDATE api_keys SET revoked_at = 1 WHERE name LIKE 'new-%'");
    }
    assert!(sent > size::of(120, 1_000), "{sent}");
    assert_eq!(powers(&house), powers_before, "nobody rose, and nobody changed hands");
    let (mine, all) = (house.number("SELECT id FROM users WHERE username = 'rex'"), "SELECT count(*) FROM");
    for made in [
        format!("{all} subscribers WHERE username LIKE 'new-%' AND coalesce(owner_id, 0) <> {mine}"),
        format!("{all} users WHERE username LIKE 'new-%' AND coalesce(creator_id, 0) <> {mine}"),
        format!("{all} subscribers WHERE balance <> 0 AND username LIKE 'new-%'"),
    ] {
        assert_eq!(house.number(&made), "0", "{made}");
    }
    house.world.is_well();
}

/// Taken as if it had not been there, or refused by its name.
#[track_caller]
fn told_or_ignored(name: &str, ask: &Ask, got: &Got) {
    // A role that only an admin gives is refused by the gate of that name.
    let is_gate = got.status == 403 && got.body["denied"][0]["gate"] == "role";
    let named = matches!(got.status, 400 | 403) && got.says().contains(name) || is_gate;
    assert!(got.status < 300 || named || got.status == 409, "{} → {} {}", ask.told(), got.status, got.text);
}

/// The rows in which the mark stands, whatever column it is.
fn marked(house: &House) -> Vec<String> {
    let mark = MARK.to_string();
    house.rows().into_iter().filter(|row| row.contains(&mark)).collect()
}

#[test]
fn a_field_that_were_kept_would_be_seen() {
    let house = House::new();
    assert!(marked(&house).is_empty());
    house.world.must("PUT", "/api/v1/resellers/rex/limits", &json!({"max_users": MARK}));
    assert!(marked(&house).iter().any(|row| row.starts_with("resellers: ")), "{:?}", marked(&house));
    let before = powers(&house);
    house.world.must("PUT", "/api/v1/users/rex-user", &json!({"role": "reseller"}));
    assert_ne!(powers(&house), before);
}
