//! The request log: complete after its end, and never more or older than it may be.

use panel::domain::keys::KeyId;
use panel::domain::request_logs::NewLog;
use panel::domain::time::Timestamp;
use panel::store::request_logs::RequestLogs;

use crate::place::{NOW, Place};

const FILE: &str = "panel-logs.db";

fn open(place: &Place) -> RequestLogs {
    RequestLogs::open(&place.path(FILE)).unwrap()
}

fn row(at: Timestamp) -> NewLog<'static> {
    NewLog {
        at,
        key: Some((KeyId(3), 1)),
        method: "GET",
        route: "/api/v1/external/subscribers",
        path: "/api/v1/external/subscribers",
        status: 200,
        gate: None,
        ip: Some([192, 0, 2, 7].into()),
        latency_us: 412,
        request_id: "r-1",
    }
}

/// The instants of the rows that are there, oldest first.
fn kept(place: &Place) -> Vec<i64> {
    let database = place.look(FILE);
    let mut statement = database.prepare("SELECT at FROM api_key_logs ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_row_is_there_after_the_log_is_dropped_and_none_was_lost() {
    let place = Place::new();
    let logs = open(&place);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5_000).for_each(|_| logs.push(&row(NOW))));
        }
    });
    assert_eq!(logs.dropped(), 0);
    drop(logs);
    assert_eq!(kept(&place).len(), 20_000);
}

#[test]
fn a_row_keeps_every_column() {
    let place = Place::new();
    let logs = open(&place);
    logs.push(&NewLog { gate: Some("scope"), status: 403, method: "POST", ..row(NOW) });
    logs.push(&NewLog { ip: None, ..row(NOW) });
    logs.push(&NewLog { key: None, ..row(NOW) });
    drop(logs);
    let text =
        "SELECT group_concat(concat_ws(' ', at, key_id, generation, method, route, path, status, gate, ip, latency_us,
        request_id), '|') FROM api_key_logs";
    let all: String = place.look(FILE).query_row(text, [], |row| row.get(0)).unwrap();
    let route = "/api/v1/external/subscribers";
    assert_eq!(
        all,
        format!(
            "1778574151000 3 1 POST {route} {route} 403 scope 192.0.2.7 412 r-1|1778574151000 3 1 GET {route} {route} 200 412 r-1"
        )
    );
}

#[test]
fn a_row_can_be_read_within_a_second() {
    let place = Place::new();
    let logs = open(&place);
    logs.push(&row(NOW));
    let began = std::time::Instant::now();
    while kept(&place).is_empty() {
        assert!(began.elapsed().as_secs_f32() < 1.0, "not readable after a second");
        std::thread::yield_now();
    }
}

#[test]
fn rows_older_than_the_instant_are_deleted_and_the_one_of_the_instant_stays() {
    let place = Place::new();
    let logs = open(&place);
    for days in [91, 90, 89, 0] {
        logs.push(&row(NOW.plus_millis(-days * Timestamp::DAY)));
    }
    drop(logs);
    let logs = open(&place);
    logs.retain(NOW.plus_millis(-90 * Timestamp::DAY), 1_000);
    drop(logs);
    assert_eq!(kept(&place), [90, 89, 0].map(|days| NOW.plus_millis(-days * Timestamp::DAY).millis()));
}

#[test]
fn rows_beyond_the_newest_so_many_are_deleted() {
    let place = Place::new();
    let logs = open(&place);
    for turn in 0..100 {
        logs.push(&row(NOW.plus_millis(turn)));
    }
    drop(logs);
    for (max, left) in [(1_000, 100), (100, 100), (40, 40), (1, 1)] {
        let logs = open(&place);
        logs.retain(Timestamp(0), max);
        drop(logs);
        let kept = kept(&place);
        assert_eq!(kept.len(), left, "at most {max}");
        assert_eq!(kept.last(), Some(&NOW.plus_millis(99).millis()), "the newest stays");
    }
}
