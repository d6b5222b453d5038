//! Replays: whatever was permitted is permitted under the suggestion, and nothing of it can be left out.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use super::*;
use crate::domain::addresses::MAX_ENTRIES;
use crate::domain::keys::{KeyId, Scope, Style};
use crate::domain::policy::{Asked, Caller, Generation, Origin, OwnerFacts, evaluate};
use crate::domain::request_logs::Alike;
use crate::domain::routes::{self, Method, Need, Route, Surface};
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, UserId};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Two networks, hosts of one /64, and hosts of their own.
const ADDRESSES: [&str; 9] = [
    "192.168.10.203",
    "10.1.2.3",
    "10.1.2.4",
    "2001:db8::7",
    "2001:db8::8",
    "2001:db8:1::7",
    "::ffff:10.1.2.3",
    "203.0.113.9",
    "127.0.0.1",
];

fn key(grants: Grants, ips: &str) -> KeyFacts {
    let owner = OwnerFacts {
        id: UserId(1),
        username: "admin".to_owned(),
        role: Role::Admin,
        suspended: false,
        api_access: true,
        creator: None,
    };
    KeyFacts {
        id: KeyId(14),
        panel_id: (grants.style() == Style::Panel).then(|| "e24ff6f1754c2d9a".to_owned()),
        display: "shown".to_owned(),
        grants,
        revoked: false,
        enabled: true,
        expires_at: None,
        allowed_ips: AllowList::from_text(ips).unwrap(),
        rate_per_minute: None,
        rate_per_hour: None,
        rate_per_day: None,
        generation: Generation { number: 1, replaced: None },
        owner: Some(owner),
    }
}

#[derive(Debug, Clone)]
struct Call {
    route: &'static Route,
    ip: Option<IpAddr>,
    status: u16,
}

impl Call {
    fn row(&self) -> Alike {
        Alike {
            method: self.route.method.as_str().to_owned(),
            route: self.route.path.to_owned(),
            status: self.status,
            gate: None,
            ip: self.ip.map(|ip| ip.to_string()),
            calls: 1,
            first: NOW,
            last: NOW,
        }
    }

    /// The door's own decision.
    fn passes(&self, key: &KeyFacts) -> bool {
        let caller = Caller::Key(Arc::new(key.clone()));
        let asked = Asked { caller: &caller, route: self.route, ip: self.ip, limits: &[], now: NOW };
        let origin = Origin { surface: "test", ip: self.ip, request_id: String::new() };
        evaluate(&asked, Arc::new(origin)).is_ok()
    }
}

fn seen(key: &KeyFacts, calls: &[Call]) -> Seen {
    let mut seen = Seen::nothing_of(key);
    calls.iter().for_each(|call| seen.add(&call.row()));
    seen
}

fn with(key: &KeyFacts, grants: Grants, ips: AllowList) -> KeyFacts {
    KeyFacts { grants, allowed_ips: ips, ..key.clone() }
}

/// Rows that a key of the style may be logged under. The stand-ins for what does not exist are not counted.
fn rows_of(style: Style) -> Vec<&'static Route> {
    let surface = match style {
        Style::External => Surface::External,
        Style::Panel => Surface::Panel,
        Style::Billing => Surface::Billing,
    };
    let counted = |route: &&Route| route.surface == surface && route.need != Need::Nobody && route.action != "unknown";
    routes::rows().filter(counted).collect()
}

fn any_grants() -> impl Strategy<Value = Grants> {
    let scopes = prop::collection::hash_set(prop::sample::select(&BillingScope::ALL[..]), 0..5);
    let permissions = prop::collection::hash_set(prop::sample::select(&Permission::ALL[..]), 1..6);
    prop_oneof![
        prop::sample::select(&Scope::ALL[..]).prop_map(Grants::External),
        permissions.prop_map(|set| Grants::Panel(set.into_iter().collect())),
        (prop::sample::select(&Level::ALL[..]), scopes)
            .prop_map(|(level, set)| Grants::Billing { level, scopes: set.into_iter().collect() }),
    ]
}

