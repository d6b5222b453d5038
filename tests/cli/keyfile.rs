//! The key that seals passwords: exported as text, put back, and never shown.

use std::fs;

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::home::Home;

const PASSPHRASE: &str = "correct horse battery\n";

fn key_digits(home: &Home) -> String {
    let text = fs::read_to_string(home.path("panel.key")).unwrap();
    text.split_ascii_whitespace().last().unwrap().to_owned()
}

#[test]
fn a_short_passphrase_is_refused_and_nothing_is_printed() {
    let home = Home::with_database();
    let ran = home.run_typing("short\n", ["keyfile", "export", "--passphrase-stdin"]);
    ran.refused("at least 12 characters", "longer");
    assert_eq!(ran.stdout, "");
}

#[test]
fn an_export_that_nobody_got_is_not_counted_as_one() {
    let home = Home::with_database();
    for (stdout, stderr) in [("/dev/full", None), ("/dev/null", Some("/dev/full"))] {
        let open = |path: &str| fs::OpenOptions::new().write(true).open(path).unwrap();
        let mut command = home.command(["keyfile", "export"]);
        command.stdin(std::process::Stdio::null()).stdout(open(stdout));
        command.stderr(stderr.map_or_else(std::process::Stdio::null, |path| open(path).into()));
        assert_eq!(command.status().unwrap().code(), Some(1), "{stdout} {stderr:?}");
        assert_eq!(home.count("meta WHERE name = 'key_exported'"), 0, "{stdout} {stderr:?}");
    }
}

#[test]
fn what_is_not_an_export_or_not_ours_is_not_put_in_place() {
    let home = Home::with_database();
    let ours = home.run_typing(PASSPHRASE, ["keyfile", "export", "--passphrase-stdin"]).stdout;
    let other = Home::with_database().run_typing(PASSPHRASE, ["keyfile", "export", "--passphrase-stdin"]).stdout;
    let import = ["keyfile", "import", "key.txt", "--passphrase-stdin"];

    home.run_typing(PASSPHRASE, import).refused("key.txt", "export was written to");
    home.write("key.txt", &other);
    home.run_typing(PASSPHRASE, import).refused("is another key", "Move it away");
    fs::remove_file(home.path("panel.key")).unwrap();
    home.run_typing(PASSPHRASE, import).refused("not the key that", "this installation");
    home.write("key.txt", "panel-key-v1 0123\n");
    home.run_typing(PASSPHRASE, import).refused("not what panel keyfile export printed", "export was written to");
    home.write("key.txt", &ours);
    home.run_typing("another passphrase\n", import).refused("the passphrase is not", "passphrase");
    assert!(!home.path("panel.key").exists(), "nothing was put in place");
}

#[test]
fn what_stands_where_the_key_belongs_is_told_of_and_never_taken_for_none() {
    let home = Home::with_database();
    let ours = home.run_typing(PASSPHRASE, ["keyfile", "export", "--passphrase-stdin"]).stdout;
    home.write("key.txt", &ours);
    let import = || home.run_typing(PASSPHRASE, ["keyfile", "import", "key.txt", "--passphrase-stdin"]);
    let place = home.path("panel.key");
    let key = fs::read(&place).unwrap();

    fs::set_permissions(&place, fs::Permissions::from_mode(0o644)).unwrap();
    import().refused("mode 0644", "chmod 600");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
    for damaged in ["", "panel-key-v1 01", "panel-key-v9 01\n"] {
        fs::write(&place, damaged).unwrap();
        import().refused("panel.key is", "");
        assert_eq!(fs::read_to_string(&place).unwrap(), damaged, "what is there is left");
    }
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    import().refused("not a regular file", "Move it away");
    fs::remove_dir(&place).unwrap();
    symlink(home.path("nowhere"), &place).unwrap();
    import().refused("leads nowhere", "Remove it");
    fs::remove_file(&place).unwrap();

    assert_eq!(import().code, 0);
    assert_eq!(fs::read(&place).unwrap(), key);
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_exported_key_is_put_back_and_opens_what_was_sealed_before() {
    let home = Home::with_database();
    home.write("one.csv", "username,password,service\nada,s3cret-of-ada,default\n");
    home.ok(["subscriber", "import", "one.csv", "--yes"]);
    let digits = key_digits(&home);

    let exported = home.ok(["keyfile", "export"]);
    let passphrase = exported.stderr.lines().find_map(|line| line.split("): ").nth(1)).unwrap().to_owned();
    assert!(exported.stdout.starts_with("panel-keyfile-v1 ") && exported.stdout.lines().count() == 1, "{exported:?}");
    assert!(!exported.stdout.contains(&digits) && !exported.stderr.contains(&digits), "the key is in it");
    assert_eq!(home.count("audit WHERE action = 'keyfile.export'"), 1);

    fs::remove_file(home.path("panel.key")).unwrap();
    home.run(["subscriber", "list"]).refused("key file", "");
    home.write("key.txt", &exported.stdout);
    let import = ["keyfile", "import", "key.txt", "--passphrase-stdin"];
    assert_eq!(home.run_typing(&format!("{passphrase}\n"), import).code, 0);
    assert_eq!(key_digits(&home), digits);
    let again = home.run_typing(&format!("{passphrase}\n"), import);
    assert!(again.stderr.contains("this key already"), "{again:?}");
    let sheet = home.ok(["subscriber", "export", "--with-passwords"]);
    assert!(sheet.stdout.contains("s3cret-of-ada"), "{sheet:?}");
}
