//! A suggestion's command makes the key exactly what was suggested, whatever the key is; and no suggestion overwrites what
//! somebody else changed meanwhile.

use std::cell::Cell;

use panel::actions::keys::{facts, follow};
use panel::app::{App, Clock};
use panel::cli::carry_out;
use panel::domain::error::AppError;
use panel::domain::keys::{Grants, KeyId, Style};
use panel::domain::policy::suggest::{Evidence, Seen, Suggestion, suggest};
use panel::domain::policy::{KeyFacts, operator};
use panel::domain::request_logs::Alike;
use panel::domain::routes::{Route, Surface};
use panel::domain::users::Role;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use rusqlite::Connection;
use tempfile::TempDir;

use super::app_alone;
use super::world::{self, ADDRESSES, Owner, Setup};
use crate::support::instant_of;

struct Place {
    app: App,
    database: Connection,
    next: Cell<i64>,
    _folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let (app, database, folder) = app_alone(Clock::standing_at(instant_of("2026-03-20T12:00:00Z")));
        world::write_packages(&database);
        Self { app, database, next: Cell::new(1), _folder: folder }
    }

    fn write(&self, grants: &Grants, ips: &'static str) -> KeyFacts {
        let owner = Owner {
            role: Role::Admin,
            suspended: false,
            deleted: false,
            own_flag: None,
            package_flag: true,
            creator: None,
        };
        let setup = Setup {
            grants: grants.clone(),
            enabled: true,
            revoked: false,
            expires: None,
            ips,
            rates: [None; 3],
            used: [0; 3],
            owner,
        };
        let id = world::write(&self.database, self.next.replace(self.next.get() + 1), &setup, self.app.now());
        self.facts(KeyId(id))
    }

    fn facts(&self, id: KeyId) -> KeyFacts {
        self.app.db.read(|tx| facts(tx, id)).unwrap()
    }

    fn suggestion(&self, key: &KeyFacts, calls: &[(&Route, &str)]) -> Option<Suggestion> {
        let mut seen = Seen::nothing_of(key);
        let now = self.app.now();
        for (route, ip) in calls {
            seen.add(&Alike {
                method: route.method.as_str().to_owned(),
                route: route.path.to_owned(),
                status: 200,
                gate: None,
                ip: Some((*ip).to_owned()),
                calls: 1,
                first: now,
                last: now,
            });
        }
        suggest(&seen, &Evidence::default())
    }
}

fn any_case() -> impl Strategy<Value = (Grants, &'static str, Vec<(&'static Route, &'static str)>)> {
    let ips = prop::sample::select(vec!["", "", "10.0.0.0/8,2001:db8::/32", "10.1.2.3,192.168.10.203,203.0.113.9"]);
    (world::any_grants(), ips).prop_flat_map(|(grants, ips)| {
        let surface = match grants.style() {
            Style::External => Surface::External,
            Style::Panel => Surface::Panel,
            Style::Billing => Surface::Billing,
        };
        let call = (prop::sample::select(world::rows_of(surface)), prop::sample::select(&ADDRESSES[..]));
        (Just(grants), Just(ips), prop::collection::vec(call, 1..6))
    })
}

/// 200 cases, or `PANEL_CASES`.
#[test]
fn the_command_line_takes_the_line_and_leaves_what_was_suggested() {
    let place = Place::new();
    let (followed, cases) = (Cell::new(0), world::cases(200));
    let mut runner = TestRunner::new(Cases { failure_persistence: None, ..Cases::with_cases(cases) });
    let outcome = runner.run(&any_case(), |(grants, ips, calls)| {
        let key = place.write(&grants, ips);
        let Some(suggestion) = place.suggestion(&key, &calls) else { return Ok(()) };
        if let Some(line) = suggestion.command(&key) {
            let plain = !line.contains(['\'', '"', '\\', '\n', '$', '*', ';', '[']);
            prop_assert!(line.starts_with("panel key update ") && plain, "needs quoting: {line}");
            let done = carry_out(&place.app, &line);
            prop_assert!(done.is_ok(), "the command line refuses {line}: {done:?}");
            followed.set(followed.get() + 1);
        }
        let after = place.facts(key.id);
        let same_ips = after.allowed_ips.is_subset_of(&suggestion.allowed_ips)
            && suggestion.allowed_ips.is_subset_of(&after.allowed_ips);
        prop_assert!(same_ips && after.allowed_ips.len() == suggestion.allowed_ips.len(), "{:?}", after.allowed_ips);
        prop_assert_eq!(&after.grants, &suggestion.grants);
        let again = place.suggestion(&after, &calls).unwrap();
        prop_assert_eq!(again.command(&after), None, "followed, there is nothing left to follow");
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    assert!(followed.get() > cases / 4, "{} lines", followed.get());
}

#[test]
fn a_key_that_was_changed_meanwhile_is_left_as_it_is() {
    let place = Place::new();
    let key = place.write(&super::everything(Style::External), "");
    let route = Surface::External.routes().iter().find(|route| route.action == "nas.list").unwrap();
    let suggestion = place.suggestion(&key, &[(route, "10.1.2.3")]).unwrap();
    let changes = [
        format!("panel key update {} --scopes write", key.id),
        format!("panel key update {} --scopes delete --add-ip 10.1.2.4", key.id),
    ];
    for change in changes {
        carry_out(&place.app, &change).unwrap();
        let before = place.facts(key.id);
        let (looked_at, followed, now) = (key.clone(), suggestion.clone(), place.app.now());
        let refused =
            place.app.db.write_blocking(move |tx| follow(tx, &operator("test"), &looked_at, &followed, 60, now));
        assert!(matches!(&refused, Err(AppError::Conflict(_))), "{change}: {refused:?}");
        assert_eq!(place.facts(key.id), before, "{change}");
    }
}