fn any_case() -> impl Strategy<Value = (KeyFacts, Vec<Call>)> {
    let ips = prop::sample::select(vec![
        "",
        "",
        "",
        "10.0.0.0/8",
        "2001:db8::/48",
        "2001:db8::7,2001:db8::8,10.1.2.3",
        "10.1.2.3,192.168.10.203",
        "0.0.0.0/0,::/0",
    ]);
    (any_grants(), ips).prop_flat_map(|(grants, ips)| {
        let key = key(grants, ips);
        let rows = rows_of(key.grants.style());
        let ip = prop::option::weighted(0.98, prop::sample::select(&ADDRESSES[..]));
        let status = prop::sample::select(vec![200, 201, 400, 404, 409, 501, 503]);
        let call = (prop::sample::select(rows), ip, status);
        let call = call.prop_map(|(route, ip, status)| Call { route, ip: ip.map(|ip| ip.parse().unwrap()), status });
        (Just(key), prop::collection::vec(call, 1..8))
    })
}

/// The settings with one word or one address less, or one level or scope lower.
fn lesser(grants: &Grants) -> Vec<Grants> {
    fn without<T: Copy + PartialEq>(words: &[T]) -> Vec<Vec<T>> {
        words.iter().map(|word| words.iter().copied().filter(|other| other != word).collect()).collect()
    }
    match grants {
        Grants::External(scope) => Scope::ALL.into_iter().filter(|below| below < scope).map(Grants::External).collect(),
        Grants::Panel(list) => without(list).into_iter().map(Grants::Panel).collect(),
        Grants::Billing { level, scopes } => {
            let lower = Level::ALL.into_iter().filter(|below| below < level);
            let lower = lower.map(|level| Grants::Billing { level, scopes: scopes.clone() });
            let fewer = without(scopes).into_iter().map(|scopes| Grants::Billing { level: *level, scopes });
            lower.chain(fewer).collect()
        }
    }
}

fn fewer(list: &AllowList) -> Vec<AllowList> {
    let without = |entry| AllowList::of(list.iter().copied().filter(|other| other != entry));
    list.iter().map(without).filter(|list| !list.is_empty()).collect()
}

