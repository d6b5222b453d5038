//! The ledger under many callers and a killed server: what was acknowledged is there once, and every chain holds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::home::{DEADLINE, Home};

const CALLERS: usize = 64;
const SUBSCRIBERS: u64 = 50;
const CALLS: usize = 10_000;
/// How many are acknowledged when the server is killed.
const KILLED_AFTER: usize = 4_000;

/// How the caller makes sure that a repeat books nothing twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    Nothing,
    ExternalId,
    IdempotencyKey,
}

/// One movement; a repeat has the same number as its first.
#[derive(Debug, Clone)]
struct Movement {
    number: usize,
    guard: Guard,
    body: String,
}

/// The same movements every time: every fifth is guarded one way, every fifth the other, and half of those are repeated.
fn movements() -> Vec<Movement> {
    let mut state = 42_u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut all: Vec<Movement> = Vec::with_capacity(CALLS);
    let mut guarded = Vec::new();
    while all.len() < CALLS {
        if next(5) == 0 && !guarded.is_empty() {
            let at: usize = guarded[usize::try_from(next(guarded.len() as u64)).unwrap()];
            let again = all[at].clone();
            all.push(again);
            continue;
        }
        let number = all.len();
        let guard = match next(5) {
            0 | 1 => Guard::ExternalId,
            2 => Guard::IdempotencyKey,
            _ => Guard::Nothing,
        };
        let kinds = ["payment", "charge", "renewal", "refund"];
        let kind = kinds[usize::try_from(next(4)).unwrap()];
        let amount = format!("{}.{:02}", next(1000), 1 + next(99));
        let external_id = if guard == Guard::ExternalId { format!("\"e{number}\"") } else { "null".to_owned() };
        let body = format!(
            r#"{{"subscriber_id":{},"type":"{kind}","amount":{amount},"description":"{number}","external_id":{external_id}}}"#,
            1 + next(SUBSCRIBERS),
        );
        if guard != Guard::Nothing {
            guarded.push(number);
        }
        all.push(Movement { number, guard, body });
    }
    all
}

/// A connection that is kept.
struct Caller(BufReader<TcpStream>);

impl Caller {
    fn connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// Status and body; `None` where the connection broke and nobody knows what became of it.
    fn post(&mut self, key: &str, movement: &Movement) -> Option<(u16, String)> {
        let guard = match movement.guard {
            Guard::IdempotencyKey => format!("Idempotency-Key: i{}\r\n", movement.number),
            _ => String::new(),
        };
        let request = format!(
            "POST /api/v1/external/transactions HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{guard}\r\n{}",
            movement.body.len(),
            movement.body
        );
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some((status, String::from_utf8(body).unwrap()))
    }
}

/// What callers were told, by the number of the movement; and what was on the way when the server went.
#[derive(Default)]
struct Told {
    acknowledged: Vec<(usize, Value)>,
    unknown: Vec<Movement>,
}

/// Many callers post these until they are done or the server is gone, while `meanwhile` sees how many were answered.
/// Says how many were sent.
fn post(
    address: SocketAddr,
    key: &str,
    movements: &[Movement],
    told: &Mutex<Told>,
    meanwhile: impl FnOnce(&AtomicUsize),
) -> usize {
    let (next, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut caller = Caller::connect(address).unwrap();
                while let Some(movement) = movements.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let Some((status, body)) = caller.post(key, movement) else {
                        told.lock().unwrap().unknown.push(movement.clone());
                        break;
                    };
                    assert_eq!(status, 201, "{movement:?}: {body}");
                    let row = serde_json::from_str::<Value>(&body).unwrap()["data"].clone();
                    told.lock().unwrap().acknowledged.push((movement.number, row));
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        meanwhile(&answered);
    });
    next.into_inner().min(movements.len())
}

