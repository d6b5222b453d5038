//! Every `fix` of a refusal works: whoever follows them all is let through (contract: keys.md, A refusal explains itself).

use std::cell::Cell;
use std::net::IpAddr;

use panel::actions::keys::{Question, can, long_windows};
use panel::app::{App, Clock};
use panel::cli::carry_out;
use panel::domain::addresses::MAX_ENTRIES;
use panel::domain::keys::{KeyId, Style};
use panel::domain::limits::{Count, start_of, windows};
use panel::domain::policy::{Denied, Gate, Window};
use panel::domain::routes::{Route, Surface};
use panel::domain::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestCaseError, TestRunner};
use rusqlite::Connection;
use tempfile::TempDir;

use super::app_alone;
use super::world::{self, ADDRESSES, Setup};
use crate::support::instant_of;

/// An application without a server, in memory where the system has such a place.
struct Bench {
    app: App,
    clock: Clock,
    database: Connection,
    next: Cell<i64>,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let clock = Clock::standing_at(instant_of("2026-03-20T12:00:00Z"));
        let (app, database, folder) = app_alone(clock.clone());
        world::write_packages(&database);
        Self { app, clock, database, next: Cell::new(1), _folder: folder }
    }

    /// The key's windows: this minute's count stands in for the server's own.
    fn windows(&self, id: KeyId, setup: &Setup, began: Timestamp) -> Vec<Window> {
        let now = self.app.now();
        let default =
            if setup.grants.style() == Style::Billing { 0 } else { self.app.config().limits.per_key_per_minute };
        let minute = setup.rates[0].unwrap_or(default);
        let count = Count { start: start_of(began, Timestamp::MINUTE), used: setup.used[0] };
        let mut all = windows([minute, 0, 0], [count; 3], now);
        all.extend(self.app.db.read(|tx| long_windows(tx, id, now)).unwrap());
        all
    }
}

#[derive(Debug)]
struct Case {
    setup: Setup,
    route: &'static Route,
    ip: Option<IpAddr>,
}

fn any_case() -> impl Strategy<Value = Case> {
    let ip = prop::option::weighted(0.95, prop::sample::select(&ADDRESSES[..]));
    (world::any_setup(), any::<prop::sample::Index>(), ip).prop_map(|(setup, at, ip)| {
        let surface = match setup.grants.style() {
            Style::External => Surface::External,
            Style::Panel => Surface::Panel,
            Style::Billing => Surface::Billing,
        };
        Case { setup, route: at.get::<&Route>(&world::rows_of(surface)), ip: ip.map(|ip| ip.parse().unwrap()) }
    })
}

fn path_of(route: &Route) -> String {
    match (route.path, route.surface) {
        ("(unknown)", Surface::External) => "/api/v1/external/nothing-of-ours".to_owned(),
        ("(unknown)", Surface::Billing) => "/api/v1/billing/nothing-of-ours".to_owned(),
        ("(unknown)", _) => "/api/v1/nothing-of-ours".to_owned(),
        _ => world::path_of(route),
    }
}

/// What no command can mend.
fn is_beyond_repair(denied: &Denied) -> bool {
    let session = denied.need.as_deref() == Some("a session");
    let nowhere = denied.gate == Gate::Ip && denied.have.as_deref() == Some("unknown");
    matches!(denied.gate, Gate::Owner | Gate::Revoked) || session || nowhere
}

fn ask(bench: &Bench, case: &Case, id: i64, began: Timestamp) -> Vec<Denied> {
    let limits = bench.windows(KeyId(id), &case.setup, began);
    let path = path_of(case.route);
    let question = Question {
        key: KeyId(id),
        method: case.route.method,
        path: &path,
        ip: case.ip,
        at: bench.app.now(),
        limits: &limits,
    };
    let answered = bench.app.db.read(|tx| can(tx, &question)).unwrap();
    answered.denial.iter().flat_map(|denial| denial.failing().cloned()).collect()
}

/// Follows every fix once, in the order they are listed.
fn follow(bench: &Bench, failing: &[Denied]) -> Result<(), TestCaseError> {
    for fix in failing.iter().filter_map(|denied| denied.fix.as_deref()) {
        if let Some(wait) = fix.strip_prefix("wait ") {
            let seconds: i64 =
                wait.strip_suffix(" s").and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{fix}"));
            bench.clock.move_to(bench.app.now().plus_millis(seconds * Timestamp::SECOND));
        } else {
            prop_assert!(
                fix.starts_with("panel ") && !fix.contains(['\'', '"', '\\', '\n', '$', '*', ';']),
                "needs quoting: {fix}"
            );
            let done = carry_out(&bench.app, fix);
            prop_assert!(done.is_ok(), "the command line refuses {fix}: {done:?}");
        }
    }
    Ok(())
}

