//! A subscriber from order to termination, and what happens when WHMCS repeats itself.

use serde_json::{Value, json};

use super::{STEM, Whmcs};
use crate::home::{Home, SUBSCRIBERS};
use crate::server::Server;

struct Isp {
    home: Home,
    server: Server,
    key: String,
    whmcs: Whmcs,
}

impl Isp {
    fn new() -> Self {
        let home = Home::with_database();
        home.ok(["service", "add", "Gold", "--price", "25"]);
        let server = home.serve();
        let (id, key) = home.mint("delete");
        home.ok(["key", "update", &id.to_string(), "--rate", "0"]);
        let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
        let isp = Self { home, server, key, whmcs };
        isp.due("2026-12-24");
        isp
    }

    fn due(&self, date: &str) {
        self.whmcs.table("tblhosting", &json!([{"id": 12, "nextduedate": date}]));
    }

    fn subscriber(&self) -> Value {
        self.server.get(&format!("{SUBSCRIBERS}/1"), &self.key).json()["data"].take()
    }

    fn password(&self) -> String {
        let sheet = self.home.ok(["subscriber", "export", "--with-passwords"]).stdout;
        let cells = |line: Option<&str>| line.unwrap().split(',').map(str::to_owned).collect::<Vec<_>>();
        let at = cells(sheet.lines().next()).iter().position(|name| name == "password").unwrap();
        cells(sheet.lines().nth(1)).swap_remove(at)
    }
}

#[test]
fn a_subscriber_lives_as_whmcs_says() {
    let isp = Isp::new();
    isp.whmcs.call("TestConnection").connects();

    isp.whmcs.call("CreateAccount").succeeds();
    let made = isp.subscriber();
    let is = |of: &Value, fields: &[(&str, Value)]| {
        fields.iter().for_each(|(name, value)| assert_eq!(of[name], *value, "{name}: {of}"));
    };
    is(
        &made,
        &[
            ("username", json!("ada@isp.example")),
            ("full_name", json!("Ada O'Hara")),
            ("phone", json!("+961.70123456")),
            ("email", json!("ada@example.com")),
            ("address", json!("1 Main Street, 1100, Beirut, LB")),
            ("external_id", json!("whmcs-12")),
            ("status", json!(1)),
            ("service_id", json!(1)),
        ],
    );

    isp.whmcs.with(&[("suspendreason", json!("Overdue\non Payment"))]).call("SuspendAccount").succeeds();
    is(&isp.subscriber(), &[("status", json!(2))]);
    let reason = "SELECT count(*) FROM audit WHERE after LIKE '%Overdue on Payment%'";
    assert_eq!(isp.home.value::<i64>("panel.db", reason), 1);
    isp.whmcs.call("UnsuspendAccount").succeeds();
    is(&isp.subscriber(), &[("status", json!(1))]);

    isp.whmcs.with(&[("password", json!("s3cret-2"))]).call("ChangePassword").succeeds();
    assert_eq!(isp.password(), "s3cret-2");
    isp.whmcs.with(&[("configoption1", json!("2"))]).call("ChangePackage").succeeds();
    is(&isp.subscriber(), &[("service_name", json!("Gold"))]);

    isp.whmcs.call("TerminateAccount").succeeds();
    assert_eq!(isp.server.get(&format!("{SUBSCRIBERS}/1"), &isp.key).status, 404);
    isp.whmcs.call("TerminateAccount").succeeds();
    isp.whmcs.call("CreateAccount").succeeds();
    assert_eq!(isp.home.count("subscribers"), 2);
}

#[test]
fn every_command_may_be_repeated() {
    let isp = Isp::new();
    for command in ["CreateAccount", "SuspendAccount", "UnsuspendAccount", "ChangePassword", "ChangePackage", "Renew"] {
        isp.whmcs.call(command).succeeds();
        let once = isp.subscriber();
        isp.whmcs.call(command).succeeds();
        let mut twice = isp.subscriber();
        twice["updated_at"] = once["updated_at"].clone();
        assert_eq!(once, twice, "{command}");
    }
    assert_eq!(isp.home.count("subscribers"), 1);
}

#[test]
fn a_repeated_create_brings_the_same_subscriber_up_to_date() {
    let isp = Isp::new();
    isp.whmcs.call("CreateAccount").succeeds();
    // The first attempt was a minute ago.
    isp.home.open("panel.db").execute("UPDATE subscribers SET created_at = created_at - 60000", []).unwrap();
    isp.whmcs.with(&[("password", json!("s3cret-2"))]).call("CreateAccount").succeeds();
    assert_eq!(isp.password(), "s3cret-2");

    let moved =
        [("clientsdetails.city", json!("Tripoli")), ("configoption1", json!("2")), ("password", json!("s3cret-3"))];
    isp.whmcs.with(&moved).call("CreateAccount").succeeds();
    let now = isp.subscriber();
    assert_eq!((&now["address"], &now["service_id"]), (&json!("1 Main Street, 1100, Tripoli, LB"), &json!(2)));
    assert_eq!(isp.password(), "s3cret-3");

    isp.whmcs
        .with(&[("username", json!("bob@isp.example"))])
        .call("CreateAccount")
        .fails(&["whmcs-12 is called ada@isp.example, in WHMCS bob@isp.example"]);
    assert_eq!(isp.home.count("subscribers"), 1);
}

