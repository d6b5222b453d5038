//! A folder with a database in it, and the rows that tests write there.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use panel::actions::{self, keys::Credential, subscribers::Change};
use panel::domain::error::AppError;
use panel::domain::keys::{Grants, KeyDraft, NewSecret, Scope};
use panel::domain::money::Money;
use panel::domain::policy::{self, Asked, Origin, Permit};
use panel::domain::routes::Surface;
use panel::domain::services::{NewService, Period, ServiceId};
use panel::domain::subscribers::{Login, NewSubscriber};
use panel::domain::time::{Date, Timestamp};
use panel::domain::users::{Email, Role, Username};
use panel::store::{Db, Options, Synchronous, WriteTx};
use rusqlite::types::FromSql;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// 2026-05-12, in the morning.
pub const NOW: Timestamp = Timestamp(1_778_574_151_000);

pub struct Place(TempDir);

pub fn today() -> Date {
    NOW.date_in(chrono_tz::Tz::UTC)
}

pub fn date(text: &str) -> Date {
    Date::parse("date", text).unwrap()
}

pub fn operator() -> Permit {
    policy::operator("tests")
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn options(&self) -> Options {
        Options {
            path: self.path("panel.db"),
            synchronous: Synchronous::Full,
            fast_readers: 2,
            slow_readers: 2,
            queue: panel::store::QUEUE,
            backup_to: Some((self.path("backups"), NOW)),
        }
    }

    pub fn open(&self) -> Db {
        self.open_with(&self.options())
    }

    /// With the rows that every panel begins with.
    pub fn open_with(&self, options: &Options) -> Db {
        let db = Db::open(options).unwrap();
        db.write_blocking(|tx| actions::bootstrap::run(tx, [1; 16], NOW)).unwrap();
        db
    }

    /// A connection of another program's.
    pub fn look(&self, file: &str) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path(file)).unwrap()
    }

    pub fn value<T: FromSql>(&self, statement: &str) -> T {
        self.look("panel.db").query_row(statement, [], |row| row.get(0)).unwrap()
    }

    pub fn count(&self, table: &str) -> i64 {
        self.value(&format!("SELECT count(*) FROM {table}"))
    }

    /// Holds the write lock, as another process may, until the connection is dropped.
    pub fn lock(&self) -> rusqlite::Connection {
        let other = self.look("panel.db");
        other.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    }
}

/// A plan: the smallest write there is, with its audit row.
pub fn service(name: &str) -> NewService {
    NewService {
        name: name.to_owned(),
        download_speed: 0,
        upload_speed: 0,
        price: Money(0),
        daily_quota: 0,
        monthly_quota: 0,
        period: Period::Months(1),
    }
}

pub fn add_service(tx: &WriteTx<'_>, name: &str) -> Result<ServiceId, AppError> {
    actions::services::add(tx, &operator(), &service(name), NOW)
}

/// A subscriber of the first plan, nothing else given.
pub fn subscriber(username: &str) -> NewSubscriber {
    NewSubscriber {
        draft: Change::default().into_draft(Login::parse("username", username).unwrap(), ServiceId(1)),
        uid: rand::random(),
        password_sealed: vec![0; 40],
        now: NOW,
        today: today(),
    }
}

pub fn create(db: &Db, permit: &Permit, new: NewSubscriber) -> Result<actions::subscribers::Created, AppError> {
    let permit = permit.clone();
    db.write_blocking(move |tx| actions::subscribers::create(tx, &permit, &new))
}

/// The permit of a new reseller's key, got the way a request gets it.
pub fn reseller(db: &Db, name: &str) -> Permit {
    let username = Username::parse("username", name).unwrap();
    let email = Email::parse("email", &format!("{name}@example.com")).unwrap();
    let draft = actions::users::Draft::new(rand::random(), username, email, "none".to_owned(), NOW);
    let draft = actions::users::Draft { role: Role::Reseller, ..draft };
    db.write_blocking(move |tx| actions::users::add(tx, &operator(), &draft)).unwrap();
    let draft = KeyDraft::new(name, "API Key", Grants::External(Scope::Delete), NOW);
    let secret = NewSecret::external(&rand::random());
    let key = secret.reveal().to_owned();
    db.write_blocking(move |tx| actions::keys::mint(tx, &operator(), &draft, &secret, None, 60)).unwrap();
    let caller = db.read(|tx| actions::keys::verify(tx, &Credential::Whole(key.as_bytes()))).unwrap();
    let route = Surface::External.routes().iter().find(|route| route.action == "subscribers.create").unwrap();
    let origin = Arc::new(Origin { surface: "external", ip: None, request_id: "tests".to_owned() });
    let asked = Asked { caller: &caller, route, ip: None, limits: &[], now: NOW };
    policy::evaluate(&asked, origin).unwrap_or_else(|denial| panic!("{denial:?}"))
}

/// Keeps the time of those who wait.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

/// A write that waits in the queue for its turn.
pub type Waiting<'d, T> = Pin<Box<dyn Future<Output = Result<T, AppError>> + 'd>>;

/// Hands a write in without waiting for it; an error is an answer that came at once.
pub fn hand_in<'d, T: Send + 'static>(
    db: &'d Db,
    work: impl Fn(&WriteTx<'_>) -> Result<T, AppError> + Send + 'static,
) -> Result<Waiting<'d, T>, AppError> {
    let mut write: Waiting<'d, T> = Box::pin(db.write(work));
    let _inside = RUNTIME.enter();
    match write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => Ok(write),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(_)) => panic!("it was to wait"),
    }
}

pub fn outcome<T>(write: Waiting<'_, T>) -> Result<T, AppError> {
    RUNTIME.block_on(write)
}
