//! The first start: what it makes, and the link with which the administrator sets a password.

use crate::home::Home;
use crate::server::Server;

/// The links that a text holds.
fn links(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.contains("/setup/")).map(str::to_owned).collect()
}

/// Where a link leads on the running server.
fn path_of(link: &str) -> &str {
    &link[link.find("/setup/").unwrap()..]
}

fn opens(server: &Server, link: &str) -> bool {
    match server.send("GET", path_of(link), &[], "").status {
        200 => true,
        404 => false,
        other => panic!("{other}"),
    }
}

#[test]
fn an_empty_folder_gets_a_database_a_key_file_and_a_log_that_only_the_owner_reads() {
    let home = Home::new();
    let server = home.serve();
    for name in ["panel.db", "panel.key", "panel-logs.db", "panel.db-wal", "panel-logs.db-wal"] {
        assert_eq!(home.mode(name), 0o600, "{name}");
    }
    drop(server);
    let listed = home.ok(["--json", "user", "list"]).json();
    assert_eq!((listed[0]["id"].as_i64(), listed[0]["username"].as_str()), (Some(1), Some("admin")));
    assert_eq!((listed[0]["role"].as_str(), listed[0]["status"].as_str()), (Some("admin"), Some("active")));
    assert_eq!((listed[0]["has_password"].as_bool(), listed[0]["package"].as_str()), (Some(false), Some("default")));
    let services = home.ok(["--json", "service", "list"]).json();
    assert_eq!((services[0]["id"].as_i64(), services[0]["name"].as_str()), (Some(1), Some("default")));
}

#[test]
fn the_first_start_prints_one_setup_link_and_the_next_one_within_its_time_none() {
    let home = Home::new();
    let mut first = home.serve_with(&[("PANEL_SERVER__PUBLIC_URL", "https://panel.example.net/isp")]);
    let printed = links(&first.said());
    assert_eq!(printed.len(), 1, "{}", first.said());
    assert!(printed[0].starts_with("https://panel.example.net/isp/setup/"), "{}", printed[0]);
    assert!(opens(&first, &printed[0]));
    assert_eq!(first.stop(), Some(0));

    let second = home.serve();
    assert_eq!(links(&second.said()), Vec::<String>::new());
    assert!(opens(&second, &printed[0]), "the first link still works");
}

#[test]
fn a_link_older_than_thirty_minutes_is_dead_and_a_start_prints_another() {
    let home = Home::new();
    let mut first = home.serve();
    let old = links(&first.said());
    assert_eq!(first.stop(), Some(0));
    let valid: i64 = home.value("panel.db", "SELECT expires_at - created_at FROM setup_links");
    assert_eq!(valid, 30 * 60 * 1000);
    home.open("panel.db").execute("UPDATE setup_links SET expires_at = created_at", []).unwrap();

    let second = home.serve();
    let new = links(&second.said());
    assert_eq!(new.len(), 1, "{}", second.said());
    assert!(!opens(&second, &old[0]));
    assert!(opens(&second, &new[0]));
}

#[test]
fn a_reset_prints_a_new_link_alone_on_stdout_and_the_old_one_is_dead() {
    let home = Home::new();
    let server = home.serve();
    let old = links(&server.said());

    let reset = home.run_with(&[("PANEL_SERVER__PUBLIC_URL", "https://panel.example.net")], ["admin", "reset"]);

    assert_eq!((reset.code, reset.stdout.lines().count()), (0, 1), "{reset:?}");
    assert!(reset.stdout.starts_with("https://panel.example.net/setup/"), "{}", reset.stdout);
    assert!(!reset.stderr.contains("/setup/"), "{}", reset.stderr);
    assert!(!opens(&server, &old[0]));
    assert!(opens(&server, reset.stdout.trim()));
    assert!(!opens(&server, "/setup/never-made"));
}

#[test]
fn a_link_sets_the_password_once() {
    let home = Home::new();
    let server = home.serve();
    let link = links(&server.said()).remove(0);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let post = |body: &str| server.send("POST", path_of(&link), &form, body).status;

    assert_eq!(post("password=short&again=short"), 400);
    assert_eq!(post("password=correct-horse-battery&again=correct-horse-batterz"), 400);
    assert_eq!(home.count("users WHERE password_hash IS NOT NULL"), 0);
    assert_eq!(post("password=correct-horse-battery&again=correct-horse-battery"), 200);
    assert_eq!(home.count("users WHERE password_hash LIKE '$argon2id$%'"), 1);
    assert_eq!(post("password=correct-horse-battery&again=correct-horse-battery"), 404);
    assert!(!opens(&server, &link));
}

#[test]
fn an_administrator_with_a_password_is_offered_no_link() {
    let home = Home::with_database();
    home.ok(["user", "passwd", "admin"]);
    assert_eq!(links(&home.serve().said()), Vec::<String>::new());
}

#[test]
fn setting_the_password_on_the_command_line_ends_a_link_that_was_printed() {
    let home = Home::new();
    let server = home.serve();
    let link = links(&server.said()).remove(0);
    home.ok(["user", "passwd", "admin"]);
    assert!(!opens(&server, &link));
}

#[test]
fn a_link_is_kept_only_as_a_hash() {
    let home = Home::new();
    let server = home.serve();
    let link = links(&server.said()).remove(0);
    assert_eq!(home.files_with(link.rsplit('/').next().unwrap()), Vec::<String>::new());
}

#[test]
fn a_new_link_is_printed_as_json_where_that_is_asked_for() {
    let home = Home::with_database();
    let link = home.ok(["--json", "admin", "reset"]).json()["link"].as_str().unwrap().to_owned();
    assert!(link.starts_with("http://127.0.0.1:3082/setup/"), "{link}");
}
