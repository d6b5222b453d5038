//! A body whose fields have many names: flags, limits. Typed one by one, each at most once, unknown ones ignored.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::error::Invalid;
use crate::domain::features::Feature;

/// `None`: given twice, which only whoever reads the field minds.
#[derive(Clone, Default)]
pub struct Fields(HashMap<String, Option<Box<RawValue>>>);

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields")
    }
}

/// `None`: not sent. `Some(None)`: sent as null.
pub type Sent<T> = Option<Option<T>>;

/// Tells a field that was not sent from one that was sent as null, in a body with a type of its own.
pub fn sent<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Sent<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A field that has been sent, read; null stays null.
pub fn parsed<T, U, E>(sent: &Sent<T>, parse: impl FnOnce(&T) -> Result<U, E>) -> Result<Sent<U>, E> {
    sent.as_ref().map(|value| value.as_ref().map(parse).transpose()).transpose()
}

/// A text that has been sent, read; null clears it as an empty one does.
pub fn cleared<T, E>(sent: &Sent<String>, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, E> {
    sent.as_ref().map(|text| parse(text.as_deref().unwrap_or_default())).transpose()
}

impl Fields {
    fn typed<T: DeserializeOwned>(&self, name: &str, kind: &'static str) -> Result<Sent<T>, Invalid> {
        let Some(raw) = self.0.get(name) else { return Ok(None) };
        let Some(raw) = raw else { return Err(Invalid::new(name.to_owned(), "is given twice")) };
        let read = serde_json::from_str::<Option<T>>(raw.get());
        read.map(Some).map_err(|_| Invalid::new(name.to_owned(), format!("must be {kind}")))
    }

    pub fn flag(&self, name: &str) -> Result<Sent<bool>, Invalid> {
        self.typed(name, "a boolean")
    }

    /// A flag under either of its names: `api`, as features and package data call it, or `can_use_api`.
    pub fn either_flag(&self, feature: Feature) -> Result<Sent<bool>, Invalid> {
        let (short, long) = (feature.as_str(), format!("can_use_{}", feature.as_str()));
        match (self.flag(short)?, self.flag(&long)?) {
            (Some(Some(one)), Some(Some(other))) if one != other => {
                Err(Invalid::new(short, "and its can_use_ name say different things"))
            }
            (Some(Some(on)), _) | (_, Some(Some(on))) => Ok(Some(Some(on))),
            (one, other) => Ok(one.or(other)),
        }
    }

    pub fn number(&self, name: &str) -> Result<Sent<i64>, Invalid> {
        self.typed(name, "an integer")
    }

    pub fn nullable_text(&self, name: &'static str) -> Result<Sent<String>, Invalid> {
        self.typed(name, "a string")
    }

    /// A text; null is as if it had not been sent.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, Invalid> {
        Ok(self.nullable_text(name)?.flatten())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields, A::Error> {
                let mut fields = HashMap::new();
                while let Some((name, value)) = object.next_entry::<String, Box<RawValue>>()? {
                    fields.entry(name).and_modify(|known| *known = None).or_insert(Some(value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body;

    fn fields(text: &str) -> Fields {
        body::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_field_of_the_wrong_type_or_given_twice_is_named() {
        let body = fields(r#"{"api": "true", "max": 1.5, "name": 5}"#);
        assert_eq!(body.flag("api").unwrap_err().to_string(), "api must be a boolean");
        assert_eq!(body.number("max").unwrap_err().to_string(), "max must be an integer");
        assert_eq!(body.text("name").unwrap_err().to_string(), "name must be a string");
        let twice = fields(r#"{"api": true, "api": false, "api": null}"#);
        assert_eq!(twice.flag("api").unwrap_err().to_string(), "api is given twice");
    }

    #[test]
    fn what_nobody_reads_may_be_anything() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let body = fields(&format!(r#"{{"x": {deep}, "y": 1e400, "name": "a", "x": 1}}"#));
        assert_eq!(body.text("name").unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn null_is_told_from_absent() {
        let body = fields(r#"{"api": null, "max": 5}"#);
        assert_eq!(body.flag("api"), Ok(Some(None)));
        assert_eq!(body.flag("php"), Ok(None));
        assert_eq!(body.number("max"), Ok(Some(Some(5))));
    }
}
