//! What a reseller may give away: flags it may grant, and quotas up to its own (contract: panel.md, the grant gate).

use serde_json::{Map, Value, json};

use crate::domain::error::AppError;
use crate::domain::features::Flags;
use crate::domain::packages::Package;
use crate::domain::policy::{self, Permit, Rows};
use crate::domain::quotas::{Quota, Quotas, UNLIMITED, exceeds};
use crate::domain::resellers::Own;
use crate::domain::users::{User, UserId};
use crate::store::{self, ReadTx};

/// Of a reseller that acts.
pub(super) struct Levers {
    id: UserId,
    username: String,
    quotas: Quotas<i64>,
    grants: Flags<bool>,
}

/// `None`: whoever acts is no reseller, and bound by none.
pub(super) fn of(tx: &ReadTx<'_>, permit: &Permit) -> Result<Option<Levers>, AppError> {
    let Rows::OfReseller(me) = permit.rows() else { return Ok(None) };
    let user = super::get_by_id(tx, permit, me)?;
    let own = store::resellers::find(tx, me)?;
    Ok(Some(Levers {
        id: me,
        quotas: own.quotas.over(&user.package_quotas),
        grants: own.grants.over(&user.package_grants),
        username: user.username,
    }))
}

impl Levers {
    /// Whether it may own one user more.
    pub(super) fn check_room(&self, tx: &ReadTx<'_>) -> Result<(), AppError> {
        let limit = self.quotas.get(Quota::Users);
        if limit != UNLIMITED && store::users::count_users_of(tx, self.id)? >= limit {
            return Err(AppError::LimitReached { limit });
        }
        Ok(())
    }

    /// Quotas of an account are an admin's to set.
    pub(super) fn refuse_quotas(&self, quotas: &Quotas<Option<i64>>) -> Result<(), AppError> {
        match quotas.iter().find(|(_, value)| value.is_some()) {
            None => Ok(()),
            Some((quota, _)) => {
                Err(AppError::FieldForbidden { field: quota.as_str(), problem: "may be set by an admin only" })
            }
        }
    }

    /// What a new account of a package gets of its own, so that it gets no more than may be given.
    pub(super) fn bound(&self, package: &Package, flags: &mut Flags<Option<bool>>, quotas: &mut Quotas<Option<i64>>) {
        for (feature, on) in package.values.flags.iter() {
            if on && !self.grants.get(feature) {
                flags.set(feature, Some(false));
            }
        }
        for quota in Quota::OF_ACCOUNT {
            let ceiling = self.quotas.get(quota);
            if exceeds(package.values.quotas.get(quota), ceiling) {
                quotas.set(quota, Some(ceiling));
            }
        }
    }

    /// Whether a user may become what it is to be. What it had already is no grant.
    pub(super) fn check(&self, before: &User, after: &User) -> Result<(), AppError> {
        for (feature, on) in after.effective_flags.iter() {
            if on && !before.effective_flags.get(feature) && !self.grants.get(feature) {
                return Err(policy::cannot_grant(feature, &self.username));
            }
        }
        for quota in Quota::OF_ACCOUNT {
            let (was, is) = (before.effective_quotas.get(quota), after.effective_quotas.get(quota));
            if exceeds(is, was) && exceeds(is, self.quotas.get(quota)) {
                let problem = "would give the account more than your own limits allow; choose a smaller package";
                return Err(AppError::FieldForbidden { field: "package", problem });
            }
        }
        Ok(())
    }
}

/// What the audit says of a reseller's own values.
pub(in crate::actions) fn columns(own: &Own) -> Map<String, Value> {
    let quotas = own.quotas.iter().map(|(quota, value)| (format!("reseller_{}", quota.as_str()), json!(value)));
    let grants = own.grants.iter().map(|(feature, value)| (format!("can_grant_{}", feature.as_str()), json!(value)));
    quotas.chain(grants).collect()
}
