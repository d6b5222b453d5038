//! What a key that asks is, and what it may do on its own surface.

use std::sync::Arc;

use super::get;
use crate::domain::error::{AppError, Noun};
use crate::domain::policy::{self, Actor, Asked, Caller, Denial, KeyFacts, Permit, Window};
use crate::domain::routes::{Route, Surface};
use crate::domain::time::Timestamp;
use crate::store::ReadTx;

#[derive(Debug, Clone)]
pub struct Whoami {
    pub name: String,
    pub key: Arc<KeyFacts>,
    /// Every route of the surface, and what stands in the way.
    pub routes: Vec<(&'static Route, Option<Denial>)>,
}

/// Judges the next request of the key that acts, from the same address. Asking consumes nothing.
pub fn whoami(
    tx: &ReadTx<'_>,
    permit: &Permit,
    surface: Surface,
    limits: &[Window],
    now: Timestamp,
) -> Result<Whoami, AppError> {
    let Actor::Key(key) = permit.actor() else { return Err(AppError::NotFound(Noun::Key)) };
    let (caller, origin) = (Caller::Key(Arc::clone(key)), Arc::new(permit.origin().clone()));
    let judge = |route: &'static Route| {
        let asked = Asked { caller: &caller, route, ip: origin.ip, limits, now };
        (route, policy::evaluate(&asked, Arc::clone(&origin)).err())
    };
    Ok(Whoami {
        name: get(tx, permit, key.id)?.settings.name,
        key: Arc::clone(key),
        routes: surface.routes().iter().map(judge).collect(),
    })
}
