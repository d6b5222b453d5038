//! Who mints for whom, and that no chain of requests makes a key that may more than the one it began with
//! (seed: "Who may issue"; keys.md, Delegation and Escalation).

use panel::domain::time::Timestamp;
use panel::domain::users::Role;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{ME, RESELLERS, keys_of, people};
use crate::keys::cases;
use crate::support::{Plan, Request, TestApp};

const ROLE: (u16, &str, &str) = (403, "FORBIDDEN", "Admin access required");

async fn delegating() -> TestApp {
    let plan = Plan::new().config(|config| config.keys.reseller_delegation = true);
    plan.at("2026-05-18T10:39:25Z").spawn().await
}

/// Every way to make or change a key of ulla's.
async fn tried(app: &TestApp, bearer: &str, id: &str) -> Vec<u16> {
    let (list, key) = (keys_of("ulla"), format!("{}/{id}", keys_of("ulla")));
    let mut answers = Vec::new();
    for (method, target, body) in [
        ("POST", list, json!({"name": "x"})),
        ("PUT", key.clone(), json!({"name": "y"})),
        ("POST", format!("{key}/toggle"), json!({})),
        ("POST", format!("{key}/toggle"), json!({})),
        ("DELETE", key, json!({})),
    ] {
        let before = app.footprint();
        let answer = app.ask(method, &target, bearer, body).await;
        if answer.status >= 300 {
            assert_eq!(answer.panel(), ROLE, "{method} {target}");
            assert_eq!(app.footprint(), before, "{method} {target}");
        }
        answers.push(answer.status);
    }
    answers
}

#[tokio::test]
async fn without_delegation_only_an_admin_and_the_account_itself_mint() {
    let app = TestApp::spawn().await;
    people(&app);
    let id = app.panel_id(&app.panel_key("ulla", "read"));
    for bearer in [app.panel_token("rita"), app.panel_key("rita", "all").secret().to_owned()] {
        assert_eq!(tried(&app, &bearer, &id).await, [403; 5]);
        assert_eq!(app.see(&keys_of("ulla"), &bearer).await.status, 200, "it may look");
    }
    assert_eq!(tried(&app, &app.panel_token("ulla"), &id).await, [201, 200, 200, 200, 200]);
}

#[tokio::test]
async fn with_delegation_a_reseller_mints_for_its_own_users_while_it_has_the_lever() {
    let app = delegating().await;
    people(&app);
    app.user("anna", Role::Reseller, Some("rita"));
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    let key = || app.panel_id(&app.panel_key("ulla", "read"));
    assert_eq!(tried(&app, &rita, &key()).await, [201, 200, 200, 200, 200]);
    let made = app.rows("SELECT user_id, created_by FROM api_keys WHERE name = 'x'");
    assert_eq!(made, [json!({"user_id": app.user_id("ulla"), "created_by": app.user_id("rita")})]);

    for user in ["uwe", "vera", "anna", "admin", "rolf", "nobody"] {
        let stranger = app.ask("POST", &keys_of(user), &rita, json!({"name": "x"})).await;
        assert_eq!(stranger.panel(), (404, "NOT_FOUND", "User not found"), "{user}");
    }
    for (body, statuses) in [
        (json!({"can_grant_api": false}), [403; 5]),
        (json!({"can_grant_php": true}), [403; 5]),
        (json!({"can_grant_api": true}), [201, 200, 200, 200, 200]),
    ] {
        assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, body.clone()).await.status, 200);
        assert_eq!(tried(&app, &rita, &key()).await, statuses, "{body}");
    }
    // What the account may not do, nobody mints for it.
    app.change("UPDATE users SET can_use_api = 0 WHERE username = 'ulla'", []);
    let off = app.ask("POST", &keys_of("ulla"), &rita, json!({"name": "x"})).await;
    assert_eq!(off.panel().2, "API access is disabled for this account");
}

#[tokio::test]
async fn what_an_admin_disabled_a_delegate_does_not_enable_and_an_owner_stays_bounded_by_its_own_key() {
    let app = delegating().await;
    people(&app);
    let (admin, rita, ulla) = (app.panel_token("admin"), app.panel_token("rita"), app.panel_token("ulla"));
    let id = app.panel_id(&app.panel_key("ulla", "read"));
    let toggle = format!("{}/{id}/toggle", keys_of("ulla"));
    assert_eq!(app.ask("POST", &toggle, &admin, json!({})).await.body["enabled"], false);
    for bearer in [&rita, &ulla] {
        let before = app.footprint();
        assert_eq!(app.ask("POST", &toggle, bearer, json!({})).await.status, 403);
        assert_eq!(app.footprint(), before);
    }
    assert_eq!(app.ask("POST", &toggle, &admin, json!({})).await.body["enabled"], true);
}

/// What somebody asks of a key; `None` leaves the field out.
#[derive(Debug, Clone)]
struct Wish {
    owner: &'static str,
    permissions: Vec<&'static str>,
    ips: Option<Vec<&'static str>>,
    days: Option<i64>,
    rate: Option<u32>,
    /// 0 mints, 1 updates, 2 toggles.
    kind: u8,
    actor: prop::sample::Index,
    object: prop::sample::Index,
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let some = prop::sample::subsequence(vec!["all", "read", "domains", "dns", "backup"], 1..4);
    let words = prop_oneof![3 => Just(vec!["all"]), 2 => some];
    let ips =
        vec![vec![], vec!["10.0.0.0/8"], vec!["10.1.2.3"], vec!["192.168.0.0/16", "10.1.0.0/16"], vec!["0.0.0.0/0"]];
    let days = prop::option::of(prop::sample::select(vec![0_i64, 1, 5, 30, 400]));
    let rate = prop::option::of(prop::sample::select(vec![0_u32, 1, 30, 60, 61]));
    let owner = prop::sample::select(vec!["rita", "ulla", "rita"]);
    (
        owner,
        words,
        prop::option::of(prop::sample::select(ips)),
        days,
        rate,
        0..3_u8,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(owner, permissions, ips, days, rate, kind, actor, object)| Wish {
            owner,
            permissions,
            ips,
            days,
            rate,
            kind,
            actor,
            object,
        })
}

