//! What one of many clients does: everything that callers of the four surfaces do, in an order of its own. What is
//! acknowledged is remembered; an answer that is not the expected one ends the test.

use std::net::SocketAddr;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::client::{Client, Got};
use super::house::{ACCOUNTS, House, PASSWORD, TRANSACTIONS, log_in};
use crate::home::SUBSCRIBERS;
use crate::size;

/// Clients that make passwords be hashed: more at once than the hasher can take up are refused, which is right.
const HASHING: usize = 4;

/// What was answered with success, to be looked for afterwards.
#[derive(Default)]
pub struct Acknowledged {
    pub requests: u64,
    pub subscribers: Vec<(i64, String)>,
    pub transactions: Vec<String>,
    pub renewals: Vec<String>,
    /// Ids of panel keys in URLs.
    pub deleted_keys: Vec<String>,
    pub accounts: Vec<(i64, String)>,
    pub sessions: u64,
    pub replays: u64,
}

pub struct Customer<'a> {
    house: &'a House,
    number: usize,
    client: Client,
    random: StdRng,
    turn: u64,
    /// Subscribers that were there before.
    common: i64,
    /// Of the admin surface and of the panel surface.
    tokens: [String; 2],
    pub done: Acknowledged,
}

impl<'a> Customer<'a> {
    pub fn new(house: &'a House, server: SocketAddr, number: usize, common: i64, tokens: [String; 2]) -> Self {
        Self {
            house,
            number,
            client: Client::new(server),
            random: size::random(&format!("load {number}")),
            turn: 0,
            common,
            tokens,
            done: Acknowledged::default(),
        }
    }

    fn ask(&mut self, expected: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Got {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let got = self.client.ask(method, path, headers, &body);
        assert_eq!(got.status, expected, "client {}: {method} {path} {body} → {got:?}", self.number);
        self.done.requests += 1;
        got
    }

    fn external(&mut self, expected: u16, method: &str, path: &str, body: &Value) -> Got {
        let house = self.house;
        self.ask(expected, method, path, &[("X-API-Key", &house.external)], body)
    }

    fn billing(&mut self, expected: u16, method: &str, path: &str, body: &Value) -> Got {
        let (key, secret) = &self.house.pair;
        self.ask(expected, method, path, &[("X-API-Key", key), ("X-API-Secret", secret)], body)
    }

    fn bearer(&mut self, expected: u16, method: &str, path: &str, token: &str, body: &Value) -> Got {
        let value = format!("Bearer {token}");
        self.ask(expected, method, path, &[("Authorization", &value)], body)
    }

    /// One that is there, its own or one of the first.
    fn some_id(&mut self) -> i64 {
        let own = self.done.subscribers.len();
        match self.random.random_range(0..2) {
            0 if own > 0 => self.done.subscribers[self.random.random_range(0..own)].0,
            _ => self.random.random_range(1..=self.common),
        }
    }

    pub fn do_something(&mut self) {
        self.turn += 1;
        match self.random.random_range(0..100) {
            0..25 => self.read(),
            25..35 => self.list(),
            35..58 => self.create(),
            58..68 => self.renew(),
            68..78 => self.pay(),
            78..86 => self.change(),
            86..91 => self.look_around_on_the_panel(),
            91..95 => self.look_around_as_admin(),
            95..98 => self.use_billing(),
            _ => self.use_passwords_or_keys(),
        }
    }

    fn read(&mut self) {
        let id = self.some_id();
        let of_it = ["", "/usage"][self.random.random_range(0..2)];
        self.external(200, "GET", &format!("{SUBSCRIBERS}/{id}{of_it}"), &Value::Null);
    }

    fn list(&mut self) {
        let number = self.random.random_range(1..=self.common);
        let paths = [
            format!("{SUBSCRIBERS}?limit=20"),
            format!("{SUBSCRIBERS}?username=first-{number}"),
            format!("{SUBSCRIBERS}?status=1&page={}", self.random.random_range(1..5)),
            format!("{SUBSCRIBERS}/by-username/first-{number}"),
            format!("{TRANSACTIONS}?subscriber_id={number}"),
            TRANSACTIONS.to_owned(),
            "/api/v1/external/services".to_owned(),
            "/api/v1/external/nas".to_owned(),
            "/api/v1/external/system/stats".to_owned(),
            "/api/v1/external/system/health".to_owned(),
        ];
        let path = &paths[self.random.random_range(0..paths.len())];
        self.external(200, "GET", path, &Value::Null);
    }

    /// Half of them with an `Idempotency-Key`, and of those some twice; some for a reseller.
    fn create(&mut self) {
        let house = self.house;
        let name = format!("user-{}-{}", self.number, self.turn);
        let mut body = json!({"username": name, "service_id": 1, "full_name": "New Customer"});
        let kind = self.random.random_range(0..8);
        if kind % 2 == 0 {
            body["external_id"] = json!(format!("crm-{name}"));
        }
        let key = if kind == 7 { &house.of_reseller } else { &house.external };
        let mut headers = vec![("X-API-Key", key.as_str())];
        if kind < 4 {
            headers.push(("Idempotency-Key", name.as_str()));
        }
        let made = self.ask(201, "POST", SUBSCRIBERS, &headers, &body);
        let id = made.json()["data"]["id"].as_i64().unwrap();
        if kind == 0 {
            let again = self.ask(201, "POST", SUBSCRIBERS, &headers, &body);
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again:?}");
            assert_eq!(again.json()["data"]["id"], json!(id), "{again:?}");
            self.done.replays += 1;
        }
        if kind == 7 {
            self.done.subscribers.push((id, name.clone()));
            // Its reseller's key is the only one that is slow to see what others did; it must see this at once.
            self.ask(200, "GET", &format!("{SUBSCRIBERS}/{id}"), &headers[..1], &Value::Null);
        } else {
            self.done.subscribers.push((id, name));
        }
    }

