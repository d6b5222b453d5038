//! Whose accounts a key sees, and how many it may make.

use panel::domain::keys::Level;
use panel::domain::users::Role;
use serde_json::json;

use super::calls::{ACCOUNTS, account, create, draft, get, made, of_level, one, row, send, told, whole, with};
use crate::keys::Minted;
use crate::support::TestApp;

const NOT_FOUND: (u16, &str) = (404, "Account not found");

async fn ids(app: &TestApp, key: &Minted) -> Vec<i64> {
    let answer = get(app, key, ACCOUNTS).await;
    answer.body.as_array().unwrap().iter().map(|account| account["id"].as_i64().unwrap()).collect()
}

/// Every call on one account.
async fn assert_hidden(app: &TestApp, key: &Minted, id: i64) {
    let before = (app.footprint(), app.rows("SELECT * FROM users"));
    for (method, target) in [
        ("GET", one(id)),
        ("GET", format!("{}/stats", one(id))),
        ("PUT", one(id)),
        ("POST", format!("{}/suspend", one(id))),
        ("POST", format!("{}/unsuspend", one(id))),
        ("DELETE", one(id)),
    ] {
        let answer = send(app, key, method, &target, &json!({"full_name": "Mallory"})).await;
        assert_eq!(told(&answer), NOT_FOUND, "{method} {target}");
    }
    assert_eq!((app.footprint(), app.rows("SELECT * FROM users")), before);
}

#[tokio::test]
async fn a_resellers_key_stays_in_its_own_accounts() {
    let app = TestApp::spawn().await;
    let (rex, sam) = (app.reseller("rex"), app.reseller("sam"));
    let (of_rex, of_sam, house) =
        (of_level(&app, "rex", Level::Billing), of_level(&app, "sam", Level::Billing), whole(&app));
    let ada = account(&app, &of_rex, "ada").await;
    let bob = account(&app, &of_sam, "bob").await;
    let cleo = account(&app, &house, "cleo").await;

    for id in [1, rex, sam, bob, cleo, 999] {
        assert_hidden(&app, &of_rex, id).await;
    }
    assert_eq!(ids(&app, &of_rex).await, [ada]);
    assert_eq!(ids(&app, &of_sam).await, [bob]);
    assert_eq!(ids(&app, &house).await, [rex, sam, ada, bob, cleo]);
    assert_eq!((&row(&app, ada)["creator_id"], &row(&app, cleo)["creator_id"]), (&json!(rex), &json!(1)));
    for filter in ["username=bob", "username=admin", "username=rex"] {
        assert_eq!(get(&app, &of_rex, &format!("{ACCOUNTS}?{filter}")).await.body, json!([]), "{filter}");
    }
}

#[tokio::test]
async fn admins_and_the_keys_own_owner_do_not_exist_here() {
    let app = TestApp::spawn().await;
    let other = app.user("boss", Role::Admin, None);
    let key = whole(&app);
    for id in [1, other] {
        assert_hidden(&app, &key, id).await;
    }
    assert_eq!(ids(&app, &key).await, Vec::<i64>::new());
    for name in ["admin", "boss", "ADMIN"] {
        let refused = create(&app, &key, &with(name, &json!({"email": "new@example.com"}))).await;
        assert_eq!(told(&refused), (400, "Username already exists"), "{name}");
        assert_eq!(get(&app, &key, &format!("{ACCOUNTS}?username={name}")).await.body, json!([]));
    }
}

#[tokio::test]
async fn the_key_of_a_plain_user_sees_nothing_and_makes_nothing() {
    let app = TestApp::spawn().await;
    let ursula = app.user("ursula", Role::User, Some("admin"));
    let key = of_level(&app, "ursula", Level::User);
    assert_hidden_to_reads(&app, &key, ursula).await;
    assert_eq!(ids(&app, &key).await, Vec::<i64>::new());
    let refused = create(&app, &key, &draft("ada")).await;
    assert_eq!((refused.status, refused.gates()), (403, vec!["level", "scope", "role"]), "{}", refused.text);
}

async fn assert_hidden_to_reads(app: &TestApp, key: &Minted, id: i64) {
    for target in [one(id), format!("{}/stats", one(id)), one(1)] {
        assert_eq!(told(&get(app, key, &target).await), NOT_FOUND, "{target}");
    }
}

#[tokio::test]
async fn a_reseller_makes_as_many_accounts_as_it_may_and_a_retry_is_not_one_more() {
    let app = TestApp::spawn().await;
    let rex = app.reseller("rex");
    app.change("INSERT INTO resellers (user_id, max_users, updated_at) VALUES (?1, 2, 0)", [rex]);
    let key = of_level(&app, "rex", Level::Billing);
    let ada = with("ada", &json!({"billing_id": 1}));
    let first = made(&create(&app, &key, &ada).await);
    account(&app, &key, "bob").await;

    let before = app.footprint();
    let refused = create(&app, &key, &draft("cleo")).await;
    assert_eq!(told(&refused), (400, "Account limit reached (2)"));
    assert_eq!(app.footprint(), before);

    assert_eq!(made(&create(&app, &key, &ada).await), first);
    assert_eq!(send(&app, &key, "DELETE", &one(first), &json!({})).await.status, 200);
    account(&app, &key, "cleo").await;
    account(&app, &whole(&app), "of-the-house").await;
}

#[tokio::test]
async fn what_a_reseller_may_not_grant_its_accounts_do_not_get() {
    let app = TestApp::spawn().await;
    let rex = app.reseller("rex");
    app.change("INSERT INTO resellers (user_id, max_databases, can_grant_ssh, updated_at) VALUES (?1, 3, 0, 0)", [rex]);
    app.change(
        "INSERT INTO packages (name, name_key, max_databases, created_at, updated_at) VALUES ('big', 'big', 50, 0, 0)",
        [],
    );
    let key = of_level(&app, "rex", Level::Billing);
    let ada = account(&app, &key, "ada").await;
    let kept = row(&app, ada);
    assert_eq!((&kept["can_use_ssh"], &kept["can_use_php"]), (&json!(0), &json!(null)));
    assert_eq!(kept["max_databases"], 3);

    // An account that an admin let have more than its reseller has keeps its quota only within its package.
    app.change("UPDATE users SET max_databases = NULL, package_id = 1 WHERE id = ?1", [ada]);
    app.change("UPDATE packages SET max_databases = 2 WHERE id = 1", []);
    let refused = send(&app, &key, "PUT", &one(ada), &json!({"package_id": "big"})).await;
    let text = "package_id: would give the account more than your own limits allow; choose a smaller package";
    assert_eq!(told(&refused), (403, text), "{}", refused.text);
    assert_eq!(row(&app, ada)["package_id"], 1);
}
