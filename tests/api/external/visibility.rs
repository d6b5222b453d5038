//! Who sees what: every route for every caller and every target, from one table.

use std::collections::BTreeSet;

use panel::domain::routes::Surface;
use serde_json::{Value, json};

use super::calls::{STATS, TRANSACTIONS, book, delete};
use crate::support::{Answer, HEALTH, Key, Request, SUBSCRIBERS, TestApp};

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// The id of a subscriber in the path, or (`{username}`) its login.
    Subscriber,
    /// The id of a router in the path.
    Nas,
    /// The id of a subscriber, or of a router, in a field of the body.
    SubscriberField,
    NasField,
    /// The id of a plan: everybody sees all of them.
    Service,
    /// Nothing in particular.
    List,
}

/// Method, route, its action in the route table, scope it needs, what it is about, body (`$` is the target), good status.
type Row = (&'static str, &'static str, &'static str, &'static str, About, &'static str, u16);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("GET", "/subscribers/{}", "subscribers.get", "read", About::Subscriber, "", 200),
    ("GET", "/subscribers/by-username/{}", "subscribers.get_by_username", "read", About::Subscriber, "", 200),
    ("GET", "/subscribers/{}/usage", "subscribers.usage", "read", About::Subscriber, "", 200),
    ("PUT", "/subscribers/{}", "subscribers.update", "write", About::Subscriber, r#"{"note":"n"}"#, 200),
    ("POST", "/subscribers/{}/suspend", "subscribers.suspend", "write", About::Subscriber, "", 200),
    ("POST", "/subscribers/{}/activate", "subscribers.activate", "write", About::Subscriber, "", 200),
    ("POST", "/subscribers/{}/renew", "subscribers.renew", "write", About::Subscriber, "", 200),
    ("DELETE", "/subscribers/{}", "subscribers.delete", "delete", About::Subscriber, "", 200),
    ("POST", "/transactions", "transactions.create", "write", About::SubscriberField, r#"{"subscriber_id":$,"type":"payment","amount":1}"#, 201),
    ("POST", "/subscribers", "subscribers.create", "write", About::NasField, r#"{"username":"@n","service_id":1,"nas_id":$}"#, 201),
    ("GET", "/nas/{}", "nas.get", "read", About::Nas, "", 200),
    ("GET", "/services/{}", "services.get", "read", About::Service, "", 200),
    ("GET", "/subscribers", "subscribers.list", "read", About::List, "", 200),
    ("GET", "/services", "services.list", "read", About::List, "", 200),
    ("GET", "/nas", "nas.list", "read", About::List, "", 200),
    ("GET", "/transactions", "transactions.list", "read", About::List, "", 200),
    ("GET", "/system/stats", "system.stats", "read", About::List, "", 200),
    ("GET", "/system/health", "system.health", "", About::List, "", 200),
];

const CALLERS: [&str; 3] = ["admin", "anna", "boris"];
const SCOPES: [&str; 3] = ["read", "write", "delete"];
/// Whose row the target is; the last two are nobody's.
const TARGETS: [&str; 5] = ["admin", "anna", "boris", "deleted", "missing"];

/// Routers 1 (of the house alone), 2 (linked to Anna), 3 (to Boris), 4 (to Anna, deleted).
struct World {
    app: TestApp,
    keys: Vec<(&'static str, &'static str, Key)>,
    made: std::cell::Cell<usize>,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::at("2026-03-20T12:00:00Z").await;
        let (anna, boris) = (app.reseller("anna"), app.reseller("boris"));
        (1..=4).for_each(|id| app.nas(id));
        for (user, nas) in [(anna, 2), (boris, 3), (anna, 4)] {
            app.change("INSERT INTO nas_resellers (user_id, nas_id) VALUES (?1, ?2)", [user, nas]);
        }
        app.change("UPDATE nas SET deleted_at = 1 WHERE id = 4", []);
        let mut keys = Vec::new();
        for caller in CALLERS {
            for scope in SCOPES {
                keys.push((caller, scope, app.external_key(caller, scope)));
            }
        }
        Self { app, keys, made: std::cell::Cell::new(0) }
    }

    fn key(&self, caller: &str, scope: &str) -> &Key {
        &self.keys.iter().find(|(name, words, _)| (*name, *words) == (caller, scope)).unwrap().2
    }

    fn name(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("user-{}", self.made.get())
    }

    /// A new subscriber of this owner: its id and its login.
    async fn subscriber(&self, target: &str) -> (i64, String) {
        let name = self.name();
        let owner = if target == "deleted" { "anna" } else { target };
        if target == "missing" {
            return (999_999, name);
        }
        let body = json!({"username": name, "service_id": 1});
        let id = self.app.post(SUBSCRIBERS, self.key(owner, "delete"), body).await.id();
        if target == "deleted" {
            assert_eq!(delete(&self.app, self.key(owner, "delete"), id).await.status, 200);
        }
        (id, name)
    }

    async fn call(&self, row: &Row, key: &Key, target: &str) -> Answer {
        let (method, path, _, _, about, body, _) = *row;
        let place = |all: [i64; 5]| all[TARGETS.iter().position(|name| *name == target).unwrap()];
        let (id, name) = match about {
            About::Subscriber | About::SubscriberField => self.subscriber(target).await,
            About::Nas | About::NasField => (place([1, 2, 3, 4, 999_999]), self.name()),
            About::Service => (place([1, 1, 1, 2, 999_999]), String::new()),
            About::List => (0, String::new()),
        };
        let shown = if path.contains("by-username") { name.clone() } else { id.to_string() };
        let request = Request::new(method, &format!("/api/v1/external{}", path.replace("{}", &shown))).key(key);
        self.app.call(request.body(body.replace('$', &id.to_string()).replace("@n", &name))).await
    }
}

fn sees(caller: &str, about: About, target: &str) -> bool {
    match about {
        About::List => true,
        _ if matches!(target, "deleted" | "missing") => false,
        About::Service => true,
        _ => caller == "admin" || caller == target,
    }
}

/// All that an answer says, except for when it was said and to whom.
fn said(answer: &Answer) -> (u16, Value, BTreeSet<String>) {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("timestamp");
    (answer.status, body, answer.headers.keys().cloned().collect())
}

#[test]
fn the_table_has_every_route_of_the_surface() {
    let tabled: BTreeSet<&str> = TABLE.iter().map(|row| row.2).collect();
    let routes: BTreeSet<&str> = Surface::External.routes().iter().map(|route| route.action).collect();
    assert_eq!(tabled, routes);
}

#[tokio::test]
async fn what_a_caller_does_not_see_answers_like_what_does_not_exist() {
    let world = World::new().await;
    world.app.service(2, 1, "month");
    world.app.change("UPDATE services SET deleted_at = 1 WHERE id = 2", []);
    for row in TABLE {
        let (method, path, _, needs, about, _, good) = *row;
        for (caller, scope, key) in &world.keys {
            let holds = SCOPES.iter().position(|word| word == scope) >= SCOPES.iter().position(|word| *word == needs);
            let nowhere = said(&world.call(row, key, "missing").await);
            for target in TARGETS {
                let told = format!("{method} {path} of {target} by {caller} ({scope})");
                let footprint = world.app.count("audit WHERE object_kind <> 'subscriber' OR action NOT LIKE '%create'");
                let answer = world.call(row, key, target).await;
                let told = format!("{told}: {}", answer.text);
                if !holds {
                    assert_eq!((answer.status, answer.code()), (403, "SCOPE_REQUIRED"), "{told}");
                    assert_eq!(said(&answer), nowhere, "{told}");
                } else if sees(caller, about, target) {
                    assert_eq!(answer.status, good, "{told}");
                } else {
                    let field = matches!(about, About::SubscriberField | About::NasField);
                    let expected = if field { (400, "INVALID_PARAMETER") } else { (404, "NOT_FOUND") };
                    assert_eq!((answer.status, answer.code()), expected, "{told}");
                    assert!(!field || answer.message().ends_with("_id does not exist"), "{told}");
                    assert_eq!(said(&answer), nowhere, "{told}");
                }
                if answer.status >= 400 && target != "deleted" {
                    let after = world.app.count("audit WHERE object_kind <> 'subscriber' OR action NOT LIKE '%create'");
                    assert_eq!(after, footprint, "{told}");
                }
            }
        }
    }
}

async fn ids(app: &TestApp, key: &Key, target: &str) -> BTreeSet<i64> {
    let answer = app.get(target, key).await;
    assert_eq!(answer.status, 200, "{target}: {}", answer.text);
    let ids: BTreeSet<i64> = answer.data().as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    if let Some(total) = answer.body["pagination"]["total"].as_u64() {
        assert_eq!(usize::try_from(total).unwrap(), ids.len(), "{target}: the total is of what is seen");
    }
    ids
}

#[tokio::test]
async fn lists_have_what_the_caller_sees_and_nothing_else() {
    let world = World::new().await;
    let app = &world.app;
    let mut own = Vec::new();
    for owner in CALLERS {
        let key = world.key(owner, "delete");
        let (id, _) = world.subscriber(owner).await;
        let (second, _) = world.subscriber(owner).await;
        let mut booked = BTreeSet::new();
        for subscriber in [id, second] {
            let body = json!({"subscriber_id": subscriber, "type": "payment", "amount": 5});
            booked.insert(book(app, key, body).await.id());
        }
        own.push((owner, BTreeSet::from([id, second]), booked));
    }
    world.subscriber("deleted").await;
    let subscribers: BTreeSet<i64> = own.iter().flat_map(|of| of.1.clone()).collect();
    let booked: BTreeSet<i64> = own.iter().flat_map(|of| of.2.clone()).collect();
    for ((caller, mine, bookings), nas) in own.iter().zip([vec![1, 2, 3], vec![2], vec![3]]) {
        let key = world.key(caller, "read");
        let (subscribers, booked) = if *caller == "admin" { (&subscribers, &booked) } else { (mine, bookings) };
        for query in ["", "?limit=100", "?username=user-", "?username=us", "?status=1", "?service_id=1", "?is_online=0"]
        {
            assert_eq!(&ids(app, key, &format!("{SUBSCRIBERS}{query}")).await, subscribers, "{caller} {query}");
        }
        for query in ["", "?type=payment", "?date_from=2026-03-20", "?date_to=2026-03-20"] {
            assert_eq!(&ids(app, key, &format!("{TRANSACTIONS}{query}")).await, booked, "{caller} {query}");
        }
        for (_, theirs, bookings) in &own {
            for id in theirs {
                let found = ids(app, key, &format!("{TRANSACTIONS}?subscriber_id={id}")).await;
                let expected: BTreeSet<i64> = bookings.intersection(booked).copied().collect();
                assert_eq!(found.len(), usize::from(!expected.is_empty()), "{caller} {id}");
                assert!(found.is_subset(&expected), "{caller} {id}");
            }
        }
        let linked: BTreeSet<i64> = nas.into_iter().collect();
        assert_eq!(ids(app, key, "/api/v1/external/nas").await, linked, "{caller}");
        assert_eq!(ids(app, key, "/api/v1/external/services").await, BTreeSet::from([1]), "{caller}");
        let stats = app.get(STATS, key).await;
        assert_eq!(stats.data()["total_subscribers"], subscribers.len(), "{caller}");
        assert_eq!(stats.data()["nas_count"], linked.len(), "{caller}");
        assert_eq!(app.get(HEALTH, key).await.data()["status"], "healthy", "{caller}");
    }
}

#[tokio::test]
async fn a_router_is_seen_from_its_link_to_its_unlinking() {
    let world = World::new().await;
    let (app, key) = (&world.app, world.key("boris", "write"));
    let (id, _) = world.subscriber("boris").await;
    let nas = |id: i64| format!("/api/v1/external/nas/{id}");
    let take = Request::new("PUT", &format!("{SUBSCRIBERS}/{id}")).key(key).json(&json!({"nas_id": 1}));

    assert_eq!(app.get(&nas(1), key).await.code(), "NOT_FOUND");
    assert_eq!(app.call(take.clone()).await.message(), "nas_id does not exist");
    app.change("INSERT INTO nas_resellers (user_id, nas_id) SELECT id, 1 FROM users WHERE username = 'boris'", []);
    assert_eq!(app.get(&nas(1), key).await.id(), 1);
    assert_eq!(app.call(take.clone()).await.data()["nas_id"], 1);
    app.change("DELETE FROM nas_resellers WHERE nas_id = 1", []);
    assert_eq!(app.get(&nas(1), key).await.code(), "NOT_FOUND");
}
