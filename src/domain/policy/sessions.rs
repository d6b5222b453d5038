//! The gates of a session: whoever logged in needs no key's settings, but an account that works and a role that may.

use std::sync::Arc;

use super::gates;
use super::{Denial, Gate, Origin, OwnerFacts, Permit};
use crate::domain::routes::{Need, PanelNeed, Route};
use crate::domain::sessions::SessionFacts;
use crate::domain::users::Role;

pub(super) fn evaluate(route: &Route, session: &Arc<SessionFacts>, origin: Arc<Origin>) -> Result<Permit, Denial> {
    // Keys have the external and the billing surface to themselves.
    if !matches!(
        route.need,
        Need::Panel(PanelNeed::Nothing | PanelNeed::Session | PanelNeed::Resource(_)) | Need::Admin
    ) {
        return Err(no_session());
    }
    judge(route.role, &session.user)?;
    Ok(Permit::of_session(Arc::clone(session), origin))
}

/// Whether this account may log in where the least role is this one. The password was right.
pub fn login(least: Role, account: &OwnerFacts) -> Result<(), Denial> {
    judge(least, account)
}

/// No session is behind what was shown.
pub fn no_session() -> Denial {
    Denial { of_session: true, ..super::only(Gate::Key) }
}

/// The session was there when the gates looked and is over now.
pub fn session_over() -> Denial {
    Denial { of_session: true, ..super::only(Gate::Expired) }
}

fn judge(least: Role, account: &OwnerFacts) -> Result<(), Denial> {
    let mut failing = Vec::new();
    gates::active_gate(account, &mut failing);
    if account.role < least {
        failing.push(gates::role_too_low(least, account));
    }
    let mut failing = failing.into_iter();
    match failing.next() {
        None => Ok(()),
        Some(first) => Err(Denial { first, others: failing.collect(), retry_after_seconds: None, of_session: true }),
    }
}
