//! The proof of a decision: who acts, and whose rows it may touch. Its fields are private, so only the evaluator
//! (and the few doors that are not the network's) can make one.

use std::net::IpAddr;
use std::sync::Arc;

use super::{KeyFacts, OwnerFacts};
use crate::domain::sessions::{Audience, SessionFacts};
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, UserId};

/// Where a request came from, for the audit row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub surface: &'static str,
    pub ip: Option<IpAddr>,
    pub request_id: String,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A stranger on an open route.
    Nobody,
    Key(Arc<KeyFacts>),
    /// A person who logged in.
    Session(Arc<SessionFacts>),
    /// Somebody with a shell on the box.
    Operator {
        name: String,
    },
    /// Whoever holds a setup link.
    Setup {
        user: UserId,
        name: String,
    },
    /// The process itself: bootstrap and jobs.
    System,
}

/// Whose rows may be seen and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    Nobodys,
    All,
    OfReseller(UserId),
    OfUser(UserId),
}

#[derive(Debug, Clone)]
pub struct Permit {
    actor: Actor,
    role: Role,
    rows: Rows,
    /// The reseller for whom somebody who sees all rows makes new ones; `None`: the house.
    makes_for: Option<UserId>,
    origin: Arc<Origin>,
}

impl Permit {
    pub(super) fn nobody(origin: Arc<Origin>) -> Self {
        Self { actor: Actor::Nobody, role: Role::User, rows: Rows::Nobodys, makes_for: None, origin }
    }

    pub(super) fn of_key(key: Arc<KeyFacts>, owner: &OwnerFacts, origin: Arc<Origin>) -> Self {
        Self { role: owner.role, rows: rows_of(owner), makes_for: None, origin, actor: Actor::Key(key) }
    }

    pub(super) fn of_session(session: Arc<SessionFacts>, origin: Arc<Origin>) -> Self {
        let (role, rows) = (session.user.role, rows_of(&session.user));
        Self { role, rows, makes_for: None, origin, actor: Actor::Session(session) }
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The key that acts, where one does.
    pub fn key(&self) -> Option<&KeyFacts> {
        match &self.actor {
            Actor::Key(key) => Some(key),
            Actor::Nobody | Actor::Session(_) | Actor::Operator { .. } | Actor::Setup { .. } | Actor::System => None,
        }
    }

    /// The session that acts, where one does.
    pub fn session(&self) -> Option<&SessionFacts> {
        match &self.actor {
            Actor::Session(session) => Some(session),
            Actor::Nobody | Actor::Key(_) | Actor::Operator { .. } | Actor::Setup { .. } | Actor::System => None,
        }
    }

    /// The account that acts, as the gates saw it.
    pub fn account(&self) -> Option<&OwnerFacts> {
        match &self.actor {
            Actor::Key(key) => key.owner.as_ref(),
            Actor::Session(session) => Some(&session.user),
            Actor::Nobody | Actor::Operator { .. } | Actor::Setup { .. } | Actor::System => None,
        }
    }

    /// The user in whose name it is done, where there is one.
    pub fn user(&self) -> Option<UserId> {
        match &self.actor {
            Actor::Setup { user, .. } => Some(*user),
            Actor::Key(_) | Actor::Session(_) | Actor::Nobody | Actor::Operator { .. } | Actor::System => {
                self.account().map(|account| account.id)
            }
        }
    }

    pub fn is_operator(&self) -> bool {
        matches!(self.actor, Actor::Operator { .. })
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn rows(&self) -> Rows {
        self.rows
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The same permit, with new rows made for this owner. It widens nothing: only who sees all rows can make them for
    /// another, everybody else keeps making their own.
    pub fn for_owner(&self, owner: Option<UserId>) -> Self {
        Self { makes_for: owner, ..self.clone() }
    }

    /// The owner of rows that this caller makes: the house for admins (unless they name one), else the reseller.
    pub fn owner_of_new_rows(&self) -> Option<UserId> {
        match self.rows {
            Rows::OfReseller(id) | Rows::OfUser(id) => Some(id),
            Rows::All => self.makes_for,
            Rows::Nobodys => None,
        }
    }

    /// Under whom an `Idempotency-Key` is kept: the key's id, or the user's for a session.
    pub fn idempotency_caller(&self) -> Option<String> {
        match &self.actor {
            Actor::Key(key) => Some(format!("key:{}", key.id)),
            Actor::Session(session) => Some(format!("user:{}", session.user.id)),
            Actor::Nobody | Actor::Operator { .. } | Actor::Setup { .. } | Actor::System => None,
        }
    }
}

fn rows_of(owner: &OwnerFacts) -> Rows {
    match owner.role {
        Role::Admin => Rows::All,
        Role::Reseller => Rows::OfReseller(owner.id),
        Role::User => Rows::OfUser(owner.id),
    }
}

fn local(surface: &'static str) -> Arc<Origin> {
    Arc::new(Origin { surface, ip: None, request_id: String::new() })
}

/// The command line's permit: a shell on the box may do everything, and the audit names the login.
pub fn operator(name: &str) -> Permit {
    Permit {
        actor: Actor::Operator { name: name.to_owned() },
        role: Role::Admin,
        rows: Rows::All,
        makes_for: None,
        origin: local("cli"),
    }
}

/// The process's own permit, for bootstrap and jobs.
pub fn system() -> Permit {
    Permit { actor: Actor::System, role: Role::Admin, rows: Rows::All, makes_for: None, origin: local("system") }
}

/// The permit of whoever holds a setup link: that user's own row, nothing else.
pub fn setup(user: UserId, name: &str, origin: Arc<Origin>) -> Permit {
    Permit {
        actor: Actor::Setup { user, name: name.to_owned() },
        role: Role::User,
        rows: Rows::OfUser(user),
        makes_for: None,
        origin,
    }
}

/// The permit of whoever has just shown the right password or refresh token.
pub fn logged_in(account: OwnerFacts, session: i64, audience: Audience, at: Timestamp, origin: Arc<Origin>) -> Permit {
    // Its token is not out yet, so nobody can have shown it.
    let facts = SessionFacts { id: session, id_hash: [0; 32], audience, user: account, created_at: at };
    Permit::of_session(Arc::new(facts), origin)
}

/// A reseller's permit without a key behind it, for tests of what only needs its rows.
#[cfg(test)]
pub fn reseller_for_tests(id: UserId, origin: Arc<Origin>) -> Permit {
    Permit { actor: Actor::System, role: Role::Reseller, rows: Rows::OfReseller(id), makes_for: None, origin }
}
