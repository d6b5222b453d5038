//! What settings that were read again change while the panel runs, and what waits for the next start.

use super::Config;

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// With the next request, or the next round of the job that reads it.
    Now,
    /// At the next start; the reason stands beside it.
    NextStart,
    /// At once, but a listener that speaks TLS goes on doing so, and one that does not never begins.
    NowWithinTls,
}

struct Setting {
    key: &'static str,
    when: When,
    is_same: fn(&Config, &Config) -> bool,
    /// Puts the second one's value into the first.
    keep: fn(&mut Config, &Config),
}

/// Every setting stands here, and a test says so where one is missing.
macro_rules! settings {
    ($($section:ident . $name:ident = $when:ident,)+) => {
        const SETTINGS: &[Setting] = &[$(Setting {
            key: concat!(stringify!($section), ".", stringify!($name)),
            when: When::$when,
            is_same: |one, other| one.$section.$name == other.$section.$name,
            keep: |into, from| into.$section.$name.clone_from(&from.$section.$name),
        }),+];
    };
}

settings! {
    // Sockets are bound once; a port below 1024 could not be bound again.
    server.listen = NextStart,
    server.public_url = Now,
    server.tls_cert = NowWithinTls,
    server.tls_key = NowWithinTls,
    server.trusted_proxies = Now,
    server.client_ip_header = Now,
    // Threads are started once, and so is a database reader for each.
    server.workers = NextStart,
    server.max_body_bytes = Now,
    server.body_timeout_seconds = Now,
    server.request_timeout_seconds = Now,
    // As server.listen.
    metrics.listen = NextStart,
    // Another database is another panel.
    database.path = NextStart,
    // Said to each connection when it is opened.
    database.synchronous = NextStart,
    limits.per_ip_per_minute = Now,
    limits.per_key_per_minute = Now,
    limits.login_per_minute = Now,
    limits.failures_per_minute = Now,
    keys.reseller_delegation = Now,
    logs.retention_days = Now,
    logs.max_rows = Now,
    // Relative to the database, which stays where it is.
    backup.folder = Now,
    backup.daily_at = Now,
    backup.keep = Now,
    backup.mib_per_second = Now,
    // Decides when a day ends: every answer, job and day's count of one run must agree on it.
    locale.time_zone = NextStart,
    // Amounts on record are in it.
    locale.currency = NextStart,
    log.level = Now,
    // Whoever collects the log reads one format until the panel starts anew.
    log.format = NextStart,
}

/// What comes of settings that were read again.
#[derive(Debug, Clone, PartialEq)]
pub struct Reloaded {
    /// To be put in force.
    pub config: Config,
    /// The keys whose values are others now.
    pub changed: Vec<&'static str>,
    /// The keys that were changed in vain until the next start.
    pub waiting: Vec<&'static str>,
}

