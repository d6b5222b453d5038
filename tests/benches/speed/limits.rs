//! What the panel is held against: the same bytes from memory, and the same statements without a server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::client;

/// Limit 1: answers everything with what is in the file, an answer as the panel gave it. Runs until it is ended.
pub fn serve(answer: &Path, address: SocketAddr) -> std::io::Result<()> {
    let answer = fs::read(answer)?;
    let (head, body) = client::split(&answer).unwrap();
    // These the server writes itself, as it does for the panel.
    let own = ["content-length", "date", "connection"];
    let headers = client::headers(head).filter(|(name, _)| !own.iter().any(|own| name.eq_ignore_ascii_case(own)));
    let header =
        |(name, value): (&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    let headers: Vec<_> = headers.map(header).collect();
    let body = Bytes::copy_from_slice(body);
    let app = move || {
        let (headers, body) = (headers.clone(), body.clone());
        let answer = move || {
            let mut response = HttpResponse::build(StatusCode::OK);
            for (name, value) in &headers {
                response.insert_header((name.clone(), value.clone()));
            }
            std::future::ready(response.body(body.clone()))
        };
        App::new().default_service(web::to(answer))
    };
    let workers = std::thread::available_parallelism().map_or(1, Into::into);
    // Patience as the panel's; it decides which timers run.
    let server = HttpServer::new(app)
        .workers(workers)
        .client_request_timeout(Duration::from_secs(5))
        .keep_alive(Duration::from_secs(75))
        .bind(address)?;
    actix_web::rt::System::new().block_on(server.run())
}

// The store's statements of one create, word for word but for white space.
const SUBSCRIBER: &str = "
    INSERT INTO subscribers (uid, owner_id, username, username_key, password_sealed, full_name, phone, address, email, note,
                             external_id, created_values, service_id, nas_id, mac_address, expiry_date, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17)
    ON CONFLICT DO NOTHING
    RETURNING id";
const COUNTER: &str = "
    INSERT INTO counters (owner_key, status, expiry_date, subscribers) VALUES (?1, ?2, ?3, 1)
    ON CONFLICT (owner_key, status, expiry_date) DO UPDATE SET subscribers = subscribers + 1";
const AUDIT: &str = "
    INSERT INTO audit (at, actor_kind, actor_user_id, actor_key_id, actor_name, surface, action, object_kind, object_id,
                       before, after, ip, request_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const IDEMPOTENCY: &str = "
    INSERT INTO idempotency (caller, method, target, header, body_sha256, status, answer, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (caller, method, target, header) DO UPDATE
    SET body_sha256 = excluded.body_sha256, status = excluded.status, answer = excluded.answer, created_at = excluded.created_at";

// What the panel itself stored of a create.
const LAST_SUBSCRIBER: &str = "
    SELECT uid, owner_id, username, username_key, password_sealed, full_name, phone, address, email, note, external_id,
           created_values, service_id, nas_id, mac_address, expiry_date, created_at
    FROM subscribers ORDER BY id DESC LIMIT 1";
const LAST_AUDIT: &str = "
    SELECT at, actor_kind, actor_user_id, actor_key_id, actor_name, surface, action, object_kind, object_id, before, after,
           ip, request_id
    FROM audit WHERE action = 'subscribers.create' ORDER BY id DESC LIMIT 1";
const LAST_ANSWER: &str = "
    SELECT caller, method, target, header, body_sha256, status, answer, created_at FROM idempotency LIMIT 1";

/// Limit 2: the rows of a create, as the panel made them, written by one connection without a server around it.
pub struct Raw {
    connection: Connection,
    subscriber: Vec<Value>,
    audit: Vec<Value>,
    answer: Vec<Value>,
    made: u64,
}

impl Raw {
    /// Takes the rows from the panel's database, and writes copies of them into its own.
    pub fn open(path: &Path, of_panel: &Path) -> Self {
        let theirs = Connection::open(of_panel).unwrap();
        let last = |statement: &str| {
            let mut statement = theirs.prepare(statement).unwrap();
            let columns = statement.column_count();
            statement.query_row([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap()
        };
        Self {
            connection: connect(path),
            subscriber: last(LAST_SUBSCRIBER),
            audit: last(LAST_AUDIT),
            answer: last(LAST_ANSWER),
            made: 0,
        }
    }

    /// Creates a second, in groups of this mean size.
    pub fn creates(&mut self, mean: f64, lasting: Duration) -> f64 {
        let (began, mut groups, before) = (Instant::now(), 0.0, self.made);
        while began.elapsed() < lasting {
            groups += 1.0;
            execute(&self.connection, "BEGIN IMMEDIATE");
            while ((self.made - before) as f64) < groups * mean {
                self.create();
            }
            execute(&self.connection, "COMMIT");
        }
        (self.made - before) as f64 / began.elapsed().as_secs_f64()
    }

    fn create(&mut self) {
        self.made += 1;
        let name = format!("raw-{:010}", self.made);
        let login = Value::Text(format!("{name}@example.net"));
        (self.subscriber[2], self.subscriber[3]) = (login.clone(), login);
        let mut insert = self.connection.prepare_cached(SUBSCRIBER).unwrap();
        let id: i64 = insert.query_row(params_from_iter(&self.subscriber), |row| row.get(0)).unwrap();
        let mut count = self.connection.prepare_cached(COUNTER).unwrap();
        for owner in [-1, 0] {
            count.execute((owner, 1, &self.subscriber[15])).unwrap();
        }
        self.audit[8] = Value::Integer(id);
        self.connection.prepare_cached(AUDIT).unwrap().execute(params_from_iter(&self.audit)).unwrap();
        self.answer[3] = Value::Text(name);
        self.connection.prepare_cached(IDEMPOTENCY).unwrap().execute(params_from_iter(&self.answer)).unwrap();
    }
}

/// The median of one commit of one small row, in milliseconds.
pub fn commit_ms(path: &Path, lasting: Duration) -> f64 {
    let connection = connect(path);
    connection.execute_batch("CREATE TABLE IF NOT EXISTS commits (id INTEGER PRIMARY KEY, value TEXT) STRICT").unwrap();
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < lasting {
        let one = Instant::now();
        connection.prepare_cached("INSERT INTO commits (value) VALUES ('a small row')").unwrap().execute([]).unwrap();
        times.push(one.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// With the settings of the panel's writer.
fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    for (pragma, value) in [("journal_mode", "WAL"), ("synchronous", "FULL")] {
        connection.pragma_update(None, pragma, value).unwrap();
    }
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection.pragma_update(None, "trusted_schema", false).unwrap();
    connection.pragma_update(None, "temp_store", "MEMORY").unwrap();
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024).unwrap();
    connection.set_prepared_statement_cache_capacity(256);
    connection
}

fn execute(connection: &Connection, statement: &'static str) {
    connection.prepare_cached(statement).unwrap().execute([]).unwrap();
}
