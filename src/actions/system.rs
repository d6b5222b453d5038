//! The state of the whole, as a caller sees it.

use super::audit::{self, Object};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::time::{Date, Timestamp};
use crate::store::counters::ByStatus;
use crate::store::{self, ReadTx, WriteTx};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    pub online_users: i64,
    pub subscribers: ByStatus,
    pub nas_count: i64,
}

/// Makes the totals that are kept beside the rows anew from the rows.
pub fn recount(tx: &WriteTx<'_>, permit: &Permit, now: Timestamp) -> Result<(), AppError> {
    store::soundness::recount(tx, permit)?;
    audit::record(tx, permit, now, Object { action: "counters.recount", kind: "counters", id: 0 }, None, None)
}

/// Figures that cost the same however many subscribers there are.
pub fn stats(tx: &ReadTx<'_>, permit: &Permit, today: Date) -> Result<Stats, AppError> {
    Ok(Stats {
        online_users: store::access_sessions::count_online(tx, permit)?,
        subscribers: store::counters::by_status(tx, permit.rows(), today)?,
        nas_count: store::nas::count(tx, permit)?,
    })
}
