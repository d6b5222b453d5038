//! Network addresses: a key's allow-list, and which address a request came from when proxies stand in between.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::error::{AppError, Invalid};

mod client;
#[cfg(test)]
mod tests;

use client::is_number;
pub use client::{ForwardingHeader, Peer, client_ip};

/// Characters of a wrong entry that its error message repeats.
const MAX_QUOTED: usize = 64;

/// Different networks in one allow-list.
pub const MAX_ENTRIES: usize = 100;

/// Reads an IP or a CIDR, v4 or v6. Host bits are masked off; an IPv4-mapped network becomes the IPv4 one it stands for.
///
/// Addresses are read by the standard library because it refuses `010.0.0.1`, which some programs take for 8.0.0.1.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = match text.split_once('/') {
        None => IpNet::from(text.parse::<IpAddr>().ok()?),
        Some((ip, prefix)) => {
            if !is_number(prefix) {
                return None;
            }
            IpNet::new(ip.parse().ok()?, prefix.parse().ok()?).ok()?
        }
    };
    Some(canonical(network).trunc())
}

fn canonical(network: IpNet) -> IpNet {
    match network {
        IpNet::V6(v6) => v6
            .addr()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96))
            .and_then(|(v4, prefix)| Ipv4Net::new(v4, prefix).ok())
            .map_or(network, IpNet::V4),
        IpNet::V4(_) => network,
    }
}

/// The address that per-IP counters count under: one IPv6 customer holds a whole /64, so counting addresses would never fill.
pub fn per_ip_bucket(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// What one customer of a network provider is given at most: of IPv6 its /48, in which there are 65 536 buckets.
pub fn per_site_bucket(ip: IpAddr) -> IpAddr {
    match per_ip_bucket(ip) {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80)),
        v4 => v4,
    }
}

/// The networks a key may be used from (keys.md, gate 10). An empty list means anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<IpNet>);

impl AllowList {
    /// Fails on the first entry that is no IP or CIDR, and on the 101st different network. `field` is the caller's name for the list.
    pub fn parse<'a>(field: &'static str, entries: impl IntoIterator<Item = &'a str>) -> Result<Self, Invalid> {
        let mut list = Self::default();
        for entry in entries {
            list.add(field, entry)?;
        }
        Ok(list)
    }

    /// Of networks that are known to be different and not too many.
    pub fn of(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().take(MAX_ENTRIES).collect())
    }

    /// Whether the list grew: false when the same network was there already. Fails like [`AllowList::parse`].
    pub fn add(&mut self, field: &'static str, entry: &str) -> Result<bool, Invalid> {
        let network = parse_entry(field, entry)?;
        if self.0.contains(&network) {
            return Ok(false);
        }
        if self.0.len() == MAX_ENTRIES {
            return Err(Invalid::new(field, format!("must have at most {MAX_ENTRIES} entries")));
        }
        self.0.push(network);
        Ok(true)
    }

    /// Takes out the equal network; a network inside or around it is another one. Removing the last entry leaves a list that
    /// allows anywhere, so callers say so. Fails when the entry is wrong or not listed.
    pub fn remove(&mut self, field: &'static str, entry: &str) -> Result<(), Invalid> {
        let network = parse_entry(field, entry)?;
        let at = self.0.iter().position(|listed| *listed == network);
        let at = at.ok_or_else(|| Invalid::new(field, format!("does not list {}", Entry(&network))))?;
        self.0.remove(at);
        Ok(())
    }

    /// A list that is set refuses a caller whose address is not known.
    pub fn allows(&self, ip: Option<IpAddr>) -> bool {
        self.0.is_empty()
            || ip.is_some_and(|ip| {
                let ip = ip.to_canonical();
                self.0.iter().any(|network| network.contains(&ip))
            })
    }

    /// Whether whoever this list allows, the other allows too: each network lies within one of the other's. Two halves that
    /// together cover a network do not count, so that a refusal can be followed by reading the two lists.
    pub fn is_subset_of(&self, other: &AllowList) -> bool {
        if self.0.is_empty() || other.0.is_empty() {
            return other.0.is_empty();
        }
        self.0.iter().all(|network| other.0.iter().any(|wider| wider.contains(network)))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }

    pub fn to_strings(&self) -> Vec<String> {
        self.0.iter().map(|network| Entry(network).to_string()).collect()
    }

    /// What the database stores: entries joined by commas, nothing for an empty list.
    pub fn to_text(&self) -> String {
        self.to_string()
    }

    /// Reads what `to_text` wrote. Other text is a fault of ours and an error: read as an empty list it would open the key to anywhere.
    pub fn from_text(text: &str) -> Result<Self, AppError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::parse("the stored allow-list", text.split(',')).map_err(|invalid| AppError::Internal(invalid.to_string()))
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", Entry(network))?;
        }
        Ok(())
    }
}

/// A network as people write it: a single host without its prefix length.
struct Entry<'a>(&'a IpNet);

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            write!(f, "{}", self.0.addr())
        } else {
            write!(f, "{}", self.0)
        }
    }
}

fn parse_entry(field: &'static str, entry: &str) -> Result<IpNet, Invalid> {
    parse_network(entry).ok_or_else(|| {
        // Escaped, because the message also goes to terminals and to the log.
        let mut quoted: String = entry.chars().take(MAX_QUOTED).flat_map(char::escape_debug).collect();
        if entry.chars().nth(MAX_QUOTED).is_some() {
            quoted.push('…');
        }
        Invalid::new(field, format!("has an entry that is not an IP address or CIDR: '{quoted}'"))
    })
}