/// A key as the database has it: what bounds it.
struct Held {
    permissions: Vec<String>,
    ips: Vec<ipnet::IpNet>,
    expires_at: i64,
    rate: u64,
}

fn held(app: &TestApp, id: &str) -> Held {
    let select =
        format!("SELECT permissions, allowed_ips, expires_at, rate_per_minute FROM api_keys WHERE panel_id = '{id}'");
    let row = app.rows(&select).pop().unwrap();
    let words = |name: &str| {
        row[name].as_str().unwrap().split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let network =
        |word: &String| word.parse().or_else(|_| word.parse::<std::net::IpAddr>().map(ipnet::IpNet::from)).unwrap();
    let rate = row["rate_per_minute"].as_u64().unwrap_or(60);
    Held {
        permissions: words("permissions"),
        ips: words("allowed_ips").iter().map(network).collect(),
        expires_at: row["expires_at"].as_i64().unwrap_or(i64::MAX),
        rate: if rate == 0 { u64::MAX } else { rate },
    }
}

/// Whether one key stays within another.
fn is_within(child: &Held, parent: &Held) -> bool {
    let all = parent.permissions.iter().any(|word| word == "all");
    (all || child.permissions.iter().all(|word| parent.permissions.contains(word)))
        && (parent.ips.is_empty()
            || (!child.ips.is_empty() && child.ips.iter().all(|ip| parent.ips.iter().any(|wide| wide.contains(ip)))))
        && child.expires_at <= parent.expires_at
        && child.rate <= parent.rate
}

#[tokio::test]
async fn no_chain_of_requests_makes_a_key_that_may_more_than_the_one_it_began_with() {
    let mut runner = TestRunner::default();
    for _ in 0..cases(6) {
        let plan = Plan::new().config(|config| {
            config.keys.reseller_delegation = true;
            config.limits.per_key_per_minute = 60;
            config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        });
        let app = plan.at("2026-05-18T10:39:25Z").spawn().await;
        people(&app);
        let root = app.panel_key("rita", "all");
        let expires = app.now().plus_millis(30 * Timestamp::DAY).millis();
        app.change(
            "UPDATE api_keys SET allowed_ips = '10.1.0.0/16', expires_at = ?2, rate_per_minute = 50 WHERE id = ?1",
            (root.id, expires),
        );
        let mut keys = vec![(app.panel_id(&root), root.secret().to_owned(), "rita")];
        let first = held(&app, &keys[0].0);
        for turn in 0..60 {
            // The key's limit is not what this is about: each turn is in another minute.
            app.move_clock(app.now().plus_millis(Timestamp::MINUTE));
            let wish = any_wish().new_tree(&mut runner).unwrap().current();
            let (actor, object) =
                (keys[wish.actor.index(keys.len())].clone(), keys[wish.object.index(keys.len())].clone());
            let mut body = json!({"name": format!("k{turn}"), "permissions": wish.permissions});
            for (name, value) in
                [("ip_whitelist", json!(wish.ips)), ("expires_in", json!(wish.days)), ("rate_limit", json!(wish.rate))]
            {
                if !value.is_null() {
                    body[name] = value;
                }
            }
            let key = format!("{}/{}", keys_of(object.2), object.0);
            let (method, target) = match wish.kind {
                // The first key changes others and not itself: narrowed, it would end the chain.
                _ if object.0 == keys[0].0 => ("POST", keys_of(wish.owner)),
                0 => ("POST", keys_of(wish.owner)),
                1 => ("PUT", key),
                _ => ("POST", format!("{key}/toggle")),
            };
            let request =
                Request::new(method, &target).bearer(&actor.1).json(&body).header("x-forwarded-for", "10.1.2.3");
            let answer = app.call(request).await;
            assert!(answer.status < 500 && answer.status != 400, "{method} {body}: {}", answer.text);
            if answer.status == 201 {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                keys.push((text(&answer.body["key"]["id"]), text(&answer.body["secret_key"]), wish.owner));
            }
            if answer.status < 300 && !target.ends_with("/toggle") {
                let changed = if answer.status == 201 { &keys.last().unwrap().0 } else { &object.0 };
                assert!(is_within(&held(&app, changed), &held(&app, &actor.0)), "{method} {body} by {}", actor.0);
            }
        }
        assert!(keys.len() > 1, "nothing was minted");
        for (id, secret, _) in &keys {
            let child = held(&app, id);
            assert!(is_within(&child, &first), "{id}: {:?} {:?}", child.permissions, child.ips);
            let outside = Request::new("GET", ME).bearer(secret).header("x-forwarded-for", "203.0.113.9");
            assert_ne!(app.call(outside).await.status, 200, "{id} from outside");
        }
        app.move_clock(Timestamp(expires));
        for (id, secret, _) in &keys {
            let late = Request::new("GET", ME).bearer(secret).header("x-forwarded-for", "10.1.2.3");
            assert_ne!(app.call(late).await.status, 200, "{id} after its end");
        }
    }
}