/// 2 000 cases, or `PANEL_CASES`.
#[test]
fn what_was_permitted_stays_permitted_and_nothing_of_the_suggestion_can_be_left_out() {
    let cases = std::env::var("PANEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    let (narrowed, listed, nothing) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |cell: &Cell<u32>, so: bool| cell.set(cell.get() + u32::from(so));
    let mut runner = TestRunner::new(Cases { failure_persistence: None, ..Cases::with_cases(cases) });
    let outcome = runner.run(&any_case(), |(key, calls)| {
        let permitted: Vec<_> = calls.iter().filter(|call| call.passes(&key)).collect();
        let all_pass = |key: &KeyFacts| permitted.iter().all(|call| call.passes(key));
        let Some(suggestion) = suggest(&seen(&key, &calls), &Evidence::default()) else {
            prop_assert!(permitted.is_empty());
            count(&nothing, true);
            return Ok(());
        };
        let (grants, ips) = (&suggestion.grants, &suggestion.allowed_ips);

        let suggested = with(&key, grants.clone(), ips.clone());
        prop_assert!(all_pass(&suggested), "{suggestion:?} refuses one of {permitted:?}");
        prop_assert!(grants.is_within(&key.grants) && ips.is_subset_of(&key.allowed_ips), "wider: {suggestion:?}");

        let failed_create = permitted.iter().any(|call| call.route.action == "accounts.create" && call.status != 201);
        for less in lesser(grants) {
            let none_left = matches!(&less, Grants::Panel(list) if list.is_empty());
            let kept = matches!(grants, Grants::Billing { level: Level::SuperAdmin, .. }) && failed_create;
            let refuses = !all_pass(&with(&key, less.clone(), ips.clone()));
            prop_assert!(refuses || none_left || kept, "{less:?} would do instead of {grants:?}: {permitted:?}");
        }
        let is_new = *ips != key.allowed_ips;
        for list in fewer(ips).into_iter().filter(|_| is_new) {
            let refuses = !all_pass(&with(&key, grants.clone(), list.clone()));
            prop_assert!(refuses, "{list} would do instead of {ips}");
        }
        for reason in &suggestion.reasons {
            prop_assert!(reason.calls > 0 || reason.besides.is_some() || grants.words().len() == 1, "{reason:?}");
        }
        prop_assert_eq!(suggestion.command(&key).is_some(), suggested != key);
        count(&narrowed, *grants != key.grants);
        count(&listed, is_new);
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    let reached = (narrowed.get(), listed.get(), nothing.get());
    assert!(reached.0 > cases / 5 && reached.1 > cases / 5 && reached.2 > 0, "too few of each kind: {reached:?}");
}

fn call(method: Method, path: &str) -> Call {
    let route = routes::of_log(method.as_str(), path).unwrap_or_else(|| panic!("{path}"));
    Call { route, ip: Some(IpAddr::from([10, 1, 2, 3])), status: 200 }
}

fn suggested(grants: Grants, calls: &[Call]) -> Suggestion {
    let key = key(grants, "");
    suggest(&seen(&key, calls), &Evidence::default()).unwrap()
}

const ACCOUNTS: &str = "/api/v1/billing/accounts";
const ACCOUNT: &str = "/api/v1/billing/accounts/{id}";

fn highest() -> Grants {
    Grants::Billing { level: Level::SuperAdmin, scopes: vec![BillingScope::FullAccess] }
}

#[test]
fn refused_unknown_and_outgrown_calls_are_counted_apart_and_explain_nothing() {
    let key = key(Grants::External(Scope::Write), "10.0.0.0/8");
    let read = call(Method::Get, "/api/v1/external/nas");
    let mut seen = seen(&key, std::slice::from_ref(&read));
    for gate in ["ip", "rate", "rate", "field"] {
        let delete = call(Method::Delete, "/api/v1/external/subscribers/{id}").row();
        seen.add(&Alike { gate: Some(gate.to_owned()), ..delete });
    }
    seen.add(&Alike { route: "(unknown)".to_owned(), ..read.row() });
    seen.add(&Alike { route: "/api/v1/external/clients".to_owned(), ..read.row() });
    // Once it might delete, and come from elsewhere.
    seen.add(&call(Method::Delete, "/api/v1/external/subscribers/{id}").row());
    seen.add(&Alike { ip: Some("203.0.113.9".to_owned()), ..read.row() });
    seen.add(&Alike { ip: None, ..read.row() });
    // A secret of another surface's style was never let in.
    seen.add(&call(Method::Get, "/api/v1/users").row());

    let by_gate: Vec<_> = seen.refused.iter().map(|(gate, calls)| (gate.as_str(), *calls)).collect();
    assert_eq!(by_gate, [("field", 1), ("ip", 1), ("rate", 2)]);
    assert_eq!((seen.calls, seen.unknown, seen.outgrown), (1, 2, 4));
    let suggestion = suggest(&seen, &Evidence::default()).unwrap();
    assert_eq!(suggestion.grants, Grants::External(Scope::Read));
    assert_eq!(suggestion.allowed_ips.to_text(), "10.1.2.3");
    let line = "panel key update 14 --scopes read --remove-ip 10.0.0.0/8 --add-ip 10.1.2.3";
    assert_eq!(suggestion.command(&key).as_deref(), Some(line));
}

#[test]
fn a_method_without_a_row_counts_as_the_door_judged_it() {
    let key = key(Grants::Panel(vec![Permission::All]), "");
    let mut seen = seen(&key, &[]);
    let head = Alike { method: "HEAD".to_owned(), ..call(Method::Get, "/api/v1/dns").row() };
    seen.add(&head);
    assert_eq!(suggest(&seen, &Evidence::default()).unwrap().grants, Grants::Panel(vec![Permission::Read]));
    seen.add(&Alike { method: "PATCH".to_owned(), ..head });
    assert_eq!(suggest(&seen, &Evidence::default()).unwrap().grants, Grants::Panel(vec![Permission::Dns]));
}

#[test]
fn whoever_only_reads_is_given_read_and_no_resource_that_includes_writes() {
    let everything = || Grants::Panel(vec![Permission::All]);
    let reads = [call(Method::Get, "/api/v1/domains"), call(Method::Get, "/api/v1/email")];
    assert_eq!(suggested(everything(), &reads).grants, Grants::Panel(vec![Permission::Read]));
    let mixed = [call(Method::Get, "/api/v1/domains"), call(Method::Post, "/api/v1/email")];
    assert_eq!(suggested(everything(), &mixed).grants, Grants::Panel(vec![Permission::Read, Permission::Email]));
    let own = Grants::Panel(vec![Permission::Email, Permission::Domains]);
    assert_eq!(suggested(own, &reads).grants.words(), ["email", "domains"], "read would be more than it has");
    let users = [call(Method::Post, "/api/v1/users")];
    assert_eq!(suggested(everything(), &users).grants, everything());
    let nothing = [call(Method::Get, "/api/v1/auth/me")];
    let least = Grants::Panel(vec![Permission::Read]);
    assert_eq!(suggested(everything(), &nothing).grants, least, "a panel key has at least one");
}

#[test]
fn a_billing_key_keeps_the_level_and_the_scopes_that_open_least() {
    let billing = |level, scopes: &[BillingScope]| Grants::Billing { level, scopes: scopes.to_vec() };
    let suspend = call(Method::Post, "/api/v1/billing/accounts/{id}/suspend");
    let create = Call { status: 201, ..call(Method::Post, ACCOUNTS) };
    let of = |calls: &[Call]| suggested(highest(), calls).grants;
    assert_eq!(of(&[call(Method::Get, ACCOUNTS)]), billing(Level::ReadOnly, &[]));
    assert_eq!(of(std::slice::from_ref(&suspend)), billing(Level::Billing, &[BillingScope::BillingOperations]));
    assert_eq!(of(std::slice::from_ref(&create)), billing(Level::Billing, &[BillingScope::AccountCreation]));
    assert_eq!(
        of(&[suspend, create, call(Method::Put, ACCOUNT)]),
        billing(Level::Billing, &[BillingScope::AccountCreation, BillingScope::AccountManagement])
    );
    let line = suggested(highest(), &[call(Method::Get, ACCOUNTS)]).command(&key(highest(), ""));
    assert_eq!(line.as_deref(), Some("panel key update 14 --level READ_ONLY --scopes= --add-ip 10.1.2.3"));
}

#[test]
fn the_highest_level_is_kept_where_a_body_needed_it_or_may_have() {
    let made = Call { status: 201, ..call(Method::Post, ACCOUNTS) };
    let failed = Call { status: 400, ..made.clone() };
    let unread = Call { status: 413, ..made.clone() };
    let none = Evidence::default();
    let level = |grants: Grants, calls: &[Call], evidence: &Evidence| {
        let key = key(grants, "");
        let suggestion = suggest(&seen(&key, calls), evidence).unwrap();
        let Grants::Billing { level, .. } = suggestion.grants else { panic!() };
        (level, suggestion.notes.len())
    };
    let known = Evidence { made: 1, ..none };
    assert_eq!(level(highest(), std::slice::from_ref(&made), &known), (Level::Billing, 0));
    assert_eq!(level(highest(), std::slice::from_ref(&unread), &none), (Level::Billing, 0));
    let busy = Call { status: 503, ..made.clone() };
    for (call, evidence, notes) in [
        (&made, Evidence { made: 1, resellers_made: 1, ..none }, 0),
        (&call(Method::Put, ACCOUNT), Evidence { resellers_changed: 1, ..none }, 0),
        (&made, Evidence { resellers_of_owner: 1, ..none }, 1),
        (&failed, none, 1),
        (&busy, none, 1),
    ] {
        let calls = std::slice::from_ref(call);
        assert_eq!(level(highest(), calls, &evidence), (Level::SuperAdmin, notes), "{calls:?} {evidence:?}");
    }
    let lower = Grants::Billing { level: Level::Billing, scopes: vec![BillingScope::FullAccess] };
    assert_eq!(level(lower, &[failed], &Evidence { resellers_made: 9, ..none }).0, Level::Billing, "never wider");
}

/// Every place where an action looks at the acting key. One that is new here may refuse by its body what the gates let
/// through: then a suggestion must know of it (see `evidence.rs`), before this list does.
#[test]
fn no_action_reads_the_acting_key_without_the_suggestion_knowing() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/actions");
    let mut reading = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(&folder).unwrap().display().to_string();
                let found = text.matches("permit.key()").count() + text.matches("Actor::Key(").count();
                reading.extend((found > 0).then_some((name, found)));
            }
        }
    }
    reading.sort();
    let known = [
        // Resellers' accounts need the highest level: evidence of the database.
        ("accounts.rs", 1),
        // The same gates once more.
        ("callers.rs", 1),
        // What bounds a key that changes keys: its list of addresses stays.
        ("keys/change.rs", 1),
        // Asking refuses nothing.
        ("keys/whoami.rs", 1),
        // Whether a key acts at all, whatever it was given.
        ("users/add.rs", 1),
        ("users/change.rs", 1),
    ];
    let reading: Vec<_> = reading.iter().map(|(name, found)| (name.as_str(), *found)).collect();
    assert_eq!(reading, known);
}

