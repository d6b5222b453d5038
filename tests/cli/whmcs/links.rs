//! Which row of the panel a service of WHMCS may touch.

use serde_json::json;

use super::Whmcs;
use crate::home::{Home, SUBSCRIBERS};

#[test]
fn a_subscriber_of_another_service_is_out_of_reach() {
    let home = Home::with_database();
    let server = home.serve();
    let (_, key) = home.mint("delete");
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    whmcs.call("CreateAccount").succeeds();
    let before = server.get(&format!("{SUBSCRIBERS}/1"), &key).json()["data"].take();

    // The same name on another service, and another name on this one: another WHMCS, or somebody renamed it.
    for (change, why) in [
        (("serviceid", json!(13)), "has the external_id whmcs-12 in the panel, not whmcs-13"),
        (("addonId", json!(1)), "has the external_id whmcs-12 in the panel, not whmcs-12-addon-1"),
        (("username", json!("bob@isp.example")), "whmcs-12 is called ada@isp.example, in WHMCS bob@isp.example"),
    ] {
        let other = whmcs.with(&[change]);
        for command in ["SuspendAccount", "TerminateAccount", "ChangePassword", "ChangePackage", "Renew", "Link"] {
            other.call(command).fails(&[why, "correct the username of the service"]);
        }
    }

    assert_eq!(server.get(&format!("{SUBSCRIBERS}/1"), &key).json()["data"], before);
}

#[test]
fn an_older_subscriber_is_linked_by_hand() {
    let home = Home::with_database();
    let server = home.serve();
    let (_, key) = home.mint("delete");
    assert_eq!(server.create(&key, &json!({"username": "ada@isp.example", "service_id": 1})).status, 201);
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    assert_eq!(*whmcs.call("AdminCustomButtonArray").result(), json!({"Link": "Link"}));

    whmcs.call("SuspendAccount").fails(&["press Link"]);
    whmcs.call("Link").succeeds();
    whmcs.call("Link").succeeds();
    whmcs.call("SuspendAccount").succeeds();

    let row = server.get(&format!("{SUBSCRIBERS}/1"), &key).json()["data"].take();
    assert_eq!((&row["external_id"], &row["status"]), (&json!("whmcs-12"), &json!(2)));
}
