//! Who acts, asked once more: between the gates and the write a body may have taken ten seconds to arrive.

use std::sync::Arc;

use crate::domain::error::AppError;
use crate::domain::policy::{self, Actor, Asked, Caller, Permit};
use crate::domain::routes::Route;
use crate::domain::time::Timestamp;
use crate::store::{self, ReadTx};

/// The permit as it stands inside the transaction of the change. Whatever was revoked, suspended, demoted or deleted since
/// the gates looked is in force for what is written from here on (contract: keys.md, propagation is zero). The request was
/// counted before and is not counted again.
pub fn judge_again(
    tx: &ReadTx<'_>,
    permit: &Permit,
    route: &'static Route,
    now: Timestamp,
) -> Result<Permit, AppError> {
    let caller = match permit.actor() {
        Actor::Key(key) => {
            let facts = store::keys::find_generation_facts(tx, key.id, key.generation.number)?;
            facts.map_or(Caller::Unknown, |facts| Caller::Key(Arc::new(facts)))
        }
        Actor::Session(session) => {
            let facts = store::sessions::find_facts(tx, &session.id_hash, session.audience, now)?;
            facts.map_or(Caller::NoSession, |facts| Caller::Session(Arc::new(facts)))
        }
        Actor::Nobody | Actor::Operator { .. } | Actor::Setup { .. } | Actor::System => return Ok(permit.clone()),
    };
    let origin = Arc::new(permit.origin().clone());
    let asked = Asked { caller: &caller, route, ip: origin.ip, limits: &[], now };
    policy::evaluate(&asked, Arc::clone(&origin)).map_err(|denial| AppError::Denied(Box::new(denial)))
}
