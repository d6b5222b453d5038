//! Fields that billing systems send in more than one type.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::accounts;
use crate::domain::error::Invalid;

/// An id of theirs or of ours, as text or as an integer. Null is none.
pub fn id(field: &'static str, raw: &RawValue) -> Result<Option<String>, Invalid> {
    match serde_json::from_str(raw.get()) {
        Ok(Value::Null) => Ok(None),
        Ok(Value::String(text)) => Ok(Some(text)),
        Ok(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
        _ => Err(Invalid::new(field, "must be a string or an integer")),
    }
}

/// Null is none.
pub fn metadata(raw: &RawValue) -> Result<Option<String>, Invalid> {
    if raw.get() == "null" {
        return Ok(None);
    }
    accounts::metadata(raw.get()).map(Some)
}
