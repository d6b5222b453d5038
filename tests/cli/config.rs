//! Settings as the binary takes them: a wrong one refuses every command and says where it is.

use serde_json::{Value, json};

use crate::home::Home;

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let home = Home::new();
    home.run(["--config", "nowhere.toml", "user", "list"]).refused("nowhere.toml", "--config");
    home.run(["serve", "--config", "nowhere.toml"]).refused("nowhere.toml", "--config");
    assert_eq!(home.contents(), []);
}

#[test]
fn an_unknown_or_wrong_setting_of_a_file_refuses_to_start_and_names_file_and_key() {
    let home = Home::new();
    for (text, key) in [
        ("[server]\nlisten_on = \"127.0.0.1:1\"\n", "server.listen_on"),
        ("[foo]\nbar = 1\n", "foo.bar"),
        ("[server]\nworkers = \"many\"\n", "server.workers"),
        ("[server]\nmax_body_bytes = 1\n", "server.max_body_bytes"),
        ("[database]\nsynchronous = \"off\"\n", "database.synchronous"),
        ("[locale]\ntime_zone = \"Mars/Olympus\"\n", "locale.time_zone"),
        ("[server]\nlisten = [", ""),
    ] {
        home.write("panel.toml", text);
        for command in [&["serve"][..], &["user", "list"], &["config", "check"], &["healthcheck"]] {
            let ran = home.run(command);
            ran.refused("panel.toml", "");
            assert!(ran.stderr.contains(key), "{key} is not named: {ran:?}");
        }
    }
    assert_eq!(home.contents().len(), 1, "only the settings are there");
}

#[test]
fn an_unknown_or_wrong_variable_refuses_to_start_and_is_named() {
    let home = Home::new();
    for (name, value, key) in [
        ("PANEL_FOO__BAR", "1", "foo.bar"),
        ("PANEL_SERVER__LISTENS", "127.0.0.1:0", "server.listens"),
        ("PANEL_SERVER__LISTEN", "everywhere", "server.listen"),
        ("PANEL_LOGS__RETENTION_DAYS", "0", "logs.retention_days"),
        ("PANEL_SERVER__TLS_CERT", "/tmp/cert.pem", "server.tls_cert"),
    ] {
        for command in [&["serve"][..], &["config", "show"]] {
            let ran = home.run_with(&[(name, value)], command);
            ran.refused(name, "");
            assert!(ran.stderr.contains(key), "{key} is not named: {ran:?}");
        }
    }
    assert_eq!(
        home.run_with(&[("PANEL_HOME", "/srv/panel")], ["config", "check"]).code,
        0,
        "only names with __ are settings"
    );
}

#[test]
fn a_certificate_that_cannot_be_read_refuses_to_start_instead_of_speaking_plain_text() {
    let home = Home::new();
    let settings = [
        ("PANEL_SERVER__LISTEN", "127.0.0.1:0"),
        ("PANEL_SERVER__TLS_CERT", "/nowhere/cert.pem"),
        ("PANEL_SERVER__TLS_KEY", "/nowhere/key.pem"),
    ];
    let mut command = home.command(["serve"]);
    let child = command.envs(settings).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let said = crate::server::until_it_ends_or_listens(child);
    assert!(said.contains("server.tls_cert"), "{said}");
    assert!(!said.contains("listening on"), "{said}");
}

#[test]
fn a_check_says_that_the_settings_are_good_and_makes_nothing() {
    let home = Home::new();
    let said = home.ok(["config", "check"]);
    assert!(!said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
    assert_eq!(home.ok(["--json", "config", "check"]).json(), json!({"ok": true}));
    assert_eq!(home.contents(), []);
}

#[test]
fn every_setting_is_shown_with_where_it_came_from() {
    let home = Home::new();
    home.write("panel.toml", "[server]\nworkers = 3\nmax_body_bytes = 2048\n[locale]\ntime_zone = \"Asia/Beirut\"\n");
    home.write("other.toml", "[server]\nworkers = 4\n");
    let variable = [("PANEL_SERVER__MAX_BODY_BYTES", "4096")];
    let shown = home.run_with(&variable, ["--json", "config", "show"]).json();
    let setting = |shown: &Value, key: &str| {
        let found = shown.as_array().unwrap().iter().find(|setting| setting["key"] == key).cloned();
        let found = found.unwrap_or_else(|| panic!("{key} is not shown"));
        (found["value"].clone(), found["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(setting(&shown, "server.workers"), (json!(3), "./panel.toml".to_owned()));
    assert_eq!(setting(&shown, "server.max_body_bytes"), (json!(4096), "PANEL_SERVER__MAX_BODY_BYTES".to_owned()));
    assert_eq!(setting(&shown, "database.path"), (json!("panel.db"), "default".to_owned()));
    assert_eq!(setting(&shown, "server.public_url"), (Value::Null, "default".to_owned()));

    let named = home.ok(["--config", "other.toml", "--json", "config", "show"]).json();
    assert_eq!(setting(&named, "server.workers"), (json!(4), "other.toml".to_owned()));
    assert_eq!(setting(&named, "locale.time_zone"), (json!("UTC"), "default".to_owned()));

    let text = home.run_with(&variable, ["config", "show"]).stdout;
    assert!(text.contains("server.workers = 3  # ./panel.toml\n"), "{text}");
    assert!(text.contains("server.max_body_bytes = 4096  # PANEL_SERVER__MAX_BODY_BYTES\n"), "{text}");
    assert_eq!(text.lines().count(), shown.as_array().map_or(0, Vec::len));
    assert!(!home.path("panel.db").exists());
}

#[test]
fn a_database_elsewhere_has_its_key_and_its_log_beside_it() {
    let home = Home::new();
    std::fs::create_dir(home.path("data")).unwrap();
    let mut server = home.serve_with(&[("PANEL_DATABASE__PATH", "data/isp.db")]);
    assert_eq!(server.stop(), Some(0));
    for name in ["data/isp.db", "data/isp.key", "data/isp-logs.db"] {
        assert_eq!(home.mode(name), 0o600, "{name}");
    }
    assert!(!home.path("panel.db").exists());
}
