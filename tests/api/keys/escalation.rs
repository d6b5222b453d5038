//! No chain of mints, updates and rotations yields a key that may do what the one it began with may not
//! (contract: keys.md, Escalation is impossible).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use panel::actions;
use panel::app::{App, Clock};
use panel::domain::addresses::AllowList;
use panel::domain::error::AppError;
use panel::domain::keys::{Grants, KeyDraft, KeyId, KeySettings, Style};
use panel::domain::policy::{self, Asked, Caller, KeyFacts, Origin, Permit, operator};
use panel::domain::routes::{Found, Method, Route, Surface, find};
use panel::domain::time::Timestamp;
use panel::domain::users::Role;
use panel::store::{self, WriteTx};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestCaseError, TestRunner};
use rusqlite::Connection;
use tempfile::TempDir;

use super::world::{self, ADDRESSES};
use super::{app_alone, list_of, new_panel_id, new_secret};
use crate::support::instant_of;

/// The configured requests a minute of a key without a limit of its own.
const DEFAULT_RATE: u32 = 60;
const OWNERS: [&str; 5] = ["admin", "anna", "rita", "ulla", "vera"];
const NETWORKS: [&str; 7] =
    ["", "10.0.0.0/8", "10.1.2.3", "10.1.2.3,2001:db8::/32", "192.168.10.203", "10.1.2.0/24,203.0.113.9", "::/0"];

/// What somebody asks for; a field left out takes the bounds of the key that asks.
#[derive(Debug, Clone)]
struct Wish {
    owner: &'static str,
    grants: Grants,
    ips: Option<&'static str>,
    expires: Option<Option<i64>>,
    rates: [Option<u32>; 3],
}

#[derive(Debug, Clone)]
enum Step {
    Mint(Wish),
    Update(Wish),
    Rotate,
}

/// Who acts and on what, each among those there are by then.
type Turn = (prop::sample::Index, prop::sample::Index, Step);

fn any_wish() -> impl Strategy<Value = Wish> {
    let days = prop::sample::select(vec![None, Some(1), Some(5), Some(30), Some(400)]);
    let rate = || prop::option::of(prop::sample::select(vec![0_u32, 1, 30, 60, 61, 1000]));
    let ips = prop::option::of(prop::sample::select(&NETWORKS[..]));
    (prop::sample::select(&OWNERS[..]), world::any_grants(), ips, prop::option::of(days), [rate(), rate(), rate()])
        .prop_map(|(owner, grants, ips, expires, rates)| Wish { owner, grants, ips, expires, rates })
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let step = prop_oneof![
        4 => any_wish().prop_map(Step::Mint),
        4 => any_wish().prop_map(Step::Update),
        2 => Just(Step::Rotate),
    ];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), step)
}

struct House {
    app: App,
    database: Connection,
    _folder: TempDir,
}

impl House {
    /// Two admins, a reseller with a user, and a user of nobody's.
    fn new() -> Self {
        let (app, database, folder) = app_alone(Clock::standing_at(instant_of("2026-03-20T12:00:00Z")));
        let house = Self { app, database, _folder: folder };
        for (name, role, creator) in [
            ("anna", Role::Admin, "admin"),
            ("rita", Role::Reseller, "admin"),
            ("ulla", Role::User, "rita"),
            ("vera", Role::User, "admin"),
        ] {
            let draft = actions::users::Draft::new(
                panel::crypto::random::uid().unwrap(),
                panel::domain::users::Username::parse("username", name).unwrap(),
                panel::domain::users::Email::parse("email", &format!("{name}@example.com")).unwrap(),
                "$argon2id$not-a-hash".to_owned(),
                house.app.now(),
            );
            let draft = actions::users::Draft { role, creator: Some(creator.to_owned()), ..draft };
            house.app.db.write_blocking(move |tx| actions::users::add(tx, &operator("test"), &draft)).unwrap();
        }
        house
    }

    fn facts(&self, id: KeyId) -> KeyFacts {
        self.app.db.read(|tx| store::keys::find_newest_facts(tx, id)).unwrap().unwrap()
    }

    /// What the door would hand on for a call with this key, from an address that it may be used from.
    fn permit(&self, id: KeyId) -> Option<Permit> {
        let facts = self.facts(id);
        let path = if facts.grants.style() == Style::Panel { "/api/v1/auth/me" } else { list_of(facts.grants.style()) };
        let Found::Route(route, _) = find(Some(Method::Get), path) else { panic!("{path}") };
        ADDRESSES.iter().find_map(|ip| judged(&facts, route, ip.parse().unwrap(), self.app.now()).ok())
    }

