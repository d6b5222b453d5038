//! Objects of others, filters that name them, and credentials that are one step too low.

use std::collections::BTreeSet;

use panel::domain::routes::{Need, PanelNeed};
use panel::domain::sessions::Audience;
use panel::domain::users::Role;
use serde_json::Value;

use super::house::{House, Whose};
use super::{Says, ends_sessions, row};
use crate::values::described::{Operation, Place, operations};
use crate::values::wire::Ask;

#[track_caller]
fn unchanged(house: &House, before: &[String], told: &str) {
    let after = house.rows();
    let moved: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    assert!(moved.is_empty() && after.len() == before.len(), "{told}\nwrote {moved:#?}");
}

#[test]
fn what_is_anothers_is_answered_to_the_bit_like_what_is_not_there() {
    let house = House::new();
    let foreign = ["rita-customer", "rita-user", "rita-x", "\"sub\"", "\"ada\""];
    for of in operations(&house.world).iter().filter(|of| !ends_sessions(of)) {
        let says = row(of.route).unwrap_or_else(|| panic!("{}", of.route));
        if of.route.need == Need::Nobody || says == Says::Open {
            continue;
        }
        let before = house.rows();
        let missing = house.world.ask(&house.ask(of, Whose::Nobody, ""));
        for whose in [Whose::Another, Whose::House] {
            if says == Says::Own && of.method != "GET" {
                continue;
            }
            let ask = house.ask(of, whose, "");
            let got = house.world.ask(&ask);
            let told = format!("{whose:?}: {} → {} {}", ask.told(), got.status, got.text);
            match says {
                Says::Gone => assert_eq!((got.status, got.without_chance()), (404, missing.without_chance()), "{told}"),
                Says::Role => assert_eq!(got.status, 403, "{told}"),
                Says::Reference => {
                    assert_eq!((got.status, got.without_chance()), (400, missing.without_chance()), "{told}");
                }
                Says::Own | Says::Open => {
                    assert_eq!(got.status, 200, "{told}");
                    assert!(!foreign.iter().any(|name| got.text.contains(name)), "{told}");
                }
            }
            unchanged(&house, &before, &told);
        }
    }
    house.world.is_well();
}

/// A filter narrows what one sees and never widens it.
#[test]
fn no_filter_shows_what_is_anothers() {
    let house = House::new();
    let ids =
        ["rita", "rita-user"].map(|name| house.number(&format!("SELECT id FROM users WHERE username = '{name}'")));
    let customer = house.number("SELECT id FROM subscribers WHERE username = 'rita-customer'");
    let words = ["rita-customer", "rita-user", "rita", "rita-x", "admin", "sub", "1", "0", &ids[0], &ids[1], &customer];
    let mut asked = 0;
    for of in operations(&house.world).iter().filter(|of| of.method == "GET" && row(of.route) == Some(Says::Own)) {
        for input in of.inputs.iter().filter(|input| input.place == Place::Query) {
            for word in words {
                let ask = house.ask(of, Whose::Mine, &format!("?{}={word}", input.name));
                let got = house.world.ask(&ask);
                let shown = ["\"rita-customer\"", "\"rita-user\"", "\"rita-x\"", "\"sub\"", "\"ada\""];
                let shown = shown.into_iter().find(|name| got.text.contains(name));
                assert_eq!(shown, None, "{} → {} {}", ask.told(), got.status, got.text);
                asked += 1;
            }
        }
    }
    assert!(asked > 250, "{asked}");
    // And it would be seen: the operator, who sees all, is shown them.
    assert!(house.world.get("/api/v1/external/subscribers?username=rita").text.contains("\"rita-customer\""));
}

/// The next lower credential of the route's own kind; `None` where there is none.
fn lower(house: &House, of: &Operation) -> Option<Ask> {
    let world = &house.world;
    let ask = Ask::new(&of.method, of.target(world, None));
    let mint =
        |options: &[&str]| world.home.ok(["--json", "key", "mint", "--user", "admin"].iter().chain(options)).json();
    let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
    let ask = match of.route.need {
        Need::External(Some(scope)) => {
            let below = match scope.as_str() {
                "write" => "read",
                "delete" => "write",
                _ => return None,
            };
            ask.header("x-api-key", text(&mint(&["--style", "external", "--scopes", below]), "key"))
        }
        Need::Panel(need) if !matches!(need, PanelNeed::Nothing) => {
            // No route that is served has a permission of its own; what reads is not enough for what changes.
            let below = if of.method == "GET" { "dns" } else { "read" };
            ask.bearer(&text(&mint(&["--style", "panel", "--permissions", below]), "key"))
        }
        Need::Billing { level, .. } if level.as_str() != "READ_ONLY" => {
            let pair = mint(&["--style", "billing", "--level", "DEVELOPER"]);
            ask.header("x-api-key", text(&pair, "key")).header("x-api-secret", text(&pair, "secret"))
        }
        Need::Admin => {
            let role = if of.route.role == Role::Admin { "rex" } else { "ada" };
            let user = house.number(&format!("SELECT id FROM users WHERE username = '{role}'"));
            ask.bearer(&world.session(user.parse().unwrap(), Audience::Admin))
        }
        _ => return None,
    };
    Some(if of.has_body { ask.json(world.body(of).to_string()) } else { ask })
}

#[test]
fn one_step_too_low_is_refused_on_every_route_and_writes_nothing() {
    let house = House::new();
    let (mut refused, mut without) = (0, BTreeSet::new());
    for of in operations(&house.world) {
        let Some(ask) = lower(&house, &of) else {
            without.insert(of.route.to_string());
            continue;
        };
        let before = house.rows();
        let got = house.world.ask(&ask);
        let told = format!("{} → {} {}", ask.told(), got.status, got.text);
        assert_eq!(got.status, 403, "{told}");
        assert!(!got.body["denied"].is_null(), "{told}");
        unchanged(&house, &before, &told);
        refused += 1;
    }
    // Reading is the least that an external key or a billing pair can do; the rest is for everybody.
    let closed = |path: &String| {
        !["/system/health", "/auth/", "/setup/", "/openapi.json", "/docs"].iter().any(|part| path.contains(part))
    };
    let odd: Vec<_> = without.iter().filter(|path| closed(path) && !path.starts_with("GET ")).collect();
    assert!(refused > 70 && odd.is_empty(), "{refused} {odd:?}");
    house.world.is_well();
}
