//! A panel with some of everything, and credentials of every kind.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Who;
use crate::home::Home;
use crate::server::Server;
use crate::size;

const PASSWORD: &str = "correct horse battery";

/// Limits are shown elsewhere; here they would hide everything else.
const SETTINGS: [(&str, &str); 4] = [
    ("PANEL_LIMITS__PER_IP_PER_MINUTE", "0"),
    ("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0"),
    ("PANEL_LIMITS__FAILURES_PER_MINUTE", "0"),
    ("PANEL_LIMITS__LOGIN_PER_MINUTE", "0"),
];

/// Rows that there are of each, so that a run does not delete the last one at once.
const ROWS: usize = 8;

pub struct World {
    pub home: Home,
    pub server: Server,
    external: String,
    panel: String,
    billing: [String; 2],
    session: String,
    admin: String,
    cookie: String,
    /// The link where the first password is set.
    setup: String,
    /// Keys of `user0`, as paths name them.
    keys: Vec<String>,
    /// How the command line names the keys of the run.
    own: Vec<String>,
}

impl World {
    pub fn make() -> Self {
        let home = Home::new();
        home.secrets.note(PASSWORD);
        let server = home.serve_with(&SETTINGS);
        home.ok(["user", "list"]);
        let said = server.said();
        let setup = said.split("/setup/").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap().to_owned();
        let typed = home.run_typing(&format!("{PASSWORD}\n"), ["user", "passwd", "admin", "--password-stdin", "--yes"]);
        assert_eq!(typed.code, 0, "{typed:?}");
        let external = key(&home, "external", &["--scopes", "delete"]);
        let panel = key(&home, "panel", &["--permissions", "all"]);
        let billing = key(&home, "billing", &["--level", "SUPER_ADMIN"]);
        let text = |made: &Value, name: &str| made[name].as_str().unwrap().to_owned();
        let mut world = Self {
            own: [&external, &panel, &billing].map(|made| made["id"].to_string().replace('"', "")).into(),
            external: text(&external, "key"),
            panel: text(&panel, "key"),
            billing: ["key", "secret"].map(|name| text(&billing, name)),
            session: String::new(),
            admin: String::new(),
            cookie: String::new(),
            setup,
            keys: Vec::new(),
            home,
            server,
        };
        (world.session, _) = world.log_in("/api/v1/auth/login");
        (world.admin, world.cookie) = world.log_in("/api/auth/login");
        world.fill();
        world
    }

    /// Its token, and the cookie where there is one.
    fn log_in(&self, target: &str) -> (String, String) {
        let body = json!({"username": "admin", "password": PASSWORD}).to_string();
        let answer = self.server.send("POST", target, &[("Content-Type", "application/json")], &body);
        let cookie = answer.head.split("refresh_token=").nth(1).and_then(|rest| rest.split(';').next());
        (answer.json()["token"].as_str().unwrap().to_owned(), cookie.unwrap_or_default().to_owned())
    }

    fn fill(&mut self) {
        let panel = ("Authorization", format!("Bearer {}", self.session));
        let admin = ("Authorization", format!("Bearer {}", self.admin));
        let make = |(header, value): &(&str, String), target: &str, body: &Value| {
            let headers = [(*header, value.as_str()), ("Content-Type", "application/json")];
            let answer = self.server.send("POST", target, &headers, &body.to_string());
            assert_eq!(answer.status, 201, "{target} {body}: {answer:?}");
            answer.json()
        };
        let mut keys = Vec::new();
        for n in 0..ROWS {
            let person = |name: &str| json!({"username": format!("{name}{n}"), "email": format!("{name}{n}@example.com"), "password": PASSWORD});
            make(&panel, "/api/v1/resellers", &person("reseller"));
            make(&panel, "/api/v1/users", &person("user"));
            make(&panel, "/api/v1/packages", &json!({"name": format!("package{n}")}));
            let made = make(&panel, "/api/v1/users/user0/api-keys", &json!({"name": "k"}));
            keys.push(made["key"]["id"].as_str().unwrap().to_owned());
            make(&admin, "/api/services", &json!({"name": format!("service{n}"), "price": 25}));
            let nas =
                json!({"name": format!("nas{n}"), "ip_address": format!("192.0.2.{n}"), "secret": "a-radius-secret"});
            make(&admin, "/api/nas", &nas);
            let subscriber =
                json!({"username": format!("subscriber{n}"), "service_id": 1, "password": "auto-generate"});
            make(&admin, "/api/subscribers", &subscriber);
        }
        self.keys = keys;
    }

