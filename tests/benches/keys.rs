//! What recognising a key costs: the same with ten keys as with a hundred thousand, and the same for an identifier that
//! is unknown as for a known one with a wrong secret. Run with `cargo bench --bench keys`; figures go to stdout.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops at the first surprise")]
#![expect(clippy::disallowed_types, reason = "fills the database past the store, which would take minutes")]
#![expect(clippy::print_stdout, reason = "the figures are its output")]
#![expect(clippy::float_arithmetic, reason = "statistics are not money")]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use panel::actions::keys::{Credential, verify};
use panel::app::{App, Clock};
use panel::config::Config;
use panel::domain::keys::hash_of;
use panel::domain::policy::Caller;
use rusqlite::Connection;
use tempfile::TempDir;

const MANY: u64 = 100_000;
const FEW: u64 = 10;

/// Times that one figure is made of.
const ROUNDS: u64 = 4_000;
const PAIRS: u64 = 20_000;

struct House {
    app: App,
    keys: u64,
    _folder: TempDir,
}

fn npk(number: u64) -> String {
    format!("npk_{:0>43}", spread(number))
}

fn nps(number: u64) -> String {
    format!("nps_{:0>64}", spread(number))
}

fn external(number: u64) -> String {
    format!("pk_live_{:032x}", spread(number))
}

