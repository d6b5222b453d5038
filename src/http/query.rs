//! Query strings: typed, each parameter at most once, an empty one absent, unknown ones ignored.

use crate::domain::error::Invalid;

#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub fn text(&self, name: &'static str) -> Result<Option<&str>, Invalid> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(Invalid::new(name, "is given twice"));
        }
        match first {
            None | Some("") => Ok(None),
            Some(text) if text.chars().count() > 255 || text.contains('\0') => {
                Err(Invalid::new(name, "must be at most 255 characters without control characters"))
            }
            Some(text) => Ok(Some(text)),
        }
    }

    /// A decimal integer between two bounds, both allowed.
    pub fn integer(&self, name: &'static str, least: i64, most: i64) -> Result<Option<i64>, Invalid> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && (least..=most).contains(number));
        let problem = match (least, most) {
            (1, i64::MAX) => "must be a positive integer".to_owned(),
            _ => format!("must be an integer from {least} to {most}"),
        };
        number.map(Some).ok_or_else(|| Invalid::new(name, problem))
    }

    /// `true`, `false`, `1` or `0`.
    pub fn boolean(&self, name: &'static str) -> Result<Option<bool>, Invalid> {
        match self.text(name)? {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Invalid::new(name, "must be true, false, 1 or 0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_refused() {
        let query = Query::parse("a=x&b=1&b=2&c=-1&d=+5&e=101&f=yes&g=%00&h=99999999999999999999");
        for name in ["a", "b", "c", "d", "e", "g", "h"] {
            assert!(query.integer(name, 1, 100).is_err(), "{name}");
        }
        assert!(query.boolean("f").is_err());
    }

    #[test]
    fn absent_and_empty_are_the_same() {
        let query = Query::parse("a=&b=7&c=1");
        assert_eq!(query.integer("a", 1, 100), Ok(None));
        assert_eq!(query.integer("z", 1, 100), Ok(None));
        assert_eq!(query.integer("b", 1, 100), Ok(Some(7)));
        assert_eq!(query.boolean("c"), Ok(Some(true)));
    }
}
