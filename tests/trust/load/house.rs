//! A panel with people, keys of all styles and a few rows.

use std::net::SocketAddr;

use serde_json::json;

use super::client::Client;
use crate::home::Home;
use crate::server::Server;

pub const PASSWORD: &str = "violet-otter 1871";
pub const TRANSACTIONS: &str = "/api/v1/external/transactions";
pub const ACCOUNTS: &str = "/api/v1/billing/accounts";

pub struct House {
    pub home: Home,
    /// May do everything to subscribers.
    pub external: String,
    /// Of a reseller.
    pub of_reseller: String,
    pub panel: String,
    pub pair: (String, String),
}

impl House {
    pub fn new() -> Self {
        let home = Home::new();
        home.run_typing(&format!("{PASSWORD}\n"), ["user", "passwd", "admin", "--password-stdin"]);
        home.run_typing("correct horse battery\n", ["keyfile", "export", "--passphrase-stdin"]);
        home.add_user("rita", "reseller");
        home.ok(["user", "update", "rita", "--feature", "api=on"]);
        let mint = |options: &[&str]| home.ok(["--json", "key", "mint", "--rate", "0"].iter().chain(options)).json();
        let key = |options: &[&str]| mint(options)["key"].as_str().unwrap().to_owned();
        let external = key(&["--style", "external", "--user", "admin", "--scopes", "delete"]);
        let of_reseller = key(&["--style", "external", "--user", "rita", "--scopes", "write"]);
        let panel = key(&["--style", "panel", "--user", "admin", "--permissions", "all"]);
        let pair = mint(&["--style", "billing", "--user", "admin", "--level", "BILLING"]);
        let pair = ["key", "secret"].map(|name| pair[name].as_str().unwrap().to_owned());
        let [npk, nps] = pair;
        Self { home, external, of_reseller, panel, pair: (npk, nps) }
    }

    /// Limits of addresses are off, monitoring is on.
    pub fn serve_with(&self, further: &[(&str, &str)]) -> Server {
        let settings = [
            ("PANEL_METRICS__LISTEN", "127.0.0.1:0"),
            ("PANEL_LOG__LEVEL", "info"),
            ("PANEL_LIMITS__PER_IP_PER_MINUTE", "0"),
            ("PANEL_LIMITS__LOGIN_PER_MINUTE", "0"),
            ("PANEL_LIMITS__FAILURES_PER_MINUTE", "0"),
        ];
        self.home.serve_with(&[&settings, further].concat())
    }

    /// So many subscribers of the first plan: their ids begin at 1.
    pub fn fill(&self, server: &Server, subscribers: i64) {
        let mut client = Client::new(server.address);
        for at in 1..=subscribers {
            let body = json!({"username": format!("first-{at}"), "service_id": 1}).to_string();
            let made = client.ask("POST", crate::home::SUBSCRIBERS, &[("X-API-Key", &self.external)], &body);
            assert_eq!(made.status, 201, "{made:?}");
        }
    }
}

/// Where the metrics are.
pub fn metrics_of(server: &Server) -> SocketAddr {
    let said = server.said();
    let (_, after) = said.split_once("metrics on ").unwrap_or_else(|| panic!("not said: {said}"));
    let end = after.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(after.len());
    after[..end].parse().unwrap()
}

/// The token of a login at this path.
pub fn log_in(client: &mut Client, path: &str, name: &str) -> String {
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    let got = client.ask("POST", path, &[], &body);
    assert_eq!(got.status, 200, "{got:?}");
    got.json()["token"].as_str().unwrap().to_owned()
}

/// Lines in which the server said that it or its database is at fault, or that somebody waited for a lock. Refusals of dead
/// keys and sessions are asked for.
pub fn complaints(said: &str) -> Vec<&str> {
    let is_one = |line: &&str| {
        let lower = line.to_lowercase();
        let is_fault = line.contains("ERROR") || line.contains("WARN") && !line.contains("status=401");
        is_fault || lower.contains("locked") || lower.contains("busy")
    };
    said.lines().filter(is_one).collect()
}