    /// What schemathesis is told: whom it is, and names that exist. Half of its own stay its own.
    pub fn settings(&self, who: Who, round: u64, examples: u32) -> String {
        let seed = std::env::var("PANEL_TRUST_SEED").map_or(1, |seed| seed.parse::<u64>().unwrap()) * 1_000 + round;
        let mut text = format!(
            "seed = {seed}\nworkers = 1\ncontinue-on-failure = true\nrequest-timeout = 30\nwarnings = false\n\n\
             [headers]\n"
        );
        for (name, value) in self.credentials(who) {
            let _ = writeln!(text, "{name} = {value:?}");
        }
        if who == Who::Nobody {
            let _ = writeln!(text, "\n[auth.openapi.refreshCookie]\napi_key = {:?}", self.cookie);
        }
        let _ = write!(
            text,
            "\n[generation]\nmax-examples = {examples}\ndatabase = \"none\"\nno-shrink = true\n\n\
             [output.sanitization]\nenabled = false\n\n[output.truncation]\nenabled = false\n\n\
             [phases]\ncoverage.enabled = {}\nstateful.enabled = false\n\n\
             [checks]\n\
             # What exists, what belongs together and which passwords are good no schema can say.\n\
             positive_data_acceptance.enabled = false\n\n",
            size::is_long(),
        );
        let rows = |name: &str| (0..ROWS).map(|n| format!("{name}{n}")).collect::<Vec<_>>();
        // Half of them the one who has keys.
        let owners = vec!["user0".to_owned(); 2 * ROWS];
        let people =
            if who == Who::External { rows("subscriber") } else { [rows("user"), rows("reseller"), owners].concat() };
        let (packages, setup) = (json!(rows("package")), json!([self.setup]));
        let ids: Vec<_> = (1..=20).collect();
        // The one id that is a text, because of panel keys.
        let keys: Vec<_> = ids.iter().map(ToString::to_string).chain(self.keys.clone()).collect();
        let words = [("id", json!(ids)), ("username", json!(people)), ("name", packages), ("token", setup)];
        let _ = writeln!(text, "[dictionaries]");
        for (name, values) in &words {
            let _ = writeln!(text, "{name}.values = {values}");
        }
        let _ = writeln!(text, "keys.values = {}", json!(keys));
        let _ = writeln!(text, "admin.values = [\"admin\"]\npassword.values = [{PASSWORD:?}]\n\n[parameters]");
        for (name, _) in &words {
            let _ = writeln!(text, "\"path.{name}\" = {{ dictionary = \"{name}\", probability = 0.5 }}");
        }
        let _ = writeln!(
            text,
            "\n[[operations]]\ninclude-path-regex = \"/api-keys/\"\n\
             parameters.\"path.id\" = {{ dictionary = \"keys\", probability = 0.5 }}"
        );
        // Nobody guesses what opens these.
        let _ = writeln!(
            text,
            "\n[[operations]]\ninclude-operation-id-regex = \"_auth_(login|login_json|password)$\"\n\
             parameters.\"body.username\" = {{ dictionary = \"admin\", probability = 0.7 }}\n\
             parameters.\"body.password\" = {{ dictionary = \"password\", probability = 0.7 }}\n\
             parameters.\"body.current_password\" = {{ dictionary = \"password\", probability = 0.7 }}"
        );
        for (tag, headers) in self.credentials_by_tag(who) {
            let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
            let _ = writeln!(text, "\n[[operations]]\ninclude-tag = {tag:?}\nheaders = {{ {} }}", headers.join(", "));
        }
        text
    }

    fn credentials(&self, who: Who) -> Vec<(&'static str, String)> {
        let bearer = |token: &str| ("Authorization", format!("Bearer {token}"));
        let [id, secret] = &self.billing;
        let pair = |id: &str, secret: &str| vec![("X-API-Key", id.to_owned()), ("X-API-Secret", secret.to_owned())];
        match who {
            Who::External => vec![("X-API-Key", self.external.clone())],
            Who::PanelKey => vec![bearer(&self.panel)],
            Who::PanelSession => vec![bearer(&self.session)],
            Who::Billing => pair(id, secret),
            Who::Admin => vec![bearer(&self.admin)],
            // Its cookie goes where the description has it.
            Who::Nobody => Vec::new(),
            Who::Unknown => {
                [pair(&format!("pk_live_{}", "0".repeat(32)), "nps_nobody"), vec![bearer("wsp_nobody")]].concat()
            }
            Who::Garbage => [pair("?", "x"), vec![("Authorization", "Basic YTpi".to_owned())]].concat(),
            Who::Swapped => [pair(&self.panel, &self.external), vec![bearer(&self.external)]].concat(),
            Who::Dead => {
                self.home.ok(["user", "passwd", "admin", "--yes"]);
                self.own.iter().for_each(|id| drop(self.home.ok(["key", "revoke", id, "--yes"])));
                vec![("X-API-Key", self.external.clone())]
            }
        }
    }

    /// What one header cannot show all surfaces at once.
    fn credentials_by_tag(&self, who: Who) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
        let bearer = |token: &str| vec![("Authorization", format!("Bearer {token}"))];
        let [id, secret] = &self.billing;
        match who {
            Who::Swapped => vec![("Panel", bearer(&self.admin)), ("Admin", bearer(&self.session))],
            Who::Dead => vec![
                ("Billing", vec![("X-API-Key", id.clone()), ("X-API-Secret", secret.clone())]),
                ("Panel", bearer(&self.panel)),
                ("Admin", bearer(&self.admin)),
            ],
            _ => Vec::new(),
        }
    }

    /// Alive, healthy, whole, and it ends when it is asked to.
    pub fn is_well(&mut self) {
        let health = self.server.send("GET", "/api/health", &[], "");
        assert_eq!(health.status, 200, "{health:?}");
        assert_eq!(self.server.stop(), Some(0), "{}", self.server.said());
        let whole: String = self.home.value("panel.db", "PRAGMA integrity_check");
        assert_eq!(whole, "ok");
        assert!(!self.server.said().contains("panicked"), "{}", self.server.said());
    }
}

fn key(home: &Home, style: &str, options: &[&str]) -> Value {
    let mint = ["--json", "key", "mint", "--user", "admin", "--rate", "0", "--style", style];
    home.ok(mint.iter().chain(options)).json()
}
