//! The core that the three styles of keys share (contract: keys.md).

mod can;
mod escalation;
mod fixes;
mod gate_table;
mod held_body;
mod limits;
mod log;
mod rotation;
mod styles;
mod suggest;
mod world;

pub use world::cases;

use panel::actions;
use panel::app::{App, Clock};
use panel::config::{Config, Synchronous};
use panel::crypto::random;
use panel::domain::encoding::hex;
use panel::domain::keys::{BillingScope, Grants, KeyDraft, KeyId, Level, NewSecret, Permission, Scope, Style};
use panel::domain::policy::operator;
use panel::store::WriteTx;
use rusqlite::Connection;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::support::{Request, SUBSCRIBERS, TestApp};

pub const USERS: &str = "/api/v1/users";
pub const ACCOUNTS: &str = "/api/v1/billing/accounts";

/// A key of any style, with what its owner was shown once.
#[derive(Debug, Clone)]
pub struct Minted {
    pub id: i64,
    /// How the command line names it.
    pub reference: String,
    pub style: Style,
    pub key: String,
    /// Billing only.
    pub secret: Option<String>,
}

impl Minted {
    /// The request with this key where its own surface looks for it.
    pub fn on(&self, request: Request) -> Request {
        match self.style {
            Style::External => request.header("x-api-key", &self.key),
            Style::Panel => request.header("authorization", format!("Bearer {}", self.key)),
            Style::Billing => request.header("x-api-key", &self.key).header("x-api-secret", self.shown()),
        }
    }

    pub fn get(&self) -> Request {
        self.on(Request::new("GET", list_of(self.style)))
    }

    /// What nobody may find anywhere.
    pub fn shown(&self) -> &str {
        self.secret.as_deref().unwrap_or(&self.key)
    }
}

/// A route that every key of the style may use, whatever it was given.
pub fn list_of(style: Style) -> &'static str {
    match style {
        Style::External => SUBSCRIBERS,
        Style::Panel => USERS,
        Style::Billing => ACCOUNTS,
    }
}

/// All that a key of the style can be given.
pub fn everything(style: Style) -> Grants {
    match style {
        Style::External => Grants::External(Scope::Delete),
        Style::Panel => Grants::Panel(vec![Permission::All]),
        Style::Billing => Grants::Billing { level: Level::SuperAdmin, scopes: vec![BillingScope::FullAccess] },
    }
}

/// The least that a key of the style can be given.
pub fn least(style: Style) -> Grants {
    match style {
        Style::External => Grants::External(Scope::Read),
        Style::Panel => Grants::Panel(vec![Permission::Read]),
        Style::Billing => Grants::Billing { level: Level::ReadOnly, scopes: Vec::new() },
    }
}

pub fn new_secret(style: Style) -> NewSecret {
    match style {
        Style::External => NewSecret::external(&random::bytes().unwrap()),
        Style::Panel => NewSecret::panel(&random::bytes().unwrap()),
        Style::Billing => NewSecret::billing(&random::bytes().unwrap(), &random::bytes().unwrap()),
    }
}

pub fn new_panel_id(style: Style) -> Option<String> {
    (style == Style::Panel).then(|| hex(&random::bytes::<8>().unwrap()))
}

fn plain(secret: &NewSecret) -> Option<String> {
    secret.secret.as_ref().map(|half| half.expose_secret().to_owned())
}

pub fn mint(app: &TestApp, owner: &str, grants: Grants) -> Minted {
    mint_draft(app, KeyDraft::new(owner, "test", grants, app.now()))
}

pub fn mint_draft(app: &TestApp, draft: KeyDraft) -> Minted {
    let style = draft.grants.style();
    let (secret, panel_id) = (new_secret(style), new_panel_id(style));
    let (key, half, public) = (secret.reveal().to_owned(), plain(&secret), panel_id.clone());
    let work =
        move |tx: &WriteTx<'_>| actions::keys::mint(tx, &operator("test"), &draft, &secret, panel_id.as_deref(), 60);
    let id = app.write(work).unwrap_or_else(|e| panic!("a {} key: {e}", style.as_str())).0;
    Minted { id, reference: public.unwrap_or_else(|| id.to_string()), style, key, secret: half }
}

/// The key with its new secret; the old one works so long.
pub fn rotate(app: &TestApp, old: &Minted, grace_millis: i64) -> Minted {
    let secret = match old.style {
        Style::Billing => NewSecret::billing_secret(&random::bytes().unwrap()),
        Style::External | Style::Panel => new_secret(old.style),
    };
    let mut new = Minted { secret: plain(&secret), ..old.clone() };
    if old.style != Style::Billing {
        secret.reveal().clone_into(&mut new.key);
    }
    let (id, now) = (KeyId(old.id), app.now());
    let work = move |tx: &WriteTx<'_>| actions::keys::rotate(tx, &operator("test"), id, &secret, grace_millis, 60, now);
    app.write(work).unwrap_or_else(|e| panic!("rotate {}: {e}", old.reference));
    new
}

pub fn revoke(app: &TestApp, key: &Minted) {
    let (id, now) = (KeyId(key.id), app.now());
    assert!(app.write(move |tx| actions::keys::revoke(tx, &operator("test"), id, now)).unwrap());
}

/// An application without a server at a fixed time, and a look into its database. The folder must outlive both.
fn app_alone(clock: Clock) -> (App, Connection, TempDir) {
    let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    let mut config = Config::default();
    config.database.path = folder.path().join("panel.db");
    config.database.synchronous = Synchronous::Normal;
    let app = App::open(config, clock).unwrap();
    let database = Connection::open(folder.path().join("panel.db")).unwrap();
    (app, database, folder)
}
