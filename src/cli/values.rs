//! Values of the command line that several commands take: `NAME=on|off`, `NAME=number`, durations.

use std::str::FromStr;

use crate::domain::features;
use crate::domain::quotas::{self, UNLIMITED};
use crate::domain::time::Timestamp;

/// One `--feature NAME=on` or `--grant NAME=on`.
#[derive(Debug, Clone)]
pub struct Feature {
    pub feature: features::Feature,
    /// `None`: back to the package's value.
    pub on: Option<bool>,
}

impl FromStr for Feature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || features::Feature::ALL.map(features::Feature::as_str).join(", ");
        let (name, value) = text.split_once('=').ok_or("write it as NAME=on or NAME=off")?;
        let feature = features::Feature::parse(name).ok_or_else(|| format!("the flags are {}", all()))?;
        match value {
            "on" => Ok(Self { feature, on: Some(true) }),
            "off" => Ok(Self { feature, on: Some(false) }),
            "inherit" => Ok(Self { feature, on: None }),
            _ => Err("the value is on, off or inherit".to_owned()),
        }
    }
}

/// One `--limit NAME=number`.
#[derive(Debug, Clone)]
pub struct Quota {
    pub quota: quotas::Quota,
    /// `None`: back to the package's value.
    pub value: Option<i64>,
}

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || quotas::Quota::ALL.map(quotas::Quota::as_str).join(", ");
        let (name, value) = text.split_once('=').ok_or("write it as NAME=10, NAME=unlimited or NAME=inherit")?;
        let quota = quotas::Quota::parse(name).ok_or_else(|| format!("the limits are {}", all()))?;
        let value = match value {
            "unlimited" => Some(UNLIMITED),
            "inherit" => None,
            number => {
                let number = number.parse().map_err(|_| "the value is a number, unlimited or inherit".to_owned())?;
                Some(quota.check(number).map_err(|invalid| invalid.to_string())?)
            }
        };
        Ok(Self { quota, value })
    }
}

/// `0`, `30m`, `24h`, `7d` (contract: cli.md, durations).
pub fn duration_millis(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => Timestamp::MINUTE,
        "h" => Timestamp::HOUR,
        "d" => Timestamp::DAY,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    number.parse::<i64>().ok().filter(|_| digits)?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_the_vocabulary_are_refused_with_it() {
        for text in ["api", "api=", "api=yes", "ftp=on", "=on"] {
            assert!(text.parse::<Feature>().is_err(), "{text}");
        }
        for text in ["max_users", "max_users=", "max_users=-2", "max_users=1.5", "users=1", "=1"] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
        assert_eq!("api=inherit".parse::<Feature>().unwrap().on, None);
        assert_eq!("max_users=unlimited".parse::<Quota>().unwrap().value, Some(-1));
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for text in
            ["", "7", "d", "7w", "-7d", "7 d", "1.5h", "٣d", "99999999999999999999d", "9223372036854775807d", "00"]
        {
            assert_eq!(duration_millis(text), None, "{text}");
        }
        assert_eq!(duration_millis("0"), Some(0));
        assert_eq!(duration_millis("30m"), Some(30 * Timestamp::MINUTE));
        assert_eq!(duration_millis("24h"), Some(Timestamp::DAY));
        assert_eq!(duration_millis("7d"), Some(7 * Timestamp::DAY));
    }
}
