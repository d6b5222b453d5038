//! A body whose fields have many names: flags, limits. Typed one by one, each at most once, unknown ones ignored.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::domain::error::Invalid;

#[derive(Clone, Default)]
pub struct Fields(Map<String, Value>);

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

impl Fields {
    fn typed<T>(&self, name: &str, read: impl Fn(&Value) -> Option<T>, kind: &'static str) -> Result<Sent<T>, Invalid> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(Some(value))),
                None => Err(Invalid::new(name.to_owned(), format!("must be {kind}"))),
            },
        }
    }

    pub fn flag(&self, name: &str) -> Result<Sent<bool>, Invalid> {
        self.typed(name, Value::as_bool, "a boolean")
    }

    pub fn number(&self, name: &str) -> Result<Sent<i64>, Invalid> {
        self.typed(name, Value::as_i64, "an integer")
    }

    /// A text; null is as if it had not been sent.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, Invalid> {
        Ok(self.typed(name, |value| value.as_str().map(str::to_owned), "a string")?.flatten())
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
                let mut fields = Map::new();
                while let Some((name, value)) = object.next_entry::<String, Value>()? {
                    if fields.insert(name.clone(), value).is_some() {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
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
        let twice = body::parse::<Fields>(br#"{"api": true, "api": false}"#).unwrap_err();
        assert_eq!(twice.to_string(), "api is given twice");
    }

    #[test]
    fn null_is_told_from_absent() {
        let body = fields(r#"{"api": null, "max": 5}"#);
        assert_eq!(body.flag("api"), Ok(Some(None)));
        assert_eq!(body.flag("php"), Ok(None));
        assert_eq!(body.number("max"), Ok(Some(Some(5))));
    }
}
