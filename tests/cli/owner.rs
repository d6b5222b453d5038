//! Run as root on a database of another owner, commands leave nothing behind that the server could not open.
//! These need root and return early without it.

use std::os::unix::fs::{MetadataExt, chown};

use crate::home::Home;

const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A database of somebody else's in somebody else's folder.
fn of_nobody() -> Home {
    let home = Home::with_database();
    for (name, _, _) in home.contents() {
        chown(home.path(&name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    chown(home.folder(), Some(NOBODY), Some(NOBODY)).unwrap();
    home
}

fn assert_all_of_nobody(home: &Home) {
    for (name, _, _) in home.contents() {
        let file = std::fs::metadata(home.path(&name)).unwrap();
        assert_eq!((file.uid(), file.gid()), (NOBODY, NOBODY), "{name}");
    }
}

#[test]
fn a_command_of_root_acts_as_the_owner_of_the_database() {
    if !is_root() {
        return;
    }
    let home = of_nobody();
    home.mint("read");
    let listed = home.ok(["--json", "user", "list"]).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    home.run(["key", "revoke", "99"]).refused("API key not found", "list");
    assert_all_of_nobody(&home);
}

#[test]
fn a_server_started_by_root_acts_as_the_owner_of_the_database() {
    if !is_root() {
        return;
    }
    let home = of_nobody();
    let server = home.serve();
    assert!(home.path("panel.db-wal").exists() && home.path("panel-logs.db").exists());
    assert_all_of_nobody(&home);
    home.ok(["service", "add", "Gold"]);
    drop(server);
    assert_all_of_nobody(&home);
}
