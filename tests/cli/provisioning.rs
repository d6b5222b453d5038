//! The seed's troubleshooting page at the prompt: what a refused provisioning says, `panel key can` says too, and the
//! `fix` that both print makes the next one work while the server runs on.

use serde_json::{Value, json};

use crate::home::Home;
use crate::raw_http::{self, Answer};
use crate::server::Server;

const ACCOUNTS: &str = "/api/v1/billing/accounts";

/// The seed's test command.
fn provision(server: &Server, key: &Value, name: &str) -> Answer {
    let headers = [
        ("X-API-Key", key["key"].as_str().unwrap()),
        ("X-API-Secret", key["secret"].as_str().unwrap()),
        ("Content-Type", "application/json"),
    ];
    let body = json!({"username": name, "email": format!("{name}@example.com"), "password": "TestPass123!",
        "full_name": "Test User"});
    raw_http::send(server.address, "POST", ACCOUNTS, &headers, &body.to_string())
}

/// Gates and fixes, of a refusal's `denied` and of a table's failing lines alike.
fn failing(entries: &Value) -> Vec<(String, String)> {
    let word = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let list = entries.as_array().unwrap().iter().filter(|entry| entry.get("result").is_none_or(|r| r == "FAIL"));
    list.map(|entry| (word(entry, "gate"), word(entry, "fix"))).collect()
}

fn typed(home: &Home, line: &str) {
    home.ok(line.split(' ').skip(1));
}

#[test]
fn a_refused_provisioning_is_explained_at_the_prompt_and_fixed_there() {
    let home = Home::new();
    home.add_user("rex", "reseller");
    let server = home.serve();
    let mint = ["--json", "key", "mint", "--style", "billing", "--user", "rex", "--level", "BILLING"];
    let key = home.ok(mint).json();
    let id = key["id"].to_string();
    assert_eq!(provision(&server, &key, "before").status, 201);
    for (at, (wrong, detail)) in [
        ("panel key update {} --level DEVELOPER", "The user doesn't have super admin privileges"),
        ("panel key update {} --scopes user_management", "Missing scope: account_creation"),
        ("panel key update {} --add-ip 192.168.10.203", "IP address not allowed: 127.0.0.1"),
        ("panel key update {} --disable", "API key is inactive"),
        ("panel user suspend rex", "Account is suspended"),
        ("panel user update rex --feature api=off", "API access is disabled for this account"),
        ("", "API key has expired"),
    ]
    .into_iter()
    .enumerate()
    {
        if wrong.is_empty() {
            // An expiry can only be set into the future, so the clock is moved by hand.
            home.open("panel.db").execute("UPDATE api_keys SET expires_at = 1", []).unwrap();
        } else {
            typed(&home, &wrong.replace("{}", &id));
        }
        let name = format!("cust{at}");

        let refused = provision(&server, &key, &name).json();
        assert_eq!(refused["detail"], detail, "{wrong}");
        let asked = home.run(["--json", "key", "can", &id, "POST", ACCOUNTS, "--from", "127.0.0.1"]);
        assert_eq!((asked.code, failing(&asked.json()["gates"])), (1, failing(&refused["denied"])), "{wrong}");
        for (_, fix) in failing(&refused["denied"]) {
            typed(&home, &fix);
        }

        let made = provision(&server, &key, &name);
        assert_eq!(made.status, 201, "{wrong}: {}", made.body);
        home.ok(["--json", "key", "can", &id, "POST", ACCOUNTS, "--from", "127.0.0.1"]);
    }
    assert_eq!(home.count("users"), 2 + 8);
}