#[test]
fn what_was_acknowledged_is_booked_once_and_chains_hold_also_after_a_kill() {
    let home = Home::new();
    let settings = [("PANEL_LIMITS__PER_IP_PER_MINUTE", "0"), ("PANEL_LIMITS__PER_KEY_PER_MINUTE", "0")];
    let server = home.serve_with(&settings);
    let made = home
        .ok(["--json", "key", "mint", "--style", "external", "--user", "admin", "--scopes", "write", "--rate", "0"]);
    let key = made.json()["key"].as_str().unwrap().to_owned();
    for at in 0..SUBSCRIBERS {
        let made = server.create(&key, &json!({"username": format!("s{at}"), "service_id": 1}));
        assert_eq!(made.status, 201, "{made:?}");
    }
    let (movements, told) = (movements(), Mutex::new(Told::default()));
    let address = server.address;
    let sent = post(address, &key, &movements, &told, |answered| {
        while answered.load(Ordering::SeqCst) < KILLED_AFTER {
            std::thread::yield_now();
        }
        server.kill();
    });
    let unknown = std::mem::take(&mut told.lock().unwrap().unknown);
    assert!(
        !unknown.is_empty() && sent + 1000 < movements.len(),
        "killed in the middle: {sent} sent, {}",
        unknown.len()
    );

    // Nobody repeats what is not guarded: it is not known whether it was booked.
    let guarded = unknown.iter().filter(|movement| movement.guard != Guard::Nothing);
    let rest: Vec<_> = guarded.chain(&movements[sent..]).cloned().collect();
    let server = home.serve_with(&settings);
    assert_eq!(post(server.address, &key, &rest, &told, |_| {}), rest.len());
    server.kill();

    let told = told.into_inner().unwrap();
    let given_up = unknown.iter().filter(|movement| movement.guard == Guard::Nothing).count();
    assert_eq!((told.unknown.len(), told.acknowledged.len() + given_up), (0, CALLS));
    agrees(&home, &told.acknowledged, &unknown);
}

/// What was acknowledged against what is on the disk.
fn agrees(home: &Home, acknowledged: &[(usize, Value)], unknown: &[Movement]) {
    let database = home.open("panel.db");
    let select = "SELECT id, subscriber_id, type, amount, balance_before, balance_after, description FROM transactions ORDER BY id";
    let mut statement = database.prepare(select).unwrap();
    let (mut balances, mut booked): (BTreeMap<i64, i64>, BTreeMap<usize, (i64, i64)>) = Default::default();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let number = |at: usize| row.get::<_, i64>(at).unwrap();
        let (kind, label): (String, String) = (row.get(2).unwrap(), row.get(6).unwrap());
        let effect = if matches!(kind.as_str(), "payment" | "refund") { number(3) } else { -number(3) };
        let balance = balances.entry(number(1)).or_default();
        assert_eq!((number(4), number(5)), (*balance, *balance + effect), "row {} breaks the chain", number(0));
        *balance += effect;
        let twice = booked.insert(label.parse().unwrap(), (number(0), number(5)));
        assert!(twice.is_none(), "movement {label} is booked twice");
    }
    assert!(booked.len() > CALLS / 2, "most are no repeats: {}", booked.len());
    for (subscriber, balance) in &balances {
        let kept: i64 = home.value("panel.db", &format!("SELECT balance FROM subscribers WHERE id = {subscriber}"));
        assert_eq!(kept, *balance, "the balance of {subscriber} is the sum of its rows");
    }
    for (number, answer) in acknowledged {
        let (id, after) = booked.get(number).unwrap_or_else(|| panic!("{number} was acknowledged and is not there"));
        assert_eq!(answer["id"], *id, "movement {number}");
        assert_eq!(cents(&answer["balance_after"]), *after, "movement {number}");
    }
    let acknowledged: std::collections::BTreeSet<usize> = acknowledged.iter().map(|(number, _)| *number).collect();
    let open: usize = unknown.iter().filter(|movement| movement.guard == Guard::Nothing).count();
    let surplus = booked.keys().filter(|number| !acknowledged.contains(number)).count();
    assert!(
        surplus <= open.min(CALLERS),
        "{surplus} rows that nobody was told of, {CALLERS} were on the way at the kill"
    );
    let counted: i64 = home.value("panel.db", "SELECT transactions FROM transaction_counters WHERE owner_key = -1");
    assert_eq!(usize::try_from(counted).unwrap(), booked.len());
    let audited = home.count("audit WHERE action = 'transactions.create'");
    assert_eq!(usize::try_from(audited).unwrap(), booked.len());
    let check: String = home.value("panel.db", "PRAGMA integrity_check");
    assert_eq!(check, "ok");
}

/// Money in an answer, in hundredths.
fn cents(value: &Value) -> i64 {
    let text = value.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    let part = format!("{part:0<2}");
    let sign = if text.starts_with('-') { -1 } else { 1 };
    sign * (whole.trim_start_matches('-').parse::<i64>().unwrap() * 100 + part.parse::<i64>().unwrap())
}
