//! Money as integer minor units; it never touches floating point.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount in minor units (hundredths), of either sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub i64);

impl Money {
    /// Two decimals: `25.00`, `-0.05`.
    pub fn decimal(self) -> String {
        let minor = self.0.unsigned_abs();
        format!("{}{}.{:02}", if self.0 < 0 { "-" } else { "" }, minor / 100, minor % 100)
    }

    /// Reads what `decimal` writes, of either sign.
    pub fn parse_signed(text: &str) -> Option<Self> {
        match text.strip_prefix('-') {
            Some(amount) => Self::parse(amount).map(|amount| Self(-amount.0)),
            None => Self::parse(text),
        }
    }

    /// Reads the text of a JSON number: no sign, at most two decimals, no exponent. `None` where it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, cents) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(cents) || cents.len() > 2 {
            return None;
        }
        let cents: i64 = if cents.len() == 1 { cents.parse::<i64>().ok()? * 10 } else { cents.parse().ok()? };
        whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents).map(Self)
    }
}

impl JsonSchema for Money {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "description": "Money, with two decimals.", "examples": [25.00]})
    }
}

impl Serialize for Money {
    /// A JSON number with two decimals, as the contract renders money.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.decimal()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_an_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e2", "1.234", "1,5", "0x1", "99999999999999999999", "NaN", " 1"]
        {
            assert_eq!(Money::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn amounts_are_exact_in_and_out() {
        for (text, minor, out) in
            [("25", 2500, "25.00"), ("0.5", 50, "0.50"), ("0.05", 5, "0.05"), ("1000.10", 100_010, "1000.10")]
        {
            let money = Money::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(money, Money(minor));
            assert_eq!(money.decimal(), out);
            assert_eq!(serde_json::to_string(&money).ok(), Some(out.to_owned()));
        }
        assert_eq!(Money(-5).decimal(), "-0.05");
        assert_eq!(Money(i64::MIN).decimal(), "-92233720368547758.08");
    }
}
