//! What a test finds in the database, and what it puts there.

use panel::actions::{self, users::Draft};
use panel::crypto::random;
use panel::domain::addresses::AllowList;
use panel::domain::encoding::hex;
use panel::domain::error::AppError;
use panel::domain::keys::{Grants, KeyDraft, KeyId, NewSecret, Scope};
use panel::domain::policy::operator;
use panel::domain::time::Timestamp;
use panel::domain::users::{Email, Role, Username};
use panel::store::{WriteTx, logs_path};
use rusqlite::{Connection, OpenFlags, Params};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::{Key, TestApp, instant_of};

/// A key beyond owner and scope.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewKey<'a> {
    pub ips: &'a [&'a str],
    pub expires: Option<&'a str>,
    pub rate: Option<u32>,
}

impl TestApp {
    fn open(&self) -> Connection {
        let connection = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        connection.busy_timeout(super::PATIENCE).unwrap();
        connection
    }

    /// A connection beside the server's, as the command line would have one.
    pub fn beside(&self) -> Connection {
        self.open()
    }

    pub fn count(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}"))
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.open().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    pub fn text(&self, sql: &str) -> Option<String> {
        self.open().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    pub fn blob(&self, sql: &str) -> Vec<u8> {
        self.open().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    pub fn change(&self, sql: &str, params: impl Params) {
        self.open().execute(sql, params).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    pub fn logged(&self) -> Vec<Value> {
        let connection = Connection::open(logs_path(&self.database)).unwrap();
        rows_of(&connection, "SELECT * FROM api_key_logs ORDER BY id")
    }

    pub fn rows(&self, sql: &str) -> Vec<Value> {
        rows_of(&self.open(), sql)
    }

    /// What must not move when a write is refused.
    pub fn footprint(&self) -> (Vec<i64>, Vec<Value>) {
        let tables = ["subscribers", "audit", "idempotency", "transactions", "services", "nas", "api_key_secrets"];
        let counts = tables.iter().chain(&["sessions", "refresh_tokens"]).map(|table| self.count(table));
        // Not when a key was last used: that is written whenever the job comes round.
        let keys =
            "SELECT id, user_id, name, permissions, allowed_ips, enabled, disabled_by_admin, expires_at, revoked_at,
                           rate_per_minute, generation, updated_at FROM api_keys";
        let living = "SELECT id FROM sessions WHERE revoked_at IS NULL";
        let whole = ["counters", "users", "resellers", "packages"].map(|table| format!("SELECT * FROM {table}"));
        let whole = whole.iter().map(String::as_str);
        let rows = whole.chain([keys, living]).flat_map(|select| self.rows(select));
        (counts.collect(), rows.collect())
    }

    /// Writes as the command line would, on the server's own database.
    pub fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&WriteTx<'_>) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let panel = &self.panel;
        // The test runs in a runtime, where a blocking write is not allowed.
        std::thread::scope(|scope| scope.spawn(|| panel.db.write_blocking(work)).join()).unwrap()
    }

    pub fn external_key(&self, user: &str, scope: &str) -> Key {
        self.key_with(user, scope, NewKey::default())
    }

    pub fn key_with(&self, user: &str, scope: &str, new: NewKey<'_>) -> Key {
        let draft = KeyDraft {
            allowed_ips: Some(AllowList::parse("ips", new.ips.iter().copied()).unwrap()),
            expires_at: Some(new.expires.map(instant_of)),
            rate_per_minute: new.rate,
            ..KeyDraft::new(user, "test", Grants::External(Scope::parse(scope).unwrap()), self.panel.now())
        };
        let secret = NewSecret::external(&random::bytes().unwrap());
        let plain = secret.key.expose_secret().to_owned();
        self.secrets.note(&plain);
        let id = self
            .write(move |tx| actions::keys::mint(tx, &operator("test"), &draft, &secret, None, 60))
            .unwrap_or_else(|e| panic!("a key for {user}: {e}"));
        Key { id: id.0, secret: Some(plain) }
    }

    pub fn revoke(&self, key: &Key) {
        let (id, now) = (KeyId(key.id), self.panel.now());
        assert!(self.write(move |tx| actions::keys::revoke(tx, &operator("test"), id, now)).unwrap());
    }

    pub fn user(&self, name: &str, role: Role, creator: Option<&str>) -> i64 {
        let email = Email::parse("email", &format!("{name}@example.com")).unwrap();
        let username = Username::parse("username", name).unwrap();
        let hash = "$argon2id$not-a-hash".to_owned();
        let draft = Draft::new(random::uid().unwrap(), username, email, hash, self.panel.now());
        let draft = Draft { role, creator: creator.map(str::to_owned), ..draft };
        self.write(move |tx| actions::users::add(tx, &operator("test"), &draft)).unwrap().id.0
    }

    pub fn reseller(&self, name: &str) -> i64 {
        self.user(name, Role::Reseller, Some("admin"))
    }

    pub fn service(&self, id: i64, period_value: i64, period_unit: &str) {
        self.change(
            "INSERT INTO services (id, name, name_key, period_value, period_unit, created_at, updated_at)
             VALUES (?1, 'Plan ' || ?1, 'plan ' || ?1, ?2, ?3, 0, 0)",
            (id, period_value, period_unit),
        );
    }

    pub fn nas(&self, id: i64) {
        self.change(
            "INSERT INTO nas (id, uid, name, name_key, ip_address, created_at, updated_at)
             VALUES (?1, zeroblob(16), 'nas' || ?1, 'nas' || ?1, '10.0.0.' || ?1, 0, 0)",
            [id],
        );
    }

    /// A session of a subscriber that is still open.
    pub fn online(&self, subscriber: i64, nas: i64, ip: &str) {
        self.change(
            "INSERT INTO access_sessions (session_id, subscriber_id, nas_id, framed_ip, started_at, updated_at)
             VALUES ('s' || ?1, ?1, ?2, ?3, 0, 0)",
            (subscriber, nas, ip),
        );
    }

    /// The subscriber's password as RADIUS will need it back.
    pub fn password_of(&self, subscriber: i64) -> String {
        let connection = self.open();
        let select = "SELECT uid, password_sealed FROM subscribers WHERE id = ?1";
        let (uid, sealed): ([u8; 16], Vec<u8>) =
            connection.query_row(select, [subscriber], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let opened = self.panel.sealer.open("subscribers", "password_sealed", &uid, &sealed).unwrap();
        self.secrets.note(opened.expose_secret());
        opened.expose_secret().to_owned()
    }

    pub fn now(&self) -> Timestamp {
        self.panel.now()
    }
}

fn rows_of(connection: &Connection, sql: &str) -> Vec<Value> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let value = |at: usize| match row.get(at).unwrap() {
            rusqlite::types::Value::Null => Value::Null,
            rusqlite::types::Value::Integer(number) => number.into(),
            rusqlite::types::Value::Text(text) => text.into(),
            rusqlite::types::Value::Blob(bytes) => hex(&bytes).into(),
            rusqlite::types::Value::Real(_) => panic!("{sql}: a float"),
        };
        found.push(Value::Object(Map::from_iter(names.iter().enumerate().map(|(at, name)| (name.clone(), value(at))))));
    }
    found
}