    fn renew(&mut self) {
        let (id, reference) = (self.some_id(), format!("renewal-{}-{}", self.number, self.turn));
        let body = json!({"periods": 1, "external_id": reference, "price": 10.00});
        self.external(200, "POST", &format!("{SUBSCRIBERS}/{id}/renew"), &body);
        self.done.renewals.push(reference);
    }

    fn pay(&mut self) {
        let (id, reference) = (self.some_id(), format!("payment-{}-{}", self.number, self.turn));
        let kind = ["payment", "charge", "refund"][self.random.random_range(0..3)];
        let body = json!({"subscriber_id": id, "type": kind, "amount": 1.25, "external_id": reference});
        self.external(201, "POST", TRANSACTIONS, &body);
        self.done.transactions.push(reference);
    }

    fn change(&mut self) {
        let path = format!("{SUBSCRIBERS}/{}", self.some_id());
        match self.random.random_range(0..3) {
            0 => self.external(200, "PUT", &path, &json!({"note": format!("turn {}", self.turn)})),
            1 => self.external(200, "POST", &format!("{path}/suspend"), &Value::Null),
            _ => self.external(200, "POST", &format!("{path}/activate"), &Value::Null),
        };
    }

    fn look_around_on_the_panel(&mut self) {
        let bearer = if self.random.random() { self.house.panel.clone() } else { self.tokens[1].clone() };
        let paths = ["users", "users/rita", "users/rita/features", "resellers", "packages", "auth/me"];
        let path = format!("/api/v1/{}", paths[self.random.random_range(0..paths.len())]);
        self.bearer(200, "GET", &path, &bearer, &Value::Null);
    }

    fn look_around_as_admin(&mut self) {
        let paths = ["subscribers?limit=50", "audit", "api-keys", "nas", "services", "auth/sessions", "auth/me"];
        let path = format!("/api/{}", paths[self.random.random_range(0..paths.len())]);
        let token = self.tokens[0].clone();
        self.bearer(200, "GET", &path, &token, &Value::Null);
    }

    fn use_billing(&mut self) {
        let one = match self.done.accounts.len() {
            0 => ACCOUNTS.to_owned(),
            count => format!("{ACCOUNTS}/{}", self.done.accounts[self.random.random_range(0..count)].0),
        };
        match self.random.random_range(0..3) {
            0 => self.billing(200, "GET", "/api/v1/billing/whoami", &Value::Null),
            1 => self.billing(200, "GET", &one, &Value::Null),
            _ if one.len() > ACCOUNTS.len() => self.billing(200, "POST", &format!("{one}/suspend"), &json!({})),
            _ => self.billing(200, "GET", "/api/health", &Value::Null),
        };
    }

    fn use_passwords_or_keys(&mut self) {
        match self.number % 8 {
            number if self.number >= 2 * HASHING || number >= HASHING => self.mint_and_delete(),
            0 | 1 => {
                let name = format!("acc-{}-{}", self.number, self.turn);
                let body = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
                let made = self.billing(201, "POST", ACCOUNTS, &body);
                self.done.accounts.push((made.json()["id"].as_i64().unwrap(), name));
            }
            number => {
                let surface = ["/api/auth", "/api/v1/auth"][number % 2];
                let token = log_in(&mut self.client, &format!("{surface}/login"), "admin");
                self.bearer(200, "POST", &format!("{surface}/logout"), &token, &Value::Null);
                self.bearer(401, "GET", &format!("{surface}/me"), &token, &Value::Null);
                self.done.sessions += 1;
            }
        }
    }

    /// At most fifty of one user may live at a time, so each goes as it came.
    fn mint_and_delete(&mut self) {
        if self.number >= 24 {
            return self.read();
        }
        let keys = "/api/v1/users/admin/api-keys";
        let token = self.tokens[1].clone();
        let made = self.bearer(201, "POST", keys, &token, &json!({"name": "load", "permissions": ["read"]})).json();
        let (id, secret) = (made["key"]["id"].as_str().unwrap().to_owned(), made["api_key"].as_str().unwrap());
        self.bearer(200, "GET", "/api/v1/auth/me", secret, &Value::Null);
        self.bearer(200, "DELETE", &format!("{keys}/{id}"), &token, &Value::Null);
        self.bearer(401, "GET", "/api/v1/auth/me", secret, &Value::Null);
        self.done.deleted_keys.push(id);
    }
}
