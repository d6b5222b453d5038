//! Random writes on all surfaces at once, each of which leaves a mark by which it is found again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::client::Caller;
use crate::home::{Home, SUBSCRIBERS};
use crate::server::Server;

pub const WORKERS: usize = 8;
const PASSWORD: &str = "a-long-password-7";

/// Where a row with the mark turns up, and the action that is audited with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Subscriber,
    Movement,
    Renewal,
    Key,
    RevokedKey,
    User,
    Nas,
}

impl Place {
    pub fn table_and_column(self) -> (&'static str, &'static str) {
        match self {
            Self::Subscriber => ("subscribers", "username"),
            Self::Movement => ("transactions", "description"),
            Self::Renewal => ("renewals", "external_id"),
            Self::Key => ("api_keys", "name"),
            Self::RevokedKey => ("(SELECT name FROM api_keys WHERE revoked_at IS NOT NULL)", "name"),
            Self::User => ("users", "username"),
            Self::Nas => ("nas", "name"),
        }
    }
}

/// What a request changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// One row with this mark, found once.
    Row(Place, String),
    /// The subscriber's note.
    Note(i64, String),
    /// 1 active, 2 suspended.
    Status(i64, i64),
    Gone(i64),
}

#[derive(Debug, Clone)]
pub struct Deed {
    pub effect: Effect,
    /// It was sent with this `Idempotency-Key`, which is kept in the transaction of the effect.
    pub guard: Option<String>,
}

/// What the callers of one round know afterwards.
#[derive(Debug, Default)]
pub struct Told {
    pub acknowledged: Vec<Deed>,
    /// Sent, and not answered with a success.
    pub unknown: Vec<Deed>,
}

impl Told {
    /// What of it still holds after later rounds: a key whose revocation was not answered is revoked by the next one.
    pub fn later(&self) -> Self {
        let unknown = self.unknown.iter().filter(|deed| !matches!(deed.effect, Effect::Row(Place::RevokedKey, _)));
        Self { acknowledged: self.acknowledged.clone(), unknown: unknown.cloned().collect() }
    }
}

/// The credentials of all surfaces.
#[derive(Debug, Clone)]
pub struct Credentials {
    external: String,
    panel: String,
    billing: (String, String),
    admin: String,
}

impl Credentials {
    pub fn make(home: &Home) -> Self {
        let set = home.run_typing(&format!("{PASSWORD}\n"), ["user", "passwd", "admin", "--password-stdin"]);
        assert_eq!(set.code, 0, "{set:?}");
        let mint = |more: &[&str]| {
            home.ok([&["--json", "key", "mint", "--user", "admin", "--rate", "0", "--style"], more].concat()).json()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let billing = mint(&["billing", "--level", "SUPER_ADMIN", "--scopes", "full_access"]);
        home.ok(["service", "add", "paid", "--price", "7.50"]);
        Self {
            external: text(&mint(&["external", "--scopes", "delete"])["key"]),
            panel: text(&mint(&["panel", "--permissions", "all"])["key"]),
            billing: (text(&billing["key"]), text(&billing["secret"])),
            admin: String::new(),
        }
    }

    /// Revokes the keys that a round left behind.
    pub fn tidy_up(&self, home: &Home, server: &Server) {
        let database = home.open("panel.db");
        let mut statement = database
            .prepare("SELECT id FROM api_keys WHERE revoked_at IS NULL AND name GLOB 'r[0-9]*w[0-9]*n[0-9]*'")
            .unwrap();
        for id in statement.query_map([], |row| row.get::<_, i64>(0)).unwrap().map(Result::unwrap) {
            let path = format!("/api/api-keys/{id}");
            assert_eq!(server.send("DELETE", &path, &[("Authorization", &self.admin)], "").status, 200);
        }
    }

    /// A session lasts fifteen minutes, so each round has its own.
    pub fn log_in(&mut self, server: &Server) {
        let body = json!({"username": "admin", "password": PASSWORD}).to_string();
        let answer = server.send("POST", "/api/auth/login/json", &[("Content-Type", "application/json")], &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        self.admin = format!("Bearer {}", answer.json()["access_token"].as_str().unwrap());
    }

    /// The headers for a surface, or none for what needs no credential.
    pub fn for_surface(&self, surface: &str) -> Vec<(String, String)> {
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match surface {
            "external" => vec![owned("X-API-Key", &self.external)],
            "billing" => vec![owned("X-API-Key", &self.billing.0), owned("X-API-Secret", &self.billing.1)],
            "panel" => vec![owned("Authorization", &format!("Bearer {}", self.panel))],
            "admin" => vec![owned("Authorization", &self.admin)],
            _ => Vec::new(),
        }
    }

    pub fn session_works(&self, server: &Server) -> bool {
        server.send("GET", "/api/auth/me", &[("Authorization", &self.admin)], "").status == 200
    }
}

/// Eight callers write until `meanwhile` is over or the server is gone. What is answered after `meanwhile` has said that
/// the end came counts as not answered: a disk that is shut down may still call a sync done that it cut off, as no disk
/// without power can.
pub fn work(
    address: SocketAddr,
    credentials: &Credentials,
    round: usize,
    random: &mut StdRng,
    meanwhile: impl FnOnce(&AtomicBool),
) -> Told {
    let stop = AtomicBool::new(false);
    let mut told = Told::default();
    std::thread::scope(|scope| {
        let stop = &stop;
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let random = StdRng::seed_from_u64(random.random());
                let worker = Worker {
                    caller: Caller::new(address),
                    credentials,
                    name: format!("r{round}w{number}"),
                    turn: 0,
                    random,
                    subscribers: Vec::new(),
                    key: None,
                    told: Told::default(),
                };
                scope.spawn(move || worker.run(stop))
            })
            .collect();
        meanwhile(stop);
        stop.store(true, Ordering::SeqCst);
        for worker in workers {
            let one = worker.join().unwrap();
            told.acknowledged.extend(one.acknowledged);
            told.unknown.extend(one.unknown);
        }
    });
    told
}

