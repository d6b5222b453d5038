//! Settings: defaults < panel.toml < `PANEL_*` environment; a wrong or unknown one refuses to start. Knows no other room.

mod error;
mod load;
mod reading;
mod reload;
mod values;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use error::ConfigError;
pub use load::{Loaded, Origin, Setting, load, load_from};
pub use reload::Reloaded;
pub use values::{ClientIpHeader, Currency, Listen, LogFormat, LogLevel, Parsed, PublicUrl, Synchronous, TimeOfDay};

use reading::{between, maybe, one, several};

/// Every setting of the contract's `cli.md`; `Default` is its table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub metrics: Metrics,
    pub database: Database,
    pub limits: Limits,
    pub keys: Keys,
    pub logs: Logs,
    pub backup: Backup,
    pub locale: Locale,
    pub log: Log,
}

/// The network's door.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where it listens; at least one.
    #[serde(with = "several")]
    pub listen: Vec<Listen>,
    /// As configured; ask [`Server::public_url`] for the one in force.
    #[serde(with = "maybe")]
    pub public_url: Option<PublicUrl>,
    /// PEM file; set together with `tls_key` or not at all.
    #[serde(with = "maybe")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file; set together with `tls_cert` or not at all.
    #[serde(with = "maybe")]
    pub tls_key: Option<PathBuf>,
    /// Peers whose forwarding header is believed; IPv4-mapped networks are kept as IPv4.
    #[serde(with = "several")]
    pub trusted_proxies: Vec<IpNet>,
    /// The one forwarding header that is read; the other is ignored.
    pub client_ip_header: ClientIpHeader,
    /// Worker threads as configured, 0 = one per core; ask [`Server::workers`] for the number in force.
    #[serde(deserialize_with = "between::<_, _, 0, 1024>")]
    pub workers: usize,
    /// Largest request body, in bytes; bodies are held in memory.
    #[serde(deserialize_with = "between::<_, _, 1024, 67_108_864>")]
    pub max_body_bytes: usize,
    /// Seconds until an unfinished body is given up (408).
    #[serde(deserialize_with = "between::<_, _, 1, 3600>")]
    pub body_timeout_seconds: u64,
    /// Seconds for an answer to be made.
    #[serde(deserialize_with = "between::<_, _, 1, 3600>")]
    pub request_timeout_seconds: u64,
}

/// The Prometheus listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// `None` = off, written as an empty string.
    #[serde(with = "one")]
    pub listen: Option<SocketAddr>,
}

/// The SQLite file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// Relative paths start at the working directory.
    #[serde(with = "one")]
    pub path: PathBuf,
    pub synchronous: Synchronous,
}

/// Requests per minute; 0 = off. `keys.md` says what each counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    #[serde(deserialize_with = "between::<_, _, 0, 1_000_000_000>")]
    pub per_ip_per_minute: u32,
    /// Default of a key that has no limit of its own.
    #[serde(deserialize_with = "between::<_, _, 0, 1_000_000_000>")]
    pub per_key_per_minute: u32,
    #[serde(deserialize_with = "between::<_, _, 0, 1_000_000_000>")]
    pub login_per_minute: u32,
    /// Failing credentials from one address.
    #[serde(deserialize_with = "between::<_, _, 0, 1_000_000_000>")]
    pub failures_per_minute: u32,
}

/// Who may mint keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// Resellers whose `can_grant_api` is true mint for the users they own.
    pub reseller_delegation: bool,
}

/// The request log's retention; whichever bound is met first applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logs {
    /// Days, from 1 to 36 500.
    #[serde(deserialize_with = "between::<_, _, 1, 36_500>")]
    pub retention_days: u32,
    /// Rows, from 1 to 1 000 000 000.
    #[serde(deserialize_with = "between::<_, _, 1, 1_000_000_000>")]
    pub max_rows: u64,
}