fn from(ips: impl IntoIterator<Item = String>, list: &str) -> Suggestion {
    let key = key(Grants::External(Scope::Read), list);
    let read = call(Method::Get, "/api/v1/external/nas");
    let calls: Vec<_> = ips.into_iter().map(|ip| Call { ip: Some(ip.parse().unwrap()), ..read.clone() }).collect();
    suggest(&seen(&key, &calls), &Evidence::default()).unwrap()
}

fn hosts(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|host| format!("10.0.{}.{}", host / 250, host % 250 + 1))
}

#[test]
fn a_host_that_changes_its_ipv6_address_gets_its_network_and_one_that_does_not_gets_its_address() {
    let list = |ips: &[&str], current: &str| from(ips.iter().map(|ip| (*ip).to_owned()), current).allowed_ips.to_text();
    assert_eq!(list(&["2001:db8::7"], ""), "2001:db8::7");
    assert_eq!(list(&["2001:db8::7", "2001:db8::a:8"], ""), "2001:db8::/64");
    assert_eq!(list(&["2001:db8::7", "2001:db8:0:1::7"], ""), "2001:db8::7,2001:db8:0:1::7");
    assert_eq!(list(&["2001:db8::7", "2001:db8::8"], "2001:db8::/112"), "2001:db8::7,2001:db8::8", "never wider");
    assert_eq!(list(&["::ffff:10.1.2.3", "10.1.2.3"], ""), "10.1.2.3");
}

