//! Every setting, wrong in every way that matters: what is refused names its origin and its key.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use tempfile::TempDir;

use super::*;
use crate::config::load::environment;

/// Key, a wrong value in TOML, the words that must say why.
const WRONG_IN_FILE: &[(&str, &str, &str)] = &[
    ("server.listen", "3082", "found 3082, expected an address"),
    ("server.listen", "true", "found true, expected an address"),
    ("server.listen", "\"\"", "found \"\", expected an address"),
    ("server.listen", "\"3082\"", "found \"3082\""),
    ("server.listen", "\"localhost:3082\"", "found \"localhost:3082\""),
    ("server.listen", "\"127.0.0.1\"", "found \"127.0.0.1\""),
    ("server.listen", "\"127.0.0.1:70000\"", "expected an address"),
    ("server.listen", "\"unix:\"", "absolute path"),
    ("server.listen", "\"unix:panel.sock\"", "absolute path"),
    ("server.listen", "[]", "at least one address"),
    ("server.listen", "[\"127.0.0.1:1\", 2]", "found 2, expected an address"),
    ("server.listen", "[\"127.0.0.1:1\", \"x\"]", "found \"x\", expected an address"),
    ("server.listen", "[\"127.0.0.1:1\", \"127.0.0.1:1\"]", "127.0.0.1:1 is listed twice"),
    ("server.listen", "{}", "found a section, expected an address"),
    ("server.public_url", "1", "found 1, expected http:// or https://"),
    ("server.public_url", "\"\"", "found \"\", expected http:// or https://"),
    ("server.public_url", "\"panel.example.net\"", "expected http:// or https://"),
    ("server.public_url", "\"ftp://panel.example.net\"", "expected http:// or https://"),
    ("server.public_url", "\"https://\"", "expected http:// or https://"),
    ("server.public_url", "\"https://panel.example.net/\"", "without a slash at the end"),
    ("server.public_url", "\"https://panel.example.net/isp/\"", "without a slash at the end"),
    ("server.public_url", "\"https://panel..net\"", "expected http:// or https://"),
    ("server.public_url", "\"https://panel.example.net:x\"", "expected http:// or https://"),
    ("server.public_url", "\"https://panel.example.net:70000\"", "expected http:// or https://"),
    ("server.public_url", "\"https://me@panel.example.net\"", "expected http:// or https://"),
    ("server.public_url", "\"https://panel.example.net/a?b\"", "expected http:// or https://"),
    ("server.public_url", "\"https://a b\"", "expected http:// or https://"),
    ("server.tls_cert", "7", "found 7, expected a path"),
    ("server.tls_cert", "\"\"", "found \"\", expected a path"),
    ("server.tls_cert", "\"/a.pem\"", "is set without server.tls_key"),
    ("server.tls_key", "false", "found false, expected a path"),
    ("server.tls_key", "\"/a.pem\"", "is set without server.tls_cert"),
    ("server.trusted_proxies", "10", "found 10, expected an IP address or a network"),
    ("server.trusted_proxies", "[\"10.0.0.0/33\"]", "found \"10.0.0.0/33\", expected an IP address"),
    ("server.trusted_proxies", "[\"proxy\"]", "found \"proxy\", expected an IP address"),
    ("server.trusted_proxies", "\"\"", "found \"\", expected an IP address"),
    ("server.client_ip_header", "0", "found 0, expected x-forwarded-for or forwarded"),
    ("server.client_ip_header", "\"X-Real-IP\"", "expected x-forwarded-for or forwarded"),
    ("server.workers", "\"4\"", "found \"4\", expected a whole number from 0 to 1024"),
    ("server.workers", "-1", "found -1, expected a whole number from 0 to 1024"),
    ("server.workers", "1025", "found 1025, expected a whole number"),
    ("server.workers", "1.5", "found 1.5, expected a whole number"),
    ("server.max_body_bytes", "0", "found 0, expected a whole number from 1024 to 67108864"),
    ("server.max_body_bytes", "67108865", "found 67108865"),
    ("server.max_body_bytes", "\"1 MiB\"", "found \"1 MiB\""),
    ("server.body_timeout_seconds", "0", "found 0, expected a whole number from 1 to 3600"),
    ("server.body_timeout_seconds", "3601", "found 3601"),
    ("server.request_timeout_seconds", "0", "found 0, expected a whole number from 1 to 3600"),
    ("server.request_timeout_seconds", "true", "found true, expected a whole number"),
    ("backup.daily_at", "\"3:30\"", "found \"3:30\", expected a time of day"),
    ("backup.daily_at", "\"24:00\"", "expected a time of day"),
    ("backup.daily_at", "\"03:60\"", "expected a time of day"),
    ("backup.daily_at", "\"03:+1\"", "expected a time of day"),
    ("backup.daily_at", "330", "found 330, expected a time of day"),
    ("backup.keep", "0", "a whole number from 1 to 3650"),
    ("backup.mib_per_second", "0", "a whole number from 1 to 100000"),
    ("backup.folder", "\"\"", "expected a path"),
    ("metrics.listen", "9182", "found 9182, expected an address"),
    ("metrics.listen", "false", "found false, expected an address"),
    ("metrics.listen", "\"off\"", "found \"off\", expected an address"),
    ("metrics.listen", "\"unix:/run/m.sock\"", "expected an address"),
    ("metrics.listen", "[\"127.0.0.1:9182\"]", "found a list, expected an address"),
    ("metrics.listen", "\"127.0.0.1:3082\"", "127.0.0.1:3082 is both in server.listen and in metrics.listen"),
    ("database.path", "1", "found 1, expected a path"),
    ("database.path", "\"\"", "found \"\", expected a path"),
    ("database.path", "\"a\\nb\"", "found \"a\\nb\", expected a path without control characters"),
    ("database.synchronous", "1", "found 1, expected full or normal"),
    ("database.synchronous", "\"FULL\"", "found \"FULL\", expected full or normal"),
    ("database.synchronous", "\"off\"", "expected full or normal"),
    ("limits.per_ip_per_minute", "-1", "found -1, expected a whole number from 0 to 1000000000"),
    ("limits.per_key_per_minute", "\"60\"", "found \"60\", expected a whole number"),
    ("limits.login_per_minute", "false", "found false, expected a whole number"),
    ("limits.failures_per_minute", "9999999999", "found 9999999999, expected a whole number"),
    ("keys.reseller_delegation", "1", "found 1, expected a boolean"),
    ("keys.reseller_delegation", "\"true\"", "found \"true\", expected a boolean"),
    ("logs.retention_days", "0", "found 0, expected a whole number from 1 to 36500"),
    ("logs.retention_days", "\"90d\"", "found \"90d\""),
    ("logs.max_rows", "0", "found 0, expected a whole number from 1 to 1000000000"),
    ("locale.time_zone", "3", "found 3, expected an IANA time zone"),
    ("locale.time_zone", "\"Mars/Olympus\"", "found \"Mars/Olympus\", expected an IANA time zone"),
    ("locale.currency", "\"usd\"", "found \"usd\", expected three upper-case letters"),
    ("locale.currency", "\"EURO\"", "expected three upper-case letters"),
    ("locale.currency", "840", "found 840, expected three upper-case letters"),
    ("log.level", "2", "found 2, expected error, warn, info, debug or trace"),
    ("log.level", "\"verbose\"", "found \"verbose\", expected error, warn, info, debug or trace"),
    ("log.format", "\"xml\"", "found \"xml\", expected text or json"),
    ("log.format", "2020-01-01", "expected text or json"),
];

