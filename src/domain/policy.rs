//! The decision: thirteen gates in one order, the same for the door, for `key can` and for whoever asks what a key may do.
//! A pure function of its arguments: it reads neither clock nor database (contract: keys.md, The decision).

pub mod escalation;
mod gates;
mod permit;
mod refusal;
mod sessions;
pub mod suggest;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use super::addresses::AllowList;
use super::keys::{Grants, KeyId};
use super::routes::{Entry, Need, Route};
use super::sessions::SessionFacts;
use super::time::Timestamp;
use super::users::{Role, UserId};

#[cfg(test)]
pub use permit::reseller_for_tests;
pub use permit::{Actor, Origin, Permit, Rows, logged_in, operator, setup, system};
pub use refusal::{Refusal, admin_required, api_access_off, cannot_grant, session_required, super_admin_required};
pub use sessions::{login, no_session, session_over};

/// The gates in their order; the first that fails decides status and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    Credential,
    Key,
    Secret,
    Revoked,
    Enabled,
    Expired,
    Owner,
    OwnerActive,
    ApiAccess,
    Ip,
    Rate,
    /// Gate 12 in the terms of the surface: level, then scope (billing), scope (external) or permission (panel).
    Level,
    Scope,
    Permission,
    Role,
}

impl Gate {
    pub const ALL: [Gate; 15] = [
        Gate::Credential,
        Gate::Key,
        Gate::Secret,
        Gate::Revoked,
        Gate::Enabled,
        Gate::Expired,
        Gate::Owner,
        Gate::OwnerActive,
        Gate::ApiAccess,
        Gate::Ip,
        Gate::Rate,
        Gate::Level,
        Gate::Scope,
        Gate::Permission,
        Gate::Role,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Gate::Credential => "credential",
            Gate::Key => "key",
            Gate::Secret => "secret",
            Gate::Revoked => "revoked",
            Gate::Enabled => "enabled",
            Gate::Expired => "expired",
            Gate::Owner => "owner",
            Gate::OwnerActive => "owner_active",
            Gate::ApiAccess => "api_access",
            Gate::Ip => "ip",
            Gate::Rate => "rate",
            Gate::Level => "level",
            Gate::Scope => "scope",
            Gate::Permission => "permission",
            Gate::Role => "role",
        }
    }

    /// The contract's number, 1-13.
    pub fn number(self) -> u8 {
        match self {
            Gate::Credential => 1,
            Gate::Key => 2,
            Gate::Secret => 3,
            Gate::Revoked => 4,
            Gate::Enabled => 5,
            Gate::Expired => 6,
            Gate::Owner => 7,
            Gate::OwnerActive => 8,
            Gate::ApiAccess => 9,
            Gate::Ip => 10,
            Gate::Rate => 11,
            Gate::Level | Gate::Scope | Gate::Permission => 12,
            Gate::Role => 13,
        }
    }
}

/// Which generation of the key's secret was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    pub number: i64,
    /// When it was replaced and when it stops working; `None`: it is the newest.
    pub replaced: Option<Replaced>,
}

/// The life of a secret after a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    pub at: Timestamp,
    pub ends_at: Timestamp,
}

impl Replaced {
    /// From the two columns, which are NULL together.
    pub fn from_columns(at: Option<i64>, ends_at: Option<i64>) -> Option<Self> {
        at.zip(ends_at).map(|(at, ends_at)| Self { at: Timestamp(at), ends_at: Timestamp(ends_at) })
    }
}

impl Generation {
    pub fn is_dead(&self, now: Timestamp) -> bool {
        self.replaced.is_some_and(|replaced| replaced.ends_at <= now)
    }
}

/// The account above the key's owner; an admin's suspension does not pass down, so only resellers matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatorFacts {
    pub username: String,
    pub role: Role,
    pub suspended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerFacts {
    pub id: UserId,
    pub username: String,
    pub role: Role,
    pub suspended: bool,
    /// Effective: the account's own flag, else its package's.
    pub api_access: bool,
    pub creator: Option<CreatorFacts>,
}

/// A key as the evaluator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    pub id: KeyId,
    /// Panel keys are addressed by 16 hex digits.
    pub panel_id: Option<String>,
    pub display: String,
    pub grants: Grants,
    pub revoked: bool,
    pub enabled: bool,
    pub expires_at: Option<Timestamp>,
    pub allowed_ips: AllowList,
    /// `None`: the configured default; `Some(0)`: no limit.
    pub rate_per_minute: Option<u32>,
    pub rate_per_hour: Option<u32>,
    pub rate_per_day: Option<u32>,
    pub generation: Generation,
    /// `None`: deleted.
    pub owner: Option<OwnerFacts>,
}

