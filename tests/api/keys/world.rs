//! Random keys with everything that the gates look at around them, written past every rule that would forbid it.

use panel::domain::addresses::AllowList;
use panel::domain::keys::{BillingScope, Grants, Level, Permission, Scope, Style, hash_of};
use panel::domain::routes::{Method, Route, Surface, stand_in};
use panel::domain::time::Timestamp;
use panel::domain::users::Role;
use proptest::prelude::*;
use rusqlite::Connection;

pub const ADDRESSES: [&str; 6] =
    ["192.168.10.203", "10.1.2.3", "10.1.2.4", "2001:db8::7", "2001:db8:1::7", "203.0.113.9"];

#[derive(Debug, Clone)]
pub struct Setup {
    pub grants: Grants,
    pub enabled: bool,
    pub revoked: bool,
    /// Milliseconds from now.
    pub expires: Option<i64>,
    pub ips: &'static str,
    pub rates: [Option<u32>; 3],
    /// Requests of this minute, hour and day.
    pub used: [u32; 3],
    pub owner: Owner,
}

#[derive(Debug, Clone)]
pub struct Owner {
    pub role: Role,
    pub suspended: bool,
    pub deleted: bool,
    pub own_flag: Option<bool>,
    pub package_flag: bool,
    /// The role of who stands above, and whether suspended.
    pub creator: Option<(Role, bool)>,
}

pub fn any_grants() -> impl Strategy<Value = Grants> {
    let scopes = prop::collection::hash_set(prop::sample::select(&BillingScope::ALL[..]), 0..4);
    prop_oneof![
        prop::sample::select(&Scope::ALL[..]).prop_map(Grants::External),
        prop::collection::hash_set(prop::sample::select(&Permission::ALL[..]), 1..4)
            .prop_map(|set| Grants::Panel(set.into_iter().collect())),
        (prop::sample::select(&Level::ALL[..]), scopes)
            .prop_map(|(level, set)| Grants::Billing { level, scopes: set.into_iter().collect() }),
    ]
}

fn any_owner() -> impl Strategy<Value = Owner> {
    let creator = prop::option::of((prop::sample::select(vec![Role::Reseller, Role::Admin]), any::<bool>()));
    let seldom = prop::bool::weighted(0.05);
    let flags = (prop::option::of(any::<bool>()), prop::bool::weighted(0.8));
    (prop::sample::select(&Role::ALL[..]), prop::bool::weighted(0.2), seldom, flags, creator).prop_map(
        |(role, suspended, deleted, (own_flag, package_flag), creator)| Owner {
            role,
            suspended,
            deleted,
            own_flag,
            package_flag,
            creator,
        },
    )
}

pub fn any_setup() -> impl Strategy<Value = Setup> {
    let ips = prop::sample::select(vec!["", "", "192.168.10.203", "10.0.0.0/8", "2001:db8::/48", "10.1.2.3,::/0"]);
    let expires = prop::option::of(prop::sample::select(vec![-40 * Timestamp::DAY, -1, 0, 40 * Timestamp::DAY]));
    let rate = || prop::option::of(prop::sample::select(vec![0_u32, 1, 5, 60]));
    let limits = ([rate(), rate(), rate()], [0_u32..70, 0_u32..70, 0_u32..70]);
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.04));
    (any_grants(), flags, expires, ips, limits, any_owner()).prop_map(
        |(grants, (enabled, revoked), expires, ips, (rates, used), owner)| Setup {
            // An external key cannot be switched off, only revoked.
            enabled: enabled || grants.style() == Style::External,
            grants,
            revoked,
            expires,
            ips,
            rates,
            used,
            owner,
        },
    )
}

/// The packages that accounts inherit from: 101 with API access, 102 without.
pub fn write_packages(connection: &Connection) {
    let insert = "INSERT INTO packages (id, name, name_key, can_use_api, created_at, updated_at)
                  VALUES (101, 'with', 'with', 1, 0, 0), (102, 'without', 'without', 0, 0, 0)";
    connection.execute(insert, []).unwrap();
}

fn write_user(connection: &Connection, name: &str, role: Role, suspended: bool) -> i64 {
    let insert = "INSERT INTO users (uid, username, username_key, email, email_key, role, status, package_id, created_at, updated_at)
                  VALUES (randomblob(16), ?1, ?1, ?1 || '@example.com', ?1 || '@example.com', ?2, ?3, 101, 0, 0) RETURNING id";
    let status = if suspended { "suspended" } else { "active" };
    connection.query_row(insert, (name, role.as_str(), status), |row| row.get(0)).unwrap()
}

