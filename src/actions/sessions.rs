//! Logging in and out: the ladder of failed logins, sessions of both surfaces, refresh tokens.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;

use super::audit::{self, Object};
use super::users;
use crate::domain::addresses::{per_ip_bucket, per_site_bucket};
use crate::domain::error::{AppError, Noun};
use crate::domain::keys::hash_of;
use crate::domain::policy::{self, Caller, Denial, Origin, OwnerFacts, Permit};
use crate::domain::sessions::{
    Attempts, Audience, NewSession, PANEL_SESSION_MILLIS, PANEL_TOKEN_MILLIS, REFRESH_MILLIS, REPLAY_GRACE_MILLIS,
    Session,
};
use crate::domain::time::Timestamp;
use crate::domain::users::{Role, User, UserId, fold};
use crate::store::login_attempts::{self, ALL};
use crate::store::{self, ReadTx, WriteTx};

/// Names longer than any of ours are one and the same nobody.
const LONGEST_NAME: usize = 254;

/// Where somebody tries to log in.
#[derive(Debug, Clone)]
pub struct Door {
    /// As typed: username or e-mail address.
    pub name: String,
    pub ip: Option<IpAddr>,
    pub now: Timestamp,
}

impl Door {
    /// The form in which failures of this name are counted.
    fn name_key(&self) -> String {
        fold(&self.name.chars().take(LONGEST_NAME).collect::<String>())
    }

    /// Under which address they are counted. `all`: those of the name from everywhere. Where it is being guessed at, a whole
    /// site counts as one: with a try for each of its 65 536 networks, one attacker would have two million guesses a day.
    fn ip_key(&self, all: Attempts) -> String {
        let Some(ip) = self.ip else { return "unknown".to_owned() };
        match per_site_bucket(ip) {
            site if all.is_attack(self.now) && site.is_ipv6() => format!("{site}/48"),
            _ => per_ip_bucket(ip).to_string(),
        }
    }
}

/// Who it is, before the password is looked at; too many failures of this name from this address are refused first.
pub fn look_up(tx: &ReadTx<'_>, door: &Door) -> Result<Option<store::users::Login>, AppError> {
    refuse_locked(tx, door)?;
    store::users::find_login(tx, &door.name)
}

/// Counts a failure, of a name that exists and of one that does not alike. Guesses that came together were all let in
/// before the first of them had failed: beyond the ladder's they are told to wait like any later one.
pub fn fail(tx: &WriteTx<'_>, door: &Door) -> Result<(), AppError> {
    tx.unaudited("a failed login changes nothing of anybody's");
    refuse_locked(tx, door)?;
    let name = door.name_key();
    let all = login_attempts::find(tx, &name, ALL)?.plus_one(None, door.now);
    let ip = door.ip_key(all);
    let one = login_attempts::find(tx, &name, &ip)?.plus_one(Some(all), door.now);
    login_attempts::store(tx, &name, ALL, all)?;
    login_attempts::store(tx, &name, &ip, one)
}

/// Whether the name may be tried from this address.
pub fn refuse_locked(tx: &ReadTx<'_>, door: &Door) -> Result<(), AppError> {
    let name = door.name_key();
    let all = login_attempts::find(tx, &name, ALL)?;
    let attempts = login_attempts::find(tx, &name, &door.ip_key(all))?;
    match attempts.wait_seconds(door.now) {
        Some(seconds) => Err(AppError::Denied(Box::new(Denial::too_many_from_address(seconds)))),
        None => Ok(()),
    }
}

/// The tokens of a session, made outside the transaction; only their hashes come here.
#[derive(Debug, Clone, Copy)]
pub struct Tokens {
    pub id_hash: [u8; 32],
    /// Of an admin session that can be refreshed.
    pub refresh_hash: Option<[u8; 32]>,
}

/// A login whose password was right.
pub struct Login {
    pub door: Door,
    pub verified: store::users::Login,
    pub audience: Audience,
    /// The least role that may log in here.
    pub least: Role,
    pub tokens: Tokens,
    /// How long the session lasts if nothing renews it, in milliseconds.
    pub lives: i64,
    pub user_agent: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("door", &self.door).field("audience", &self.audience).finish_non_exhaustive()
    }
}

/// Opens a session. What was verified must still be so.
pub fn open(tx: &WriteTx<'_>, login: &Login, origin: &Arc<Origin>) -> Result<User, AppError> {
    let (door, now) = (&login.door, login.door.now);
    let known = store::users::find_login(tx, &door.name)?.filter(|known| {
        known.account.id == login.verified.account.id && known.password_hash == login.verified.password_hash
    });
    let account = known.ok_or(AppError::BadCredentials)?.account;
    refuse_locked(tx, door)?;
    policy::login(login.least, &account).map_err(|denial| AppError::Denied(Box::new(denial)))?;
    let new = NewSession {
        user: account.id,
        audience: login.audience,
        id_hash: login.tokens.id_hash,
        ip: door.ip.map(|ip| ip.to_string()),
        user_agent: login.user_agent.clone(),
        now,
        expires_at: now.plus_millis(login.lives),
    };
    let id = store::sessions::insert(tx, &new)?;
    if let Some(hash) = &login.tokens.refresh_hash {
        store::sessions::insert_refresh(tx, id, hash, now, now.plus_millis(REFRESH_MILLIS))?;
    }
    let name = door.name_key();
    login_attempts::forget(tx, &name, &door.ip_key(login_attempts::find(tx, &name, ALL)?))?;
    store::users::set_last_login(tx, account.id, now)?;
    let permit = policy::logged_in(account.clone(), id, login.audience, now, Arc::clone(origin));
    let after = json!({"username": account.username, "audience": login.audience.as_str()});
    audit::record(tx, &permit, now, Object { action: "auth.login", kind: "session", id }, None, Some(&after))?;
    users::get_by_id(tx, &permit, account.id)
}

