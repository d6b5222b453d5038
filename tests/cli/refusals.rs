//! Files that cannot be this panel's: refused with why and what to do, and left exactly as they were.

use crate::home::Home;

/// All files but SQLite's bookkeeping, which reading alone may make.
fn kept(home: &Home) -> Vec<(String, u32, Vec<u8>)> {
    home.contents().into_iter().filter(|(name, _, _)| !name.ends_with("-wal") && !name.ends_with("-shm")).collect()
}

/// Both doors refuse alike, and no byte and no mode of what was there changes.
#[track_caller]
fn refuses(home: &Home, settings: &[(&str, &str)], why: &str, remedy: &str) {
    let before = kept(home);
    for command in [&["user", "list"][..], &["serve"], &["key", "mint", "--style", "external", "--user", "admin"]] {
        let settings: Vec<_> = [("PANEL_SERVER__LISTEN", "127.0.0.1:0")].iter().chain(settings).copied().collect();
        let ran = home.run_with(&settings, command);
        ran.refused(why, remedy);
        assert!(!ran.stderr.contains("panel --help"), "that is no remedy: {ran:?}");
    }
    let after = kept(home);
    let modes = |files: &[(String, u32, Vec<u8>)]| -> Vec<_> {
        files.iter().map(|(name, mode, _)| format!("{name} {mode:o}")).collect()
    };
    assert_eq!(modes(&before), modes(&after), "files came or went, or a mode was changed");
    for ((name, _, was), (_, _, is)) in before.iter().zip(&after) {
        assert!(was == is, "{name} was changed");
    }
}

#[test]
fn a_database_of_a_newer_panel_is_refused() {
    let home = Home::with_database();
    home.open("panel.db").pragma_update(None, "user_version", 99).unwrap();
    refuses(&home, &[], "newer panel (schema 99", "Install that version");
}

#[test]
fn the_key_file_of_another_panel_is_refused() {
    let (home, other) = (Home::with_database(), Home::with_database());
    std::fs::copy(other.path("panel.key"), home.path("panel.key")).unwrap();
    refuses(&home, &[], "panel.key is not the one this database was made with", "Put the right one in its place");
}

#[test]
fn a_missing_key_file_is_refused_and_not_replaced() {
    let home = Home::with_database();
    std::fs::remove_file(home.path("panel.key")).unwrap();
    refuses(&home, &[], "panel.key is not there", "Put the one that belongs to this database back");
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let home = Home::with_database();
    home.set_mode("panel.key", 0o644);
    refuses(&home, &[], "panel.key has mode 0644", "chmod 600 panel.key");
    home.set_mode("panel.key", 0o600);
    home.ok(["user", "list"]);
}

#[test]
fn a_damaged_key_file_is_refused_and_never_quoted() {
    let home = Home::with_database();
    let key = std::fs::read_to_string(home.path("panel.key")).unwrap();
    home.write("panel.key", &key[..40]);
    refuses(&home, &[], "panel.key is damaged", "panel keyfile import");
    let ran = home.run(["user", "list"]);
    assert!(!ran.stderr.contains(&key[13..40]), "{ran:?}");
}

#[test]
fn the_database_of_another_program_is_refused_and_left_alone() {
    let home = Home::new();
    home.open("panel.db")
        .execute_batch("CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')")
        .unwrap();
    home.set_mode("panel.db", 0o644);
    refuses(&home, &[], "database of another program", "database.path");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let home = Home::new();
    home.write("panel.db", "Dear diary, today I configured the wrong path. ".repeat(100));
    home.set_mode("panel.db", 0o644);
    refuses(&home, &[], "", "");
    let ran = home.run(["user", "list"]);
    assert!(ran.stderr.contains("panel.db"), "the file is not named: {ran:?}");
}

#[test]
fn a_folder_that_is_not_there_is_refused() {
    let home = Home::new();
    refuses(&home, &[("PANEL_DATABASE__PATH", "nowhere/panel.db")], "The folder nowhere cannot be used", "Create it");
}

#[test]
fn a_folder_in_the_place_of_the_database_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path("data")).unwrap();
    home.set_mode("data", 0o755);
    let settings = [("PANEL_DATABASE__PATH", "data")];
    for command in [&["user", "list"][..], &["serve"]] {
        let ran = home.run_with(&settings, command);
        ran.refused("data", "database.path");
        assert!(!ran.stderr.contains("damaged"), "{ran:?}");
    }
    assert_eq!(home.mode("data"), 0o755);
    assert_eq!(std::fs::read_dir(home.path("data")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(home.folder()).unwrap().count(), 1);
}

#[test]
fn a_folder_in_the_place_of_the_key_file_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path("panel.key")).unwrap();
    let ran = home.run(["user", "list"]);
    ran.refused("panel.key is not a regular file", "Move it away");
}

#[test]
fn a_request_log_of_another_program_is_refused_by_the_server() {
    let home = Home::with_database();
    home.open("panel-logs.db").execute_batch("CREATE TABLE theirs (x)").unwrap();
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", "127.0.0.1:0")], ["serve"]);
    ran.refused("database of another program", "");
    assert!(ran.stderr.contains("panel-logs.db"), "the file is not named: {ran:?}");
}

#[test]
fn an_address_in_use_is_refused_with_its_setting() {
    let home = Home::with_database();
    home.ok(["user", "passwd", "admin"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &address)], ["serve"]);
    ran.refused(&format!("server.listen: {address}"), "choose another address");
}

#[test]
fn a_failed_start_offers_no_setup_link_that_the_next_one_then_withholds() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failed = home.run_with(&[("PANEL_SERVER__LISTEN", &address)], ["serve"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let server = home.serve();
    let printed = |text: &str| text.matches("/setup/").count();
    assert_eq!(
        printed(&failed.stderr) + printed(&server.said()),
        1,
        "the link is printed once, at one start or the other"
    );
}
