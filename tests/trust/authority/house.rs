//! Two resellers, what is theirs, and the credentials of the first.

use panel::domain::routes::Need;
use panel::domain::sessions::Audience;
use serde_json::{Value, json};

use crate::values::described::{Operation, Place};
use crate::values::wire::Ask;
use crate::values::world::{PASSWORD, World};

/// Two resellers with a subscriber, a user and a key each, and every credential of the first.
pub struct House {
    pub world: World,
    external: String,
    billing: [String; 2],
    panel: String,
    admin: String,
}

/// Whose something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Mine,
    Another,
    House,
    Nobody,
}

impl House {
    pub fn new() -> Self {
        let world = World::new();
        let mint = |options: &[&str]| world.home.ok(["--json", "key", "mint"].iter().chain(options)).json();
        let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
        let external = text(&mint(&["--style", "external", "--user", "rex", "--scopes", "delete"]), "key");
        let pair = mint(&["--style", "billing", "--user", "rex", "--level", "BILLING"]);
        let billing = ["key", "secret"].map(|name| text(&pair, name));
        let id = |name: &str| {
            world.home.value::<i64>("panel.db", &format!("SELECT id FROM users WHERE username = '{name}'"))
        };
        for reseller in ["rex", "rita"] {
            let name = format!("{reseller}-user");
            let email = format!("{name}@example.com");
            let user = json!({"username": name, "email": email, "password": PASSWORD, "creator": reseller});
            world.must("POST", "/api/v1/users", &user);
            world.must("POST", &format!("/api/v1/users/{name}/api-keys"), &json!({"name": name}));
            let customer = json!({"username": format!("{reseller}-customer"), "service_id": 1,
                                  "reseller_id": id(reseller), "external_id": format!("{reseller}-x")});
            world.must("POST", "/api/subscribers", &customer);
        }
        world.session(id("rita"), Audience::Admin);
        let (panel, admin) = (world.session(id("rex"), Audience::Panel), world.session(id("rex"), Audience::Admin));
        Self { world, external, billing, panel, admin }
    }

    pub fn number(&self, statement: &str) -> String {
        self.world.home.value::<i64>("panel.db", statement).to_string()
    }

    /// What stands in a place of a path, so that it names something of somebody's.
    fn place(&self, of: &Operation, name: &str, whose: Whose) -> String {
        let path = of.route.path;
        let (reseller, user, customer) = match whose {
            Whose::Mine => ("rex", "rex-user", "rex-customer"),
            Whose::Another => ("rita", "rita-user", "rita-customer"),
            Whose::House => ("admin", "ada", "sub"),
            Whose::Nobody => ("nobody", "nobody", "nobody"),
        };
        match (name, whose) {
            ("token", _) => "0123456789abcdef".to_owned(),
            ("name", _) => "small".to_owned(),
            ("username", _) if path.contains("/external/") => customer.to_owned(),
            ("username", _) => (if path.contains("/resellers/") { reseller } else { user }).to_owned(),
            ("id", Whose::Nobody) if path.contains("/users/") => "0123456789abcdef".to_owned(),
            ("id", Whose::Nobody) => "999999".to_owned(),
            ("id", _) if path.contains("/users/") => self.world.home.value(
                "panel.db",
                &format!("SELECT panel_id FROM api_keys WHERE user_id = (SELECT id FROM users WHERE username = '{user}')"),
            ),
            ("id", _) if path.contains("/accounts/") => {
                self.number(&format!("SELECT id FROM users WHERE username = '{user}'"))
            }
            ("id", _) if path.contains("/subscribers/") => {
                self.number(&format!("SELECT id FROM subscribers WHERE username = '{customer}'"))
            }
            ("id", _) if path.contains("/sessions/") => self.number(&format!(
                "SELECT max(id) FROM sessions WHERE audience = 'admin' AND user_id = (SELECT id FROM users WHERE username = '{reseller}')"
            )),
            _ => "1".to_owned(),
        }
    }

    /// The operation as the first reseller calls it.
    pub fn ask(&self, of: &Operation, whose: Whose, query: &str) -> Ask {
        let mut target = of.route.path.to_owned();
        for input in of.inputs.iter().filter(|input| input.place == Place::Path) {
            target = target.replace(&format!("{{{}}}", input.name), &self.place(of, &input.name, whose));
        }
        let ask = Ask::new(&of.method, format!("{target}{query}"));
        let ask = match of.route.need {
            Need::Nobody => ask,
            Need::External(_) => ask.header("x-api-key", &self.external),
            Need::Panel(_) => ask.bearer(&self.panel),
            Need::Billing { .. } => ask.header("x-api-key", &self.billing[0]).header("x-api-secret", &self.billing[1]),
            Need::Admin => ask.bearer(&self.admin),
        };
        if of.has_body && !of.is_form { ask.json(self.body(of, whose).to_string()) } else { ask }
    }

    pub fn body(&self, of: &Operation, whose: Whose) -> Value {
        let mut body = self.world.body(of);
        if of.route.action == "transactions.create" {
            let id = match whose {
                Whose::Nobody => "999999".to_owned(),
                _ => {
                    let customer = match whose {
                        Whose::Mine => "rex-customer",
                        Whose::Another => "rita-customer",
                        _ => "sub",
                    };
                    self.number(&format!("SELECT id FROM subscribers WHERE username = '{customer}'"))
                }
            };
            body["subscriber_id"] = json!(id.parse::<i64>().unwrap());
        }
        body
    }

    /// Every row that somebody may be after, without when a key was last used.
    pub fn rows(&self) -> Vec<String> {
        let tables = [
            "users",
            "resellers",
            "packages",
            "api_key_secrets",
            "services",
            "nas",
            "nas_resellers",
            "subscribers",
            "transactions",
            "renewals",
            "audit",
            "idempotency",
            "refresh_tokens",
        ];
        let keys = "SELECT id, user_id, name, permissions, scope, level, scopes, allowed_ips, enabled, revoked_at, generation, updated_at FROM api_keys";
        let sessions = "SELECT id, user_id, audience, token_hash, revoked_at FROM sessions";
        let database = self.world.home.open("panel.db");
        let whole = tables.map(|table| format!("SELECT * FROM {table}"));
        let mut rows = Vec::new();
        for select in whole.iter().map(String::as_str).chain([keys, sessions]) {
            let mut statement = database.prepare(select).unwrap();
            let columns = statement.column_count();
            let table = select.rsplit(' ').next().unwrap();
            let found = statement.query_map([], |row| {
                let cells =
                    (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at)).collect::<Result<Vec<_>, _>>()?;
                Ok(format!("{table}: {cells:?}"))
            });
            rows.extend(found.unwrap().map(Result::unwrap));
        }
        rows
    }
}
