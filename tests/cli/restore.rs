//! `panel restore`: the database as it was, the replaced one beside it, and nothing back to life that was ended since.

use std::fs;

use serde_json::{Value, json};

use crate::home::{Home, SUBSCRIBERS};

const RESTORE: [&str; 2] = ["restore", "x.db"];

/// A panel with one subscriber, and a backup of it.
fn backed_up() -> Home {
    let home = Home::new();
    let mut server = home.serve();
    let key = home.mint("write").1;
    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 201);
    home.ok(["backup", "x.db"]);
    assert_eq!(server.stop(), Some(0));
    home
}

fn replaced(home: &Home) -> Vec<String> {
    let names = home.contents().into_iter().map(|(name, _, _)| name);
    names.filter(|name| name.starts_with("panel-replaced-")).collect()
}

#[test]
fn what_cannot_be_restored_is_refused_with_the_reason_and_changes_nothing() {
    let home = backed_up();
    let other = Home::with_database();
    other.ok(["backup", "x.db"]);
    fs::copy(other.path("x.db"), home.path("other.db")).unwrap();
    let mut bytes = fs::read(home.path("x.db")).unwrap();
    bytes[9000] ^= 4;
    home.write("damaged.db", bytes);
    home.write("text", "not a database");
    let before = home.contents();
    for (file, why, remedy) in [
        ("nowhere", "nowhere cannot be read", "Check"),
        ("text", "is not a file that panel backup made", "--unsealed"),
        ("damaged.db", "damaged.db is damaged", "another backup"),
        ("other.db", "is not the one whose passwords are in this backup", "panel keyfile import"),
    ] {
        home.run(["restore", file]).refused(why, remedy);
        assert!(home.contents() == before, "{file} changed something");
    }
    fs::rename(home.path("panel.key"), home.path("kept.key")).unwrap();
    home.run(RESTORE).refused("a backup never holds it", "panel keyfile import FILE --passphrase-stdin");
    fs::rename(home.path("kept.key"), home.path("panel.key")).unwrap();
    assert!(home.contents() == before, "without a key file something changed");
}

#[test]
fn a_running_panel_is_never_replaced_under_its_feet() {
    let home = backed_up();
    let mut server = home.serve();
    home.run(RESTORE).refused("panel.db is in use", "systemctl stop panel");
    assert_eq!(replaced(&home), Vec::<String>::new());
    assert_eq!(server.send("GET", "/api/health", &[], "").status, 200);
    assert_eq!(server.stop(), Some(0));
    home.ok(RESTORE);
}

#[test]
fn a_command_is_sent_away_while_a_restore_has_the_place() {
    let home = backed_up();
    let key_file = fs::File::open(home.path("panel.key")).unwrap();
    key_file.lock().unwrap();
    home.run(["user", "list"]).refused("is just being restored", "Try again");
    home.run(RESTORE).refused("panel.db is in use", "let other commands end");
}

