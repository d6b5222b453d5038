//! `panel subscriber`: looking, and CSV out and in.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::home::{Home, Ran, SUBSCRIBERS};

const HEADER: &str =
    "username,owner,full_name,phone,address,email,note,external_id,status,service,nas,mac_address,expiry_date,balance";

/// With what the sheets here name.
fn place() -> Home {
    let home = Home::with_database();
    home.add_user("rosa", "reseller");
    home.add_user("ursula", "user");
    home.ok(["service", "add", "Gold"]);
    home.ok(["nas", "add", "North", "--ip", "10.0.0.1"]);
    home
}

fn import(home: &Home, sheet: &str, more: &[&str]) -> Ran {
    home.write("in.csv", sheet);
    home.run([&["--json", "subscriber", "import", "in.csv"], more].concat())
}

#[track_caller]
fn imported(home: &Home, sheet: &str, new: i64, changed: i64, unchanged: i64) {
    let ran = import(home, sheet, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let counts = ran.json();
    assert_eq!((&counts["new"], &counts["changed"]), (&json!(new), &json!(changed)), "{ran:?}");
    assert_eq!(counts["unchanged"], json!(unchanged));
    counted(home);
}

/// The counters are what a recount gives.
#[track_caller]
fn counted(home: &Home) {
    let rows = |statement: &str| {
        let database = home.open("panel.db");
        let mut statement = database.prepare(statement).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        rows.collect::<Result<Vec<(i64, i64, i64, i64)>, _>>().unwrap()
    };
    let kept = rows("SELECT owner_key, status, expiry_date, subscribers FROM counters ORDER BY 1, 2, 3");
    let recount = rows(
        "SELECT coalesce(owner_id, 0), status, expiry_date, count(*) FROM subscribers WHERE deleted_at IS NULL GROUP BY 1, 2, 3
         UNION ALL SELECT -1, status, expiry_date, count(*) FROM subscribers WHERE deleted_at IS NULL GROUP BY 1, 2, 3
         ORDER BY 1, 2, 3",
    );
    assert_eq!(kept, recount);
}

fn footprint(home: &Home) -> [i64; 3] {
    ["subscribers", "audit", "counters"].map(|table| home.count(table))
}

#[test]
fn every_wrong_line_is_named_and_none_is_written() {
    let home = place();
    imported(&home, "username,service,external_id\nold,Gold,x-1\n", 1, 0, 0);
    let before = footprint(&home);
    let name = "n".repeat(201);
    let sheet = format!(
        "username,owner,full_name,status,service,nas,mac_address,expiry_date,balance,external_id,password\n\
         good,rosa,Good,active,Gold,North,aa-bb-cc-dd-ee-ff,2030-01-31,0.00,,secret77\n\
         ,,,,Gold,,,,,,\n\
         a b,,,,Gold,,,,,,\n\
         GOOD,,,,Gold,,,,,,\n\
         p1,nobody,,,Gold,,,,,,\n\
         p2,ursula,,,Gold,,,,,,\n\
         p3,,{name},,Gold,,,,,,\n\
         p4,,,expired,Gold,,,,,,\n\
         p5,,,,Bronze,,,,,,\n\
         p6,,,,,,,,,,\n\
         p7,,,,Gold,South,,,,,\n\
         p8,,,,Gold,,aa:bb,,,,\n\
         p9,,,,Gold,,,2030-02-30,,,\n\
         p10,,,,Gold,,,,5.00,,\n\
         p11,,,,Gold,,,,many,,\n\
         p12,,,,Gold,,,,,x-1,\n\
         p13,,,,Gold\n\
         p14,,,,Gold,,,,,,\"a\nb\"\n\
         old,rosa,,,Gold,,,,7.00,,\n\
         p15,,,,Gold,,,,,new,\n\
         p16,,,,Gold,,,,,new,\n"
    );
    for more in [&[][..], &["--dry-run"], &["--yes"]] {
        let ran = import(&home, &sheet, more);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        for problem in [
            "line 3: username is required",
            "line 4: username must be",
            "line 5: username stands on an earlier line too",
            "line 6: owner does not exist",
            "line 7: owner is not a reseller",
            "line 8: full_name must be",
            "line 9: status must be active, inactive or stopped",
            "line 10: service does not exist",
            "line 11: service is required",
            "line 12: nas does not exist",
            "line 13: mac_address must be",
            "line 14: expiry_date must be",
            "line 15: balance is not 0",
            "line 16: balance must be",
            "line 17: external_id belongs to another subscriber",
            "line 18: line has 5 cells where the header has 11",
            "line 19: password must be",
            "line 21: owner cannot be changed by an import",
            "line 21: balance differs",
            "line 23: external_id stands on an earlier line",
            "panel: 19 lines are wrong",
            "Nothing was written.",
        ] {
            assert!(ran.stderr.lines().any(|line| line.starts_with(problem)), "{problem}: {}", ran.stderr);
        }
        assert_eq!(ran.stderr.lines().count(), 22, "{}", ran.stderr);
        assert_eq!(footprint(&home), before);
    }
}

#[test]
fn a_wrong_last_line_writes_nothing_and_at_most_a_hundred_are_shown() {
    let home = place();
    let before = footprint(&home);
    let good: String = (0..300).map(|n| format!("user{n},Gold\n")).collect();
    let ran = import(&home, &format!("username,service\n{good}last,Bronze\n"), &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("line 302: service does not exist"), "{}", ran.stderr);
    let bad = good.replace("Gold", "Bronze");
    let ran = import(&home, &format!("username,service\n{bad}"), &[]);
    assert!(ran.stderr.contains("300 lines are wrong"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("line ")).count(), 100);
    assert_eq!(footprint(&home), before);
}

#[test]
fn the_line_is_the_one_an_editor_shows() {
    let home = place();
    let sheet = "username,service\nada,Bronze\n\nbea,Bronze\n\"x\ny\",Gold\ncleo,Bronze\n";
    for sheet in [sheet.to_owned(), sheet.replace('\n', "\r\n"), format!("\u{feff}{sheet}")] {
        let ran = import(&home, &sheet, &[]);
        let lines: Vec<_> =
            ran.stderr.lines().filter_map(|line| line.strip_prefix("line ")?.split(':').next()).collect();
        assert_eq!(lines, ["2", "4", "5", "7"], "{ran:?}");
    }
}

#[test]
fn a_file_that_is_no_sheet_is_refused() {
    let home = place();
    let before = footprint(&home);
    home.run(["subscriber", "import", "none.csv"]).refused("none.csv cannot be opened", "Name another file.");
    for (sheet, why) in [
        ("", "the header has no column username"),
        ("service\nGold\n", "the header has no column username"),
        ("username,speed\nada,1\n", "unknown column \"speed\""),
        ("username;service\nada;Gold\n", "unknown column"),
        ("username,username\nada,bea\n", "the column username twice"),
    ] {
        import(&home, sheet, &[]).refused(why, "");
    }
    home.write("in.csv", b"username,service,full_name\nada,Gold,\xff\n");
    let ran = home.run(["subscriber", "import", "in.csv"]);
    assert!(ran.code == 1 && ran.stderr.contains("line 2: full_name is not UTF-8"), "{ran:?}");
    let many: String = (0..5_001).map(|n| format!("user{n},Gold\n")).collect();
    let ran = import(&home, &format!("username,service\n{many}"), &["--dry-run"]);
    assert!(ran.code == 1 && ran.stderr.contains("one import writes at most 5000"), "{ran:?}");
    assert_eq!(footprint(&home), before);
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let home = place();
    imported(&home, "username,service\nada,Gold\nbea,Gold\n", 2, 0, 0);
    let before = footprint(&home);
    let ran = import(&home, "username,service,phone\nADA,Gold,1\nbea,Gold,\ncleo,Gold,\n", &["--dry-run"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let counts = json!({"new": 1, "changed": 1, "unchanged": 1, "random_passwords": 1, "dry_run": true});
    assert_eq!(ran.json(), counts);
    for said in ["1 new, 1 changed, 1 unchanged", "1 new ones without a password", "Nothing was written."] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    assert_eq!(footprint(&home), before);
}

#[test]
fn an_import_changes_what_its_columns_say_and_leaves_the_rest() {
    let home = place();
    let made = "username,owner,password,full_name,status,service,mac_address,expiry_date\r\n\
                ada,rosa,first-pass,Ada,stopped,gold,aa-bb-cc-dd-ee-ff,2030-01-31\r\n\
                bea,,,Bea,inactive,Gold,,2030-01-31\r\n";
    imported(&home, &format!("\u{feff}{made}"), 2, 0, 0);
    let shown = home.ok(["--json", "subscriber", "show", "ADA"]).json();
    for (field, value) in [
        ("owner", json!("rosa")),
        ("status", json!("stopped")),
        ("service", json!("Gold")),
        ("mac_address", json!("AA:BB:CC:DD:EE:FF")),
        ("expiry_date", json!("2030-01-31")),
        ("full_name", json!("Ada")),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let sealed = || home.value::<Vec<u8>>("panel.db", "SELECT password_sealed FROM subscribers WHERE username = 'ada'");
    let first = sealed();
    let audits = home.count("audit");
    imported(&home, made, 0, 0, 2);
    imported(&home, "username,phone\nAda,961\nbea,\n", 0, 1, 1);
    assert_eq!((first == sealed(), home.count("audit")), (true, audits + 1));
    imported(&home, "username,password,status\nada,second-pass,active\n", 0, 1, 0);
    assert_ne!(first, sealed());
    assert_eq!(home.files_with("second-pass"), ["in.csv"], "the password is sealed");
    assert_eq!(home.count("audit WHERE action = 'subscribers.activate' AND object_id = 1"), 1);
    assert_eq!(home.count("audit WHERE after LIKE '%\"password\":\"***\"%' AND action = 'subscribers.update'"), 1);
    let shown = home.ok(["--json", "subscriber", "show", "1"]).json();
    assert_eq!((&shown["phone"], &shown["status"], &shown["owner"]), (&json!("961"), &json!("active"), &json!("rosa")));
}

#[test]
fn passwords_are_exported_only_when_asked_for() {
    let home = place();
    imported(&home, "username,service,password\nada,Gold,=hunter2!\n", 1, 0, 0);
    let plain = home.ok(["subscriber", "export"]).stdout;
    assert!(plain.starts_with(&format!("{HEADER}\nada,,")) && !plain.contains("hunter2!"), "{plain}");
    home.ok(["subscriber", "export", "out.csv"]);
    assert_eq!((std::fs::read_to_string(home.path("out.csv")).unwrap(), home.mode("out.csv")), (plain, 0o600));
    let ran = home.run(["subscriber", "export", "out.csv", "--with-passwords"]);
    ran.refused("out.csv cannot be created", "does not exist yet");
    let secret = home.ok(["subscriber", "export", "--with-passwords"]).stdout;
    assert!(secret.starts_with("username,owner,password,") && secret.contains("\nada,,'=hunter2!,"), "{secret}");
    let shown = home.ok(["--json", "subscriber", "show", "ada"]).stdout + &home.ok(["subscriber", "list"]).stdout;
    assert!(!shown.contains("hunter2!"), "{shown}");
}

#[test]
fn a_list_is_narrowed_and_cut() {
    let home = place();
    let many: String = (0..120).map(|n| format!("user{n},Gold,active,2030-01-31\n")).collect();
    let more = "late,Gold,active,2020-01-31\nidle,Gold,inactive,2030-01-31\n70123456,Gold,stopped,2030-01-31\n";
    imported(&home, &format!("username,service,status,expiry_date\n{many}{more}"), 123, 0, 0);
    let names = |arguments: &[&str]| {
        let listed = home.ok([&["--json", "subscriber", "list"], arguments].concat()).json();
        let rows = listed.as_array().unwrap().clone();
        rows.iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    home.run(["subscriber", "show", "nobody"]).refused("Subscriber not found", "list");
    assert_eq!(home.run(["subscriber", "list", "--status", "gone"]).code, 2);
    assert_eq!((names(&[]).len(), names(&["--limit", "110"]).len(), names(&["--limit", "1000"]).len()), (50, 110, 123));
    assert_eq!(names(&["--status", "expired"]), ["late"]);
    assert_eq!(names(&["--status", "inactive"]), ["idle"]);
    assert_eq!(names(&["--status", "stopped"]), ["70123456"]);
    assert_eq!(names(&["--search", "SER11"]).len(), 11);
    assert_eq!(home.ok(["--json", "subscriber", "show", "70123456"]).json()["status"], "stopped");
}

#[test]
fn an_import_beside_a_running_server_is_seen_at_once() {
    let home = place();
    let server = home.serve();
    let (_, key) = home.mint("write");
    assert_eq!(server.create(&key, &json!({"username": "ada", "service_id": 1})).status, 201);
    imported(&home, "username,service,full_name\nada,Gold,Ada L\nbea,Gold,Bea\n", 1, 1, 0);
    let found = server.get(&format!("{SUBSCRIBERS}/by-username/ada"), &key).json();
    assert_eq!((&found["data"]["full_name"], &found["data"]["service_name"]), (&json!("Ada L"), &json!("Gold")));
    assert_eq!(server.get(&format!("{SUBSCRIBERS}/by-username/bea"), &key).status, 200);
}

/// Texts that a spreadsheet or a CSV reader could take for something else.
fn text(lines: bool) -> impl Strategy<Value = String> {
    let plain = if lines { "[\\PC\n\r\t]{0,20}" } else { "\\PC{0,20}" };
    let formula = "['=+@,\"-]{0,3}[a-zé🔑, \"']{0,8}";
    prop_oneof![plain, formula, Just(String::new())]
}

#[test]
fn what_was_exported_and_imported_elsewhere_exports_to_the_same_bytes() {
    let row = ("[=+@'\"a-zé🔑,-]{1,8}", text(false), text(true), text(false), 0..3_u8, any::<bool>(), "[!-~é]{1,20}");
    let sheets = proptest::collection::vec(row, 1..12);
    let one_by_one = Config { failure_persistence: None, ..Config::with_cases(6) };
    TestRunner::new(one_by_one)
        .run(&sheets, |rows| {
            let mut sheet = csv::Writer::from_writer(Vec::new());
            let columns =
                ["username", "full_name", "note", "external_id", "status", "owner", "password", "mac_address"];
            sheet.write_record(columns.into_iter().chain(["service", "nas", "expiry_date"])).unwrap();
            // What a careful person would type.
            let typed = |cell: &str| panel::domain::sheets::protect(cell).into_owned();
            for (place, (name, full_name, note, id, status, of_rosa, password)) in rows.iter().enumerate() {
                let id = if id.is_empty() { String::new() } else { format!("{id}{place}") };
                let status = ["active", "inactive", "stopped"][usize::from(*status)];
                let mac = if *of_rosa { "AA:BB:CC:DD:EE:FF" } else { "" };
                let (owner, nas) = if *of_rosa { ("rosa", "North") } else { ("", "") };
                let name = format!("{name}{place}");
                let texts = [&name, full_name, note, &id, status, owner, password, mac];
                let cells = texts.into_iter().chain(["Gold", nas, "2030-01-31"]).map(typed);
                sheet.write_record(cells).unwrap();
            }
            let sheet = String::from_utf8(sheet.into_inner().unwrap()).unwrap();
            let (one, other) = (place(), place());
            imported(&one, &sheet, i64::try_from(rows.len()).unwrap(), 0, 0);
            let stored = |column: &str| -> Vec<String> {
                let database = one.open("panel.db");
                let mut statement = database.prepare(&format!("SELECT {column} FROM subscribers ORDER BY id")).unwrap();
                statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
            };
            prop_assert_eq!(stored("note"), rows.iter().map(|row| row.2.clone()).collect::<Vec<_>>());
            prop_assert_eq!(stored("full_name"), rows.iter().map(|row| row.1.clone()).collect::<Vec<_>>());

            let exported = one.ok(["subscriber", "export", "--with-passwords"]).stdout;
            imported(&one, &exported, 0, 0, i64::try_from(rows.len()).unwrap());
            imported(&other, &exported, i64::try_from(rows.len()).unwrap(), 0, 0);
            prop_assert_eq!(other.ok(["subscriber", "export", "--with-passwords"]).stdout, exported.clone());
            for cell in csv::Reader::from_reader(exported.as_bytes())
                .records()
                .flat_map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?} computes");
            }
            Ok(())
        })
        .unwrap();
}
