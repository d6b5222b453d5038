//! Settings: values, and files.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use panel::config::{Currency, Listen, Parsed, PublicUrl, TimeOfDay, load_from};

use super::{Parser, text};

/// What is taken is written as a text that is taken for the same.
fn round<T: Parsed + PartialEq + std::fmt::Debug>(given: &str) {
    if let Some(value) = T::parse(given) {
        assert_eq!(T::parse(&value.text()), Some(value), "{given:?}");
    }
}

/// Lines `NAME=value` of an environment, and each value by itself.
pub const SETTINGS: Parser = Parser {
    name: "settings",
    check: |data| {
        let given = text(data);
        for value in [given].into_iter().chain(given.lines().filter_map(|line| Some(line.split_once('=')?.1))) {
            round::<Listen>(value);
            round::<PublicUrl>(value);
            round::<Currency>(value);
            round::<PathBuf>(value);
            round::<Option<SocketAddr>>(value);
            round::<Option<TimeOfDay>>(value);
            round::<chrono_tz::Tz>(value);
            round::<ipnet::IpNet>(value);
        }
        let lines = given.lines().filter_map(|line| line.split_once('='));
        let names: Vec<_> = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Err(error) = load_from(None, &[], names) {
            assert_eq!(error.to_string().lines().count(), 2, "{error}");
        }
    },
    examples: &[
        b"PANEL_SERVER__LISTEN=127.0.0.1:0,unix:/run/panel/panel.sock",
        b"PANEL_SERVER__TRUSTED_PROXIES=[\"10.0.0.0/8\", \"::ffff:192.0.2.0/120\"]\nPANEL_LOG__LEVEL=trace",
        b"PANEL_SERVER__PUBLIC_URL=https://[::1]:443/panel\nPANEL_LOCALE__TIME_ZONE=Asia/Beirut",
        b"PANEL_BACKUP__DAILY_AT=03:30\nPANEL_LOCALE__CURRENCY=LBP",
        b"PANEL_LIMITS__PER_IP_PER_MINUTE=-1\nPANEL_LIMITS__PER_IP=1",
        b"PANEL_SERVER__TLS_CERT=/etc/panel/cert.pem\nPANEL_DATABASE__SYNCHRONOUS=normal",
    ],
};

pub const SETTINGS_FILES: Parser = Parser {
    name: "settings_files",
    check: |data| {
        // In memory where the machine has it: a disk would be the slowest part by far.
        let folder =
            Some(Path::new("/dev/shm")).filter(|shm| shm.is_dir()).map_or_else(std::env::temp_dir, Path::to_owned);
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "-");
        let path = folder.join(format!("panel-settings-{}-{thread}.toml", std::process::id()));
        fs::write(&path, data).unwrap_or_else(|error| panic!("{error}"));
        let loaded = load_from(Some(&path), &[], []);
        drop(fs::remove_file(&path));
        match loaded {
            Ok(loaded) => assert_eq!(loaded.file, Some(path)),
            Err(error) => {
                let said = error.to_string();
                assert_eq!(said.lines().count(), 2, "{said}");
                assert!(said.contains("panel-settings-"), "{said}");
            }
        }
    },
    examples: &[
        b"[server]\nlisten = [\"127.0.0.1:3082\"]\nmax_body_bytes = 1048576\ntrusted_proxies = [\"10.0.0.0/8\"]\n",
        b"[locale]\ntime_zone = \"Asia/Beirut\"\ncurrency = \"LBP\"\n[limits]\nper_key_per_minute = 0\n",
        b"backup.daily_at = \"03:30\"\nbackup.keep = 7\nlog.level = \"info\"\n",
        b"[server]\ntls_cert = \"a\"\nlisten = 3\n",
        b"[serve]\nlistne = [\"x\"]\n",
        b"a.b.c = {d = [1, 2.5, 1979-05-27]}\n",
    ],
};
