//! The machine's clock jumps while the panel serves: a battery that died, a wrong time server, and each of them put right.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http::Answer;
use crate::server::Server;
use crate::truth::broken;

const LOGIN: &str = "/api/auth/login/json";
const PASSWORD: &str = "a-long-password-7";

/// By how many years it is wrong, one after the other.
const JUMPS: [i64; 7] = [0, -20, 0, 10, -20, 10, 0];
const YEAR_SECONDS: i64 = 31_557_600;

/// Builds what moves the clock of the process it is loaded into.
fn build_mover(home: &Home) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trust/clock.c");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]);
    let built = command.arg(home.path("clock.so")).arg(source).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

struct World {
    home: Home,
    server: Server,
    key: String,
    limited: String,
    expiring: String,
}

impl World {
    fn new() -> Self {
        let home = Home::with_database();
        let mint = |more: &[&str]| {
            let made = [&["--json", "key", "mint", "--style", "external", "--user", "admin"], more].concat();
            home.ok(made).json()["key"].as_str().unwrap().to_owned()
        };
        let key = mint(&["--scopes", "delete", "--rate", "0"]);
        let limited = mint(&["--scopes", "read", "--rate", "2", "--rate-hour", "1000"]);
        let expiring = mint(&["--scopes", "read", "--expires", "7d"]);
        home.run_typing(&format!("{PASSWORD}\n"), ["user", "passwd", "admin", "--password-stdin"]);
        home.ok(["service", "add", "paid", "--price", "7.50"]);
        home.write("clock", 0_i64.to_ne_bytes());
        build_mover(&home);
        let mut command = home.command(["serve"]);
        command.env("LD_PRELOAD", home.path("clock.so")).env("PANEL_CLOCK", home.path("clock"));
        command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0").env("PANEL_LIMITS__FAILURES_PER_MINUTE", "0");
        command.env("PANEL_LIMITS__LOGIN_PER_MINUTE", "0");
        let server = home.start(command);
        Self { home, server, key, limited, expiring }
    }

    fn move_clock(&self, years: i64) {
        let file = OpenOptions::new().write(true).open(self.home.path("clock")).unwrap();
        file.write_all_at(&(years * YEAR_SECONDS).to_ne_bytes(), 0).unwrap();
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("X-API-Key", self.key.as_str()), ("Content-Type", "application/json")];
        self.server.send("POST", path, &headers, &body.to_string())
    }

    fn log_in(&self, name: &str, password: &str) -> Answer {
        let body = json!({"username": name, "password": password}).to_string();
        self.server.send("POST", LOGIN, &[("Content-Type", "application/json")], &body)
    }

    /// The year of the panel's clock, as its answers say it.
    fn year(&self) -> i64 {
        let answer = self.server.get("/api/v1/external/services", &self.key);
        let text = answer.json()["timestamp"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        text[..4].parse().unwrap()
    }
}

#[test]
fn a_clock_that_jumps_stops_nobody() {
    let world = World::new();
    let this_year = world.year();
    for (at, years) in JUMPS.into_iter().enumerate() {
        world.move_clock(years);
        assert_eq!(world.year(), this_year + years, "the panel's clock is where it was put");

        let made = world.post(SUBSCRIBERS, &json!({"username": format!("ada{at}"), "service_id": 2}));
        assert_eq!(made.status, 201, "{years} years: {made:?}");
        let id = made.json()["data"]["id"].clone();
        let seen = world.server.get(&format!("{SUBSCRIBERS}/{id}"), &world.key);
        assert_eq!((seen.status, &seen.json()["data"]["status"]), (200, &json!(1)), "{years} years: {seen:?}");
        let paid =
            world.post("/api/v1/external/transactions", &json!({"subscriber_id": 1, "type": "payment", "amount": 5}));
        assert_eq!(paid.status, 201, "{years} years: {paid:?}");
        let renewed = world.post(&format!("{SUBSCRIBERS}/1/renew"), &json!({"periods": 1}));
        assert_eq!(renewed.status, 200, "{years} years: {renewed:?}");

        // A window that began at another time holds nobody back, and this one is counted as always.
        for status in [200, 200, 429] {
            let answer = world.server.get(SUBSCRIBERS, &world.limited);
            assert_eq!(answer.status, status, "{years} years: {answer:?}");
        }
        let expired = world.server.get(SUBSCRIBERS, &world.expiring);
        assert_eq!(expired.status, if years > 0 { 401 } else { 200 }, "{years} years: {expired:?}");

        let owner = world.log_in("admin", PASSWORD);
        assert_eq!(owner.status, 200, "{years} years: the owner gets in: {owner:?}");
        let token = format!("Bearer {}", owner.json()["access_token"].as_str().unwrap());
        assert_eq!(
            world.server.send("GET", "/api/auth/me", &[("Authorization", &token)], "").status,
            200,
            "{years} years"
        );
        let locked = (0..7).map(|_| world.log_in("admin", "not-the-password").status).last();
        assert_eq!(locked, Some(429), "{years} years: and who guesses is held up");
        let health = world.server.send("GET", "/api/v1/external/system/health", &[("X-API-Key", &world.key)], "");
        assert_eq!(health.status, 200, "{years} years: {health:?}");
    }
    let said = world.server.said();
    assert!(!said.contains("ERROR") && !said.contains("panicked"), "{said}");
    let World { home, mut server, .. } = world;
    assert_eq!(server.stop(), Some(0));
    assert_eq!(broken(&home.open("panel.db")), [""; 0]);
    assert_eq!(home.count("subscribers"), i64::try_from(JUMPS.len()).unwrap());
    assert_eq!(home.count("transactions"), 2 * i64::try_from(JUMPS.len()).unwrap());
}
