//! The client's address behind trusted proxies (contract: keys.md, Order and meaning).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::canonical;

/// Bytes of one forwarding header line; whoever sends more is not describing a chain of proxies.
pub(super) const MAX_LINE: usize = 8 * 1024;

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
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// RFC 9110, 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