#[test]
fn a_wrong_value_in_the_file_is_refused_with_file_key_and_reason() {
    for (key, value, why) in WRONG_IN_FILE {
        let file = Written::new(format!("{key} = {value}\n"));

        let error = load_from(Some(&file.path), &[], []).expect_err(&format!("{key} = {value}"));

        let (what, remedy) = lines(&error);
        assert!(what.starts_with(&format!("{}: {key}: ", file.origin())), "{what}");
        assert!(what.contains(why), "{key} = {value}: {what}");
        assert!(remedy.contains(&file.origin()) && remedy.contains("default"), "{remedy}");
        assert_eq!(error.key(), Some(*key));
    }
}

/// Key, a wrong value as the environment gives it, the words that must say why.
const WRONG_IN_ENVIRONMENT: &[(&str, &str, &str)] = &[
    ("server.listen", "", "at least one address"),
    ("server.listen", "3082", "found \"3082\", expected an address"),
    ("server.listen", "127.0.0.1:1,,127.0.0.1:2", "found \"\", expected an address"),
    ("server.listen", "unix:relative", "absolute path"),
    ("server.public_url", "", "found \"\", expected http:// or https://"),
    ("server.public_url", "https://panel.example.net/", "without a slash at the end"),
    ("server.tls_cert", "", "found \"\", expected a path"),
    ("server.tls_cert", "/a.pem", "is set without server.tls_key"),
    ("server.tls_key", "/a.pem", "is set without server.tls_cert"),
    ("server.trusted_proxies", "10.0.0.1,x", "found \"x\", expected an IP address or a network"),
    ("server.client_ip_header", "x-real-ip", "expected x-forwarded-for or forwarded"),
    ("server.client_ip_header", "0", "found \"0\", expected x-forwarded-for or forwarded"),
    ("server.workers", "", "found \"\", expected a whole number from 0 to 1024"),
    ("server.workers", "many", "found \"many\", expected a whole number from 0 to 1024"),
    ("server.workers", "-1", "found -1, expected a whole number"),
    ("server.workers", "99999999999999999999", "found \"99999999999999999999\", expected a whole number"),
    ("server.max_body_bytes", "0", "found 0, expected a whole number"),
    ("server.max_body_bytes", "1MiB", "found \"1MiB\", expected a whole number"),
    ("server.body_timeout_seconds", "10s", "found \"10s\", expected a whole number"),
    ("server.request_timeout_seconds", "0", "found 0, expected a whole number"),
    ("backup.daily_at", "noon", "found \"noon\", expected a time of day"),
    ("backup.keep", "-1", "a whole number from 1 to 3650"),
    ("backup.mib_per_second", "fast", "a whole number from 1 to 100000"),
    ("backup.folder", "", "expected a path"),
    ("metrics.listen", "off", "found \"off\", expected an address"),
    ("metrics.listen", "9182", "found \"9182\", expected an address"),
    ("database.path", "", "found \"\", expected a path"),
    ("database.synchronous", "true", "found \"true\", expected full or normal"),
    ("limits.per_ip_per_minute", "-1", "found -1, expected a whole number"),
    ("limits.per_key_per_minute", "sixty", "found \"sixty\", expected a whole number"),
    ("limits.login_per_minute", "1.5", "found \"1.5\", expected a whole number"),
    ("limits.failures_per_minute", "true", "found \"true\", expected a whole number"),
    ("keys.reseller_delegation", "", "found \"\", expected a boolean"),
    ("keys.reseller_delegation", "yes", "found \"yes\", expected a boolean"),
    ("keys.reseller_delegation", "1", "found \"1\", expected a boolean"),
    ("logs.retention_days", "0", "found 0, expected a whole number"),
    ("logs.max_rows", "all", "found \"all\", expected a whole number"),
    ("locale.time_zone", "2", "found \"2\", expected an IANA time zone"),
    ("locale.currency", "usd", "found \"usd\", expected three upper-case letters"),
    ("log.level", "loud\nline", "found \"loud\\nline\", expected error, warn"),
    ("log.format", "1", "found \"1\", expected text or json"),
];