#[test]
fn the_rows_are_what_they_were_the_replaced_ones_are_kept_and_the_trail_says_so() {
    let home = backed_up();
    home.add_user("eve", "user");
    home.ok(["subscriber", "list"]);
    let ran = home.ok(["--json", "restore", "x.db"]);
    let told = ran.json();
    assert_eq!(home.count("users"), 1);
    assert_eq!(home.count("subscribers"), 1);
    let kept = replaced(&home);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(told["replaced"].as_str().unwrap().ends_with(&kept[0]), "{told}");
    assert_eq!(home.value::<i64>(&kept[0], "SELECT count(*) FROM users"), 2);
    assert_eq!((home.mode("panel.db"), home.mode(&kept[0])), (0o600, 0o600));
    // The backup itself was noted after its snapshot: its file is known still, and will be deleted in its time.
    assert_eq!(home.count("backups WHERE verified_at IS NOT NULL"), 1);
    assert_eq!(home.count("audit WHERE action = 'backups.restore'"), 1);
    assert_eq!(home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
    let server = home.serve();
    let key = home.mint("write").1;
    assert_eq!(server.create(&key, &json!({"username": "bob", "service_id": 1})).status, 201);
}

#[test]
fn no_key_that_was_revoked_and_no_secret_that_was_replaced_since_works_again() {
    let home = Home::new();
    let mut server = home.serve();
    let (revoked, kept) = (home.mint("read"), home.mint("read"));
    let rotated = home.mint("read");
    home.ok(["backup", "x.db"]);
    home.ok(["key", "revoke", &revoked.0.to_string()]);
    let next = home.ok(["--json", "key", "rotate", &rotated.0.to_string(), "--grace", "0"]).json();
    let next = next["key"].as_str().unwrap().to_owned();
    let younger = home.mint("read");
    assert_eq!(server.stop(), Some(0));

    let told = home.ok(["--json", "restore", "x.db"]).json();
    assert_eq!((&told["keys_revoked"], &told["keys_rotated"]), (&json!(1), &json!(1)));

    let server = home.serve();
    for (what, key, status) in [
        ("revoked since", &revoked.1, 401),
        ("replaced since", &rotated.1, 401),
        ("what replaced it", &next, 200),
        ("untouched", &kept.1, 200),
        ("made since", &younger.1, 401),
    ] {
        assert_eq!(server.get(SUBSCRIBERS, key).status, status, "{what}");
    }
    assert_eq!(server.get(SUBSCRIBERS, &revoked.1).code(), "API_KEY_REVOKED");
    assert!(home.mint("read").0 > younger.0, "an id names one key for good");
}

#[test]
fn everybody_is_logged_out_and_setup_links_are_dead() {
    let home = Home::new();
    home.run_typing("a-good-password-1\n", ["user", "passwd", "admin", "--password-stdin"]);
    let mut server = home.serve();
    let login = json!({"username": "admin", "password": "a-good-password-1"}).to_string();
    let headers = [("Content-Type", "application/json")];
    let answer = server.send("POST", "/api/v1/auth/login", &headers, &login);
    let token = find(&answer.json(), "token").unwrap();
    let bearer = format!("Bearer {token}");
    let ask =
        |server: &crate::server::Server| server.send("GET", "/api/v1/users", &[("Authorization", &bearer)], "").status;
    assert_eq!(ask(&server), 200);
    let link = home.ok(["admin", "reset"]).stdout;
    let path = format!("/setup/{}", link.trim().rsplit('/').next().unwrap());
    home.ok(["backup", "x.db"]);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(home.ok(["--json", "restore", "x.db"]).json()["sessions_ended"], json!(1));
    let server = home.serve();
    assert_eq!(ask(&server), 401);
    assert_eq!(server.send("GET", &path, &[], "").status, 404);
}

fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(fields) => fields
            .get(name)
            .and_then(|token| token.as_str().map(str::to_owned))
            .or_else(|| fields.values().find_map(|inner| find(inner, name))),
        _ => None,
    }
}

#[test]
fn a_damaged_database_is_replaced_and_it_is_said_that_nothing_could_be_carried_over() {
    let home = backed_up();
    let mut bytes = fs::read(home.path("panel.db")).unwrap();
    bytes[..4096].fill(7);
    home.write("panel.db", bytes);
    home.run(["user", "list"]);
    let ran = home.ok(RESTORE);
    assert!(ran.stderr.contains("revoke again what was revoked since"), "{ran:?}");
    assert_eq!(home.count("subscribers"), 1);
    let kept = replaced(&home).into_iter().filter(|name| name.ends_with(".db"));
    assert_eq!(kept.count(), 1);
}

/// A backup, and a panel that died afterwards with two users in its log.
fn died_after_its_backup() -> (Home, Vec<u8>) {
    let home = backed_up();
    let server = home.serve();
    home.add_user("eve", "user");
    home.add_user("bob", "user");
    server.kill();
    let log = fs::read(home.path("panel.db-wal")).unwrap();
    assert!(!log.is_empty());
    (home, log)
}

