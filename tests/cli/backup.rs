//! `panel backup`: taken beside a server that writes, whole, for its owner only, and never over anything.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::home::Home;
use crate::raw_http;

/// Opened as anybody's SQLite would, where nothing may be written.
fn look(home: &Home, name: &str) -> Connection {
    Connection::open_with_flags(home.path(name), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// What lies in the folder besides the database, sorted.
fn beside(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with("panel"));
    names.sort();
    names
}

fn unlimited_key(home: &Home) -> String {
    let made = home
        .ok(["--json", "key", "mint", "--style", "external", "--user", "admin", "--scopes", "write", "--rate", "0"]);
    made.json()["key"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_is_overwritten_and_a_place_that_cannot_be_had_is_named() {
    let home = Home::with_database();
    home.write("mine", "mine");
    symlink("nowhere", home.path("link")).unwrap();
    for (target, why, remedy) in [
        ("mine", "mine is there already", "nothing is overwritten"),
        ("link", "link is there already", "nothing is overwritten"),
        ("panel.db", "panel.db is there already", "nothing is overwritten"),
        ("no/such/x.db", "cannot be written", "folder"),
    ] {
        home.run(["backup", target]).refused(why, remedy);
    }
    assert_eq!(fs::read(home.path("mine")).unwrap(), b"mine");
    assert!(!home.path("nowhere").exists());
    assert_eq!(home.count("backups"), 0);
    assert_eq!(beside(&home), ["link", "mine"].map(str::to_owned));
}

#[test]
fn a_backup_that_somebody_else_is_making_is_left_to_them_and_one_that_was_interrupted_is_made_anew() {
    let home = Home::with_database();
    home.write(".x.db.part", "half");
    let other = fs::File::open(home.path(".x.db.part")).unwrap();
    other.lock().unwrap();
    home.run(["backup", "x.db"]).refused(".x.db.part is in use", "");
    drop(other);
    home.ok(["backup", "x.db"]);
    assert_eq!(beside(&home), ["x.db"]);
}

#[test]
fn a_backup_taken_while_others_write_has_every_row_that_was_acknowledged_before_it_began() {
    let home = Home::new();
    let server = home.serve();
    let key = unlimited_key(&home);
    let (acknowledged, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let write = |writer: usize| {
        let mut turn = 0;
        while !over.load(Ordering::SeqCst) {
            turn += 1;
            let body = json!({"username": format!("w{writer}-{turn}"), "service_id": 1});
            let made = raw_http::create(server.address, &key, &body);
            assert_eq!(made.status, 201, "{made:?}");
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    };
    let wait_for = |rows: usize| {
        while acknowledged.load(Ordering::SeqCst) < rows {
            std::thread::yield_now();
        }
    };
    let before = std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || write(writer));
        }
        wait_for(200);
        let before = acknowledged.load(Ordering::SeqCst);
        home.ok(["backup", "x.db"]);
        let after = acknowledged.load(Ordering::SeqCst);
        assert!(after > before, "nobody wrote meanwhile");
        // And the writers went on.
        wait_for(after + 20);
        over.store(true, Ordering::SeqCst);
        before
    });
    let copy = look(&home, "x.db");
    let verdict: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let count = |table: &str| {
        copy.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, isize>(0))
            .unwrap()
            .unsigned_abs()
    };
    assert_eq!(verdict, "ok");
    assert!(count("subscribers") >= before, "{} of {before}", count("subscribers"));
    assert_eq!(
        count("audit WHERE action = 'subscribers.create'"),
        count("subscribers"),
        "no row without its audit row"
    );
    assert_eq!(beside(&home), ["x.db"]);
}

#[test]
fn a_backup_is_for_its_owner_only_and_holds_neither_the_key_file_nor_a_secret() {
    let home = Home::with_database();
    let (_, secret) = home.mint("read");
    let ran = home.ok(["backup", "x.db"]);
    assert!(ran.stderr.contains("was never exported"), "{ran:?}");
    assert_eq!(home.mode("x.db"), 0o600);
    let key_file = fs::read_to_string(home.path("panel.key")).unwrap();
    let digits = key_file.trim().rsplit(' ').next().unwrap();
    assert_eq!(home.files_with(digits), ["panel.key"]);
    let raw: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let copy = fs::read(home.path("x.db")).unwrap();
    assert!(!copy.windows(32).any(|window| window == raw));
    assert_eq!(home.files_with(&secret), Vec::<String>::new());

    home.run_typing("correct horse battery\n", ["keyfile", "export", "--passphrase-stdin"]);
    assert_eq!(home.ok(["backup", "y.db"]).stderr, "", "it was exported");
}