#[test]
fn a_wrong_value_in_the_environment_is_refused_with_variable_key_and_reason() {
    for (key, value, why) in WRONG_IN_ENVIRONMENT {
        let name = variable_of(key);

        let error = from_environment(&[(&name, value)]).expect_err(&format!("{name}={value}"));

        let (what, remedy) = lines(&error);
        assert!(what.starts_with(&format!("{name}: {key}: ")), "{what}");
        assert!(what.contains(why), "{name}={value}: {what}");
        assert!(remedy.contains(&name) && remedy.contains("default"), "{remedy}");
    }
}

#[test]
fn every_setting_has_a_refusal_from_the_file_and_from_the_environment() {
    for key in defaults().keys() {
        assert!(WRONG_IN_FILE.iter().any(|(wrong, ..)| wrong == key), "{key} from the file");
        assert!(WRONG_IN_ENVIRONMENT.iter().any(|(wrong, ..)| wrong == key), "{key} from the environment");
    }
}

#[test]
fn a_wrong_value_in_the_file_is_refused_unless_the_environment_replaces_it() {
    let file = Written::new("[server]\nworkers = -1\n");
    let replaced = variables(&[("PANEL_SERVER__WORKERS", "2")]);

    assert!(load_from(Some(&file.path), &[], []).is_err());
    assert_eq!(load_from(Some(&file.path), &[], replaced).expect("valid").config.server.workers, 2);
}

#[test]
fn an_unknown_setting_in_the_file_is_refused_and_the_nearest_one_suggested() {
    let cases = [
        ("[server]\nlisten_on = \"x\"", "server.listen_on", "server.listen?"),
        ("[server]\nlissten = \"x\"", "server.lissten", "server.listen?"),
        ("[servr]\nlisten = \"x\"", "servr.listen", "server.listen?"),
        ("[server]\nLISTEN = \"x\"", "server.LISTEN", "server.listen?"),
        ("[server]\nmax_rows = 1", "server.max_rows", "logs.max_rows?"),
        ("listen = \"x\"", "listen", "metrics.listen or server.listen?"),
        ("\"server.listen\" = \"x\"", "\"server.listen\"", "server.listen?"),
        ("[default.server]\nlisten = \"x\"", "default.server.listen", "metrics.listen or server.listen?"),
        ("[server]\n\"a\\nb\" = 1", "server.\"a\\nb\"", "`panel config show`"),
        ("[radius]\nsecret = 1", "radius.secret", "`panel config show`"),
        ("[empty]", "empty", "`panel config show`"),
    ];
    for (text, key, hint) in cases {
        let file = Written::new(text);

        let error = load_from(Some(&file.path), &[], []).expect_err(text);

        let (what, remedy) = lines(&error);
        assert_eq!(what, format!("{}: {key}: is not a setting", file.origin()));
        assert!(remedy.contains(hint), "{text}: {remedy}");
    }
}