#[test]
fn the_log_of_a_lost_or_damaged_database_never_meets_the_restored_one_and_is_kept() {
    for (what, lose) in [
        ("moved away", (|home| fs::rename(home.path("panel.db"), home.path("bad")).unwrap()) as fn(&Home)),
        ("emptied", |home| home.write("panel.db", "")),
        ("overwritten", |home| home.write("panel.db", vec![7; 40_000])),
    ] {
        let (home, log) = died_after_its_backup();
        lose(&home);
        home.run(["doctor"]);
        home.run(["migrate"]);
        let ran = home.ok(RESTORE);
        assert!(ran.stderr.contains("revoke again"), "{what}: {ran:?}");
        assert_eq!(home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok", "{what}");
        assert_eq!((home.count("users"), home.count("subscribers")), (1, 1), "{what}");
        let kept = replaced(&home).into_iter().find(|name| name.ends_with("-wal")).unwrap_or_else(|| panic!("{what}"));
        assert!(fs::read(home.path(&kept)).unwrap() == log, "{what}: what the log held is lost");
    }
}

#[test]
fn what_died_with_a_log_is_kept_with_what_the_log_held() {
    let (home, _) = died_after_its_backup();
    home.ok(RESTORE);
    assert_eq!(home.count("users"), 1);
    let kept = replaced(&home);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(home.value::<i64>(&kept[0], "SELECT count(*) FROM users"), 3);
}

#[test]
fn the_file_that_is_restored_is_never_the_one_that_is_written() {
    let home = backed_up();
    fs::copy(home.path("x.db"), home.path(".panel.db.part")).unwrap();
    let before = home.contents();
    home.run(["restore", ".panel.db.part"]).refused("what another command is working on", "");
    assert!(home.contents() == before);
}

#[test]
fn a_link_to_the_database_stays_one() {
    let home = backed_up();
    fs::create_dir(home.path("disk")).unwrap();
    fs::rename(home.path("panel.db"), home.path("disk/real.db")).unwrap();
    std::os::unix::fs::symlink("disk/real.db", home.path("panel.db")).unwrap();
    home.add_user("eve", "user");
    home.ok(RESTORE);
    assert!(fs::symlink_metadata(home.path("panel.db")).unwrap().is_symlink());
    assert_eq!(home.count("users"), 1);
    fs::rename(home.path("disk"), home.path("unmounted")).unwrap();
    home.run(RESTORE).refused("panel.db cannot be followed to where it leads", "");
}

#[test]
fn a_sealed_backup_that_was_altered_is_not_taken_as_one_without_a_seal() {
    let home = backed_up();
    let whole = fs::read(home.path("x.db")).unwrap();
    home.write("cut.db", &whole[..whole.len() - 10]);
    let mut altered = whole.clone();
    altered[9000] ^= 4;
    home.write("altered.db", altered);
    for file in ["cut.db", "altered.db"] {
        home.run(["restore", "--unsealed", file]).refused("is damaged", "another backup");
    }
}

#[test]
fn an_index_of_the_operators_own_does_not_keep_a_backup_from_being_restored() {
    let home = backed_up();
    home.open("panel.db").execute_batch("CREATE INDEX mine ON subscribers (phone)").unwrap();
    home.ok(["backup", "y.db"]);
    home.ok(["restore", "y.db"]);
}

#[test]
fn a_new_box_takes_the_exported_key_and_the_backup_and_is_the_old_one() {
    let home = backed_up();
    let export = home.run_typing("correct horse battery\n", ["keyfile", "export", "--passphrase-stdin"]).stdout;
    let fresh = Home::new();
    fs::copy(home.path("x.db"), fresh.path("x.db")).unwrap();
    fresh.write("key.txt", export);
    fresh.run(RESTORE).refused("The key file panel.key is not there", "panel keyfile import");
    let import = ["keyfile", "import", "key.txt", "--passphrase-stdin"];
    assert_eq!(fresh.run_typing("correct horse battery\n", import).code, 0);
    fresh.ok(RESTORE);
    assert_eq!((fresh.count("subscribers"), replaced(&fresh).len()), (1, 0));
    // With the wrong key it would not start.
    let server = fresh.serve();
    let key = fresh.mint("read").1;
    assert_eq!(server.get(&format!("{SUBSCRIBERS}/by-username/ada"), &key).status, 200);
}

#[test]
fn a_copy_made_by_other_means_is_taken_with_the_log_that_lies_beside_it() {
    let home = backed_up();
    let live = home.open("panel.db");
    live.execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE packages SET name = name;").unwrap();
    home.add_user("eve", "user");
    fs::copy(home.path("panel.db"), home.path("hand.db")).unwrap();
    fs::copy(home.path("panel.db-wal"), home.path("hand.db-wal")).unwrap();
    drop(live);
    home.ok(["user", "delete", "eve", "--yes"]);
    home.run(["restore", "hand.db"]).refused("is not a file that panel backup made", "--unsealed");
    home.ok(["restore", "--unsealed", "hand.db"]);
    assert_eq!(home.count("users WHERE deleted_at IS NULL"), 2, "also what was only in its log");
}
