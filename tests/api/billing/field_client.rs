//! A client as billing systems in the field write it, from the connection test to the termination.

use serde_json::{Value, json};

use super::calls::{ACCOUNTS, HEALTH, audited, fields, of_level, row, told};
use crate::keys::Minted;
use crate::support::{Connection, Request, TestApp};
use panel::domain::keys::Level;

/// One connection that is kept, both headers and JSON announced on every call. A create succeeds with 201 and with
/// nothing else, everything else with 200; an error is the text of `detail`.
struct Client<'a> {
    connection: Connection,
    key: &'a Minted,
}

impl Client<'_> {
    fn call(&mut self, method: &str, target: &str, body: Option<&Value>) -> Result<Value, String> {
        let request = self.key.on(Request::new(method, target)).header("content-type", "application/json");
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let answer = self.connection.call(&request);
        let wanted = if method == "POST" && target == ACCOUNTS { 201 } else { 200 };
        if answer.status == wanted {
            return Ok(answer.body);
        }
        Err(format!("HTTP {}: {}", answer.status, answer.body["detail"].as_str().unwrap()))
    }
}

#[tokio::test]
async fn the_whole_life_of_an_account() {
    let app = TestApp::spawn().await;
    let key = of_level(&app, "admin", Level::Billing);
    let mut client = Client { connection: app.connect(), key: &key };

    let health = client.call("GET", HEALTH, None).unwrap();
    assert_eq!((&health["status"], &health["database"]), (&json!("healthy"), &json!("connected")));
    assert_eq!(client.call("GET", &format!("{ACCOUNTS}?skip=0&limit=1"), None), Ok(json!([])));

    let order = json!({
        "username": "cust1042", "email": "cust1042@example.com", "password": "Xk4!pW9z-Qm", "full_name": "Cust Omer",
        "phone": null, "company": null, "package_id": "1", "is_admin": false, "billing_id": 1042, "metadata": {},
        "server_id": 3, "domain": "example.com",
    });
    let made = client.call("POST", ACCOUNTS, Some(&order)).unwrap();
    let one = format!("{ACCOUNTS}/{}", made["id"]);
    assert_eq!((&made["billing_id"], &made["metadata"], &made["phone"]), (&json!("1042"), &json!({}), &json!(null)));
    assert_eq!(client.call("GET", &one, None), Ok(made.clone()));
    assert_eq!(client.call("GET", &format!("{ACCOUNTS}?billing_id=1042"), None), Ok(json!([made])));

    let other =
        json!({"username": "cust1042", "email": "second@example.com", "password": "Xk4!pW9z-Qm", "billing_id": 1043});
    assert_eq!(client.call("POST", ACCOUNTS, Some(&other)), Err("HTTP 400: Username already exists".to_owned()));
    let other = json!({"username": "cust1043", "email": "cust1042@example.com", "password": "Xk4!pW9z-Qm"});
    assert_eq!(client.call("POST", ACCOUNTS, Some(&other)), Err("HTTP 400: Email already exists".to_owned()));

    let suspended = client.call("POST", &format!("{one}/suspend"), Some(&json!({"reason": "Overdue"}))).unwrap();
    assert_eq!((&suspended["is_active"], &suspended["status"]), (&json!(false), &json!("suspended")));
    let back = client.call("POST", &format!("{one}/unsuspend"), None).unwrap();
    assert_eq!(back, made, "as it was");

    let change = json!({"package_id": 1, "password": "An0ther-Pass", "email": "new@example.com", "phone": null, "is_active": true});
    let changed = client.call("PUT", &one, Some(&change)).unwrap();
    assert_eq!((&changed["email"], &changed["username"]), (&json!("new@example.com"), &json!("cust1042")));
    let stats = client.call("GET", &format!("{one}/stats"), None).unwrap();
    assert_eq!(
        (&stats["user_id"], &stats["storage_used"], &stats["account_age_days"]),
        (&made["id"], &json!(0), &json!(0))
    );

    let deleted = client.call("DELETE", &one, None).unwrap();
    assert_eq!(fields(&deleted), ["message", "id"]);
    assert_eq!(client.call("GET", &one, None), Err("HTTP 404: Account not found".to_owned()));
    assert_eq!(client.call("DELETE", &one, None), Err("HTTP 404: Account not found".to_owned()));
    let again = client.call("POST", ACCOUNTS, Some(&order)).unwrap();
    assert_ne!(again["id"], made["id"]);

    let id = made["id"].as_i64().unwrap();
    let did = ["users.create", "users.suspend", "users.unsuspend", "users.update", "users.delete"];
    assert_eq!(audited(&app, id, &key), did);
    assert!(row(&app, id)["deleted_at"].is_i64());
}

/// A reseller's key sells until its limit, and its client reads why it stopped.
#[tokio::test]
async fn a_resellers_client_reads_its_limit() {
    let app = TestApp::spawn().await;
    let rex = app.reseller("rex");
    app.change("INSERT INTO resellers (user_id, max_users, updated_at) VALUES (?1, 1, 0)", [rex]);
    let key = of_level(&app, "rex", Level::Billing);
    let mut client = Client { connection: app.connect(), key: &key };
    client.call("GET", HEALTH, None).unwrap();
    let order = |name: &str| {
        json!({"username": name, "email": format!("{name}@example.com"), "password": "Xk4!pW9z-Qm",
               "is_admin": false, "metadata": {}, "package_id": "1", "billing_id": null})
    };
    client.call("POST", ACCOUNTS, Some(&order("first"))).unwrap();
    let stopped = client.call("POST", ACCOUNTS, Some(&order("second")));
    assert_eq!(stopped, Err("HTTP 400: Account limit reached (1)".to_owned()));
    let refused = app.call(Request::new("POST", ACCOUNTS).json(&order("third"))).await;
    assert_eq!(told(&refused), (401, "Invalid API key or secret"));
}
