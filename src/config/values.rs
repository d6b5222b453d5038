//! The values of settings: each is parsed once, and a text that does not parse says what was expected.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::reading::one;

/// A setting that is written as text.
pub trait Parsed: Sized {
    /// Completes "expected …".
    const EXPECTED: &'static str;

    fn parse(text: &str) -> Option<Self>;

    /// The text that parses to this value.
    fn text(&self) -> String;
}

/// An address the server listens on: `127.0.0.1:3082`, `[::1]:3082` or `unix:/run/panel/panel.sock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Bytes of a Unix socket's path, without the closing NUL (`sun_path` of unix(7)).
const SOCKET_PATH_BYTES: usize = 107;

impl Parsed for Listen {
    const EXPECTED: &'static str =
        "an address such as 127.0.0.1:3082, or unix: and an absolute path of at most 107 bytes";

    fn parse(text: &str) -> Option<Self> {
        let Some(path) = text.strip_prefix("unix:") else {
            return text.parse().ok().map(Self::Tcp);
        };
        let fits = path.len() <= SOCKET_PATH_BYTES && Path::new(path).is_absolute();
        if fits { PathBuf::parse(path).map(Self::Unix) } else { None }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `http://` or `https://`, a host, perhaps a port and a path; no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Parsed for PublicUrl {
    const EXPECTED: &'static str = "http:// or https:// and a host, without a slash at the end";

    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
        let path_is_plain = |path: &str| {
            !path.is_empty()
                && !path.ends_with('/')
                && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\".contains(&byte))
        };
        (is_authority(authority) && path.is_none_or(path_is_plain)).then(|| Self(text.to_owned()))
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`; user names have no place in a link.
fn is_authority(text: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if let Some((address, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let after_is_port = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return address.parse::<Ipv6Addr>().is_ok() && after_is_port;
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Three upper-case letters (ISO 4217).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency(String);

impl Currency {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Currency {
    fn default() -> Self {
        Self("USD".to_owned())
    }
}

impl Parsed for Currency {
    const EXPECTED: &'static str = "three upper-case letters such as USD";

    fn parse(text: &str) -> Option<Self> {
        (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())).then(|| Self(text.to_owned()))
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Parsed for PathBuf {
    const EXPECTED: &'static str = "a path without control characters";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains(char::is_control)).then(|| Self::from(text))
    }

    fn text(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

impl Parsed for Option<SocketAddr> {
    const EXPECTED: &'static str = "an address such as 127.0.0.1:9182, or an empty text for off";

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
    }

    fn text(&self) -> String {
        self.map_or_else(String::new, |address| address.to_string())
    }
}

/// A time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    /// Since midnight, below 1440.
    pub minutes: u32,
}

impl Parsed for Option<TimeOfDay> {
    const EXPECTED: &'static str = "a time of day such as 03:30, or an empty text for off";

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(None);
        }
        let (hours, minutes) = text.split_once(':')?;
        let number = |digits: &str, below: u32| {
            let shaped = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u32>().ok().filter(|number| shaped && *number < below)
        };
        let minutes = number(hours, 24)? * 60 + number(minutes, 60)?;
        Some(Some(TimeOfDay { minutes }))
    }

    fn text(&self) -> String {
        self.map_or_else(String::new, |TimeOfDay { minutes }| format!("{:02}:{:02}", minutes / 60, minutes % 60))
    }
}

impl Parsed for Tz {
    const EXPECTED: &'static str = "an IANA time zone such as Asia/Beirut";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn text(&self) -> String {
        self.name().to_owned()
    }
}

impl Parsed for IpNet {
    const EXPECTED: &'static str = "an IP address or a network such as 10.0.0.0/8";

    fn parse(text: &str) -> Option<Self> {
        let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(Self::from))?;
        Some(unmapped(network))
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// Client addresses are compared with IPv4-mapped ones unmapped (`keys.md`), so the networks must be too.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let prefix = mapped.prefix_len().checked_sub(96);
    let plain = mapped.addr().to_ipv4_mapped().zip(prefix).and_then(|(address, bits)| Ipv4Net::new(address, bits).ok());
    plain.map_or(network, IpNet::V4)
}

/// Settings that are one word of a list; serde's own enums would also accept a number as the variant's index.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$mark:meta])* $variant:ident = $word:literal),+ } expected $expected:literal)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name { $($(#[$mark])* $variant),+ }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Parsed for $name {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)+ _ => None }
            }

            fn text(&self) -> String {
                self.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                one::deserialize(deserializer)
            }
        }
    )+};
}

words! {
    /// The forwarding header that names the client; the value is the header's name.
    ClientIpHeader { #[default] XForwardedFor = "x-forwarded-for", Forwarded = "forwarded" } expected "x-forwarded-for or forwarded"
    /// How hard a commit is: `full` survives a power cut, `normal` may lose the last ones.
    Synchronous { #[default] Full = "full", Normal = "normal" } expected "full or normal"
    /// The quietest message that is written.
    LogLevel { Error = "error", Warn = "warn", #[default] Info = "info", Debug = "debug", Trace = "trace" } expected "error, warn, info, debug or trace"
    /// Lines for people or for machines.
    LogFormat { #[default] Text = "text", Json = "json" } expected "text or json"
}
