//! 0 done, 1 refused or failed, 2 wrong usage; data on stdout, everything else on stderr.

use crate::home::Home;

#[test]
fn wrong_usage_is_exit_2_and_touches_no_file() {
    let home = Home::new();
    for wrong in [
        &[][..],
        &["frob"],
        &["serve", "now"],
        &["user"],
        &["user", "add"],
        &["user", "add", "rosa", "--role", "king", "--email", "rosa@example.com"],
        &["key", "mint", "--user", "admin"],
        &["key", "revoke"],
        &["service", "add", "Gold", "--download", "-1"],
        &["service", "add", "Gold", "--unit", "week"],
        &["--jsno", "user", "list"],
        &["--config"],
    ] {
        let ran = home.run(wrong);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{wrong:?} {ran:?}");
        assert!(ran.stderr.contains("Usage") || ran.stderr.contains("--help"), "{wrong:?} {ran:?}");
    }
    assert_eq!(home.contents(), []);
}

#[test]
fn help_and_version_are_data() {
    let home = Home::new();
    for (asked, holds) in
        [(&["--help"][..], "serve"), (&["--version"], "panel "), (&["key", "mint", "--help"], "--scopes")]
    {
        let ran = home.ok(asked);
        assert!(ran.stdout.contains(holds) && ran.stderr.is_empty(), "{ran:?}");
    }
    assert_eq!(home.contents(), []);
}

#[test]
fn a_failure_is_exit_1_with_two_lines_on_stderr_and_nothing_on_stdout() {
    let home = Home::with_database();
    for refused in [
        &["--json", "key", "revoke", "7"][..],
        &["--json", "user", "passwd", "nobody"],
        &["--json", "service", "add", "default"],
        &["--json", "service", "add", "Gold", "--price", "1.234"],
        &["--json", "service", "add", "Gold", "--price=-1"],
        &["--json", "service", "add", "Gold", "--price", "10000000"],
        &["--json", "service", "add", "Gold", "--period", "0"],
        &["--json", "service", "add", ""],
    ] {
        home.run(refused).refused("", "");
    }
    assert_eq!(home.count("services"), 1);
}

#[test]
fn global_options_stand_before_or_after_the_command() {
    let home = Home::with_database();
    let before = home.ok(["--json", "service", "list"]).json();
    let after = home.ok(["service", "list", "--json"]).json();
    assert_eq!(before, after);
}

#[test]
fn money_has_two_decimals() {
    let home = Home::with_database();
    home.ok(["service", "add", "Gold", "--price", "25.1"]);
    let json = home.ok(["--json", "service", "list"]).stdout;
    assert!(json.contains("\"price\": 0.00") && json.contains("\"price\": 25.10"), "{json}");
    let table = home.ok(["service", "list"]).stdout;
    assert!(table.contains(" 0.00 ") && table.contains(" 25.10 "), "{table}");
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let home = Home::with_database();
    let mut command = home.command(["key", "mint", "--help"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert!(command.stdout(writer).status().unwrap().success());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert!(home.command(["user", "list"]).stdout(writer).status().unwrap().success());
}