impl Config {
    /// `new` in place of these settings, but for what can only change at a start.
    pub fn reloaded(&self, new: &Config) -> Reloaded {
        let mut reloaded = Reloaded { config: new.clone(), changed: Vec::new(), waiting: Vec::new() };
        let switches_tls = self.server.tls_cert.is_some() != new.server.tls_cert.is_some();
        for setting in SETTINGS.iter().filter(|setting| !(setting.is_same)(self, new)) {
            let waits = match setting.when {
                When::Now => false,
                When::NextStart => true,
                When::NowWithinTls => switches_tls,
            };
            if waits {
                (setting.keep)(&mut reloaded.config, self);
                reloaded.waiting.push(setting.key);
            } else {
                reloaded.changed.push(setting.key);
            }
        }
        reloaded
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::load::{defaults, load_from};
    use super::*;

    /// Settings in which this one is not the default.
    fn with(changes: &[(&str, &str)]) -> Config {
        let variables = changes.iter().map(|(key, value)| (super::super::load::variable_of(key), (*value).to_owned()));
        load_from(None, &[], variables.collect::<Vec<_>>()).map(|loaded| loaded.config).expect("good settings")
    }

    #[test]
    fn every_setting_is_said_to_take_effect_at_once_or_at_the_next_start() {
        let mut said: Vec<String> = SETTINGS.iter().map(|setting| setting.key.to_owned()).collect();
        said.sort();
        let known: Vec<String> = defaults().into_keys().collect();
        assert_eq!(said, known, "classify the new setting in src/config/reload.rs");
    }

    #[test]
    fn each_setting_alone_is_put_in_force_or_kept_as_it_is_said_to() {
        for (key, value, at_once) in [
            ("server.listen", "127.0.0.1:1", false),
            ("server.public_url", "https://panel.example.net", true),
            ("server.trusted_proxies", "10.0.0.0/8", true),
            ("server.client_ip_header", "forwarded", true),
            ("server.workers", "7", false),
            ("server.max_body_bytes", "2048", true),
            ("server.body_timeout_seconds", "11", true),
            ("server.request_timeout_seconds", "31", true),
            ("metrics.listen", "", false),
            ("database.path", "other.db", false),
            ("database.synchronous", "normal", false),
            ("limits.per_ip_per_minute", "1", true),
            ("limits.per_key_per_minute", "1", true),
            ("limits.login_per_minute", "1", true),
            ("limits.failures_per_minute", "1", true),
            ("keys.reseller_delegation", "true", true),
            ("logs.retention_days", "1", true),
            ("logs.max_rows", "1", true),
            ("backup.folder", "/srv/backup", true),
            ("backup.daily_at", "", true),
            ("backup.keep", "1", true),
            ("backup.mib_per_second", "1", true),
            ("locale.time_zone", "Asia/Beirut", false),
            ("locale.currency", "LBP", false),
            ("log.level", "debug", true),
            ("log.format", "json", false),
        ] {
            let (old, new) = (Config::default(), with(&[(key, value)]));
            assert_ne!(old, new, "{key}");
            let reloaded = old.reloaded(&new);
            let (changed, waiting) = if at_once { (vec![key], vec![]) } else { (vec![], vec![key]) };
            assert_eq!((reloaded.changed, reloaded.waiting), (changed, waiting));
            assert_eq!(reloaded.config, if at_once { new } else { old }, "{key}");
        }
    }

    #[test]
    fn other_certificate_files_are_taken_up_but_tls_is_not_switched() {
        let files = |name: &str| {
            let (cert, key) = (format!("/{name}.crt"), format!("/{name}.key"));
            with(&[("server.tls_cert", cert.as_str()), ("server.tls_key", key.as_str())])
        };
        let reloaded = files("old").reloaded(&files("new"));
        assert_eq!(reloaded.changed, ["server.tls_cert", "server.tls_key"]);
        assert_eq!(reloaded.config.server.tls_key, Some(PathBuf::from("/new.key")));
        for (old, new) in [(files("old"), Config::default()), (Config::default(), files("new"))] {
            let reloaded = old.reloaded(&new);
            assert_eq!(reloaded.waiting, ["server.tls_cert", "server.tls_key"]);
            assert_eq!((reloaded.changed, reloaded.config), (vec![], old));
        }
    }

    #[test]
    fn what_changes_at_once_is_not_held_up_by_what_waits() {
        let new = with(&[("server.workers", "7"), ("server.max_body_bytes", "2048"), ("log.level", "warn")]);
        let reloaded = Config::default().reloaded(&new);
        assert_eq!(reloaded.changed, ["server.max_body_bytes", "log.level"]);
        assert_eq!(reloaded.waiting, ["server.workers"]);
        assert_eq!((reloaded.config.server.workers, reloaded.config.server.max_body_bytes), (0, 2048));
        assert_eq!(reloaded.config.reloaded(&new).waiting, ["server.workers"], "it is said again");
        let same = reloaded.config.reloaded(&reloaded.config);
        assert_eq!((same.changed, same.waiting), (vec![], vec![]));
    }
}
