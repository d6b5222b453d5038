//! `audit`: one row for each change, in the transaction of the change.

use super::WriteTx;
use crate::domain::audit::Change;
use crate::domain::error::AppError;
use crate::domain::policy::{Actor, Permit};
use crate::domain::time::Timestamp;

const INSERT: &str = "
    INSERT INTO audit (at, actor_kind, actor_user_id, actor_key_id, actor_name, surface, action, object_kind, object_id,
                       before, after, ip, request_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

pub fn insert(tx: &WriteTx<'_>, permit: &Permit, now: Timestamp, change: &Change) -> Result<(), AppError> {
    let (kind, user, key, name) = match permit.actor() {
        Actor::Key(key) => {
            let owner = key.owner.as_ref();
            ("key", owner.map(|owner| owner.id.0), Some(key.id.0), owner.map_or("", |owner| owner.username.as_str()))
        }
        Actor::Session(session) => ("session", Some(session.user.id.0), None, session.user.username.as_str()),
        Actor::Operator { name } => ("operator", None, None, name.as_str()),
        Actor::Setup { user, name } => ("setup", Some(user.0), None, name.as_str()),
        Actor::System | Actor::Nobody => ("system", None, None, "panel"),
    };
    let origin = permit.origin();
    let ip = origin.ip.map(|ip| ip.to_string());
    let request_id = Some(&origin.request_id).filter(|id| !id.is_empty());
    tx.execute(
        INSERT,
        rusqlite::params![
            now.millis(),
            kind,
            user,
            key,
            name,
            origin.surface,
            change.action,
            change.object_kind,
            change.object_id,
            change.before,
            change.after,
            ip,
            request_id
        ],
    )?;
    tx.explained.set(true);
    Ok(())
}
