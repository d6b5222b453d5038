//! The WHMCS module for hosting accounts, against the billing surface: refusals first, then the life of an account.

use serde_json::{Value, json};

use crate::home::Home;
use crate::server::Server;
use crate::whmcs::{Called, Whmcs, nobody};

const ACCOUNTS: &str = "/api/v1/billing/accounts";

const ON_AN_ACCOUNT: [&str; 5] =
    ["SuspendAccount", "UnsuspendAccount", "TerminateAccount", "ChangePassword", "ChangePackage"];

struct Host {
    home: Home,
    server: Server,
    whmcs: Whmcs,
}

impl Host {
    /// With a key of the administrator.
    fn new(level: &str, scopes: &str) -> Self {
        let home = Home::with_database();
        let server = home.serve();
        let key = mint(&home, level, scopes);
        let whmcs = Whmcs::install(&home, "panelhosting", server.address, text(&key["secret"])).with(&[
            ("serverusername", key["key"].clone()),
            ("username", json!("adahara")),
            ("configoption1", json!("default")),
        ]);
        Self { home, server, whmcs }
    }

    fn super_admin() -> Self {
        Self::new("SUPER_ADMIN", "full_access")
    }

    fn get(&self, path: &str) -> Value {
        let (key, secret) = (&self.whmcs.params["serverusername"], &self.whmcs.params["serverpassword"]);
        self.server.send("GET", path, &[("X-API-Key", text(key)), ("X-API-Secret", text(secret))], "").json()
    }

    fn accounts(&self) -> Vec<Value> {
        self.get(ACCOUNTS).as_array().unwrap().clone()
    }

    fn account(&self) -> Value {
        let mut accounts = self.accounts();
        assert_eq!(accounts.len(), 1, "{accounts:?}");
        accounts.remove(0)
    }

    fn password_hash(&self) -> String {
        self.home.value("panel.db", "SELECT password_hash FROM users WHERE username = 'adahara'")
    }
}

