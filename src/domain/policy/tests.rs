//! Every gate failing alone and with others, on every style; and a property over random combinations.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::keys::{BillingScope, Level, Permission, Scope, Style};
use crate::domain::routes::{Found, Method, Surface, find, stand_in};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn origin() -> Arc<Origin> {
    Arc::new(Origin { surface: "test", ip: None, request_id: "test".to_owned() })
}

fn owner() -> OwnerFacts {
    let creator = CreatorFacts { username: "boss".to_owned(), role: Role::Reseller, suspended: false };
    OwnerFacts {
        id: UserId(7),
        username: "ada".to_owned(),
        role: Role::Admin,
        suspended: false,
        api_access: true,
        creator: Some(creator),
    }
}

fn key(style: Style) -> KeyFacts {
    KeyFacts {
        id: KeyId(14),
        panel_id: (style == Style::Panel).then(|| "e24ff6f1754c2d9a".to_owned()),
        display: "pk_live_a8f3".to_owned(),
        grants: match style {
            Style::External => Grants::External(Scope::Delete),
            Style::Panel => Grants::Panel(vec![Permission::All]),
            Style::Billing => Grants::Billing { level: Level::SuperAdmin, scopes: vec![BillingScope::FullAccess] },
        },
        revoked: false,
        enabled: true,
        expires_at: None,
        allowed_ips: AllowList::default(),
        rate_per_minute: None,
        rate_per_hour: None,
        rate_per_day: None,
        generation: Generation { number: 1, replaced: None },
        owner: Some(owner()),
    }
}

fn route(method: Method, path: &str) -> &'static Route {
    match find(Some(method), path) {
        Found::Route(route, _) => route,
        _ => stand_in(Some(method), path),
    }
}

fn write_of(style: Style) -> &'static Route {
    match style {
        Style::External => route(Method::Delete, "/api/v1/external/subscribers/1"),
        Style::Panel => route(Method::Post, "/api/v1/users"),
        Style::Billing => route(Method::Post, "/api/v1/billing/accounts"),
    }
}

fn ask(caller: &Caller, route: &'static Route, ip: Option<IpAddr>, limits: &[Window]) -> Result<Permit, Denial> {
    evaluate(&Asked { caller, route, ip, limits, now: NOW }, origin())
}

/// gate, need, have, fix.
type Line = (Gate, Option<&'static str>, Option<&'static str>, Option<&'static str>);

fn lines(denial: &Denial) -> Vec<Line> {
    // Leaked so that rows can be constants; a test's process is short.
    let leak = |text: &Option<String>| text.as_deref().map(|text| &*text.to_owned().leak());
    denial.failing().map(|denied| (denied.gate, leak(&denied.need), leak(&denied.have), leak(&denied.fix))).collect()
}

const OTHER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 10, 203)));

#[test]
fn before_the_key_is_known_only_the_first_gate_is_named() {
    for style in Style::ALL {
        let route = write_of(style);
        for (caller, gate) in [
            (Caller::Anonymous, Gate::Credential),
            (Caller::Unknown, Gate::Key),
            (Caller::WrongSecret(Arc::new(key(style))), Gate::Secret),
        ] {
            let denial = ask(&caller, route, OTHER, &[]).unwrap_err();
            assert_eq!(lines(&denial), [(gate, None, None, None)], "{style:?} {gate:?}");
        }
    }
}

#[test]
fn a_revoked_key_or_a_dead_generation_says_nothing_else() {
    for style in Style::ALL {
        let worst = |change: &dyn Fn(&mut KeyFacts)| {
            let mut key = KeyFacts { enabled: false, expires_at: Some(Timestamp(0)), owner: None, ..key(style) };
            change(&mut key);
            let denial = ask(&Caller::Key(Arc::new(key)), write_of(style), OTHER, &[]).unwrap_err();
            assert_eq!(lines(&denial), [(Gate::Revoked, None, None, None)], "{style:?}");
        };
        worst(&|key| key.revoked = true);
        worst(&|key| key.generation.replaced = Some(Replaced { at: Timestamp(0), ends_at: NOW }));
    }
    let alive = KeyFacts {
        generation: Generation { number: 1, replaced: Some(Replaced { at: NOW, ends_at: NOW.plus_millis(1) }) },
        ..key(Style::External)
    };
    assert!(ask(&Caller::Key(Arc::new(alive)), write_of(Style::External), OTHER, &[]).is_ok());
}