#[test]
fn an_unknown_variable_is_refused_and_the_nearest_one_suggested() {
    let cases = [
        ("PANEL_SERVER__LISTN", "server.listn", "PANEL_SERVER__LISTEN?"),
        ("PANEL_server__listen", "server.listen", "PANEL_SERVER__LISTEN?"),
        ("PANEL_SERVER__MAX_ROWS", "server.max_rows", "PANEL_LOGS__MAX_ROWS?"),
        ("PANEL_SERVER__LISTEN__0", "server.listen.0", "PANEL_SERVER__LISTEN?"),
        ("PANEL_RADIUS__SECRET", "radius.secret", "Unset PANEL_RADIUS__SECRET"),
        ("PANEL__", "_", "Unset PANEL__"),
    ];
    for (name, key, hint) in cases {
        let (what, remedy) = lines(&from_environment(&[(name, "1")]).expect_err(name));

        assert_eq!(what, format!("{name}: {key}: is not a setting"));
        assert!(remedy.contains(hint), "{name}: {remedy}");
    }
}

#[test]
fn a_section_that_is_not_one_is_refused() {
    let (what, remedy) = from_file("server = 5").expect_err("a number").split_once('\n').map(own).expect("two lines");

    assert!(what.ends_with("server: found 5, expected a section"), "{what}");
    assert!(remedy.contains("[server]"), "{remedy}");
}

fn own((left, right): (&str, &str)) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

#[test]
fn bad_toml_names_the_file_and_the_line() {
    let cases = [("[server]\nworkers = \n", 2), ("\n\n[server\n", 3), ("[log]\nlevel = \"a\"\nlevel = \"b\"\n", 3)];
    for (text, line) in cases {
        let file = Written::new(text);

        let (what, _) = lines(&load_from(Some(&file.path), &[], []).expect_err(text));

        assert!(what.starts_with(&format!("{}, line {line}: not valid TOML: ", file.origin())), "{what}");
    }
}

#[test]
fn a_named_file_that_is_missing_is_refused_although_another_one_exists() {
    let other = Written::new("");
    let missing = other.path.with_file_name("missing.toml");

    let (what, remedy) = lines(&load_from(Some(&missing), &[&other.path], []).expect_err("missing"));

    assert!(what.starts_with(&format!("{}: cannot be read: ", missing.display())), "{what}");
    assert!(remedy.contains("--config"), "{remedy}");
}

#[test]
fn a_found_file_that_cannot_be_read_is_refused_not_skipped() {
    let next = Written::new("");
    let directory = TempDir::new().expect("a scratch directory");
    let not_text = Written::new([0xff, 0xfe]);
    for path in [directory.path(), &not_text.path] {
        let (what, _) = lines(&load_from(None, &[path, &next.path], []).expect_err("unreadable"));

        assert!(what.starts_with(&format!("{}: cannot be read: ", path.display())), "{what}");
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused_only_when_it_is_a_setting() {
    let bytes = || OsString::from_vec(vec![0x2f, 0xff]);
    let of = |name: &str| [(OsString::from(name), bytes())].into_iter();

    let (what, _) = lines(&environment(of("PANEL_DATABASE__PATH")).expect_err("not UTF-8"));

    assert_eq!(what, "PANEL_DATABASE__PATH: is not UTF-8");
    assert_eq!(environment(of("PANEL_CONFIG")), Ok(vec![]));
    assert_eq!(environment([(bytes(), bytes())].into_iter()), Ok(vec![]));
}

#[test]
fn a_socket_path_longer_than_the_system_takes_is_refused() {
    let longest = format!("/{}", "a".repeat(106));

    assert!(from_environment(&[("PANEL_SERVER__LISTEN", &format!("unix:{longest}a"))]).is_err());
    assert!(from_environment(&[("PANEL_SERVER__LISTEN", &format!("unix:{longest}"))]).is_ok());
}

#[test]
fn config_itself_refuses_unknown_fields() {
    assert!(serde_json::from_str::<Config>(r#"{"server": {"port": 1}}"#).is_err());
    assert!(serde_json::from_str::<Config>(r#"{"radius": {}}"#).is_err());
}

#[test]
fn an_address_taken_by_a_default_is_blamed_on_the_setting_that_was_made() {
    let error = from_environment(&[("PANEL_SERVER__LISTEN", "127.0.0.1:9182")]).expect_err("the metrics' own address");

    let (what, remedy) = lines(&error);
    assert!(what.starts_with("PANEL_SERVER__LISTEN: server.listen: 127.0.0.1:9182 is both"), "{what}");
    assert!(remedy.contains("PANEL_SERVER__LISTEN"), "{remedy}");
}