    fn mint(&self, permit: &Permit, wish: &Wish) -> Result<KeyId, AppError> {
        let (now, style) = (self.app.now(), wish.grants.style());
        let draft = KeyDraft {
            allowed_ips: wish.ips.map(|ips| AllowList::from_text(ips).unwrap()),
            expires_at: wish.expires.map(|days| days.map(|days| now.plus_millis(days * Timestamp::DAY))),
            rate_per_minute: wish.rates[0],
            rate_per_hour: wish.rates[1],
            rate_per_day: wish.rates[2],
            ..KeyDraft::new(wish.owner, "test", wish.grants.clone(), now)
        };
        let (secret, panel_id, permit) = (new_secret(style), new_panel_id(style), permit.clone());
        let work = move |tx: &WriteTx<'_>| {
            actions::keys::mint(tx, &permit, &draft, &secret, panel_id.as_deref(), DEFAULT_RATE)
        };
        self.app.db.write_blocking(work)
    }

    fn update(&self, permit: &Permit, id: KeyId, wish: &Wish) -> Result<(), AppError> {
        let (wish, permit, now) = (wish.clone(), permit.clone(), self.app.now());
        let work = move |tx: &WriteTx<'_>| {
            let change = |settings: &mut KeySettings| {
                if settings.grants.style() == wish.grants.style() {
                    settings.grants = wish.grants.clone();
                }
                if let Some(ips) = wish.ips {
                    settings.allowed_ips = AllowList::from_text(ips)?;
                }
                if let Some(days) = wish.expires {
                    settings.expires_at = days.map(|days| now.plus_millis(days * Timestamp::DAY));
                }
                settings.rate_per_minute = wish.rates[0].or(settings.rate_per_minute);
                settings.rate_per_hour = wish.rates[1].or(settings.rate_per_hour);
                settings.rate_per_day = wish.rates[2].or(settings.rate_per_day);
                Ok(())
            };
            actions::keys::update(tx, &permit, id, &change, DEFAULT_RATE, now).map(|_| ())
        };
        self.app.db.write_blocking(work)
    }

    fn rotate(&self, permit: &Permit, id: KeyId) -> Result<(), AppError> {
        let (permit, now) = (permit.clone(), self.app.now());
        let secret = new_secret(self.facts(id).grants.style());
        let work =
            move |tx: &WriteTx<'_>| actions::keys::rotate(tx, &permit, id, &secret, 0, DEFAULT_RATE, now).map(|_| ());
        self.app.db.write_blocking(work)
    }
}

fn judged(facts: &KeyFacts, route: &'static Route, ip: IpAddr, now: Timestamp) -> Result<Permit, policy::Denial> {
    let caller = Caller::Key(Arc::new(facts.clone()));
    let asked = Asked { caller: &caller, route, ip: Some(ip), limits: &[], now };
    policy::evaluate(&asked, Arc::new(Origin { surface: "test", ip: Some(ip), request_id: String::new() }))
}

/// Requests of each period, where none is the highest.
fn rates(facts: &KeyFacts) -> [u64; 3] {
    let default = if facts.grants.style() == Style::Billing { 0 } else { DEFAULT_RATE };
    let minute = facts.rate_per_minute.unwrap_or(default);
    [minute, facts.rate_per_hour.unwrap_or(0), facts.rate_per_day.unwrap_or(0)]
        .map(|limit| if limit == 0 { u64::MAX } else { u64::from(limit) })
}

/// Whatever the one may do, from anywhere and at any time, the other may do too.
fn is_no_more(one: &KeyFacts, other: &KeyFacts, now: Timestamp) -> Result<(), TestCaseError> {
    let surface = match one.grants.style() {
        Style::External => Surface::External,
        Style::Panel => Surface::Panel,
        Style::Billing => Surface::Billing,
    };
    for route in world::rows_of(surface) {
        for ip in ADDRESSES.iter().map(|ip| ip.parse().unwrap()) {
            for at in [0, 1, 4, 6, 29, 31, 500].map(|days| now.plus_millis(days * Timestamp::DAY)) {
                let allowed = judged(one, route, ip, at).is_ok();
                prop_assert!(
                    !allowed || judged(other, route, ip, at).is_ok(),
                    "{route} from {ip} at {}: {one:#?} may, {other:#?} may not",
                    at.rfc3339()
                );
            }
        }
    }
    for (mine, theirs) in rates(one).into_iter().zip(rates(other)) {
        prop_assert!(mine <= theirs, "{one:#?} is faster than {other:#?}");
    }
    Ok(())
}