#[test]
fn the_secret_of_one_style_opens_no_other() {
    for style in Style::ALL {
        for other in Style::ALL.into_iter().filter(|other| *other != style) {
            let denial = ask(&Caller::Key(Arc::new(key(style))), write_of(other), OTHER, &[]).unwrap_err();
            assert_eq!(lines(&denial), [(Gate::Key, None, None, None)], "{style:?} on {other:?}");
        }
    }
}

/// One change that makes one gate fail, and what the refusal then says.
type Row = (Style, &'static dyn Fn(&mut KeyFacts), Line);

fn set_owner(key: &mut KeyFacts, change: impl FnOnce(&mut OwnerFacts)) {
    change(key.owner.as_mut().unwrap());
}

const ROWS: &[Row] = &[
    (
        Style::Panel,
        &|key| key.enabled = false,
        (Gate::Enabled, Some("enabled"), Some("disabled"), Some("panel key update e24ff6f1754c2d9a --enable")),
    ),
    (
        Style::Billing,
        &|key| key.enabled = false,
        (Gate::Enabled, Some("enabled"), Some("disabled"), Some("panel key update 14 --enable")),
    ),
    (
        Style::External,
        &|key| key.expires_at = Some(NOW),
        (
            Gate::Expired,
            Some("an expiry in the future"),
            Some("expired 2027-01-15T08:00:00Z"),
            Some("panel key update 14 --expires 2028-01-15"),
        ),
    ),
    (
        Style::External,
        &|key| set_owner(key, |owner| owner.suspended = true),
        (Gate::OwnerActive, Some("ada active"), Some("ada suspended"), Some("panel user unsuspend ada")),
    ),
    (
        Style::Billing,
        &|key| set_owner(key, |owner| owner.creator.as_mut().unwrap().suspended = true),
        (Gate::OwnerActive, Some("boss active"), Some("boss suspended"), Some("panel user unsuspend boss")),
    ),
    (
        Style::Panel,
        &|key| set_owner(key, |owner| owner.api_access = false),
        (
            Gate::ApiAccess,
            Some("can_use_api on"),
            Some("can_use_api off"),
            Some("panel user update ada --feature api=on"),
        ),
    ),
    (
        Style::Billing,
        &|key| key.allowed_ips = AllowList::parse("ip", ["127.0.0.1"]).unwrap(),
        (
            Gate::Ip,
            Some("a listed address"),
            Some("192.168.10.203"),
            Some("panel key update 14 --add-ip 192.168.10.203"),
        ),
    ),
    (
        Style::External,
        &|key| key.grants = Grants::External(Scope::Read),
        (Gate::Scope, Some("delete"), Some("read"), Some("panel key update 14 --scopes delete")),
    ),
    (
        Style::Panel,
        &|key| key.grants = Grants::Panel(vec![Permission::Domains, Permission::Read]),
        (
            Gate::Permission,
            Some("all"),
            Some("domains,read"),
            Some("panel key update e24ff6f1754c2d9a --permissions domains,read,all"),
        ),
    ),
    (
        Style::Billing,
        &|key| key.grants = Grants::Billing { level: Level::ReadOnly, scopes: vec![BillingScope::FullAccess] },
        (Gate::Level, Some("BILLING"), Some("READ_ONLY"), Some("panel key update 14 --level BILLING")),
    ),
    (
        Style::Billing,
        &|key| key.grants = Grants::Billing { level: Level::Billing, scopes: vec![BillingScope::UserManagement] },
        (
            Gate::Scope,
            Some("account_creation"),
            Some("user_management"),
            Some("panel key update 14 --scopes user_management,account_creation"),
        ),
    ),
    (
        Style::External,
        &|key| set_owner(key, |owner| owner.role = Role::User),
        (Gate::Role, Some("reseller"), Some("user"), Some("panel user update ada --role reseller")),
    ),
    (
        Style::Panel,
        &|key| set_owner(key, |owner| owner.role = Role::User),
        (Gate::Role, Some("reseller"), Some("user"), Some("panel user update ada --role reseller")),
    ),
    (
        Style::Billing,
        &|key| set_owner(key, |owner| owner.role = Role::Reseller),
        (Gate::Role, Some("a level up to BILLING"), Some("SUPER_ADMIN"), Some("panel key update 14 --level BILLING")),
    ),
];

#[test]
fn each_gate_alone_says_what_it_needs_what_it_saw_and_what_mends_it() {
    for (style, change, line) in ROWS {
        let mut key = key(*style);
        change(&mut key);
        let denial = ask(&Caller::Key(Arc::new(key)), write_of(*style), OTHER, &[]).unwrap_err();
        assert_eq!(lines(&denial), [*line], "{style:?} {:?}", line.0);
    }
}

#[test]
fn a_deleted_owner_cannot_be_mended_and_an_unknown_address_not_either() {
    let gone = KeyFacts { owner: None, ..key(Style::External) };
    let denial = ask(&Caller::Key(Arc::new(gone)), write_of(Style::External), OTHER, &[]).unwrap_err();
    assert_eq!(lines(&denial), [(Gate::Owner, Some("an existing owner"), Some("a deleted one"), None)]);
    let listed = KeyFacts { allowed_ips: AllowList::parse("ip", ["10.0.0.0/8"]).unwrap(), ..key(Style::External) };
    let denial = ask(&Caller::Key(Arc::new(listed)), write_of(Style::External), None, &[]).unwrap_err();
    assert_eq!(lines(&denial), [(Gate::Ip, Some("a listed address"), Some("unknown"), None)]);
}

#[test]
fn a_suspended_admin_above_suspends_nobody() {
    let mut key = key(Style::External);
    set_owner(&mut key, |owner| {
        owner.creator = Some(CreatorFacts { username: "root".to_owned(), role: Role::Admin, suspended: true });
    });
    assert!(ask(&Caller::Key(Arc::new(key)), write_of(Style::External), OTHER, &[]).is_ok());
}

#[test]
fn a_full_window_says_how_long_to_wait_and_health_never_does() {
    let window = |period, limit, used, seconds: i64| Window {
        period,
        limit,
        used,
        resets_at: NOW.plus_millis(seconds * 1000 - 1),
    };
    let windows = [window("minute", 60, 60, 23), window("hour", 100, 100, 1_500), window("day", 500, 400, 80_000)];
    let caller = Caller::Key(Arc::new(key(Style::External)));
    let denial = ask(&caller, write_of(Style::External), OTHER, &windows).unwrap_err();
    let have = "60 of 60 this minute, 100 of 100 this hour";
    assert_eq!(lines(&denial), [(Gate::Rate, Some("a request left"), Some(have), Some("wait 1500 s"))]);
    assert_eq!(denial.retry_after_seconds(), Some(1_500));
    assert!(ask(&caller, route(Method::Get, "/api/v1/external/system/health"), OTHER, &windows).is_ok());
}

#[test]
fn health_answers_strangers_and_judges_whoever_shows_a_credential() {
    for (path, style) in [("/api/v1/external/system/health", Style::External), ("/api/health", Style::Billing)] {
        let route = route(Method::Get, path);
        assert!(ask(&Caller::Anonymous, route, None, &[]).is_ok());
        assert_eq!(ask(&Caller::Unknown, route, None, &[]).unwrap_err().gate(), Gate::Key);
        let expired = KeyFacts { expires_at: Some(NOW), ..key(style) };
        assert_eq!(ask(&Caller::Key(Arc::new(expired)), route, None, &[]).unwrap_err().gate(), Gate::Expired);
    }
    let reader = KeyFacts { grants: Grants::Billing { level: Level::ReadOnly, scopes: vec![] }, ..key(Style::Billing) };
    let denial = ask(&Caller::Key(Arc::new(reader)), route(Method::Get, "/api/health"), None, &[]).unwrap_err();
    assert_eq!(denial.gate(), Gate::Level, "a key that could not provision shows red");
}

#[test]
fn a_permit_carries_the_rows_of_its_owners_role() {
    for (role, rows) in [(Role::Admin, Rows::All), (Role::Reseller, Rows::OfReseller(UserId(7)))] {
        let mut key = key(Style::External);
        set_owner(&mut key, |owner| owner.role = role);
        assert_eq!(ask(&Caller::Key(Arc::new(key)), write_of(Style::External), OTHER, &[]).unwrap().rows(), rows);
    }
}

/// The gates once more, each as one plain sentence, to hold the evaluator against.
fn false_gates(key: &KeyFacts, route: &Route, ip: Option<IpAddr>, full: bool) -> BTreeSet<Gate> {
    let mut gates = BTreeSet::new();
    let mut gate = |gate, passes: bool| {
        if !passes {
            gates.insert(gate);
        }
    };
    gate(Gate::Enabled, key.enabled);
    gate(Gate::Expired, key.expires_at.is_none_or(|end| end > NOW));
    gate(Gate::Owner, key.owner.is_some());
    gate(Gate::Ip, key.allowed_ips.allows(ip));
    gate(Gate::Rate, !full || route.entry == Entry::OpenUnmetered);
    let reading = route.method == Method::Get;
    match (&key.grants, route.need) {
        (Grants::External(have), Need::External(Some(need))) => gate(Gate::Scope, *have >= need),
        (Grants::Panel(have), Need::Panel(need)) => gate(
            Gate::Permission,
            match need {
                crate::domain::routes::PanelNeed::Nothing => true,
                crate::domain::routes::PanelNeed::Session => false,
                crate::domain::routes::PanelNeed::Resource(token) => {
                    have.contains(&Permission::All)
                        || token.is_some_and(|token| have.contains(&token))
                        || (reading && have.contains(&Permission::Read))
                }
            },
        ),
        (Grants::Billing { level, scopes }, Need::Billing { level: need, scopes: sets }) => {
            gate(Gate::Level, *level >= need);
            let full = scopes.contains(&BillingScope::FullAccess);
            gate(
                Gate::Scope,
                full || sets.is_empty() || sets.iter().any(|set| set.iter().all(|scope| scopes.contains(scope))),
            );
        }
        _ => {}
    }
    if let Some(owner) = &key.owner {
        let above = owner.creator.as_ref().is_some_and(|creator| creator.role == Role::Reseller && creator.suspended);
        gate(Gate::OwnerActive, !owner.suspended && !above);
        gate(Gate::ApiAccess, owner.api_access);
        gate(
            Gate::Role,
            match (&key.grants, route.need) {
                (Grants::Billing { level, .. }, Need::Billing { level: need, .. }) => {
                    *level <= Level::highest_of(owner.role) && need <= Level::highest_of(owner.role)
                }
                _ => owner.role >= route.role,
            },
        );
    }
    gates
}

fn any_key() -> impl Strategy<Value = KeyFacts> {
    let grants = prop_oneof![
        prop::sample::select(&Scope::ALL[..]).prop_map(Grants::External),
        prop::collection::vec(prop::sample::select(&Permission::ALL[..]), 1..4).prop_map(Grants::Panel),
        (
            prop::sample::select(&Level::ALL[..]),
            prop::collection::vec(prop::sample::select(&BillingScope::ALL[..]), 0..4)
        )
            .prop_map(|(level, scopes)| Grants::Billing { level, scopes }),
    ];
    let ips = prop::sample::select(vec!["", "192.168.10.203", "10.0.0.0/8", "::/0"]);
    let creator = prop::option::of((prop::sample::select(&Role::ALL[..]), any::<bool>()));
    let owner =
        prop::option::weighted(0.9, (prop::sample::select(&Role::ALL[..]), any::<bool>(), any::<bool>(), creator));
    (grants, any::<bool>(), prop::option::of(-5_i64..5), ips, owner).prop_map(
        |(grants, enabled, expiry, ips, owner)| {
            let style = grants.style();
            KeyFacts {
                enabled,
                expires_at: expiry.map(|millis| NOW.plus_millis(millis)),
                allowed_ips: AllowList::from_text(ips).unwrap(),
                owner: owner.map(|(role, suspended, api_access, creator)| OwnerFacts {
                    role,
                    suspended,
                    api_access,
                    creator: creator.map(|(role, suspended)| CreatorFacts {
                        username: "boss".to_owned(),
                        role,
                        suspended,
                    }),
                    ..self::owner()
                }),
                grants,
                ..key(style)
            }
        },
    )
}

fn any_route() -> impl Strategy<Value = &'static Route> {
    let rows: Vec<_> = Surface::ALL.iter().flat_map(|surface| surface.routes()).collect();
    prop::sample::select(rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    #[test]
    fn the_list_is_the_set_of_false_gates(key in any_key(), route in any_route(), known in any::<bool>(), full in any::<bool>()) {
        let ip = if known { OTHER } else { None };
        let window = Window { period: "minute", limit: 1, used: u32::from(full), resets_at: NOW.plus_millis(1) };
        let verdict = ask(&Caller::Key(Arc::new(key.clone())), route, ip, &[window]);
        if route.need == Need::Nobody {
            prop_assert!(verdict.is_ok());
        } else if !gates::accepts_style(route, &key) {
            prop_assert_eq!(verdict.unwrap_err().gate(), Gate::Key);
        } else {
            let expected = false_gates(&key, route, ip, full);
            let found: Vec<_> = verdict.err().iter().flat_map(Denial::failing).map(|denied| denied.gate).collect();
            prop_assert!(found.is_sorted(), "in the order of the contract: {:?}", found);
            prop_assert_eq!(BTreeSet::from_iter(found), expected);
        }
    }
}
