//! Traffic, from the panel into WHMCS.

use serde_json::{Value, json};

use super::Whmcs;
use super::strangers::{stand_in, usage_row};
use crate::home::Home;

fn row(id: i64, server: i64, username: &str, status: &str) -> Value {
    let mut row = usage_row(id, status);
    row["server"] = json!(server);
    row["username"] = json!(username);
    row
}

#[test]
fn traffic_of_this_month_is_written_in_megabytes() {
    let home = Home::with_database();
    home.ok(["service", "add", "Capped", "--monthly-quota", "1073741824"]);
    let server = home.serve();
    let (_, key) = home.mint("write");
    let whmcs = Whmcs::install(&home, "panelsubscriber", server.address, &key);
    for (id, name, service) in [(12, "ada", "2"), (13, "bob", "1"), (14, "cyd", "1")] {
        let of = [("serviceid", json!(id)), ("username", json!(name)), ("configoption1", json!(service))];
        whmcs.with(&of).call("CreateAccount").succeeds();
    }
    assert_eq!(server.create(&key, &json!({"username": "dan", "service_id": 1})).status, 201);
    let today = "CAST(strftime('%s', 'now') / 86400 AS INTEGER)";
    home.open("panel.db")
        .execute_batch(&format!(
            "INSERT INTO subscriber_usage (subscriber_id, day, download_bytes, upload_bytes)
             VALUES (1, {today}, 5242880, 1048575), (1, {today} - 40, 99999999, 0), (3, {today}, 7340032, 0);"
        ))
        .unwrap();
    whmcs.table(
        "tblhosting",
        &json!([
            row(12, 3, "ada", "Active"),
            row(13, 3, "bob", "Suspended"),
            row(14, 3, "cyd", "Terminated"),
            row(15, 3, "dan", "Active"),
            row(16, 3, "eve", "Active"),
            row(17, 4, "fay", "Active"),
        ]),
    );

    // A service knows its own name and product; the server's cron job does not.
    let cron = whmcs.with(&[("serviceid", Value::Null), ("username", Value::Null), ("configoption1", Value::Null)]);
    cron.call("UsageUpdate").fails(&["Services left out: 1.", "dan is in the panel, but not linked"]);

    let tables = whmcs.tables();
    let rows: Vec<_> =
        tables["tblhosting"].as_array().unwrap().iter().map(|row| (&row["bwusage"], &row["bwlimit"])).collect();
    let (one, zero) = (&json!(1), &json!(0));
    assert_eq!(rows, [(&json!(6), &json!(1024)), (zero, zero), (one, one), (one, one), (one, one), (one, one)]);
    let updated = |at: usize| tables["tblhosting"][at]["lastupdate"] != "2026-01-01 00:00:00";
    assert_eq!([0, 1, 2, 3, 4, 5].map(updated), [true, true, false, false, false, false]);
    assert!(tables["tblhosting"].as_array().unwrap().iter().all(|row| row["diskusage"] == 1), "{tables}");
}

#[test]
fn a_limit_is_waited_for() {
    let home = Home::new();
    let limit = json!({"success": false, "error": {"code": "RATE_LIMIT_EXCEEDED", "message": "Rate limit exceeded"}});
    let found = json!({"success": true, "data": [{"id": 1, "username": "ada@isp.example"}]});
    let used = json!({"success": true, "data": {"monthly_download_used": 2_097_152, "monthly_quota": 0}});
    let (address, asked) = stand_in(&[
        (200, "", found.clone()),
        (429, "Retry-After: 1\r\n", limit.clone()),
        (200, "", found),
        (200, "", used),
        (429, "Retry-After: 3600\r\n", limit),
    ]);
    let whmcs = Whmcs::install(&home, "panelsubscriber", address, "pk_live_0123456789");
    whmcs.table("tblhosting", &json!([usage_row(12, "Active")]));

    whmcs.call("UsageUpdate").succeeds();
    assert_eq!(whmcs.tables()["tblhosting"][0]["bwusage"], 2);
    assert_eq!(asked.try_iter().count(), 4);
    whmcs.call("UsageUpdate").fails(&["Rate limit exceeded (HTTP 429)"]);
}