/// Walks one chain and gives every key that it made, changed or learnt the secret of.
fn walk(house: &House, first: KeyId, turns: &[Turn], targets: &[KeyId]) -> (BTreeSet<i64>, usize) {
    let (mut known, mut touched, mut all) = (vec![first], BTreeSet::new(), targets.to_vec());
    let mut done = 0;
    for (who, what, step) in turns {
        let Some(permit) = house.permit(*who.get(&known)) else { continue };
        let target = *what.get(&all);
        match step {
            Step::Mint(wish) => {
                if let Ok(id) = house.mint(&permit, wish) {
                    known.push(id);
                    all.push(id);
                    touched.insert(id.0);
                    done += 1;
                }
            }
            Step::Update(wish) => {
                if house.update(&permit, target, wish).is_ok() {
                    touched.insert(target.0);
                    done += 1;
                }
            }
            Step::Rotate => {
                if house.rotate(&permit, target).is_ok() {
                    known.push(target);
                    touched.insert(target.0);
                    done += 1;
                }
            }
        }
    }
    (touched, done)
}

/// 2 000 chains, or `PANEL_CASES`.
#[test]
fn no_chain_of_mints_updates_and_rotations_escalates() {
    let house = House::new();
    let steps = std::cell::Cell::new(0);
    let chains = (any_wish(), prop::collection::vec(any_wish(), 1..5), prop::collection::vec(any_turn(), 1..=12));
    let config = Cases { failure_persistence: None, max_shrink_iters: 300, ..Cases::with_cases(world::cases(2_000)) };
    let outcome = TestRunner::new(config).run(&chains, |(wish, bystanders, turns)| {
        let by_hand = operator("test");
        let Ok(first) = house.mint(&by_hand, &wish) else { return Ok(()) };
        let mut targets: Vec<_> = bystanders.iter().filter_map(|wish| house.mint(&by_hand, wish).ok()).collect();
        targets.push(first);
        let began = house.facts(first);
        let (touched, done) = walk(&house, first, &turns, &targets);
        steps.set(steps.get() + done);
        let mut outcome = Ok(());
        for id in touched {
            let now = house.facts(KeyId(id));
            if now.grants.style() == began.grants.style() {
                outcome = outcome.and_then(|()| is_no_more(&now, &began, house.app.now()));
            }
        }
        // Fifty living keys are the most that an owner may have.
        house.database.execute("UPDATE api_keys SET revoked_at = 1 WHERE revoked_at IS NULL", []).unwrap();
        outcome
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    assert!(steps.get() > 100, "only {} steps were let through", steps.get());
}

#[test]
fn a_key_changes_rotates_and_revokes_only_keys_that_its_owner_may_see() {
    let house = House::new();
    let wish =
        |owner, style| Wish { owner, grants: super::everything(style), ips: None, expires: None, rates: [None; 3] };
    let by_hand = operator("test");
    let one = |owner| house.mint(&by_hand, &wish(owner, Style::Panel)).unwrap();
    let ids = OWNERS.map(one);
    for (actor, sees) in [("admin", &OWNERS[..]), ("rita", &["rita", "ulla"]), ("ulla", &["ulla"]), ("vera", &["vera"])]
    {
        let permit = house.permit(ids[OWNERS.iter().position(|owner| *owner == actor).unwrap()]).unwrap();
        for (owner, id) in OWNERS.into_iter().zip(ids) {
            let row = |what: &str| -> String {
                let statement = format!("SELECT {what} FROM api_keys WHERE id = ?1");
                house.database.query_row(&statement, [id.0], |row| row.get(0)).unwrap()
            };
            let all = "name || permissions || generation || updated_at || coalesce(revoked_at, '')";
            let before = row(all);
            let rotated = house.rotate(&permit, id);
            let narrowed = Wish { rates: [Some(30), None, None], ..wish(owner, Style::Panel) };
            let updated = house.update(&permit, id, &narrowed);
            assert_eq!(
                (rotated.is_ok(), updated.is_ok()),
                (sees.contains(&owner), sees.contains(&owner)),
                "{actor} on a key of {owner}: {rotated:?} {updated:?}"
            );
            if sees.contains(&owner) {
                continue;
            }
            let (permit, now) = (permit.clone(), house.app.now());
            let revoked = house.app.db.write_blocking(move |tx| actions::keys::revoke(tx, &permit, id, now));
            assert!(matches!(revoked, Err(AppError::NotFound(_))), "{actor} on a key of {owner}: {revoked:?}");
            assert_eq!(row(all), before, "{actor} on a key of {owner}");
        }
    }
}