#[test]
fn a_renewal_counts_once_for_each_due_date() {
    let isp = Isp::new();
    isp.whmcs.with(&[("configoption1", json!("2"))]).call("CreateAccount").succeeds();
    let until = || isp.subscriber()["expiry_date"].as_str().unwrap().to_owned();
    let first = until();
    isp.whmcs.call("Renew").succeeds();
    let second = until();
    assert!(second > first, "{second} is not after {first}");
    isp.whmcs.call("Renew").succeeds();
    assert_eq!(until(), second);
    assert_eq!(isp.home.count("transactions"), 0, "WHMCS took the money already");

    isp.due("2027-01-24");
    isp.whmcs.with(&[("configoption2", json!("3")), ("configoption3", json!("on"))]).call("Renew").succeeds();
    assert!(until() > second);
    assert_eq!(isp.subscriber()["balance"].to_string(), "-75.0");

    // A product addon has a due date and a row of its own.
    let addon = isp.whmcs.with(&[("addonId", json!(5)), ("username", json!("addon@isp.example"))]);
    addon.call("CreateAccount").succeeds();
    isp.whmcs.table("tblhostingaddons", &json!([{"id": 5, "nextduedate": "2026-11-30 00:00:00"}]));
    addon.call("Renew").succeeds();
    let ids = "SELECT group_concat(external_id) FROM (SELECT external_id FROM renewals ORDER BY id)";
    assert_eq!(
        isp.home.value::<String>("panel.db", ids),
        "whmcs-12-renew-2026-12-24-1,whmcs-12-renew-2027-01-24-1,whmcs-12-addon-5-renew-2026-11-30-2"
    );
}

#[test]
fn a_reseller_must_book_what_it_renews() {
    let isp = Isp::new();
    isp.home.add_user("rosa", "reseller");
    let made = isp.home.ok(["--json", "key", "mint", "--style", "external", "--user", "rosa", "--scopes", "write"]);
    let rosa = isp.whmcs.with(&[("serverpassword", made.json()["key"].clone())]);
    rosa.call("CreateAccount").succeeds();
    rosa.call("Renew").fails(&["charge may be set only with the API key of an admin (HTTP 403)"]);
    rosa.with(&[("configoption3", json!("on"))]).call("Renew").succeeds();
}

#[test]
fn any_username_that_the_panel_takes_goes_the_whole_way() {
    let isp = Isp::new();
    for name in ["ada+1@isp.example", "\u{44e}\u{437}\u{435}\u{440}@isp", "a/b", "..", "a%2Fb?x=1&y#z", "'\"\\<b>"] {
        let whmcs = isp.whmcs.with(&[("username", json!(name))]);
        for command in ["CreateAccount", "SuspendAccount", "UnsuspendAccount", "ChangePassword", "Renew"] {
            let called = whmcs.call(command);
            assert_eq!(*called.result(), "success", "{name}: {called:?}");
        }
        whmcs.call("TerminateAccount").succeeds();
    }
    assert_eq!(isp.home.value::<i64>("panel.db", "SELECT count(*) FROM subscribers WHERE deleted_at IS NULL"), 0);
}

#[test]
fn ipv6_and_the_access_hash_work_too() {
    let home = Home::with_database();
    let server = home.serve_with(&[("PANEL_SERVER__LISTEN", "[::1]:0")]);
    let (_, key) = home.mint("write");
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    for (hostname, ip) in [("::1", ""), ("[::1]", ""), ("", "::1"), ("ip6-localhost.invalid", "::1")] {
        let called = whmcs.with(&[("serverhostname", json!(hostname)), ("serverip", json!(ip))]).call("TestConnection");
        if hostname.ends_with("invalid") {
            called.fails(&["No answer from http://ip6-localhost.invalid"]);
        } else {
            called.connects();
        }
    }
    // Pasted into the larger field, with the line break that comes along.
    let hash = [("serverpassword", json!("")), ("serveraccesshash", json!(format!("{key}\n")))];
    let called = whmcs.with(&hash).call("TestConnection");
    called.connects();
    assert!(called.logged().iter().all(|entry| !entry["request"].to_string().contains(&key)), "{called:?}");
}

#[test]
fn the_admin_sees_the_subscriber_and_the_choice_of_services() {
    let isp = Isp::new();
    let services = isp.whmcs.call("Services");
    assert_eq!(*services.result(), json!({"1": "default", "2": "Gold"}));
    let wrong = isp.whmcs.with(&[("serverpassword", json!("pk_live_nobodys"))]);
    assert!(wrong.call("Services").result()["thrown"].as_str().unwrap().contains("Invalid API key"));

    let absent = isp.whmcs.call("AdminServicesTabFields");
    assert!(absent.result()["Panel"].as_str().unwrap().contains("has no subscriber"), "{absent:?}");
    isp.home.ok(["service", "update", "2", "--name", "<b>Gold</b>"]);
    isp.whmcs.with(&[("configoption1", json!("2"))]).call("CreateAccount").succeeds();
    let facts = isp.whmcs.call("AdminServicesTabFields");
    assert_eq!(facts.result()["Status"], "active");
    assert_eq!(facts.result()["Plan"], "&lt;b&gt;Gold&lt;/b&gt;");
    assert!(!facts.result().to_string().contains(STEM));
}
