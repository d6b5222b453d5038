//! The state of the whole.

use crate::domain::error::AppError;
use crate::store::{self, ReadTx};

/// Fails where the database cannot be read.
pub fn health(tx: &ReadTx<'_>) -> Result<(), AppError> {
    match store::meta::find_key_check(tx)? {
        Some(_) => Ok(()),
        None => Err(AppError::Unavailable("the database has lost its first row".to_owned())),
    }
}