fn write_owner(connection: &Connection, number: i64, owner: &Owner) -> i64 {
    let creator =
        owner.creator.map(|(role, suspended)| write_user(connection, &format!("boss{number}"), role, suspended));
    let id = write_user(connection, &format!("owner{number}"), owner.role, owner.suspended);
    let package = if owner.package_flag { 101 } else { 102 };
    let update = "UPDATE users SET creator_id = ?2, can_use_api = ?3, package_id = ?4, deleted_at = ?5 WHERE id = ?1";
    connection.execute(update, (id, creator, owner.own_flag, package, owner.deleted.then_some(1))).unwrap();
    id
}

/// What a key shows: the key, and a billing key's secret.
pub fn credential(style: Style, number: i64) -> (String, String) {
    let key = match style {
        Style::External => format!("pk_live_{number:032x}"),
        Style::Panel => format!("wsp_{number:048x}"),
        Style::Billing => format!("npk_{number:043}"),
    };
    let secret = if style == Style::Billing { format!("nps_{number:064}") } else { key.clone() };
    (key, secret)
}

/// Writes a key with this number and gives its id.
pub fn write(connection: &Connection, number: i64, setup: &Setup, now: Timestamp) -> i64 {
    let owner = write_owner(connection, number, &setup.owner);
    let words = setup.grants.words().join(",");
    let style = setup.grants.style();
    let (key, secret) = credential(style, number);
    let display = if style == Style::Billing { key } else { key.chars().take(12).collect() };
    let level = match &setup.grants {
        Grants::Billing { level, .. } => Some(level.as_str()),
        Grants::External(_) | Grants::Panel(_) => None,
    };
    let given = |wanted: Style| (style == wanted).then_some(words.as_str());
    let insert = "INSERT INTO api_keys (style, panel_id, user_id, name, display, scope, permissions, level, scopes, allowed_ips,
                    rate_per_minute, rate_per_hour, rate_per_day, enabled, expires_at, revoked_at, created_at, updated_at)
                  VALUES (?1, ?2, ?3, 'test', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0, 0) RETURNING id";
    let params = rusqlite::params![
        style.as_str(),
        (style == Style::Panel).then(|| format!("{number:016x}")),
        owner,
        display,
        given(Style::External),
        given(Style::Panel),
        level,
        given(Style::Billing),
        AllowList::from_text(setup.ips).unwrap().to_text(),
        setup.rates[0],
        setup.rates[1],
        setup.rates[2],
        setup.enabled,
        setup.expires.map(|millis| now.plus_millis(millis).millis()),
        setup.revoked.then_some(1),
    ];
    let id: i64 = connection.query_row(insert, params, |row| row.get(0)).unwrap_or_else(|e| panic!("{setup:?}: {e}"));
    let insert = "INSERT INTO api_key_secrets (key_id, generation, secret_hash, created_at) VALUES (?1, 1, ?2, 0)";
    connection.execute(insert, (id, hash_of(secret.as_bytes()))).unwrap();
    for (period, length, used) in [("hour", Timestamp::HOUR, setup.used[1]), ("day", Timestamp::DAY, setup.used[2])] {
        let start = now.millis() - now.millis() % length;
        let insert = "INSERT INTO key_usage (key_id, period, window_start, requests) VALUES (?1, ?2, ?3, ?4)";
        connection.execute(insert, (id, period, start, used)).unwrap();
    }
    id
}

/// Every row of the table of one surface, with those that stand in for what the table does not have.
pub fn rows_of(surface: Surface) -> Vec<&'static Route> {
    let prefix = match surface {
        Surface::External => "/api/v1/external",
        Surface::Panel => "/api/v1",
        Surface::Billing => "/api/v1/billing",
        Surface::Admin => "/api",
    };
    let mut rows: Vec<_> = surface.routes().iter().collect();
    for method in [Method::Get, Method::Post, Method::Put, Method::Delete] {
        rows.push(stand_in(Some(method), &format!("{prefix}/nothing-of-ours")));
        if surface == Surface::Panel {
            rows.extend(
                ["domains", "databases/7", "backups", "webhooks"]
                    .map(|later| stand_in(Some(method), &format!("{prefix}/{later}"))),
            );
        }
    }
    rows
}

/// A path of the row: each parameter filled.
pub fn path_of(route: &Route) -> String {
    let parts = route.path.split('/').map(|part| match part {
        "{username}" => "owner1",
        part if part.starts_with('{') => "7",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// How many random cases: as many as the test says, or `PANEL_CASES`.
pub fn cases(default: u32) -> u32 {
    std::env::var("PANEL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
