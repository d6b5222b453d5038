//! NAS: the routers that authenticate subscribers.

use super::addresses::parse_network;
use super::error::Invalid;
use super::time::Timestamp;

/// A router as callers see it; its secret is never among what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nas {
    pub id: i64,
    pub name: String,
    /// An address or a network.
    pub ip_address: String,
    /// `mikrotik` or `generic`.
    pub kind: String,
    pub active_sessions: i64,
    pub last_seen_at: Option<Timestamp>,
}

impl Nas {
    /// A router is taken for reachable this long after it was last heard of: two of the five-minute interim updates that
    /// RFC 2869 (5.16) recommends as a minimum of ten.
    const REACHABLE_MILLIS: i64 = 10 * Timestamp::MINUTE;

    pub fn is_online(&self, now: Timestamp) -> bool {
        self.last_seen_at.is_some_and(|seen| now.millis() - seen.millis() <= Self::REACHABLE_MILLIS)
    }
}

/// What kind of router it is, which decides the attributes it understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Mikrotik,
    Generic,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Mikrotik => "mikrotik",
            Kind::Generic => "generic",
        }
    }
}

/// Where changes of authorization go unless a router says otherwise (RFC 5176, 2.1).
pub const COA_PORT: u16 = 3799;

/// An address or a network, in the one form in which it is unique: host bits cleared, a network of one address as that address.
pub fn parse_ip_address(field: &'static str, text: &str) -> Result<String, Invalid> {
    let network = parse_network(text)
        .ok_or_else(|| Invalid::new(field, "must be an IP address or a network such as 10.0.0.0/24"))?;
    let one = network.prefix_len() == network.max_prefix_len();
    Ok(if one { network.addr().to_string() } else { network.to_string() })
}

/// The secret shared with a router. RFC 2865, 3: it must not be empty.
pub fn secret(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "must be 1-128 bytes without control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_and_the_same_address_has_one_form() {
        for text in ["", "router", "10.0.0.1/33", "010.0.0.1", "10.0.0", "10.0.0.1-5", "::g"] {
            assert!(parse_ip_address("ip_address", text).is_err(), "{text:?}");
        }
        for (text, form) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("10.0.0.7/24", "10.0.0.0/24"),
            ("2001:DB8:0::1", "2001:db8::1"),
        ] {
            assert_eq!(parse_ip_address("ip_address", text).as_deref(), Ok(form), "{text:?}");
        }
    }
}