/// Numbers that stand nowhere near each other, as random keys do.
fn spread(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

impl House {
    fn with(keys: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = Config::default();
        config.database.path = folder.path().join("panel.db");
        let app = App::open(config, Clock::default()).unwrap();
        let mut database = Connection::open(folder.path().join("panel.db")).unwrap();
        let all = database.transaction().unwrap();
        {
            let key =
                "INSERT INTO api_keys (style, user_id, name, display, scope, level, scopes, created_at, updated_at)
                       VALUES (?1, 1, 'bench', ?2, ?3, ?4, ?5, 0, 0) RETURNING id";
            let secret =
                "INSERT INTO api_key_secrets (key_id, generation, secret_hash, created_at) VALUES (?1, 1, ?2, 0)";
            let (mut key, mut secret) = (all.prepare(key).unwrap(), all.prepare(secret).unwrap());
            for number in 0..keys {
                let (external, npk) = (external(number), npk(number));
                let none = None::<&str>;
                let first = ("external", external.get(..12), Some("read"), none, none);
                let id: i64 = key.query_row(first, |row| row.get(0)).unwrap();
                secret.execute((id, hash_of(external.as_bytes()))).unwrap();
                let pair = ("billing", Some(npk.as_str()), none, Some("BILLING"), Some("account_creation"));
                let id: i64 = key.query_row(pair, |row| row.get(0)).unwrap();
                secret.execute((id, hash_of(nps(number).as_bytes()))).unwrap();
            }
        }
        all.commit().unwrap();
        Self { app, keys, _folder: folder }
    }

    /// Nanoseconds of one look, and what was found.
    fn look(&self, credential: &Credential<'_>) -> (f64, Caller) {
        let began = Instant::now();
        let caller = self.app.db.read(|tx| verify(tx, black_box(credential))).unwrap();
        (began.elapsed().as_secs_f64() * 1e9, caller)
    }

    fn whole(&self, turn: u64) -> f64 {
        let key = external(spread(turn) % self.keys);
        let (nanos, caller) = self.look(&Credential::Whole(key.as_bytes()));
        assert!(matches!(caller, Caller::Key(_)));
        nanos
    }

    fn pair(&self, turn: u64) -> f64 {
        let number = spread(turn) % self.keys;
        let (key, secret) = (npk(number), nps(number));
        let (nanos, caller) = self.look(&Credential::Pair { key: key.as_bytes(), secret: secret.as_bytes() });
        assert!(matches!(caller, Caller::Key(_)));
        nanos
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The fastest nine tenths: the rest is the machine's own business.
fn cropped(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times.truncate(times.len() * 9 / 10);
    times
}

fn mean_and_variance(times: &[f64]) -> (f64, f64, f64) {
    let count = f64::from(u32::try_from(times.len()).expect("a few thousand"));
    let mean = times.iter().sum::<f64>() / count;
    (count, mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

/// Welch's t; beyond 4.5 the two can be told apart.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let ((n1, m1, v1), (n2, m2, v2)) = (mean_and_variance(one), mean_and_variance(other));
    (m1 - m2) / (v1 / n1 + v2 / n2).sqrt()
}

/// A hundred thousand keys against ten, turn by turn.
fn growth(few: &House, many: &House) {
    type Look = fn(&House, u64) -> f64;
    for (name, look) in [("whole key", House::whole as Look), ("pair", House::pair)] {
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for turn in 0..ROUNDS {
            small.push(look(few, turn));
            large.push(look(many, turn));
        }
        let (small, large) = (median(small), median(large));
        println!(
            "{name}: {small:.0} ns with {} keys, {large:.0} ns with {}: {:.2} times",
            few.keys,
            many.keys,
            large / small
        );
        assert!(large < small * 3.0, "a lookup must not grow with the number of keys");
    }
}

/// An unknown identifier against a known one with a wrong secret, turn by turn, in an order that alternates.
fn leak(house: &House) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for turn in 0..PAIRS {
        let secret = nps(spread(turn) | 1 << 63);
        // Whoever measures asks for the same ones again and again.
        let (there, nowhere) = (npk(house.keys / 2), npk(house.keys + 1));
        let ask = |key: &str| house.look(&Credential::Pair { key: key.as_bytes(), secret: secret.as_bytes() });
        let (wrong, stranger) = if turn % 2 == 0 {
            let wrong = ask(&there);
            (wrong, ask(&nowhere))
        } else {
            let stranger = ask(&nowhere);
            (ask(&there), stranger)
        };
        assert!(matches!(wrong.1, Caller::WrongSecret(_)) && stranger.1 == Caller::Unknown);
        known.push(wrong.0);
        unknown.push(stranger.0);
    }
    let (known, unknown) = (cropped(known), cropped(unknown));
    let ((_, of_known, _), (_, of_unknown, _)) = (mean_and_variance(&known), mean_and_variance(&unknown));
    println!(
        "wrong secret: {of_known:.0} ns for a known npk_, {of_unknown:.0} ns for an unknown one, t = {:.1}",
        welch(&known, &unknown)
    );
}

/// The same over the wire, which is where somebody would measure it: the real binary, one connection, keep-alive.
fn leak_over_http() {
    let folder = TempDir::new().unwrap();
    let panel = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_panel"));
        command.args(words).current_dir(folder.path()).env("PANEL_SERVER__LISTEN", "127.0.0.1:0");
        command.envs([("PANEL_LIMITS__PER_IP_PER_MINUTE", "0"), ("PANEL_LIMITS__FAILURES_PER_MINUTE", "0")]);
        command.env("PANEL_LOG__LEVEL", "info").stderr(Stdio::piped());
        command
    };
    let minted = panel(&["key", "mint", "--style", "billing", "--user", "admin", "--json"]).output().unwrap();
    let minted: serde_json::Value = serde_json::from_slice(&minted.stdout).unwrap();
    let known = minted["key"].as_str().unwrap().to_owned();
    let mut server = panel(&["serve"]).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let address =
        lines.find_map(|line| line.unwrap().split_once("listening on ").map(|(_, at)| at.to_owned())).unwrap();
    // The rest of the log is read away, or the server would wait for somebody to read it.
    std::thread::spawn(move || lines.for_each(drop));
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_nodelay(true).unwrap();
    let mut ask = |npk: &str, turn: u64| {
        let secret = nps(spread(turn) | 1 << 63);
        let request = format!(
            "GET /api/v1/billing/whoami HTTP/1.1\r\nHost: x\r\nX-API-Key: {npk}\r\nX-API-Secret: {secret}\r\n\r\n"
        );
        let mut answer = [0; 2048];
        let began = Instant::now();
        connection.write_all(request.as_bytes()).unwrap();
        let read = connection.read(&mut answer).unwrap();
        let nanos = began.elapsed().as_nanos();
        assert!(answer[..read].starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer[..read]));
        f64::from(u32::try_from(nanos).unwrap())
    };
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    let unknown = npk(1 << 62);
    for turn in 0..PAIRS {
        if spread(turn) & 1 == 0 {
            hits.push(ask(&known, turn));
            misses.push(ask(&unknown, turn));
        } else {
            misses.push(ask(&unknown, turn));
            hits.push(ask(&known, turn));
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let (hits, misses) = (cropped(hits), cropped(misses));
    let t = welch(&hits, &misses);
    let (hit, miss) = (median(hits) / 1000.0, median(misses) / 1000.0);
    println!("wrong secret over HTTP: {hit:.1} µs for a known npk_, {miss:.1} µs for an unknown one, t = {t:.1}");
}

fn main() {
    leak_over_http();
    let (few, many) = (House::with(FEW), House::with(MANY));
    growth(&few, &many);
    leak(&few);
    leak(&many);
}
