//! An older database is backed up, brought to this version's schema, or left exactly as it was.

use std::fs;

use rusqlite::Connection;
use serde_json::json;

use crate::home::Home;

const FIRST: &str = include_str!("../store/schema-1.sql");

/// A database as the first version made it, with a router in it.
fn old() -> Home {
    let home = Home::new();
    lay_old(&home);
    home
}

pub fn lay_old(home: &Home) {
    let database = Connection::open(home.path("panel.db")).unwrap();
    let main = FIRST.split("-- file: panel.db\n").nth(1).unwrap().split("-- file: ").next().unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.execute_batch(main).unwrap();
    database
        .execute_batch(
            "PRAGMA application_id = 1885433445; PRAGMA user_version = 1;
             INSERT INTO services (name, name_key, created_at, updated_at) VALUES ('Gold', 'gold', 1, 1);",
        )
        .unwrap();
}

pub fn version(home: &Home) -> i64 {
    home.value("panel.db", "PRAGMA user_version")
}

#[test]
fn a_step_that_fails_leaves_the_old_database_to_the_old_version() {
    let home = old();
    // Somebody's own table has the name of the one to come.
    home.open("panel.db").execute_batch("CREATE TABLE backups (x INTEGER) STRICT").unwrap();
    for command in [&["migrate"][..], &["user", "list"], &["serve"]] {
        home.run(command).refused("could not be brought from schema 1 to 2", "It is unchanged");
    }
    assert_eq!(version(&home), 1);
    assert_eq!(
        fs::read_dir(home.path("backups")).unwrap().count(),
        0,
        "a start that is tried again and again fills no disk"
    );
    assert_eq!(home.value::<i64>("panel.db", "SELECT count(*) FROM services"), 1);
    assert_eq!(home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
}

#[test]
fn without_room_for_the_backup_nothing_is_changed() {
    let home = old();
    home.write("backups", "a file where the folder belongs");
    let ran = home.run(["migrate"]);
    ran.refused("could not be backed up before that", "folder");
    assert_eq!(version(&home), 1);
    assert_eq!(home.value::<i64>("panel.db", "SELECT count(*) FROM sqlite_schema WHERE name = 'backups'"), 0);
}

#[test]
fn an_older_database_is_backed_up_and_migrated_once_and_keeps_its_rows() {
    let home = old();
    let told = home.ok(["--json", "migrate"]).json();
    assert_eq!((&told["from"], &told["to"]), (&json!(1), &json!(2)));
    let backup = told["backup"].as_str().unwrap();
    let before = Connection::open(backup).unwrap();
    let read = |statement: &str| before.query_row(statement, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((read("PRAGMA user_version"), read("SELECT count(*) FROM services")), (1, 1));
    drop(before);
    assert_eq!(version(&home), 2);
    assert_eq!(home.value::<String>("panel.db", "SELECT name FROM services ORDER BY id LIMIT 1"), "Gold");
    assert_eq!(home.count("backups WHERE kind = 'migration'"), 1);

    let again = home.ok(["--json", "migrate"]).json();
    assert_eq!(again, json!({"from": 2, "to": 2, "backup": null}));
    assert_eq!(fs::read_dir(home.path("backups")).unwrap().count(), 1);

    let verified = home.ok(["--json", "backup", "verify", backup]);
    assert!(verified.stderr.contains("schema 1"), "{verified:?}");
}

#[test]
fn a_backup_of_an_older_version_is_restored_and_migrated() {
    let home = old();
    let backup = home.ok(["--json", "migrate"]).json()["backup"].as_str().unwrap().to_owned();
    // Before the first start of the new version it had no key file; the one it has since is its own.
    home.run(["restore", &backup]).refused("is not the one whose passwords are in this backup", "");
    assert_eq!(version(&home), 2);
}

#[test]
fn a_fresh_place_is_made_at_the_current_schema() {
    let home = Home::new();
    assert_eq!(home.ok(["migrate"]).stdout, "The database is at schema 2.\n");
    assert_eq!(version(&home), 2);
    assert!(!home.path("backups").exists());
}
