//! Backups: noting what was made and found whole, and what a restored database is told before it is used.

use serde_json::json;

use super::audit::{self, Object};
use super::keys;
use crate::domain::backups::{Backup, Kind, NewBackup};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::store::{self, Carried, ReadTx, WriteTx};

/// Notes a backup that is on the disk.
pub fn note_made(tx: &WriteTx<'_>, permit: &Permit, new: &NewBackup, now: Timestamp) -> Result<i64, AppError> {
    let id = store::backups::insert(tx, permit, new)?;
    let after = json!({"kind": new.kind.as_str(), "path": new.path, "taken_at": new.taken_at.rfc3339()});
    audit::record(tx, permit, now, Object { action: "backups.create", kind: "backup", id }, None, Some(&after))?;
    Ok(id)
}

/// Notes that a backup was restored to a scratch place and found whole. False: this database does not know it.
pub fn note_verified(tx: &WriteTx<'_>, permit: &Permit, sha256: &[u8; 32], now: Timestamp) -> Result<bool, AppError> {
    let Some(backup) = store::backups::find_by_hash(tx, sha256)? else { return Ok(false) };
    store::backups::set_verified(tx, permit, backup.id, now)?;
    let after = json!({"verified_at": now.rfc3339()});
    let object = Object { action: "backups.verify", kind: "backup", id: backup.id };
    audit::record(tx, permit, now, object, None, Some(&after))?;
    Ok(true)
}

/// Forgets a backup whose file is gone.
pub fn forget(tx: &WriteTx<'_>, permit: &Permit, backup: &Backup, now: Timestamp) -> Result<(), AppError> {
    store::backups::delete(tx, permit, backup.id)?;
    let before = json!({"path": backup.path, "taken_at": backup.taken_at.rfc3339()});
    let object = Object { action: "backups.delete", kind: "backup", id: backup.id };
    audit::record(tx, permit, now, object, Some(&before), None)
}

/// The latest first.
pub fn list(tx: &ReadTx<'_>, limit: i64) -> Result<Vec<Backup>, AppError> {
    store::backups::list(tx, limit)
}

/// Those by the clock, the latest first.
pub fn scheduled(tx: &ReadTx<'_>) -> Result<Vec<Backup>, AppError> {
    store::backups::list_of_kind(tx, Kind::Scheduled)
}

/// Seconds since the newest backup was taken that is known to be whole.
pub fn verified_age(tx: &ReadTx<'_>, now: Timestamp) -> Result<Option<u64>, AppError> {
    let newest = store::backups::newest_verified(tx, now)?;
    Ok(newest.map(|at| u64::try_from(now.millis().saturating_sub(at.millis()) / Timestamp::SECOND).unwrap_or(0)))
}

/// What is to be done for a slot of the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    Nothing,
    Make,
    /// It was made, and nobody knows yet whether it is whole.
    Verify(Box<Backup>),
}

/// A database that is younger than the slot has missed nothing.
pub fn due(tx: &ReadTx<'_>, slot: Timestamp, now: Timestamp) -> Result<Due, AppError> {
    // One from the future was made before the clock was set back.
    let last = store::backups::last_of_kind(tx, Kind::Scheduled)?.filter(|backup| backup.taken_at <= now);
    let since = match &last {
        Some(backup) => backup.taken_at,
        None => store::users::oldest(tx)?,
    };
    Ok(match last {
        _ if since < slot => Due::Make,
        Some(backup) if backup.verified_at.is_none() => Due::Verify(Box::new(backup)),
        _ => Due::Nothing,
    })
}

/// What a restored database took over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Keys that were revoked after the backup.
    pub revoked: usize,
    /// Keys that were given a new secret after the backup.
    pub rotated: usize,
    /// Logins that were ended.
    pub sessions: usize,
}

/// Sees to it that nothing that was ended since the backup comes back to life: keys, their old secrets, logins, setup links.
pub fn settle_restored(
    tx: &WriteTx<'_>,
    permit: &Permit,
    taken_at: Timestamp,
    carried: &Carried,
    now: Timestamp,
) -> Result<Settled, AppError> {
    let mut settled = Settled::default();
    for key in &carried.keys {
        let Some((generation, is_revoked)) = store::keys::carried::find(tx, key)? else { continue };
        if key.generation > generation {
            store::keys::carried::replace_secrets(tx, permit, key)?;
            let (before, after) = (json!({"generation": generation}), json!({"generation": key.generation}));
            let object = Object { action: "keys.rotate", kind: "key", id: key.id.0 };
            audit::record(tx, permit, now, object, Some(&before), Some(&after))?;
            settled.rotated += 1;
        }
        if key.is_revoked && !is_revoked && keys::revoke(tx, permit, key.id, now)? {
            settled.revoked += 1;
        }
    }
    for backup in &carried.backups {
        if store::backups::find_by_hash(tx, &backup.sha256)?.is_none() {
            let Backup { taken_at, kind, path, bytes, sha256, .. } = backup.clone();
            let id = store::backups::insert(tx, permit, &NewBackup { taken_at, kind, path, bytes, sha256 })?;
            if let Some(at) = backup.verified_at {
                store::backups::set_verified(tx, permit, id, at)?;
            }
        }
    }
    store::raise_sequences(tx, &carried.sequences)?;
    settled.sessions = store::sessions::end_all(tx, permit, now)?;
    store::setup_links::end_all(tx, permit, now)?;
    let after =
        json!({"taken_at": taken_at.rfc3339(), "keys_revoked": settled.revoked, "keys_rotated": settled.rotated});
    audit::record(tx, permit, now, Object { action: "backups.restore", kind: "backup", id: 0 }, None, Some(&after))?;
    Ok(settled)
}
