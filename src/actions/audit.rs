//! The audit entry that every change leaves in its own transaction.

use serde_json::{Map, Value};

use crate::domain::audit::{Change, Entry, Filter};
use crate::domain::error::AppError;
use crate::domain::policy::{Permit, Rows};
use crate::domain::time::Timestamp;
use crate::store::{self, ReadTx, WriteTx};

/// What was changed: the route table's word, and the row.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    pub action: &'static str,
    pub kind: &'static str,
    pub id: i64,
}

/// Records a change with the columns it touched. Secrets are masked by whoever builds `before` and `after`.
pub fn record(
    tx: &WriteTx<'_>,
    permit: &Permit,
    now: Timestamp,
    object: Object,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Result<(), AppError> {
    let change = Change {
        action: object.action,
        object_kind: object.kind,
        object_id: Some(object.id),
        before: before.map(Value::to_string),
        after: after.map(Value::to_string),
    };
    store::audit::insert(tx, permit, now, &change)
}

/// The trail, newest first: one row more than asked for tells whether more follow. Only who sees everything sees it.
pub fn list(tx: &ReadTx<'_>, permit: &Permit, filter: &Filter) -> Result<Vec<Entry>, AppError> {
    match permit.rows() {
        Rows::All => store::audit::list(tx, permit, filter),
        Rows::OfReseller(_) | Rows::OfUser(_) | Rows::Nobodys => Ok(Vec::new()),
    }
}

/// A row's columns by the audit's names.
pub type Columns = Map<String, Value>;

pub fn columns<const N: usize>(columns: [(&'static str, Value); N]) -> Columns {
    columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The columns in which two rows differ, as they were and as they are.
pub fn changed(mut before: Columns, mut after: Columns) -> (Value, Value) {
    let same: Vec<_> =
        before.iter().filter(|(name, value)| after.get(*name) == Some(*value)).map(|(name, _)| name.clone()).collect();
    for name in same {
        before.shift_remove(&name);
        after.shift_remove(&name);
    }
    (before.into(), after.into())
}