fn mint(home: &Home, level: &str, scopes: &str) -> Value {
    let of = ["--json", "key", "mint", "--style", "billing", "--user", "admin", "--level", level, "--scopes", scopes];
    home.ok(of).json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[track_caller]
fn is(of: &Value, fields: &[(&str, Value)]) {
    fields.iter().for_each(|(name, value)| assert_eq!(of[name], *value, "{name}: {of}"));
}

#[track_caller]
fn sent_nothing(called: &Called) {
    assert!(called.logged().is_empty(), "something was sent: {called:?}");
}

#[test]
fn what_is_not_set_up_is_named_and_nothing_is_sent() {
    let home = Home::new();
    let whmcs = Whmcs::install(&home, "panelhosting", nobody(), "nps_0123456789")
        .with(&[("serverusername", json!("npk_0123456789"))]);
    for (name, value, why) in [
        ("serverhostname", json!(""), "has no hostname and no IP address"),
        ("serverusername", json!(""), "The server's Username (the npk_ key) is empty"),
        ("serverpassword", json!(""), "The server's Password (the nps_ secret) is empty"),
        ("serverusername", json!("npk_1 npk_2"), "a space"),
        ("configoption1", json!(""), "The product has no Package"),
        ("username", json!(""), "has no username"),
        ("password", json!(""), "has no password"),
        ("clientsdetails.email", json!(""), "has no e-mail address"),
        ("serviceid", json!(0), "serviceid"),
    ] {
        let called = whmcs.with(&[(name, value)]).call("CreateAccount");
        called.fails(&[why]);
        sent_nothing(&called);
    }
    for command in ON_AN_ACCOUNT {
        whmcs.call(command).fails(&["No answer from http://127.0.0.1:"]);
    }
}

#[test]
fn a_wrong_key_and_a_wrong_secret_are_refused_everywhere() {
    let host = Host::super_admin();
    for name in ["serverusername", "serverpassword"] {
        let wrong = host.whmcs.with(&[(name, json!("npk_nobodys-0123"))]);
        for command in ["TestConnection", "CreateAccount"].iter().chain(&ON_AN_ACCOUNT) {
            wrong.call(command).fails(&["Invalid API key or secret (HTTP 401)"]);
        }
    }
    assert!(host.accounts().is_empty());
}

#[test]
fn a_level_that_is_too_low_is_red_and_the_command_in_the_text_mends_it() {
    let host = Host::new("USER", "account_creation,account_management");
    let fix = "On the panel's machine run: panel key update 1 --level BILLING";
    for command in ["TestConnection", "CreateAccount"] {
        host.whmcs.call(command).fails(&["The user doesn't have super admin privileges (HTTP 403)", fix]);
    }
    assert!(host.accounts().is_empty());
    host.home.ok(["key", "update", "1", "--level", "BILLING"]);
    host.whmcs.call("TestConnection").connects();
    host.whmcs.call("CreateAccount").succeeds();
}

#[test]
fn a_missing_scope_is_red_and_the_command_in_the_text_mends_it() {
    let host = Host::new("BILLING", "billing_operations");
    let fix = "panel key update 1 --scopes billing_operations,account_creation";
    for command in ["TestConnection", "CreateAccount"] {
        host.whmcs.call(command).fails(&["Missing scope: account_creation (HTTP 403)", fix]);
    }
    host.home.ok(["key", "update", "1", "--scopes", "billing_operations,account_creation"]);
    host.whmcs.call("TestConnection").connects();
    host.whmcs.call("CreateAccount").succeeds();
    host.whmcs.call("SuspendAccount").succeeds();
    for command in ["TerminateAccount", "ChangePassword", "ChangePackage"] {
        host.whmcs
            .call(command)
            .fails(&["Missing scope: account_management (HTTP 403)", "panel key update 1 --scopes"]);
    }
    is(&host.account(), &[("is_active", json!(false))]);
}

#[test]
fn a_reseller_account_needs_the_highest_level() {
    let host = Host::new("BILLING", "full_access");
    let reseller = host.whmcs.with(&[("configoption2", json!("on"))]);
    let why = "The user doesn't have super admin privileges (HTTP 403)";
    reseller.call("CreateAccount").fails(&[why, "panel key update 1 --level SUPER_ADMIN"]);
    assert!(host.accounts().is_empty());
    host.home.ok(["key", "update", "1", "--level", "SUPER_ADMIN"]);
    reseller.call("CreateAccount").succeeds();
    is(&host.account(), &[("is_admin", json!(true))]);
    host.home.ok(["key", "update", "1", "--level", "BILLING"]);
    for command in ["ChangePackage", "TerminateAccount"] {
        reseller.call(command).fails(&[why, "panel key update 1 --level SUPER_ADMIN"]);
    }
    host.home.ok(["key", "update", "1", "--level", "SUPER_ADMIN"]);
    // The other kind of product is no package of this account.
    host.whmcs.call("ChangePackage").fails(&["is_admin", "(HTTP 400)"]);
    reseller.call("TerminateAccount").succeeds();
}

#[test]
fn an_unknown_package_makes_nothing_and_changes_nothing() {
    let host = Host::super_admin();
    let unknown = host.whmcs.with(&[("configoption1", json!("platinum"))]);
    unknown.call("CreateAccount").fails(&["package_id: unknown package (HTTP 400)"]);
    assert!(host.accounts().is_empty());
    host.whmcs.call("CreateAccount").succeeds();
    unknown.call("ChangePackage").fails(&["package_id: unknown package (HTTP 400)"]);
    is(&host.account(), &[("package_id", json!(1))]);
}

#[test]
fn a_username_that_somebody_else_has_stays_theirs() {
    let host = Host::super_admin();
    host.home.add_user("adahara", "user");
    let theirs = host.account();
    host.whmcs.call("CreateAccount").fails(&["Username already exists (HTTP 400)"]);
    for command in ON_AN_ACCOUNT {
        host.whmcs.call(command).fails(&["adahara is in the panel, but not linked to this service", "press Link"]);
    }
    assert_eq!(host.account(), theirs);

    host.whmcs.call("Link").succeeds();
    host.whmcs.call("SuspendAccount").succeeds();
    is(&host.account(), &[("billing_id", json!("whmcs-12")), ("is_active", json!(false))]);
}

#[test]
fn an_account_of_another_service_is_out_of_reach() {
    let host = Host::super_admin();
    host.whmcs.call("CreateAccount").succeeds();
    let before = host.account();
    let other = host.whmcs.with(&[("serviceid", json!(13))]);
    let renamed = host.whmcs.with(&[("username", json!("bobhara"))]);
    for command in ON_AN_ACCOUNT.iter().chain(&["Link"]) {
        other.call(command).fails(&["adahara has the billing_id whmcs-12 in the panel, not whmcs-13"]);
        renamed.call(command).fails(&["whmcs-12 is called adahara, in WHMCS bobhara"]);
    }
    other.call("CreateAccount").fails(&["already exists (HTTP 400)"]);
    assert_eq!(host.account(), before);
}

#[test]
fn a_client_has_several_accounts_where_the_product_allows_it() {
    let host = Host::super_admin();
    host.whmcs.call("CreateAccount").succeeds();
    let second = host.whmcs.with(&[("serviceid", json!(13)), ("username", json!("adahara2"))]);
    second.call("CreateAccount").fails(&["Email already exists (HTTP 400)"]);
    assert_eq!(host.accounts().len(), 1);
    let second = second.with(&[("configoption3", json!("on"))]);
    second.call("CreateAccount").succeeds();
    second.call("CreateAccount").succeeds();
    let mut emails: Vec<_> = host.accounts().iter().map(|account| text(&account["email"]).to_owned()).collect();
    emails.sort();
    assert_eq!(emails, ["ada+whmcs-13@example.com", "ada@example.com"]);
}

#[test]
fn an_account_lives_as_whmcs_says() {
    let host = Host::super_admin();
    host.whmcs.call("TestConnection").connects();
    host.whmcs.call("TerminateAccount").succeeds();
    for command in ["SuspendAccount", "UnsuspendAccount", "ChangePassword", "ChangePackage"] {
        host.whmcs.call(command).fails(&["The panel has no account adahara"]);
    }

    host.whmcs.call("CreateAccount").succeeds();
    is(
        &host.account(),
        &[
            ("username", json!("adahara")),
            ("email", json!("ada@example.com")),
            ("full_name", json!("Ada O'Hara")),
            ("phone", json!("+961.70123456")),
            ("company", json!("Hara & Co")),
            ("billing_id", json!("whmcs-12")),
            ("is_admin", json!(false)),
            ("is_active", json!(true)),
            ("package_id", json!(1)),
        ],
    );
    for command in ["SuspendAccount", "SuspendAccount"] {
        host.whmcs.with(&[("suspendreason", json!("Overdue on Payment"))]).call(command).succeeds();
        is(&host.account(), &[("is_active", json!(false))]);
    }
    for command in ["UnsuspendAccount", "UnsuspendAccount"] {
        host.whmcs.call(command).succeeds();
        is(&host.account(), &[("is_active", json!(true))]);
    }
    let before = host.password_hash();
    host.whmcs.with(&[("password", json!("s3cret-number-2"))]).call("ChangePassword").succeeds();
    assert_ne!(host.password_hash(), before);
    host.whmcs.with(&[("password", json!("short"))]).call("ChangePassword").fails(&["password: ", "(HTTP 400)"]);
    host.whmcs.with(&[("configoption1", json!("1"))]).call("ChangePackage").succeeds();

    host.whmcs.call("TerminateAccount").succeeds();
    assert!(host.accounts().is_empty());
    host.whmcs.call("TerminateAccount").succeeds();
}

#[test]
fn a_repeated_create_is_the_same_account() {
    let host = Host::super_admin();
    host.whmcs.call("CreateAccount").succeeds();
    let once = host.account();
    host.whmcs.call("CreateAccount").succeeds();
    // No longer what the panel takes for a repeat.
    host.whmcs.with(&[("clientsdetails.email", json!("ada@new.example"))]).call("CreateAccount").succeeds();
    assert_eq!(host.account(), once);
    host.whmcs.with(&[("configoption2", json!("on"))]).call("CreateAccount").fails(&["already exists (HTTP 400)"]);
}

#[test]
fn disk_use_is_written_and_traffic_left_alone() {
    let host = Host::super_admin();
    host.whmcs.call("CreateAccount").succeeds();
    let row = |id: i64, username: &str| {
        json!({
            "id": id, "server": 3, "username": username, "domainstatus": "Active", "diskusage": 7, "disklimit": 7,
            "bwusage": 7, "bwlimit": 7, "lastupdate": "2026-01-01 00:00:00",
        })
    };
    host.whmcs.table("tblhosting", &json!([row(12, "adahara"), row(13, "nobody")]));
    host.whmcs.call("UsageUpdate").succeeds();
    let tables = host.whmcs.tables();
    is(&tables["tblhosting"][0], &[("diskusage", json!(0)), ("bwusage", json!(7)), ("bwlimit", json!(7))]);
    assert_ne!(tables["tblhosting"][0]["lastupdate"], "2026-01-01 00:00:00");
    assert_eq!(tables["tblhosting"][1], row(13, "nobody"));
}