/// Recognises the session of a token whose signature was right and that says whose it is.
pub fn verify(
    tx: &ReadTx<'_>,
    session_id: &[u8],
    user: UserId,
    audience: Audience,
    now: Timestamp,
) -> Result<Caller, AppError> {
    let found = store::sessions::find_facts(tx, &hash_of(session_id), audience, now)?;
    Ok(found.filter(|facts| facts.user.id == user).map_or(Caller::NoSession, |facts| Caller::Session(Arc::new(facts))))
}

/// Gives the acting session of the panel surface another token; the one before it is dead. Answers when it expires.
pub fn renew(tx: &WriteTx<'_>, permit: &Permit, id_hash: &[u8; 32], now: Timestamp) -> Result<Timestamp, AppError> {
    let session = permit.session().ok_or_else(policy::session_required)?;
    let end = session.created_at.plus_millis(PANEL_SESSION_MILLIS);
    let expires_at = now.plus_millis(PANEL_TOKEN_MILLIS).min(end);
    tx.unaudited("a session goes on");
    if expires_at <= now || !store::sessions::renew(tx, permit, session, id_hash, now, expires_at)? {
        return Err(AppError::NotFound(Noun::Session));
    }
    Ok(expires_at)
}

/// Ends the acting session.
pub fn close(tx: &WriteTx<'_>, permit: &Permit, now: Timestamp) -> Result<(), AppError> {
    let session = permit.session().ok_or_else(policy::session_required)?;
    store::sessions::revoke(tx, permit, session.user.id, session.id, now)?;
    let object = Object { action: "auth.logout", kind: "session", id: session.id };
    audit::record(tx, permit, now, object, None, None)
}

/// Trades a refresh token for the next one. One that was traded before and comes back late was stolen from one of its
/// two holders: every session of the user ends (contract: admin.md). `None`: no living session is behind it.
pub fn refresh(
    tx: &WriteTx<'_>,
    presented: &[u8; 32],
    next: &[u8; 32],
    origin: &Arc<Origin>,
    now: Timestamp,
) -> Result<Option<(OwnerFacts, User)>, AppError> {
    tx.unaudited("a session goes on");
    let Some(token) = store::sessions::find_refresh(tx, presented)? else { return Ok(None) };
    if token.session_is_over || token.expires_at <= now {
        return Ok(None);
    }
    let Some(facts) = store::sessions::find_facts(tx, &token.id_hash, Audience::Admin, now)? else {
        return Ok(None);
    };
    if let Some(rotated_at) = token.rotated_at {
        if now.millis().saturating_sub(rotated_at.millis()) >= REPLAY_GRACE_MILLIS {
            let permit = policy::logged_in(facts.user, facts.id, Audience::Admin, now, Arc::clone(origin));
            end_family(tx, &permit, token.user, now)?;
        }
        return Ok(None);
    }
    if policy::login(Role::Reseller, &facts.user).is_err() {
        return Ok(None);
    }
    let expires_at = now.plus_millis(REFRESH_MILLIS);
    store::sessions::rotate_refresh(tx, presented, now)?;
    store::sessions::insert_refresh(tx, facts.id, next, now, expires_at)?;
    store::sessions::extend(tx, facts.id, now, expires_at)?;
    let user = users::get_by_id(
        tx,
        &policy::logged_in(facts.user.clone(), facts.id, Audience::Admin, now, Arc::clone(origin)),
        facts.user.id,
    )?;
    Ok(Some((facts.user, user)))
}

fn end_family(tx: &WriteTx<'_>, permit: &Permit, user: UserId, now: Timestamp) -> Result<(), AppError> {
    let ended = store::sessions::revoke_all(tx, permit, user, None, now)?;
    let after = json!({"why": "a refresh token was used twice", "sessions": ended});
    let object = Object { action: "sessions.revoke_all", kind: "user", id: user.0 };
    audit::record(tx, permit, now, object, None, Some(&after))
}

/// The living sessions of whoever acts, newest first.
pub fn list(tx: &ReadTx<'_>, permit: &Permit, now: Timestamp) -> Result<Vec<Session>, AppError> {
    permit.user().map_or_else(|| Ok(Vec::new()), |user| store::sessions::list(tx, user, now))
}

pub fn get(tx: &ReadTx<'_>, permit: &Permit, id: i64, now: Timestamp) -> Result<Session, AppError> {
    let user = permit.user().ok_or(AppError::NotFound(Noun::Session))?;
    store::sessions::find(tx, user, id, now)?.ok_or(AppError::NotFound(Noun::Session))
}

/// Ends one of the sessions of whoever acts.
pub fn end(tx: &WriteTx<'_>, permit: &Permit, id: i64, now: Timestamp) -> Result<(), AppError> {
    let user = permit.user().ok_or(AppError::NotFound(Noun::Session))?;
    if !store::sessions::revoke(tx, permit, user, id, now)? {
        return Err(AppError::NotFound(Noun::Session));
    }
    audit::record(tx, permit, now, Object { action: "sessions.delete", kind: "session", id }, None, None)
}

/// Ends all sessions of whoever acts but the one it acts in. Gives how many there were.
pub fn end_others(tx: &WriteTx<'_>, permit: &Permit, now: Timestamp) -> Result<usize, AppError> {
    let session = permit.session().ok_or_else(policy::session_required)?;
    let ended = store::sessions::revoke_all(tx, permit, session.user.id, Some(session.id), now)?;
    let object = Object { action: "sessions.delete_all", kind: "user", id: session.user.id.0 };
    audit::record(tx, permit, now, object, None, Some(&json!({"sessions": ended})))?;
    Ok(ended)
}
