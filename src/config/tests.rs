//! What is accepted, which source wins and how it is shown; what is refused lies in `refusals`.

mod refusals;

use std::fs;
use std::path::{Path, PathBuf};

use figment::value::Value;
use tempfile::TempDir;

use super::load::{defaults, variable_of};
use super::*;

const SHIPPED: &str = include_str!("../../panel.toml");

/// A directory with one file of settings.
struct Written {
    _directory: TempDir,
    path: PathBuf,
}

impl Written {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let directory = TempDir::new().expect("a scratch directory");
        let path = directory.path().join("panel.toml");
        fs::write(&path, text).expect("a scratch file");
        Self { _directory: directory, path }
    }

    fn origin(&self) -> String {
        self.path.display().to_string()
    }
}

fn variables(set: &[(&str, &str)]) -> Vec<(String, String)> {
    set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn from_environment(set: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    load_from(None, &[], variables(set))
}

fn from_file(text: &str) -> Result<Config, String> {
    let file = Written::new(text);
    load_from(Some(&file.path), &[], []).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

/// The error's two lines.
fn lines(error: &ConfigError) -> (String, String) {
    let text = error.to_string();
    let (what, remedy) = text.split_once('\n').expect("a line why and a line what to do");
    assert!(!what.is_empty() && !remedy.is_empty() && !remedy.contains('\n'), "{text}");
    (what.to_owned(), remedy.to_owned())
}

fn origin_of(loaded: &Loaded, key: &str) -> Origin {
    loaded.settings.iter().find(|setting| setting.key == key).expect("a known key").origin.clone()
}

#[test]
fn without_file_and_environment_the_contract_s_defaults_hold() {
    let loaded = load_from(None, &[Path::new("/nonexistent/panel.toml")], []).expect("the defaults");
    let config = &loaded.config;

    assert_eq!(*config, Config::default());
    assert!(loaded.settings.iter().all(|setting| setting.origin == Origin::Default));
    assert_eq!(config.server.listen, [Listen::Tcp("127.0.0.1:3082".parse().expect("an address"))]);
    assert_eq!(config.server.public_url(), "http://127.0.0.1:3082");
    assert!(config.server.workers() >= 1);
    assert_eq!(config.server.max_body_bytes, 1_048_576);
    assert_eq!((config.server.body_timeout().as_secs(), config.server.request_timeout().as_secs()), (10, 30));
    assert_eq!(config.backup_folder(), Path::new("backups"));
    assert_eq!(config.backup.daily_at.map(|at| at.minutes), Some(210));
    assert_eq!(config.locale.time_zone, Tz::UTC);
    assert_eq!(config.locale.currency.as_str(), "USD");
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let file = Written::new("[limits]\nper_ip_per_minute = 1\nlogin_per_minute = 2\n");
    let set = variables(&[("PANEL_LIMITS__LOGIN_PER_MINUTE", "3"), ("PANEL_NOTE", "x"), ("HOME", "/")]);

    let loaded = load_from(Some(&file.path), &[], set).expect("valid settings");

    let limits = &loaded.config.limits;
    assert_eq!((limits.per_ip_per_minute, limits.login_per_minute, limits.per_key_per_minute), (1, 3, 60));
    assert_eq!(origin_of(&loaded, "limits.per_ip_per_minute"), Origin::File(file.path.clone()));
    let variable = Origin::Variable("PANEL_LIMITS__LOGIN_PER_MINUTE".into());
    assert_eq!(origin_of(&loaded, "limits.login_per_minute"), variable);
    assert_eq!(origin_of(&loaded, "limits.per_key_per_minute"), Origin::Default);
}

#[test]
fn the_first_file_that_exists_is_the_only_one_read() {
    let (first, second) = (Written::new("log.level = \"warn\""), Written::new("log.format = \"json\""));
    let missing = first.path.with_file_name("missing.toml");

    let config = load_from(None, &[&missing, &first.path, &second.path], []).expect("valid settings").config;

    assert_eq!((config.log.level, config.log.format), (LogLevel::Warn, LogFormat::Text));
}

#[test]
fn a_list_replaces_the_list_below_it() {
    let file = Written::new("server.trusted_proxies = [\"10.0.0.1\", \"10.0.0.2\"]\n");
    for (value, expected) in [("192.0.2.1", vec!["192.0.2.1/32"]), ("", vec![]), (" ", vec![])] {
        let set = variables(&[("PANEL_SERVER__TRUSTED_PROXIES", value)]);
        let config = load_from(Some(&file.path), &[], set).expect("valid settings").config;

        let found: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn proxies_are_addresses_or_networks_and_mapped_ones_are_kept_as_ipv4() {
    let set = [(
        "PANEL_SERVER__TRUSTED_PROXIES",
        "10.0.0.0/8, 192.0.2.1,2001:db8::/32,::1,::ffff:192.0.2.7,::ffff:10.0.0.0/104",
    )];
    let config = from_environment(&set).expect("valid settings").config;

    let found: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::1/128", "192.0.2.7/32", "10.0.0.0/8"]);
}

#[test]
fn listen_takes_one_address_a_list_and_unix_sockets() {
    let tcp = |text: &str| Listen::Tcp(text.parse().expect("an address"));
    let socket = Listen::Unix("/run/panel/panel.sock".into());
    let cases = [
        ("server.listen = \"0.0.0.0:80\"", vec![tcp("0.0.0.0:80")]),
        ("server.listen = \"unix:/run/panel/panel.sock\"", vec![socket.clone()]),
        ("server.listen = [\"[::1]:0\", \"unix:/run/panel/panel.sock\"]", vec![tcp("[::1]:0"), socket.clone()]),
    ];
    for (text, expected) in cases {
        assert_eq!(from_file(text).expect(text).server.listen, expected);
    }
    let set = [("PANEL_SERVER__LISTEN", "127.0.0.1:1, unix:/run/panel/panel.sock")];
    assert_eq!(from_environment(&set).expect("valid settings").config.server.listen, [tcp("127.0.0.1:1"), socket]);
}

#[test]
fn the_public_url_is_the_configured_one_or_made_from_the_first_tcp_address() {
    let cases = [
        ("server.public_url = \"https://panel.example.net\"", "https://panel.example.net"),
        ("server.public_url = \"http://[2001:db8::1]:8080/isp\"", "http://[2001:db8::1]:8080/isp"),
        ("server.listen = [\"unix:/p.sock\", \"192.0.2.1:80\"]", "http://192.0.2.1:80"),
        ("server.listen = \"0.0.0.0:3082\"", "http://localhost:3082"),
        ("server.listen = \"[::]:3082\"", "http://localhost:3082"),
        ("server.listen = \"[::1]:3082\"", "http://[::1]:3082"),
        ("server.listen = \"unix:/p.sock\"", "http://localhost"),
        ("server.tls_cert = \"/c\"\nserver.tls_key = \"/k\"", "https://127.0.0.1:3082"),
    ];
    for (text, expected) in cases {
        assert_eq!(from_file(text).expect(text).server.public_url(), expected);
    }
}

#[test]
fn the_environment_is_read_by_the_kind_of_each_setting() {
    let config = from_environment(&[
        ("PANEL_DATABASE__PATH", "123"),
        ("PANEL_LOCALE__CURRENCY", "EUR"),
        ("PANEL_LOCALE__TIME_ZONE", "Asia/Beirut"),
        ("PANEL_SERVER__TLS_CERT", "true"),
        ("PANEL_SERVER__TLS_KEY", "[1, 2]"),
        ("PANEL_SERVER__WORKERS", "3"),
        ("PANEL_KEYS__RESELLER_DELEGATION", "true"),
        ("PANEL_METRICS__LISTEN", ""),
        ("PANEL_LOG__LEVEL", "trace"),
        ("PANEL_SERVER__CLIENT_IP_HEADER", "forwarded"),
        ("PANEL_DATABASE__SYNCHRONOUS", "normal"),
    ]);
    let config = config.expect("valid settings").config;

    assert_eq!(config.database.path, Path::new("123"));
    assert_eq!(config.locale.currency.as_str(), "EUR");
    assert_eq!(config.locale.time_zone, Tz::Asia__Beirut);
    assert_eq!(config.server.tls_cert.as_deref(), Some(Path::new("true")));
    assert_eq!(config.server.tls_key.as_deref(), Some(Path::new("[1, 2]")));
    assert_eq!((config.server.workers, config.server.workers()), (3, 3));
    assert!(config.keys.reseller_delegation);
    assert_eq!(config.metrics.listen, None);
    assert_eq!(config.log.level, LogLevel::Trace);
    assert_eq!(config.server.client_ip_header, ClientIpHeader::Forwarded);
    assert_eq!(config.database.synchronous, Synchronous::Normal);
}

#[test]
fn the_bounds_of_every_range_are_accepted() {
    let low = "[server]\nworkers = 0\nmax_body_bytes = 1024\nbody_timeout_seconds = 1\nrequest_timeout_seconds = 1\n\
               [limits]\nper_ip_per_minute = 0\n[logs]\nretention_days = 1\nmax_rows = 1\n";
    let high = "[server]\nworkers = 1024\nmax_body_bytes = 67_108_864\nbody_timeout_seconds = 3600\n\
                request_timeout_seconds = 3600\n[limits]\nper_ip_per_minute = 1_000_000_000\n\
                [logs]\nretention_days = 36_500\nmax_rows = 1_000_000_000\n";
    for text in [low, high] {
        assert!(from_file(text).is_ok(), "{:?}", from_file(text));
    }
}

#[test]
fn the_shown_settings_read_back_as_the_same_configuration() {
    let set = [
        ("PANEL_SERVER__LISTEN", "127.0.0.1:1,unix:/run/a \"b\" \\ é.sock"),
        ("PANEL_SERVER__TRUSTED_PROXIES", "10.0.0.0/8"),
        ("PANEL_METRICS__LISTEN", ""),
        ("PANEL_SERVER__PUBLIC_URL", "https://panel.example.net"),
    ];
    let loaded = from_environment(&set).expect("valid settings");

    let shown: Vec<String> = loaded.settings.iter().map(ToString::to_string).collect();

    assert_eq!(shown.len(), defaults().len());
    assert!(shown.contains(&"server.workers = 0  # default".to_owned()), "{shown:#?}");
    assert!(shown.contains(&"# server.tls_cert is not set  # default".to_owned()), "{shown:#?}");
    assert!(shown.contains(&"metrics.listen = \"\"  # PANEL_METRICS__LISTEN".to_owned()), "{shown:#?}");
    assert_eq!(from_file(&shown.join("\n")), Ok(loaded.config));
}

#[test]
fn the_shipped_file_sets_every_default_and_mentions_every_key() {
    let file = Written::new(SHIPPED);
    let loaded = load_from(Some(&file.path), &[], []).expect("the shipped file");
    assert_eq!(loaded.config, Config::default());

    let mut section = "";
    let mut mentioned = Vec::new();
    for line in SHIPPED.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((name, _)) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            mentioned.push((format!("{section}.{name}"), line.starts_with('#')));
        }
    }
    mentioned.sort();
    let known: Vec<_> = defaults().into_iter().map(|(key, value)| (key, matches!(value, Value::Empty(..)))).collect();
    assert_eq!(mentioned, known, "each key once, commented exactly when it has no default");
}

#[test]
fn the_commented_examples_of_the_shipped_file_are_valid() {
    let all = SHIPPED.replace("# public_url", "public_url").replace("# tls_", "tls_");

    let config = from_file(&all).expect("the examples");

    assert_eq!(config.server.public_url(), "https://panel.example.net");
    assert!(config.server.tls_cert.is_some() && config.server.tls_key.is_some());
}