/// Copies of the database, made while it is in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Relative paths start at the folder of the database; ask [`Config::backup_folder`] for the one in force.
    #[serde(with = "one")]
    pub folder: PathBuf,
    /// By the clock of `locale.time_zone`; `None` = no backup by the clock, written as an empty string.
    #[serde(with = "one")]
    pub daily_at: Option<TimeOfDay>,
    /// Backups by the clock that are kept, from 1 to 3650.
    #[serde(deserialize_with = "between::<_, _, 1, 3650>")]
    pub keep: u32,
    /// MiB read and written in a second, from 1 to 100 000.
    #[serde(deserialize_with = "between::<_, _, 1, 100_000>")]
    pub mib_per_second: u32,
}

/// Where the business is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Locale {
    /// IANA zone of expiry dates and of the panel surface's instants.
    #[serde(with = "one")]
    pub time_zone: Tz,
    #[serde(with = "one")]
    pub currency: Currency,
}

/// The server's own log, on stderr.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

impl Server {
    /// What setup links show: `public_url`, or one made from the first TCP address of `listen`; no slash at the end.
    ///
    /// An address that means "every interface" cannot be visited, so the link says `localhost`, as for a Unix socket.
    pub fn public_url(&self) -> String {
        if let Some(url) = &self.public_url {
            return url.to_string();
        }
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        let first = self.listen.iter().find_map(|listen| match listen {
            Listen::Tcp(address) => Some(address),
            Listen::Unix(_) => None,
        });
        match first {
            Some(address) if address.ip().is_unspecified() => format!("{scheme}://localhost:{}", address.port()),
            Some(address) => format!("{scheme}://{address}"),
            None => format!("{scheme}://localhost"),
        }
    }

    /// Certificate and key, where TLS is spoken.
    pub fn tls_files(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.as_deref().zip(self.tls_key.as_deref())
    }

    /// Worker threads, at least 1: `workers`, or the number of cores when that is 0.
    pub fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }

    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_seconds)
    }

    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }
}

impl Config {
    /// Where the database is.
    pub fn database_folder(&self) -> PathBuf {
        match self.database.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// Where backups are put that are not given a place.
    pub fn backup_folder(&self) -> PathBuf {
        self.database.path.parent().unwrap_or(Path::new("")).join(&self.backup.folder)
    }

    /// The first rule between settings that is broken: the keys that can mend it, and what is wrong.
    fn contradiction(&self) -> Option<(&'static [&'static str], String)> {
        let Server { listen, tls_cert, tls_key, .. } = &self.server;
        if listen.is_empty() {
            return Some((&["server.listen"], "found an empty list, expected at least one address".into()));
        }
        if let Some((_, twice)) = listen.iter().enumerate().find(|(at, address)| listen[..*at].contains(address)) {
            return Some((&["server.listen"], format!("{twice} is listed twice")));
        }
        if tls_cert.is_some() && tls_key.is_none() {
            return Some((&["server.tls_cert"], "is set without server.tls_key, expected both or neither".into()));
        }
        if tls_key.is_some() && tls_cert.is_none() {
            return Some((&["server.tls_key"], "is set without server.tls_cert, expected both or neither".into()));
        }
        // Port 0 asks the system for a free port, so two of them never collide.
        let shared = self.metrics.listen.filter(|address| address.port() != 0);
        shared.filter(|address| listen.contains(&Listen::Tcp(*address))).map(|address| {
            let keys: &[&str] = &["metrics.listen", "server.listen"];
            (keys, format!("{address} is both in server.listen and in metrics.listen, expected different addresses"))
        })
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 3082)))],
            public_url: None,
            tls_cert: None,
            tls_key: None,
            trusted_proxies: Vec::new(),
            client_ip_header: ClientIpHeader::default(),
            workers: 0,
            max_body_bytes: 1024 * 1024,
            body_timeout_seconds: 10,
            request_timeout_seconds: 30,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9182))) }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { path: PathBuf::from("panel.db"), synchronous: Synchronous::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_ip_per_minute: 300, per_key_per_minute: 60, login_per_minute: 20, failures_per_minute: 20 }
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self { retention_days: 90, max_rows: 5_000_000 }
    }
}

impl Default for Backup {
    fn default() -> Self {
        let half_past_three = TimeOfDay { minutes: 3 * 60 + 30 };
        Self { folder: PathBuf::from("backups"), daily_at: Some(half_past_three), keep: 7, mib_per_second: 50 }
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self { time_zone: Tz::UTC, currency: Currency::default() }
    }
}
