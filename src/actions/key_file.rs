//! The key file: when it was last exported.

use serde_json::json;

use super::audit::{self, Object};
use crate::domain::error::AppError;
use crate::domain::policy::Permit;
use crate::domain::time::Timestamp;
use crate::store::{self, WriteTx};

/// Remembers that the key exists somewhere else too.
pub fn note_export(tx: &WriteTx<'_>, permit: &Permit, now: Timestamp) -> Result<(), AppError> {
    store::meta::set_key_exported(tx, now)?;
    let object = Object { action: "keyfile.export", kind: "keyfile", id: 0 };
    audit::record(tx, permit, now, object, None, Some(&json!({"exported_at": now.rfc3339()})))
}