#[test]
fn addresses_that_change_are_told_and_not_listed() {
    let settled = from(hosts(SETTLED), "");
    assert_eq!((settled.allowed_ips.len(), settled.notes.len()), (SETTLED, 0));
    for (count, told) in [
        (SETTLED + 1, "calls came from 21 addresses"),
        (MAX_ENTRIES + 1, "and a list holds 100"),
        (5_000, "more than 4096 addresses"),
    ] {
        for list in ["", "10.0.0.0/8"] {
            let suggestion = from(hosts(count), list);
            assert_eq!(suggestion.allowed_ips.to_text(), list, "{count}");
            assert!(suggestion.notes[0].contains(told), "{:?}", suggestion.notes);
        }
    }
}

#[test]
fn a_list_that_would_refuse_an_unknown_address_or_the_keys_it_manages_is_left_as_it_is() {
    let read = call(Method::Get, "/api/v1/external/nas");
    let seen_of = |grants, calls: &[Call]| suggest(&seen(&key(grants, ""), calls), &Evidence::default()).unwrap();
    let unknown = seen_of(Grants::External(Scope::Read), &[read.clone(), Call { ip: None, ..read }]);
    assert!(
        unknown.allowed_ips.is_empty() && unknown.notes[0].contains("1 calls came from an address that is not known")
    );
    let minting = [call(Method::Put, "/api/v1/users/{username}/api-keys/{id}")];
    let managing = seen_of(Grants::Panel(vec![Permission::All]), &minting);
    assert!(managing.allowed_ips.is_empty() && managing.notes[0].contains("must lie within its own"));
    let listing = [call(Method::Get, "/api/v1/users/{username}/api-keys")];
    assert_eq!(seen_of(Grants::Panel(vec![Permission::All]), &listing).allowed_ips.to_text(), "10.1.2.3");
}

#[test]
fn the_same_list_and_the_same_words_in_another_order_change_nothing() {
    let both = from(["10.1.2.4".to_owned(), "10.1.2.3".to_owned()], "10.1.2.4,10.1.2.3");
    assert_eq!(both.allowed_ips.to_text(), "10.1.2.4,10.1.2.3");
    let grants = Grants::Panel(vec![Permission::Email, Permission::Read]);
    let key = key(grants.clone(), "10.1.2.3");
    let calls = [call(Method::Get, "/api/v1/users"), call(Method::Post, "/api/v1/email")];
    let suggestion = suggest(&seen(&key, &calls), &Evidence::default()).unwrap();
    assert_eq!(suggestion.grants, grants);
    assert_eq!(suggestion.command(&key), None);
}
