//! NAS: reading the routers.

use crate::domain::error::{AppError, Noun};
use crate::domain::nas::Nas;
use crate::domain::policy::Permit;
use crate::store::{self, ReadTx};

pub fn list(tx: &ReadTx<'_>, permit: &Permit) -> Result<Vec<Nas>, AppError> {
    store::nas::list(tx, permit)
}

pub fn get(tx: &ReadTx<'_>, permit: &Permit, id: i64) -> Result<Nas, AppError> {
    list(tx, permit)?.into_iter().find(|nas| nas.id == id).ok_or(AppError::NotFound(Noun::Nas))
}
