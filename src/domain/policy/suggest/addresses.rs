//! The list of addresses that explains where a key was used from.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

use super::{Reason, Seen};
use crate::domain::addresses::{AllowList, MAX_ENTRIES, per_ip_bucket};

/// A key that came from more places than this has addresses that change: a list of the old ones would refuse the next one.
pub const SETTLED: usize = 20;

/// Addresses that are told apart. Beyond them the rest is known to be more.
const COUNTED: usize = 4_096;

/// The setting, as reasons name it.
const SETTING: &str = "allowed_ips";

/// Where calls came from.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Calls by address.
    by_ip: BTreeMap<IpAddr, i64>,
    /// There were more than are told apart.
    countless: bool,
    /// Calls whose address was not known.
    unknown: i64,
}

impl Addresses {
    pub fn add(&mut self, ip: Option<IpAddr>, calls: i64) {
        let Some(ip) = ip else {
            self.unknown += calls;
            return;
        };
        if self.by_ip.len() < COUNTED || self.by_ip.contains_key(&ip) {
            *self.by_ip.entry(ip).or_default() += calls;
        } else {
            self.countless = true;
        }
    }

    /// The smallest networks around them that `current` allows. One IPv4 address is one host. So is an IPv6 address that
    /// stayed the same; where several of one /64 were seen, the host changes its own within the /64 that it was given
    /// (RFC 8981), and tomorrow's would be refused by a list of today's.
    fn networks(&self, current: &AllowList) -> Vec<(IpNet, i64)> {
        let mut groups: BTreeMap<IpAddr, Vec<(IpAddr, i64)>> = BTreeMap::new();
        for (ip, calls) in &self.by_ip {
            let group = if ip.is_ipv6() { per_ip_bucket(*ip) } else { *ip };
            groups.entry(group).or_default().push((*ip, *calls));
        }
        let mut networks = Vec::new();
        for (group, members) in groups {
            match whole(group).filter(|network| members.len() > 1 && covers(current, network)) {
                Some(network) => networks.push((network, members.iter().map(|(_, calls)| calls).sum())),
                None => networks.extend(members.into_iter().map(|(ip, calls)| (IpNet::from(ip), calls))),
            }
        }
        networks
    }
}

fn whole(group: IpAddr) -> Option<IpNet> {
    match group {
        IpAddr::V6(ip) => Ipv6Net::new(ip, 64).ok().map(IpNet::V6),
        IpAddr::V4(_) => None,
    }
}

fn covers(list: &AllowList, network: &IpNet) -> bool {
    list.is_empty() || list.iter().any(|entry| entry.contains(network))
}

/// The list, and why each entry is there. What keeps it as it is goes to the notes.
pub(super) fn least(seen: &Seen, notes: &mut Vec<String>) -> (AllowList, Vec<Reason>) {
    let (current, addresses) = (&seen.key().allowed_ips, &seen.addresses);
    let networks = addresses.networks(current);
    if let Some(why) = why_kept(seen, networks.len()) {
        notes.push(why);
        return (current.clone(), Vec::new());
    }
    let list = AllowList::of(networks.iter().map(|(network, _)| *network));
    if addresses.by_ip.keys().any(IpAddr::is_loopback) {
        notes.push(
            "Calls came from this machine itself. Where a proxy stands in front, name it in server.trusted_proxies first: \
             until then everybody has its address."
                .to_owned(),
        );
    }
    let reasons = list.to_strings().into_iter().zip(&networks).map(|(word, (_, calls))| Reason {
        setting: SETTING,
        word,
        calls: *calls,
        example: None,
        besides: None,
    });
    let reasons = reasons.collect();
    // The same networks in another order are the same list.
    let same = list.len() == current.len() && list.iter().all(|network| current.iter().any(|entry| entry == network));
    (if same { current.clone() } else { list }, reasons)
}

fn why_kept(seen: &Seen, networks: usize) -> Option<String> {
    let addresses = &seen.addresses;
    let kept = |why: String| Some(format!("The list of addresses is left as it is: {why}."));
    if addresses.unknown > 0 {
        return kept(format!(
            "{} calls came from an address that is not known (a Unix socket, or a header that cannot be read), and any list \
             refuses those",
            addresses.unknown
        ));
    }
    if seen.manages_keys() {
        return kept(
            "the key makes or changes other keys, whose addresses must lie within its own, and the log does not say which \
             addresses those have"
                .to_owned(),
        );
    }
    if networks <= SETTLED && !addresses.countless {
        return None;
    }
    let count = if addresses.countless { format!("more than {COUNTED}") } else { addresses.by_ip.len().to_string() };
    let room = if networks > MAX_ENTRIES { format!(", and a list holds {MAX_ENTRIES}") } else { String::new() };
    kept(format!(
        "calls came from {count} addresses, so they seem to change, and a list would refuse the next one{room}"
    ))
}
