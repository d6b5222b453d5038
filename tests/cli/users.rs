//! `panel user`: adding, listing, passwords.

use serde_json::json;

use crate::home::{Home, Ran};

fn add(home: &Home, name: &str, more: &[&str]) -> Ran {
    let email = format!("{name}@example.com");
    let fixed = ["--json", "user", "add", name, "--role", "reseller", "--email", &email];
    home.run([&fixed[..], more].concat())
}

#[test]
fn names_addresses_and_references_that_cannot_be_are_refused() {
    let home = Home::with_database();
    home.add_user("ursula", "user");
    for (name, more, why) in [
        ("1abc", &[][..], "username must be"),
        ("a", &[], "username must be"),
        ("a b", &[], "username must be"),
        ("rosa", &["--creator", "nobody"], "creator does not exist"),
        ("rosa", &["--creator", "ursula"], "creator must be an admin or a reseller"),
        ("rosa", &["--package", "gold"], "package does not exist"),
    ] {
        add(&home, name, more).refused(why, "Give another value");
    }
    let email = |email: &str| home.run(["user", "add", "rosa", "--role", "user", "--email", email]);
    email("rosa").refused("email must be", "Give another value");
    assert_eq!(home.count("users"), 2);
}

#[test]
fn a_taken_name_or_address_is_refused_whatever_its_case() {
    let home = Home::with_database();
    home.add_user("rosa", "reseller");
    add(&home, "Rosa", &[]).refused("is taken", "Choose another one.");
    let other = home.run(["user", "add", "paul", "--role", "user", "--email", "ROSA@example.com"]);
    other.refused("email ROSA@example.com is taken", "Choose another one.");
    let same = home.run(["user", "add", "ROSA", "--role", "user", "--email", "paul@example.com"]);
    same.refused("username ROSA is taken", "Choose another one.");
    assert_eq!(home.count("users"), 2);
}

#[test]
fn a_weak_password_is_refused_and_never_repeated() {
    let home = Home::with_database();
    for (weak, why) in
        [("", "at least 8"), ("7 chars", "at least 8"), ("password1", "commonest"), (&"x".repeat(129), "at most 128")]
    {
        let added = home.run_typing(
            &format!("{weak}\n"),
            ["user", "add", "rosa", "--role", "user", "--email", "rosa@example.com", "--password-stdin"],
        );
        let changed = home.run_typing(&format!("{weak}\n"), ["user", "passwd", "admin", "--password-stdin"]);
        for ran in [added, changed] {
            ran.refused(why, "Give another value");
            assert!(weak.is_empty() || !ran.stderr.contains(weak), "{ran:?}");
        }
    }
    assert_eq!(home.count("users WHERE password_hash IS NOT NULL"), 0);
    assert_eq!(home.count("users"), 1);
}

#[test]
fn a_password_from_standard_input_is_set_and_not_printed() {
    let home = Home::with_database();
    let password = "correct horse battery staple";
    let arguments = ["--json", "user", "add", "rosa", "--role", "user", "--email", "r@example.com", "--password-stdin"];
    let added = home.run_typing(&format!("{password}\nanother line\n"), arguments);
    assert_eq!((added.code, added.json()), (0, json!({"id": 2, "username": "rosa"})), "{added:?}");
    let hash = || home.value::<String>("panel.db", "SELECT password_hash FROM users WHERE username = 'rosa'");
    let first = hash();
    assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");

    let changed = home.run_typing(&format!("{password}\r\n"), ["user", "passwd", "Rosa", "--password-stdin"]);
    assert_eq!((changed.code, changed.stdout.as_str()), (0, ""), "{changed:?}");
    assert_ne!(first, hash(), "the salt is new");
    for text in [&added.stdout, &added.stderr, &changed.stderr] {
        assert!(!text.contains(password), "{text}");
    }
    assert_eq!(home.files_with(password), Vec::<String>::new());
}

#[test]
fn a_random_password_is_printed_once_on_stdout_and_kept_only_as_a_hash() {
    let home = Home::with_database();
    let added = home.add_user("rosa", "reseller");
    let again = home.ok(["--json", "user", "passwd", "rosa"]);
    let (first, second) = (added.json()["password"].clone(), again.json()["password"].clone());
    assert_eq!(added.json(), json!({"id": 2, "username": "rosa", "password": first}));
    assert_eq!(again.json(), json!({"username": "rosa", "password": second}));
    assert_ne!(first, second);
    for (ran, password) in [(&added, &first), (&again, &second)] {
        let password = password.as_str().unwrap();
        assert!(password.len() >= 12, "{password}");
        assert_eq!(ran.stdout.matches(password).count(), 1);
        assert!(!ran.stderr.contains(password));
        assert_eq!(home.files_with(password), Vec::<String>::new());
    }
    let text = home.ok(["user", "passwd", "rosa"]);
    assert_eq!(
        text.stdout.lines().map(|line| line.split(": ").next().unwrap()).collect::<Vec<_>>(),
        ["username", "password"]
    );
}

#[test]
fn the_password_of_nobody_cannot_be_set() {
    let home = Home::with_database();
    home.run(["user", "passwd", "nobody"]).refused("User not found", "list");
    home.run_typing("correct horse battery\n", ["user", "passwd", "nobody", "--password-stdin"])
        .refused("User not found", "list");
}

#[test]
fn a_list_is_a_bare_array_of_everybody() {
    let home = Home::with_database();
    home.add_user("rosa", "reseller");
    assert_eq!(add(&home, "paul", &["--creator", "ROSA"]).code, 0);

    let listed = home.ok(["--json", "user", "list"]).json();

    let names: Vec<_> = listed.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "rosa", "paul"]);
    let paul = &listed[2];
    assert_eq!(
        (&paul["role"], &paul["status"], &paul["creator"]),
        (&json!("reseller"), &json!("active"), &json!("rosa"))
    );
    assert_eq!((&paul["email"], &paul["package"]), (&json!("paul@example.com"), &json!("default")));
    assert_eq!((&listed[0]["creator"], &paul["has_password"]), (&json!(null), &json!(true)));
    let table = home.ok(["user", "list"]).stdout;
    assert!(table.starts_with("ID ") && table.lines().count() == 4, "{table}");
    assert!(!table.contains("argon2"), "{table}");
}
