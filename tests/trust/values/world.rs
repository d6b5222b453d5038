//! A running panel with one of everything, and callers who may do everything there.

use std::cell::{Cell, RefCell};

use panel::crypto::KeyFile;
use panel::crypto::random;
use panel::crypto::signer::{Signer, Token};
use panel::domain::encoding::hex;
use panel::domain::keys::hash_of;
use panel::domain::routes::{Need, Route, Surface};
use panel::domain::sessions::Audience;
use panel::domain::time::Timestamp;
use panel::domain::users::{Role, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::described::Operation;
use super::wire::{Ask, Got, Wire};
use crate::home::Home;
use crate::server::Server;

pub const PASSWORD: &str = "violet-otter 1871";

/// Nothing is refused for its number: here values are sent, not floods.
const OPEN: [(&str, &str); 7] = [
    ("PANEL_LIMITS__PER_IP_PER_MINUTE", "0"),
    ("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0"),
    ("PANEL_LIMITS__LOGIN_PER_MINUTE", "0"),
    ("PANEL_LIMITS__FAILURES_PER_MINUTE", "0"),
    ("PANEL_DATABASE__SYNCHRONOUS", "normal"),
    ("PANEL_BACKUP__DAILY_AT", ""),
    ("PANEL_LOG__LEVEL", "info"),
];

pub struct World {
    // Before its home: a server that still runs would write into what is looked through.
    pub server: Server,
    pub home: Home,
    pub external: String,
    pub billing: [String; 2],
    pub panel: String,
    pub admin: String,
    signer: Signer,
    /// In URLs: a panel key of ada's, and an external key that nobody uses.
    pub panel_key: String,
    pub other_key: i64,
    last_key: i64,
    wire: RefCell<Wire>,
    made: Cell<u32>,
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the server that is asked goes by this clock")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

impl World {
    pub fn new() -> Self {
        let home = Home::with_database();
        let (_, external) = home.mint("delete");
        let (other_key, _) = home.mint("read");
        let pair = ["--json", "key", "mint", "--style", "billing", "--user", "admin", "--level", "SUPER_ADMIN"];
        let pair = home.ok(pair).json();
        let billing = ["key", "secret"].map(|name| text(&pair, name));
        let signer = Signer::new(&KeyFile::open(home.path("panel.key")).unwrap());
        let server = home.serve_with(&OPEN);
        let wire = RefCell::new(Wire::to(server.address));
        let (panel, admin, panel_key) = Default::default();
        let made = Cell::new(0);
        let mut world = Self {
            server,
            home,
            external,
            billing,
            panel,
            admin,
            signer,
            panel_key,
            other_key,
            last_key: 0,
            wire,
            made,
        };
        world.panel = world.session(1, Audience::Panel);
        world.admin = world.session(1, Audience::Admin);
        world.furnish();
        world
    }

    /// A service, a router, resellers with and without a subscriber, a user with a key, a subscriber with a balance.
    fn furnish(&mut self) {
        let person =
            |name: &str| json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        self.must("POST", "/api/services", &json!({"name": "Gold", "price": 25.5}));
        self.must("POST", "/api/nas", &json!({"name": "tower", "ip_address": "192.0.2.1", "secret": "radius-word"}));
        for name in ["rita", "rex"] {
            self.must("POST", "/api/v1/resellers", &person(name));
        }
        self.must("POST", "/api/v1/users", &person("ada"));
        self.must("POST", "/api/v1/packages", &json!({"name": "small"}));
        let key = self.must("POST", "/api/v1/users/ada/api-keys", &json!({"name": "k"}));
        self.panel_key = text(&key.body["key"], "id");
        self.last_key = self.home.value("panel.db", "SELECT max(id) FROM api_keys");
        let mut customer = json!({"username": "sub", "service_id": 1, "password": "pppoe-word"});
        self.must("POST", "/api/v1/external/subscribers", &customer);
        let rex = self.home.value::<i64>("panel.db", "SELECT id FROM users WHERE username = 'rex'");
        (customer["username"], customer["reseller_id"]) = (json!("rexs"), json!(rex));
        self.must("POST", "/api/subscribers", &customer);
        let booked = json!({"subscriber_id": 1, "type": "payment", "amount": 5});
        self.must("POST", "/api/v1/external/transactions", &booked);
    }

    /// Does what must succeed, on any surface.
    #[track_caller]
    pub fn must(&self, method: &str, target: &str, body: &Value) -> Got {
        let ask = self.signed(Ask::new(method, target)).json(body.to_string());
        let got = self.ask(&ask);
        assert!(got.status < 300, "{}: {} {}", ask.told(), got.status, got.text);
        got
    }

    pub fn get(&self, target: &str) -> Got {
        self.ask(&self.signed(Ask::new("GET", target)))
    }

    #[track_caller]
    pub fn ask(&self, ask: &Ask) -> Got {
        self.wire.borrow_mut().ask(ask)
    }

    /// Changes the database beside the server, as the command line would.
    pub fn change(&self, statement: &str) {
        self.home.open("panel.db").execute(statement, []).unwrap();
    }

    /// A number that was not there before.
    pub fn fresh(&self) -> u32 {
        self.made.set(self.made.get() + 1);
        self.made.get()
    }

    /// The token of a session that nobody logged in for.
    pub fn session(&self, user: i64, audience: Audience) -> String {
        let session_id = SecretString::from(hex(&random::bytes::<16>().unwrap()));
        let issued_at = now();
        let expires_at = issued_at.plus_millis(Timestamp::DAY);
        let insert = "INSERT INTO sessions (user_id, audience, token_hash, created_at, last_used_at, expires_at)
                      VALUES (?1, ?2, ?3, ?4, ?4, ?5)";
        let hash = hash_of(session_id.expose_secret().as_bytes());
        let row = (user, audience.as_str(), hash, issued_at.millis(), expires_at.millis());
        self.home.open("panel.db").execute(insert, row).unwrap();
        let role = Role::Admin;
        let token = Token { user: UserId(user), role, audience, session_id: &session_id, issued_at, expires_at };
        let token = self.signer.sign(token).unwrap().expose_secret().to_owned();
        self.home.secrets.note_text(&token);
        token
    }

    /// With the credential that opens the path's surface.
    pub fn signed(&self, ask: Ask) -> Ask {
        match Surface::of(&ask.target) {
            Surface::External => ask.header("x-api-key", &self.external),
            Surface::Panel => ask.bearer(&self.panel),
            Surface::Billing => ask.header("x-api-key", &self.billing[0]).header("x-api-secret", &self.billing[1]),
            Surface::Admin => ask.bearer(&self.admin),
        }
    }

    /// A request of this operation that all gates let through, without a body yet. What would end the session gets one of
    /// its own.
    pub fn request(&self, operation: &Operation, target: &str) -> Ask {
        let ask = Ask::new(operation.method.as_str(), target);
        let Route { need, action, .. } = operation.route;
        match *action {
            // Fifty are all that a user may have.
            "keys.create" => self.change(&format!("UPDATE api_keys SET revoked_at = 1 WHERE id > {}", self.last_key)),
            "auth.login" | "auth.login_json" | "auth.password" => self.change("DELETE FROM login_attempts"),
            _ => {}
        }
        let ends = matches!(*action, "auth.logout" | "auth.refresh" | "sessions.delete_all" | "auth.password");
        match need {
            Need::Nobody => ask,
            Need::Panel(_) if ends => ask.bearer(&self.session(1, Audience::Panel)),
            Need::Admin if ends => ask.bearer(&self.session(1, Audience::Admin)),
            _ => self.signed(ask),
        }
    }

    /// What stands in a place of a path.
    pub fn place(&self, operation: &Operation, name: &str) -> String {
        let path = operation.route.path;
        match name {
            "token" => "0123456789abcdef".to_owned(),
            "name" => "small".to_owned(),
            "username" if path.contains("/external/") => "sub".to_owned(),
            // Whoever owns something is not deleted.
            "username" if operation.method == "DELETE" || path.contains("/resellers/") => "rex".to_owned(),
            "username" => "ada".to_owned(),
            "id" if operation.method == "DELETE" => "999999".to_owned(),
            "id" if path.contains("/users/") => self.panel_key.clone(),
            "id" if path.contains("/api-keys/") => self.other_key.to_string(),
            "id" if path.contains("/accounts/") => {
                self.home.value::<i64>("panel.db", "SELECT id FROM users WHERE username = 'ada'").to_string()
            }
            _ => "1".to_owned(),
        }
    }

    /// A body that the operation takes: its example, with names that are new and references that are there.
    pub fn body(&self, operation: &Operation) -> Value {
        let mut body = operation.example.clone();
        let n = self.fresh();
        let Some(fields) = body.as_object_mut() else { return body };
        let is_create = operation.method == "POST" && operation.route.action.ends_with("create");
        for (name, value) in fields.iter_mut() {
            match name.as_str() {
                "service_id" | "subscriber_id" => *value = json!(1),
                "external_id" => *value = json!(format!("x-{n}")),
                // Whoever has no API access is given no key.
                "api" => *value = json!(true),
                "email" => *value = json!(format!("mail-{n}@example.com")),
                "username" if operation.route.need == Need::Nobody => *value = json!(format!("nobody-{n}")),
                "username" | "name" if is_create => *value = json!(format!("new-{n}")),
                "ip_address" if is_create => {
                    let [_, a, b, c] = n.to_be_bytes();
                    *value = json!(format!("10.{a}.{b}.{c}"));
                }
                _ => {}
            }
        }
        body
    }

    /// Nothing that the server said is a fault or a panic.
    pub fn is_well(&self) {
        let said = self.server.said();
        let faults: Vec<_> = said.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
