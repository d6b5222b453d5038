//! Network addresses: a key's allow-list, and which address a request came from when proxies stand in between.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use super::error::{AppError, Invalid};

#[cfg(test)]
mod tests;

/// Different networks in one allow-list.
pub const MAX_ENTRIES: usize = 100;

/// Bytes of one forwarding header line; whoever sends more is not describing a chain of proxies.
const MAX_LINE: usize = 8 * 1024;

/// Characters of a wrong entry that its error message repeats.
const MAX_QUOTED: usize = 64;

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

/// The one header that trusted proxies report the client's address in (`server.client_ip_header`); the other is never read, because
/// a proxy that writes one of them passes on whatever the client put in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardingHeader {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl ForwardingHeader {
    pub fn name(self) -> &'static str {
        match self {
            ForwardingHeader::XForwardedFor => "x-forwarded-for",
            ForwardingHeader::Forwarded => "forwarded",
        }
    }
}

impl FromStr for ForwardingHeader {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        [ForwardingHeader::XForwardedFor, ForwardingHeader::Forwarded]
            .into_iter()
            .find(|header| header.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| Invalid::new("server.client_ip_header", "must be x-forwarded-for or forwarded"))
    }
}

/// The other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Ip(IpAddr),
    /// Only a process on this machine can hold it, so it counts as a trusted proxy.
    UnixSocket,
}

impl Peer {
    /// Whether what it says of others is believed.
    pub fn is_trusted(self, trusted: &[IpNet]) -> bool {
        match self {
            Peer::Ip(ip) => is_among(ip.to_canonical(), trusted),
            Peer::UnixSocket => true,
        }
    }

    /// The connection does not leave the machine.
    pub fn is_loopback(self) -> bool {
        match self {
            Peer::Ip(ip) => ip.to_canonical().is_loopback(),
            Peer::UnixSocket => true,
        }
    }
}

fn is_among(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| canonical(*network).contains(&ip))
}

/// The client's address (keys.md, "Order and meaning"), never IPv4-mapped. `lines` are the values of `header` in the order they arrived.
///
/// An untrusted peer is the client and the header is not read. Behind a trusted peer the hops are walked from the right, which trusted
/// proxies wrote, to the left, which the client may have made up: the first untrusted hop is the client, or the leftmost if all
/// are trusted. None when there is no hop, or one met on the way cannot be read; what stands to the left of the answer does not matter.
pub fn client_ip<'a>(
    peer: Peer,
    trusted: &[IpNet],
    lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    header: ForwardingHeader,
) -> Option<IpAddr> {
    let is_trusted = |ip: IpAddr| is_among(ip, trusted);
    if let Peer::Ip(ip) = peer {
        let ip = ip.to_canonical();
        if !is_trusted(ip) {
            return Some(ip);
        }
    }

    let mut leftmost = None;
    for line in lines.rev() {
        if line.len() > MAX_LINE {
            return None;
        }
        let (mut first, mut last_not_trusted) = (None, None);
        // Quoted strings can only be told apart from the left, so the line is read forwards and the last hop that ends the walk kept.
        for hop in hops(line, header) {
            match hop {
                Some(ip) if is_trusted(ip) => first = first.or(Some(ip)),
                ends_the_walk => last_not_trusted = Some(ends_the_walk),
            }
        }
        if let Some(client) = last_not_trusted {
            return client;
        }
        leftmost = first.or(leftmost);
    }
    leftmost
}

/// The hops of one line, left to right; None for one that cannot be read.
///
/// An empty element is no hop. RFC 9110, 5.6.1.2 says so for lists such as `Forwarded`; `X-Forwarded-For` has no grammar, but a proxy
/// that appends to an empty value writes `, 192.0.2.1`, and that must not cost its clients their address.
fn hops(line: &[u8], header: ForwardingHeader) -> impl Iterator<Item = Option<IpAddr>> {
    let quotes = header == ForwardingHeader::Forwarded;
    split(line, b',', quotes).filter(|element| !element.is_empty()).map(move |element| match header {
        ForwardingHeader::XForwardedFor => x_forwarded_for_hop(element),
        ForwardingHeader::Forwarded => forwarded_hop(element),
    })
}

/// Parts between separators that do not stand in a quoted string, without the blanks around them. A string that is never closed
/// swallows the rest: that part is then unreadable, and the rightmost, so a client cannot use a stray quote to hide a later hop.
fn split(bytes: &[u8], separator: u8, quotes: bool) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = bytes.split(move |&byte| {
        if escaped {
            escaped = false;
            return false;
        }
        match byte {
            b'"' if quotes => quoted = !quoted,
            b'\\' if quoted => escaped = true,
            _ => {}
        }
        byte == separator && !quoted
    });
    parts.map(trim_blanks)
}

/// Not `trim_ascii`: that would also take off line breaks and form feeds, which HTTP does not count as blanks.
fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn x_forwarded_for_hop(element: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(element).ok()?;
    match text.parse::<Ipv6Addr>() {
        Ok(bare) => Some(IpAddr::V6(bare).to_canonical()),
        Err(_) => parse_node(text, is_port),
    }
}

/// `for=192.0.2.1;proto=https;by="[2001:db8::1]:443"`. Blanks around `;` are not in the RFC but common. An element that breaks the
/// grammar anywhere, or has no `for` or two, is unreadable.
fn forwarded_hop(element: &[u8]) -> Option<IpAddr> {
    let mut node = None;
    for pair in split(element, b';', true).filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (&pair[..equals], parse_value(&pair[equals + 1..])?);
        if !is_token(name) || (name.eq_ignore_ascii_case(b"for") && node.replace(value).is_some()) {
            return None;
        }
    }
    parse_node(str::from_utf8(&node?).ok()?, |port| is_port(port) || is_hidden_port(port))
}

/// A parameter's value: a quoted string, or a token in which `:`, `[` and `]` are let through for the proxies that forget the quotes.
fn parse_value(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(inner) = value.strip_prefix(b"\"") else {
        let is_bare = !value.is_empty() && value.iter().all(|&byte| is_token_byte(byte) || b":[]".contains(&byte));
        return is_bare.then_some(Cow::Borrowed(value));
    };
    let inner = inner.strip_suffix(b"\"")?;
    if !inner.iter().all(|&byte| matches!(byte, b'\t' | b' '..=b'~')) {
        return None;
    }
    if !inner.iter().any(|byte| b"\"\\".contains(byte)) {
        return Some(Cow::Borrowed(inner));
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'"' => return None,
            b'\\' => *bytes.next()?,
            _ => byte,
        });
    }
    Some(Cow::Owned(plain))
}

/// `192.0.2.1`, `[2001:db8::1]`, each with or without `:port`. `unknown`, `_hidden` and zone ids (`[fe80::1%eth0]`) name no address
/// that means anything here.
fn parse_node(text: &str, is_port: impl Fn(&str) -> bool) -> Option<IpAddr> {
    let (ip, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']')?;
            (IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (ip, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (IpAddr::V4(ip.parse::<Ipv4Addr>().ok()?), port)
        }
    };
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then(|| ip.to_canonical())
}

fn is_port(text: &str) -> bool {
    is_number(text) && text.len() <= 5 && text.parse::<u16>().is_ok()
}

/// RFC 7239, 6: a proxy may keep the port to itself.
fn is_hidden_port(text: &str) -> bool {
    text.strip_prefix('_')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)))
}

/// `str::parse` alone would also read `+8`.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// RFC 9110, 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