impl KeyFacts {
    /// How the command line names this key.
    pub fn reference(&self) -> String {
        self.panel_id.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// What verification found behind the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// No credential was sent.
    Anonymous,
    /// One was sent that opens nothing here.
    Unknown,
    /// A session token that is not one, or whose session is over.
    NoSession,
    /// A session token that has expired.
    ExpiredSession,
    /// A known identifier with a secret that is not its own.
    WrongSecret(Arc<KeyFacts>),
    Key(Arc<KeyFacts>),
    /// A person who logged in.
    Session(Arc<SessionFacts>),
}

impl Caller {
    pub fn key(&self) -> Option<&KeyFacts> {
        match self {
            Caller::Key(key) | Caller::WrongSecret(key) => Some(key),
            Caller::Anonymous | Caller::Unknown | Caller::NoSession | Caller::ExpiredSession | Caller::Session(_) => {
                None
            }
        }
    }
}

/// One fixed window of a limit as it stands before this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// `minute`, `hour` or `day`.
    pub period: &'static str,
    pub limit: u32,
    pub used: u32,
    pub resets_at: Timestamp,
}

impl Window {
    pub fn left(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}

/// A request in the terms of the decision.
#[derive(Debug)]
pub struct Asked<'a> {
    pub caller: &'a Caller,
    pub route: &'static Route,
    pub ip: Option<IpAddr>,
    /// The windows that apply to the caller; empty where nothing is limited.
    pub limits: &'a [Window],
    pub now: Timestamp,
}

/// One failing gate: what it needs, what it saw, and what would make it pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    pub gate: Gate,
    pub need: Option<String>,
    pub have: Option<String>,
    pub fix: Option<String>,
}

/// A refusal: the failing gates in their order, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    first: Denied,
    others: Box<[Denied]>,
    /// When the limits that fail let the next request through.
    retry_after_seconds: Option<i64>,
    /// A session was judged and not a key.
    of_session: bool,
}

impl Denial {
    /// What an address is told that asked too often without a valid credential.
    pub fn too_many_from_address(retry_after_seconds: i64) -> Self {
        Self { retry_after_seconds: Some(retry_after_seconds), ..only(Gate::Rate) }
    }

    pub fn is_of_session(&self) -> bool {
        self.of_session
    }

    /// Gates 1-10 passed: from there on a request counts against its key and no longer against its address.
    pub fn is_past_identity(&self) -> bool {
        self.first.gate >= Gate::Rate
    }

    pub fn gate(&self) -> Gate {
        self.first.gate
    }

    pub fn first(&self) -> &Denied {
        &self.first
    }

    pub fn failing(&self) -> impl Iterator<Item = &Denied> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub fn retry_after_seconds(&self) -> Option<i64> {
        self.retry_after_seconds
    }
}

/// Runs the gates. A `Permit` is the proof that all passed, and the only way to the rows of a tenant.
pub fn evaluate(asked: &Asked<'_>, origin: Arc<Origin>) -> Result<Permit, Denial> {
    if asked.route.need == Need::Nobody {
        return Ok(Permit::nobody(origin));
    }
    let open = asked.route.entry == Entry::OpenUnmetered;
    let key = match asked.caller {
        Caller::Anonymous if open => return Ok(Permit::nobody(origin)),
        Caller::Anonymous => return Err(only(Gate::Credential)),
        Caller::Unknown => return Err(only(Gate::Key)),
        Caller::WrongSecret(_) => return Err(only(Gate::Secret)),
        Caller::NoSession => return Err(no_session()),
        Caller::ExpiredSession => return Err(session_over()),
        Caller::Session(session) => return sessions::evaluate(asked.route, session, origin),
        Caller::Key(key) => key,
    };
    if !gates::accepts_style(asked.route, key) {
        return Err(only(Gate::Key));
    }
    if key.revoked || key.generation.is_dead(asked.now) {
        return Err(only(Gate::Revoked));
    }
    let failing = gates::failing(asked, key);
    match (refusal(failing, asked), &key.owner) {
        (Some(denial), _) => Err(denial),
        (None, Some(owner)) => Ok(Permit::of_key(Arc::clone(key), owner, origin)),
        (None, None) => Err(only(Gate::Owner)),
    }
}

/// What a route would accept, for `X-Accepted-Permissions`.
pub fn accepted(route: &Route) -> Cow<'static, str> {
    gates::accepted(route)
}

fn only(gate: Gate) -> Denial {
    Denial {
        first: Denied { gate, need: None, have: None, fix: None },
        others: Box::default(),
        retry_after_seconds: None,
        of_session: false,
    }
}

fn refusal(failing: Vec<Denied>, asked: &Asked<'_>) -> Option<Denial> {
    let mut failing = failing.into_iter();
    let first = failing.next()?;
    let rate = asked.route.entry == Entry::Closed;
    let retry_after_seconds = gates::wait_seconds(asked.limits, asked.now).filter(|_| rate);
    Some(Denial { first, others: failing.collect(), retry_after_seconds, of_session: false })
}