#[test]
fn without_a_name_it_goes_to_the_folder_of_the_settings_which_is_beside_the_database_wherever_the_command_runs() {
    let home = Home::new();
    fs::create_dir(home.path("data")).unwrap();
    let database = home.path("data/panel.db").display().to_string();
    let ran = home.run_with(&[("PANEL_DATABASE__PATH", &database)], ["--json", "backup"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let made = ran.json();
    let path = made["path"].as_str().unwrap();
    let name = path.strip_prefix(&format!("{}/", home.path("data/backups").display())).unwrap();
    assert!(name.starts_with("panel-2") && name.ends_with("Z.db"), "{name}");
    assert_eq!(home.mode("data/backups"), 0o700);
    assert_eq!((made["kind"].as_str(), made["verified_at"].is_string()), (Some("manual"), true));
    assert_eq!(made["bytes"].as_u64().unwrap(), fs::metadata(path).unwrap().len());
}

#[test]
fn what_was_altered_cut_or_never_a_backup_is_not_whole_and_nothing_is_left_behind() {
    let home = Home::with_database();
    home.ok(["backup", "--no-verify", "x.db"]);
    let whole = fs::read(home.path("x.db")).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let seal = whole.windows(16).position(|window| window == b"panel-backup-v1\n").unwrap();
    for (what, bytes, why) in [
        ("a page", flipped(5000), "is damaged"),
        ("the head", flipped(30), "is damaged"),
        ("the seal", flipped(seal + 30), "is damaged"),
        ("the hash", flipped(whole.len() - 10), "is damaged"),
        ("cut", whole[..whole.len() - 5000].to_vec(), "is not a file that panel backup made"),
        ("longer", [&whole[..], b"x"].concat(), "is not a file that panel backup made"),
        ("empty", Vec::new(), "is not a file that panel backup made"),
        ("unsealed", whole[..seal].to_vec(), "is not a file that panel backup made"),
        ("text", b"something else".to_vec(), "is not a file that panel backup made"),
    ] {
        home.write("y.db", bytes);
        let ran = home.run(["backup", "verify", "y.db"]);
        assert!(ran.stderr.contains(why), "{what}: {ran:?}");
        ran.refused("y.db", "");
    }
    home.run(["backup", "verify", "nowhere"]).refused("nowhere cannot be read", "");
    assert_eq!(beside(&home), ["x.db", "y.db"]);
    assert_eq!(home.count("backups WHERE verified_at IS NOT NULL"), 0);

    let ran = home.ok(["--json", "backup", "verify", "x.db"]);
    assert!(ran.stderr.starts_with("Whole: "), "{ran:?}");
    assert_eq!(home.count("backups WHERE verified_at IS NOT NULL"), 1);
    assert_eq!(fs::read(home.path("x.db")).unwrap(), whole);
    assert_eq!(beside(&home), ["x.db", "y.db"]);
}

#[test]
fn a_backup_is_verified_where_there_is_no_panel_and_none_is_made_for_it() {
    let (home, elsewhere) = (Home::with_database(), Home::new());
    home.ok(["backup", "x.db"]);
    fs::copy(home.path("x.db"), elsewhere.path("x.db")).unwrap();
    elsewhere.ok(["backup", "verify", "x.db"]);
    assert_eq!(elsewhere.contents().len(), 1, "{:?}", beside(&elsewhere));
}

#[test]
fn the_list_tells_what_was_made_the_latest_first_and_each_leaves_a_trail() {
    let home = Home::with_database();
    assert_eq!(home.ok(["--json", "backup", "list"]).json(), json!([]));
    home.ok(["backup", "one.db"]);
    home.ok(["backup", "--no-verify", "two.db"]);
    let list = home.ok(["--json", "backup", "list"]).json();
    let of = |field: &str| list.as_array().unwrap().iter().map(|row| row[field].clone()).collect::<Vec<Value>>();
    let paths = ["two.db", "one.db"].map(|name| json!(home.path(name).display().to_string()));
    assert_eq!(of("path"), paths);
    assert_eq!(of("verified_at").iter().map(Value::is_null).collect::<Vec<_>>(), [true, false]);
    assert_eq!(home.count("audit WHERE action = 'backups.create'"), 2);
    assert_eq!(home.count("audit WHERE action = 'backups.verify'"), 1);
}
