//! `panel integration whmcs DIR`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::home::{Home, finish};

const MODULE: &str = "w/modules/servers/panelhosting/panelhosting.php";

fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.append(&mut files(&path));
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            all.insert(path, text);
        }
    }
    all
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let home = Home::new();
    home.write("w", "a file");
    home.run(["integration", "whmcs", "w"]).refused(MODULE, "name another folder");
    assert_eq!(home.run(["integration", "whmcs"]).code, 2);
    assert_eq!(home.run(["integration", "blesta", "w"]).code, 2);
}

#[test]
fn files_that_somebody_changed_are_kept_until_yes() {
    let home = Home::new();
    home.ok(["integration", "whmcs", "w"]);
    let whole = files(&home.path("w"));
    home.write(MODULE, "<?php // ours");
    std::fs::remove_file(home.path("w/modules/servers/panelsubscriber/lib/Usage.php")).unwrap();
    let changed = files(&home.path("w"));

    home.run(["integration", "whmcs", "w"]).refused(MODULE, "--yes replaces them");
    assert_eq!(files(&home.path("w")), changed);

    let ran = home.ok(["--json", "--yes", "integration", "whmcs", "w"]);
    assert_eq!(ran.json(), serde_json::json!([MODULE, "w/modules/servers/panelsubscriber/lib/Usage.php"]));
    assert_eq!(files(&home.path("w")), whole);
}

#[test]
fn the_modules_are_written_where_whmcs_looks_and_no_database_is_made() {
    let home = Home::new();
    let ran = home.ok(["integration", "whmcs", "w"]);
    let written: Vec<PathBuf> = ran.stdout.lines().map(|line| home.path(line)).collect();
    assert_eq!(written.len(), files(&home.path("w")).len());
    for module in ["panelhosting", "panelsubscriber"] {
        assert!(written.contains(&home.path(&format!("w/modules/servers/{module}/{module}.php"))), "{ran:?}");
    }
    assert!(ran.stderr.contains("Test Connection"), "{ran:?}");
    let beside: Vec<_> = std::fs::read_dir(home.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["w"]);

    let again = home.ok(["integration", "whmcs", "w"]);
    assert_eq!((again.stdout.as_str(), again.stderr.contains("0 files written, 14 were there")), ("", true));
    assert_eq!(home.ok(["--json", "integration", "whmcs", "w"]).json(), serde_json::json!([]));
}

#[test]
fn every_file_is_php_and_says_nothing_when_it_is_opened() {
    let home = Home::new();
    home.ok(["integration", "whmcs", "w"]);
    for path in files(&home.path("w")).into_keys() {
        let run = |arguments: &[&str]| {
            let mut command = Command::new("php");
            command.args(arguments).arg(&path);
            finish(command, "")
        };
        let checked = run(&["-l"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        // A browser may ask for it.
        let opened = run(&["-d", "display_errors=1"]);
        assert!(opened.stdout.is_empty() || opened.stdout == "This file cannot be accessed directly", "{opened:?}");
    }
}
