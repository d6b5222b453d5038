//! `panel nas`: routers, and the secret that nobody sees again.

use serde_json::json;

use crate::home::Home;

const SECRET: &str = "radius-secret-7Q2";

fn routers() -> Home {
    let home = Home::with_database();
    home.add_user("rosa", "reseller");
    home.add_user("ursula", "user");
    home.ok(["nas", "add", "North", "--ip", "10.0.0.1"]);
    home
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let home = routers();
    let audits = home.count("audit");
    for (arguments, why, remedy) in [
        (&["add", "South", "--ip", "10.0.0.1"][..], "The address 10.0.0.1 is that of the NAS North", "Nothing was"),
        (&["add", "South", "--ip", "10.0.0.1/32"], "The address 10.0.0.1 is that of the NAS North", "Nothing was"),
        (&["add", "NORTH", "--ip", "10.0.0.2"], "A NAS named NORTH exists already", "Nothing was changed."),
        (&["add", "", "--ip", "10.0.0.2"], "name must be", "Give another value"),
        (&["add", "South", "--ip", "router"], "ip must be", "Give another value"),
        (
            &["add", "South", "--ip", "10.0.0.2", "--reseller", "nobody"],
            "resellers must exist, nobody does not",
            "Give",
        ),
        (
            &["add", "South", "--ip", "10.0.0.2", "--reseller", "ursula"],
            "resellers must be resellers, which ursula is not",
            "Give",
        ),
        (&["add", "South", "--ip", "10.0.0.2", "--secret-stdin"], "secret must be 1-128 bytes", "Give another value"),
        (&["update", "South", "--ip", "10.0.0.2"], "NAS not found", "list"),
        (&["update", "9", "--ip", "10.0.0.2"], "NAS not found", "list"),
        (&["update", "North", "--secret-stdin"], "secret must be 1-128 bytes", "Give another value"),
        (&["update", "North", "--remove-reseller", "nobody"], "resellers must exist, nobody does not", "Give"),
        (&["delete", "South"], "NAS not found", "list"),
    ] {
        home.run([&["nas"], arguments].concat()).refused(why, remedy);
    }
    home.ok(["nas", "add", "South", "--ip", "10.1.0.0/16"]);
    home.run(["nas", "update", "South", "--name", "north"]).refused("A NAS named north exists", "Nothing was changed.");
    home.run(["nas", "update", "2", "--ip", "10.0.0.1"]).refused("The address 10.0.0.1", "Nothing was changed.");
    for wrong in [&["update", "North"][..], &["add", "X", "--ip", "10.0.0.3", "--coa-port", "0"], &["add", "X"]] {
        assert_eq!(home.run([&["nas"], wrong].concat()).code, 2);
    }
    assert_eq!((home.count("nas"), home.count("audit")), (2, audits + 1));
}

#[test]
fn a_secret_is_sealed_and_shown_to_nobody() {
    let home = routers();
    let typed = format!("{SECRET}\nanother line\n");
    let added = home.run_typing(&typed, ["--json", "nas", "add", "South", "--ip", "10.0.0.2", "--secret-stdin"]);
    assert_eq!((added.code, added.json()), (0, json!({"id": 2, "name": "South"})), "{added:?}");
    let sealed = || home.value::<Vec<u8>>("panel.db", "SELECT secret_sealed FROM nas WHERE id = 2");
    let first = sealed();
    assert!(first.len() > SECRET.len() && first[0] == 1, "{first:?}");

    let updated = home.run_typing(&typed, ["--json", "nas", "update", "south", "--secret-stdin"]);
    assert_eq!((updated.code, &updated.json()["has_secret"]), (0, &json!(true)), "{updated:?}");
    assert_ne!(first, sealed(), "the nonce is new");
    let listed = home.ok(["--json", "nas", "list"]);
    assert_eq!(
        listed.json(),
        json!([
            {"id": 1, "name": "North", "ip_address": "10.0.0.1", "type": "mikrotik", "coa_port": 3799,
             "is_active": true, "has_secret": false, "resellers": []},
            {"id": 2, "name": "South", "ip_address": "10.0.0.2", "type": "mikrotik", "coa_port": 3799,
             "is_active": true, "has_secret": true, "resellers": []},
        ])
    );
    for ran in [&added, &updated, &listed] {
        assert!(!ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET), "{ran:?}");
    }
    assert_eq!(home.files_with(SECRET), Vec::<String>::new());
    let after = "SELECT after FROM audit WHERE action = 'nas.update'";
    assert_eq!(home.value::<String>("panel.db", after), r#"{"secret":"***"}"#);
    assert_eq!(home.count("audit WHERE action = 'nas.create' AND after LIKE '%\"secret\":\"***\"%'"), 1);
}

#[test]
fn a_reseller_sees_the_routers_it_is_linked_to() {
    let home = routers();
    home.ok(["nas", "update", "North", "--add-reseller", "Rosa", "--type", "generic", "--coa-port", "1700"]);
    home.ok(["nas", "add", "South", "--ip", "2001:DB8::/32", "--reseller", "rosa", "--reseller", "rosa"]);
    home.ok(["nas", "add", "West", "--ip", "10.0.0.3"]);
    let made = home.ok(["--json", "key", "mint", "--style", "external", "--user", "rosa", "--scopes", "read"]).json();
    let server = home.serve();
    let seen = || {
        let answer = server.get("/api/v1/external/nas", made["key"].as_str().unwrap()).json();
        let rows = answer["data"].as_array().unwrap().clone();
        rows.iter().map(|nas| nas["ip_address"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(seen(), ["10.0.0.1", "2001:db8::/32"]);
    let row = home.ok(["--json", "nas", "update", "North", "--remove-reseller", "rosa"]).json();
    assert_eq!((&row["resellers"], &row["type"], &row["coa_port"]), (&json!([]), &json!("generic"), &json!(1700)));
    assert_eq!(seen(), ["2001:db8::/32"]);
    home.ok(["nas", "delete", "South"]);
    assert_eq!(seen(), Vec::<String>::new());
}

#[test]
fn a_router_with_subscribers_stays_until_it_has_none() {
    let home = routers();
    home.write("one.csv", "username,service,nas\nada,default,North\n");
    home.ok(["subscriber", "import", "one.csv"]);
    home.run(["nas", "delete", "1"]).refused("Subscribers are on the NAS North", "Nothing was changed.");
    home.write("one.csv", "username,nas\nada,\n");
    home.ok(["subscriber", "import", "one.csv"]);
    home.ok(["nas", "delete", "north"]);
    assert_eq!(home.count("nas WHERE deleted_at IS NOT NULL"), 1);
    assert_eq!(home.count("audit WHERE action = 'nas.delete' AND object_id = 1"), 1);
    // Name and address are free again.
    home.ok(["nas", "add", "North", "--ip", "10.0.0.1"]);
}