struct Worker<'a> {
    caller: Caller,
    credentials: &'a Credentials,
    name: String,
    turn: usize,
    random: StdRng,
    /// Its own, so that nobody else changes them.
    subscribers: Vec<i64>,
    /// The key it minted last; the next one only when that is revoked, since a user may have so many.
    key: Option<(i64, String)>,
    told: Told,
}

struct Request {
    method: &'static str,
    path: String,
    body: Value,
    effect: Effect,
}

impl Worker<'_> {
    fn run(mut self, stop: &AtomicBool) -> Told {
        while !stop.load(Ordering::SeqCst) {
            let request = self.next();
            let guard = self.random.random_bool(0.5).then(|| format!("{}t{}", self.name, self.turn));
            let surface = match request.path.as_str() {
                path if path.starts_with("/api/v1/external") => "external",
                path if path.starts_with("/api/v1/billing") => "billing",
                path if path.starts_with("/api/v1") => "panel",
                _ => "admin",
            };
            let mut headers = self.credentials.for_surface(surface);
            if let Some(guard) = &guard {
                headers.push(("Idempotency-Key".to_owned(), guard.clone()));
            }
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = self.caller.send(request.method, &request.path, &headers, &request.body);
            let deed = Deed { effect: request.effect, guard };
            match answer {
                Some((200 | 201, body)) if !stop.load(Ordering::SeqCst) => {
                    let id = || body["data"]["id"].as_i64().unwrap();
                    match &deed.effect {
                        Effect::Row(Place::Subscriber, _) => self.subscribers.push(id()),
                        Effect::Row(Place::Key, mark) => self.key = Some((id(), mark.clone())),
                        _ => {}
                    }
                    self.told.acknowledged.push(deed);
                }
                // Where the disk is gone there is a refusal, and after it nobody tries any more.
                None | Some((200 | 201 | 503, _)) => {
                    self.told.unknown.push(deed);
                    break;
                }
                Some((status, body)) => panic!("{} {}: {status} {body}", request.method, request.path),
            }
        }
        self.told
    }

    fn next(&mut self) -> Request {
        self.turn += 1;
        let mark = format!("{}n{}", self.name, self.turn);
        let post = |path: &str, body: Value, place: Place| Request {
            method: "POST",
            path: path.to_owned(),
            body,
            effect: Effect::Row(place, mark.clone()),
        };
        let chosen = self.random.random_range(0..100);
        if let Some(at) = self.own_subscriber(chosen) {
            return self.change(at, chosen, mark);
        }
        let email = format!("{mark}@example.com");
        let new_user = || json!({"username": mark, "email": email, "password": PASSWORD});
        match chosen {
            0..10 => {
                post("/api/nas", json!({"name": mark, "ip_address": self.address(), "secret": PASSWORD}), Place::Nas)
            }
            10..20 => post("/api/subscribers", json!({"username": mark, "service_id": 2}), Place::Subscriber),
            20..30 if let Some((id, mark)) = self.key.take() => Request {
                method: "DELETE",
                path: format!("/api/api-keys/{id}"),
                body: Value::Null,
                effect: Effect::Row(Place::RevokedKey, mark),
            },
            20..30 => post("/api/api-keys", json!({"name": mark, "scopes": "read"}), Place::Key),
            30..33 => post("/api/v1/users", new_user(), Place::User),
            33..36 => post("/api/v1/billing/accounts", new_user(), Place::User),
            _ => post(SUBSCRIBERS, json!({"username": mark, "service_id": 2, "note": ""}), Place::Subscriber),
        }
    }

    /// Six of ten requests change what there is, once there is something.
    fn own_subscriber(&mut self, chosen: u32) -> Option<usize> {
        (chosen >= 40 && !self.subscribers.is_empty()).then(|| self.random.random_range(0..self.subscribers.len()))
    }

    fn change(&mut self, at: usize, chosen: u32, mark: String) -> Request {
        let id = self.subscribers[at];
        let one = format!("{SUBSCRIBERS}/{id}");
        let (method, path, body, effect) = match chosen {
            40..60 => {
                let kind = if chosen < 50 { "payment" } else { "charge" };
                let amount = self.random.random_range(1..1000);
                let body = json!({"subscriber_id": id, "type": kind, "amount": amount, "description": mark});
                ("POST", "/api/v1/external/transactions".to_owned(), body, Effect::Row(Place::Movement, mark))
            }
            60..70 => {
                let body = json!({"periods": 1, "external_id": mark});
                ("POST", format!("{one}/renew"), body, Effect::Row(Place::Renewal, mark))
            }
            70..80 => ("PUT", one, json!({"note": mark}), Effect::Note(id, mark)),
            80..88 => ("POST", format!("{one}/suspend"), json!({"reason": "unpaid"}), Effect::Status(id, 2)),
            88..95 => ("POST", format!("{one}/activate"), json!({}), Effect::Status(id, 1)),
            _ => {
                self.subscribers.swap_remove(at);
                ("DELETE", one, Value::Null, Effect::Gone(id))
            }
        };
        Request { method, path, body, effect }
    }

    /// Of a router; no two have the same.
    fn address(&mut self) -> String {
        let bytes: [u8; 8] = self.random.random();
        let parts: Vec<String> = bytes.chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect();
        format!("2001:db8:0:0:{}", parts.join(":"))
    }
}
