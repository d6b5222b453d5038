//! Hosting accounts: users as a billing system sees those it sells to, and what makes a value of theirs acceptable
//! (contract: billing.md).

use serde_json::{Map, Value};

use super::error::Invalid;
use super::subscribers::{external_id, lines};
use super::text::line;
use super::time::Timestamp;

/// How long a create that is sent again is taken for the same one.
pub const RETRY_MILLIS: i64 = Timestamp::DAY;

/// The billing system's own object may be this long, as it was sent.
const METADATA_BYTES: usize = 16 * 1024;

/// A text of an account, with the rule it must keep. An empty one is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    FullName,
    Phone,
    Company,
    BillingId,
    Reason,
}

impl Text {
    pub fn parse(self, text: &str) -> Result<Option<String>, Invalid> {
        if text.is_empty() {
            return Ok(None);
        }
        let parsed = match self {
            Text::FullName => line("full_name", text, 200),
            Text::Phone => line("phone", text, 50),
            Text::Company => line("company", text, 200),
            Text::BillingId => external_id("billing_id", text),
            Text::Reason => lines("reason", text, 500),
        };
        parsed.map(Some)
    }
}

/// A JSON object of at most 16 KiB. It is kept as it came, so that numbers and the order of its fields come back the same.
pub fn metadata(text: &str) -> Result<String, Invalid> {
    let wrong = |problem| Err(Invalid::new("metadata", problem));
    if text.len() > METADATA_BYTES {
        return wrong("must be at most 16 KiB");
    }
    if !text.starts_with('{') {
        return wrong("must be an object");
    }
    // Deeper than most readers of JSON go, a number beyond all of them, half a character: nobody could read it back.
    match serde_json::from_str::<Map<String, Value>>(text) {
        Err(_) => wrong("is nested too deeply or holds a number or a character that JSON readers cannot take"),
        Ok(object) if !object.iter().all(|(name, value)| is_clean(name) && has_clean_texts(value)) => {
            wrong("must not contain U+0000")
        }
        Ok(_) => Ok(text.to_owned()),
    }
}

fn is_clean(text: &str) -> bool {
    !text.contains('\0')
}

fn has_clean_texts(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => is_clean(text),
        Value::Array(values) => values.iter().all(has_clean_texts),
        Value::Object(object) => object.iter().all(|(name, value)| is_clean(name) && has_clean_texts(value)),
    }
}

/// Whole days since an account was made.
pub fn age_days(created_at: Timestamp, now: Timestamp) -> i64 {
    now.millis().saturating_sub(created_at.millis()).max(0) / Timestamp::DAY
}

/// Which accounts a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Folded: the one account of this name.
    pub username: Option<String>,
    pub billing_id: Option<String>,
}

/// Which part of a list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub skip: i64,
    pub limit: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_could_not_be_read_back_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(16 * 1024));
        let texts = ["[]", "\"a\"", "1", &deep, &long, r#"{"a":1e400}"#, r#"{"a":"\ud800"}"#];
        for text in texts.into_iter().chain([r#"{"a":"\u0000"}"#, r#"{"a":[{"\u0000":1}]}"#]) {
            assert_eq!(metadata(text).unwrap_err().field, "metadata", "{text:.40}");
        }
        for text in ["{}", r#"{"n": 12345678901234567890123, "a": 1.10}"#] {
            assert_eq!(metadata(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn an_empty_text_is_none_and_a_long_or_unseen_one_is_refused() {
        for (of, longest) in [(Text::FullName, 200), (Text::Phone, 50), (Text::Company, 200), (Text::BillingId, 255)] {
            assert_eq!(of.parse(""), Ok(None));
            assert_eq!(of.parse(&"é".repeat(longest)), Ok(Some("é".repeat(longest))));
            assert!(of.parse(&"é".repeat(longest + 1)).is_err(), "{of:?}");
            assert!(of.parse("a\nb").is_err() && of.parse("a\0").is_err(), "{of:?}");
        }
        assert!(Text::Reason.parse("two\nlines").is_ok());
    }

    #[test]
    fn an_account_ages_by_whole_days_and_never_backwards() {
        let made = Timestamp(1_000);
        for (later, days) in [(-5, 0), (0, 0), (Timestamp::DAY - 1, 0), (Timestamp::DAY, 1), (40 * Timestamp::DAY, 40)]
        {
            assert_eq!(age_days(made, made.plus_millis(later)), days);
        }
    }
}
