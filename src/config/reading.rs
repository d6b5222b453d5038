//! How serde reads and writes settings: texts that are parsed, lists of them, and whole numbers between two bounds.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use super::values::Parsed;

/// Reads one text.
struct Text<T>(PhantomData<T>);

impl<'de, T: Parsed> Visitor<'de> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &T::EXPECTED))
    }
}

impl<'de, T: Parsed> DeserializeSeed<'de> for Text<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

/// `#[serde(with = "one")]`: a text.
pub mod one {
    use super::*;

    pub fn serialize<T: Parsed, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.text())
    }

    pub fn deserialize<'de, T: Parsed, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Text(PhantomData).deserialize(deserializer)
    }
}

/// `#[serde(with = "maybe")]`: a text, or not set.
pub mod maybe {
    use super::*;

    struct Maybe<T>(PhantomData<T>);

    impl<'de, T: Parsed> Visitor<'de> for Maybe<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(T::EXPECTED)
        }

        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            Text(PhantomData).deserialize(deserializer).map(Some)
        }
    }

    pub fn serialize<T: Parsed, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Parsed::text).serialize(serializer)
    }

    pub fn deserialize<'de, T: Parsed, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(Maybe(PhantomData))
    }
}

/// `#[serde(with = "several")]`: a list of texts; one alone needs no brackets.
pub mod several {
    use super::*;

    struct Several<T>(PhantomData<T>);

    impl<'de, T: Parsed> Visitor<'de> for Several<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}, or a list of such", T::EXPECTED)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
            Text(PhantomData).visit_str(text).map(|value| vec![value])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut values = Vec::new();
            while let Some(value) = list.next_element_seed(Text(PhantomData))? {
                values.push(value);
            }
            Ok(values)
        }
    }

    pub fn serialize<T: Parsed, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Parsed::text))
    }

    pub fn deserialize<'de, T: Parsed, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_any(Several(PhantomData))
    }
}

struct Between<T, const MIN: i64, const MAX: i64>(PhantomData<T>);

impl<'de, T: TryFrom<i64>, const MIN: i64, const MAX: i64> Visitor<'de> for Between<T, MIN, MAX> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let inside = Some(number).filter(|number| (MIN..=MAX).contains(number));
        let value = inside.and_then(|number| T::try_from(number).ok());
        value.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }
}

/// A whole number from `MIN` to `MAX`, both included.
pub fn between<'de, T: TryFrom<i64>, D: Deserializer<'de>, const MIN: i64, const MAX: i64>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_i64(Between::<T, MIN, MAX>(PhantomData))
}