/// 300 cases, or `PANEL_CASES`.
#[test]
fn whoever_follows_every_fix_is_let_through() {
    let bench = Bench::new();
    let (mended, hopeless) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Cases {
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Cases::with_cases(world::cases(300))
    });
    let outcome = runner.run(&any_case(), |case| {
        let began = instant_of("2026-03-20T12:00:00Z");
        bench.clock.move_to(began);
        let number = bench.next.replace(bench.next.get() + 1);
        let id = world::write(&bench.database, number, &case.setup, began);
        let before = ask(&bench, &case, id, began);
        if before.is_empty() {
            return Ok(());
        }
        for denied in &before {
            prop_assert_eq!(denied.fix.is_none(), is_beyond_repair(denied), "{:?}", denied);
        }

        follow(&bench, &before)?;

        let after = ask(&bench, &case, id, began);
        let left: Vec<_> = after.iter().filter(|denied| !is_beyond_repair(denied)).collect();
        prop_assert!(left.is_empty(), "{} needed {before:?}, and still fails {left:?}", case.route);
        let beyond = before.iter().any(is_beyond_repair);
        prop_assert_eq!(after.is_empty(), !beyond);
        if beyond {
            hopeless.set(hopeless.get() + 1);
        } else {
            mended.set(mended.get() + 1);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    assert!(mended.get() > 100 && hopeless.get() > 5, "{} mended, {} beyond repair", mended.get(), hopeless.get());
}

fn denials(bench: &Bench, id: i64, ip: &str) -> Vec<Denied> {
    let at = bench.app.now();
    let ip = Some(ip.parse().unwrap());
    let path = "/api/v1/external/subscribers";
    let question = Question { key: KeyId(id), method: panel::domain::routes::Method::Get, path, ip, at, limits: &[] };
    let answered = bench.app.db.read(|tx| can(tx, &question)).unwrap();
    answered.denial.iter().flat_map(|denial| denial.failing().cloned()).collect()
}

fn plain_key(bench: &Bench) -> i64 {
    let owner = world::Owner {
        role: panel::domain::users::Role::Admin,
        suspended: false,
        deleted: false,
        own_flag: None,
        package_flag: true,
        creator: None,
    };
    let setup = Setup {
        grants: super::everything(Style::External),
        enabled: true,
        revoked: false,
        expires: None,
        ips: "10.0.0.0/8",
        rates: [None; 3],
        used: [0; 3],
        owner,
    };
    world::write(&bench.database, bench.next.replace(bench.next.get() + 1), &setup, bench.app.now())
}

#[test]
fn a_full_list_of_addresses_offers_no_fix_that_the_command_line_refuses() {
    let bench = Bench::new();
    let id = plain_key(&bench);
    let full: Vec<_> = (0..MAX_ENTRIES).map(|n| format!("10.0.{n}.1")).collect();
    bench.database.execute("UPDATE api_keys SET allowed_ips = ?2 WHERE id = ?1", (id, full.join(","))).unwrap();
    for denied in denials(&bench, id, "203.0.113.9") {
        assert_eq!(denied.gate, Gate::Ip);
        if let Some(fix) = &denied.fix {
            let done = carry_out(&bench.app, fix);
            assert!(done.is_ok(), "{fix}: {done:?}");
        }
    }
}

#[test]
fn an_address_of_either_family_and_a_mapped_one_is_added_by_its_fix() {
    let bench = Bench::new();
    for ip in ["203.0.113.9", "2001:db8::9", "::ffff:203.0.113.10", "::1"] {
        let id = plain_key(&bench);
        let before = denials(&bench, id, ip);
        assert_eq!(before.iter().map(|denied| denied.gate).collect::<Vec<_>>(), [Gate::Ip], "{ip}");
        carry_out(&bench.app, before[0].fix.as_deref().unwrap()).unwrap_or_else(|e| panic!("{ip}: {e:?}"));
        assert_eq!(denials(&bench, id, ip), [], "{ip}");
        let count = "SELECT count(*) FROM audit WHERE action = 'keys.update' AND object_id = ?1";
        let audited: i64 = bench.database.query_row(count, [id], |row| row.get(0)).unwrap();
        assert_eq!(audited, 1, "{ip}");
    }
}
