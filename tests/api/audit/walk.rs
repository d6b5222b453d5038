//! Every mutating route and every mutating command leaves an entry that names who, what, from where, and no secret.

use panel::cli;
use panel::domain::keys::Style;
use panel::domain::routes::{Method, Route, Surface};
use panel::domain::sessions::Audience;
use serde_json::{Value, json};

use super::admin_token;
use crate::keys::{ACCOUNTS, Minted, everything, mint};
use crate::support::{Answer, Key, Request, TestApp};

/// Route, path, body, and the entry that it leaves. In an order in which each succeeds.
type Step = (Surface, &'static str, &'static str, Value, &'static str);

const PASSWORD: &str = "kettle-Bronze-41";
const SECRET: &str = "nas-secret-nobody-may-see";

/// They change nothing that is anybody's: asking what a key may do, and going on with a session.
const SILENT: [(Surface, &str); 3] =
    [(Surface::Admin, "keys.can"), (Surface::Admin, "auth.refresh"), (Surface::Panel, "auth.refresh")];

/// They open or end what the walk itself stands on; each has a test of its own.
const ELSEWHERE: [(Surface, &str); 2] = [(Surface::Admin, "setup.set_password"), (Surface::Admin, "auth.password")];

fn steps() -> Vec<Step> {
    use Surface::{Admin, Billing, External, Panel};
    let subscriber = "/api/v1/external/subscribers";
    vec![
        (
            External,
            "subscribers.create",
            subscriber,
            json!({"username": "c1", "service_id": 1, "password": PASSWORD}),
            "subscribers.create",
        ),
        (External, "subscribers.update", "/api/v1/external/subscribers/1", json!({"note": "n"}), "subscribers.update"),
        (External, "subscribers.suspend", "/api/v1/external/subscribers/1/suspend", json!({}), "subscribers.suspend"),
        (
            External,
            "subscribers.activate",
            "/api/v1/external/subscribers/1/activate",
            json!({}),
            "subscribers.activate",
        ),
        (
            External,
            "transactions.create",
            "/api/v1/external/transactions",
            json!({"subscriber_id": 1, "type": "payment", "amount": 5}),
            "transactions.create",
        ),
        (External, "subscribers.renew", "/api/v1/external/subscribers/1/renew", json!({}), "subscribers.renew"),
        (External, "subscribers.delete", "/api/v1/external/subscribers/1", json!({}), "subscribers.delete"),
        (
            Panel,
            "users.create",
            "/api/v1/users",
            json!({"username": "ada", "email": "ada@x.lb", "password": PASSWORD}),
            "users.create",
        ),
        (Panel, "users.update", "/api/v1/users/ada", json!({"password": "another-Bronze-42"}), "users.update"),
        (Panel, "users.suspend", "/api/v1/users/ada/suspend", json!({}), "users.suspend"),
        (Panel, "users.unsuspend", "/api/v1/users/ada/unsuspend", json!({}), "users.unsuspend"),
        (Panel, "features.update", "/api/v1/users/ada/features", json!({"ssh": false}), "users.update"),
        (Panel, "keys.create", "/api/v1/users/ada/api-keys", json!({"name": "k"}), "keys.create"),
        (Panel, "keys.update", "/api/v1/users/ada/api-keys/{key}", json!({"name": "l"}), "keys.update"),
        (Panel, "keys.toggle", "/api/v1/users/ada/api-keys/{key}/toggle", json!({}), "keys.update"),
        (Panel, "keys.delete", "/api/v1/users/ada/api-keys/{key}", json!({}), "keys.revoke"),
        (
            Panel,
            "resellers.create",
            "/api/v1/resellers",
            json!({"username": "rita", "email": "rita@x.lb", "password": PASSWORD}),
            "users.create",
        ),
        (Panel, "resellers.update", "/api/v1/resellers/rita", json!({"can_grant_api": false}), "resellers.update"),
        (
            Panel,
            "resellers.update_limits",
            "/api/v1/resellers/rita/limits",
            json!({"max_users": 5}),
            "resellers.update",
        ),
        (Panel, "resellers.delete", "/api/v1/resellers/rita", json!({}), "users.delete"),
        (Panel, "users.delete", "/api/v1/users/ada", json!({}), "users.delete"),
        (Panel, "packages.create", "/api/v1/packages", json!({"name": "gold"}), "packages.create"),
        (Panel, "packages.update", "/api/v1/packages/gold", json!({"api": false}), "packages.update"),
        (Panel, "packages.delete", "/api/v1/packages/gold", json!({}), "packages.delete"),
        (Panel, "auth.login", "/api/v1/auth/login", json!({"username": "admin", "password": PASSWORD}), "auth.login"),
        (Panel, "auth.logout", "/api/v1/auth/logout", json!({}), "auth.logout"),
        (
            Billing,
            "accounts.create",
            ACCOUNTS,
            json!({"username": "bob", "email": "bob@x.lb", "password": PASSWORD}),
            "users.create",
        ),
        (
            Billing,
            "accounts.update",
            "/api/v1/billing/accounts/{account}",
            json!({"password": "other-Bronze-42"}),
            "users.update",
        ),
        (Billing, "accounts.suspend", "/api/v1/billing/accounts/{account}/suspend", json!({}), "users.suspend"),
        (Billing, "accounts.unsuspend", "/api/v1/billing/accounts/{account}/unsuspend", json!({}), "users.unsuspend"),
        (Billing, "accounts.delete", "/api/v1/billing/accounts/{account}", json!({}), "users.delete"),
        (Admin, "services.create", "/api/services", json!({"name": "s"}), "services.create"),
        (Admin, "services.update", "/api/services/2", json!({"upload_speed": 5}), "services.update"),
        (Admin, "services.delete", "/api/services/2", json!({}), "services.delete"),
        (
            Admin,
            "nas.create",
            "/api/nas",
            json!({"name": "n", "ip_address": "10.0.0.1", "secret": SECRET}),
            "nas.create",
        ),
        (Admin, "nas.update", "/api/nas/1", json!({"secret": format!("{SECRET}-2")}), "nas.update"),
        (Admin, "nas.delete", "/api/nas/1", json!({}), "nas.delete"),
        (
            Admin,
            "subscribers.create",
            "/api/subscribers",
            json!({"username": "c2", "service_id": 1, "password": PASSWORD}),
            "subscribers.create",
        ),
        (
            Admin,
            "subscribers.update",
            "/api/subscribers/2",
            json!({"password": "other-Bronze-42"}),
            "subscribers.update",
        ),
        (Admin, "subscribers.delete", "/api/subscribers/2", json!({}), "subscribers.delete"),
        (Admin, "keys.create", "/api/api-keys", json!({"name": "e"}), "keys.create"),
        (Admin, "keys.update", "/api/api-keys/{id}", json!({"name": "f"}), "keys.update"),
        (Admin, "keys.rotate", "/api/api-keys/{id}/rotate", json!({"grace_seconds": 60}), "keys.rotate"),
        (Admin, "keys.revoke", "/api/api-keys/{id}", json!({}), "keys.revoke"),
        (Admin, "auth.login", "/api/auth/login", json!({"username": "admin", "password": PASSWORD}), "auth.login"),
        (
            Admin,
            "auth.login_json",
            "/api/auth/login/json",
            json!({"username": "admin", "password": PASSWORD}),
            "auth.login",
        ),
        (Admin, "sessions.delete", "/api/auth/sessions/{session}", json!({}), "sessions.delete"),
        (Admin, "sessions.delete_all", "/api/auth/sessions", json!({}), "sessions.delete_all"),
        (Admin, "auth.logout", "/api/auth/logout", json!({}), "auth.logout"),
    ]
}

/// Commands, in an order in which each succeeds, and the entry that each leaves.
const COMMANDS: &[(&str, &str)] = &[
    ("panel user add cleo --role user --email cleo@x.lb", "users.create"),
    ("panel user update cleo --feature ssh=off", "users.update"),
    ("panel user passwd cleo", "users.password"),
    ("panel user suspend cleo", "users.suspend"),
    ("panel user unsuspend cleo", "users.unsuspend"),
    ("panel user update cleo --role reseller", "users.update"),
    ("panel reseller update cleo --grant api=off", "resellers.update"),
    ("panel user delete cleo", "users.delete"),
    ("panel package add silver", "packages.create"),
    ("panel package update silver --feature api=off", "packages.update"),
    ("panel package delete silver", "packages.delete"),
    ("panel service add S", "services.create"),
    ("panel service update S --upload 5", "services.update"),
    ("panel service delete S", "services.delete"),
    ("panel nas add N --ip 10.0.0.9", "nas.create"),
    ("panel nas update N --coa-port 1700", "nas.update"),
    ("panel nas delete N", "nas.delete"),
    ("panel key mint --style external --user admin", "keys.create"),
    ("panel key update {id} --rate 5", "keys.update"),
    ("panel key rotate {id} --grace 0", "keys.rotate"),
    ("panel key revoke {id}", "keys.revoke"),
    ("panel admin reset", "setup.link"),
];

fn newest(app: &TestApp) -> Value {
    app.rows("SELECT * FROM audit ORDER BY id DESC LIMIT 1").pop().unwrap()
}

fn fill(app: &TestApp, target: &str) -> String {
    let last_key = || app.number("SELECT max(id) FROM api_keys").to_string();
    let panel_key = || app.text("SELECT panel_id FROM api_keys WHERE panel_id IS NOT NULL ORDER BY id DESC LIMIT 1");
    let session = || app.number("SELECT max(id) FROM sessions WHERE revoked_at IS NULL").to_string();
    let account = || app.number("SELECT max(id) FROM users").to_string();
    let mut filled = target.to_owned();
    for (name, value) in [
        ("{id}", &last_key as &dyn Fn() -> String),
        ("{key}", &|| panel_key().unwrap_or_default()),
        ("{session}", &session),
        ("{account}", &account),
    ] {
        if filled.contains(name) {
            filled = filled.replace(name, &value());
        }
    }
    filled
}

async fn take(app: &TestApp, route: &Route, step: &Step, keys: (&Key, &str, &str, &Minted)) -> Answer {
    let (surface, action, target, body, _) = step;
    let request = Request::new(route.method.as_str(), &fill(app, target)).json(body).header("x-request-id", *action);
    let request = match surface {
        Surface::External => request.key(keys.0),
        Surface::Billing => keys.3.on(request),
        Surface::Panel => request.header("authorization", format!("Bearer {}", keys.1)),
        Surface::Admin => request.header("authorization", format!("Bearer {}", keys.2)),
    };
    app.call(request).await
}

#[tokio::test]
async fn every_mutating_route_leaves_its_entry() {
    let app = TestApp::spawn().await;
    let hash = app.panel.hasher.hash(PASSWORD.into()).await.unwrap();
    app.change("UPDATE users SET password_hash = ?1 WHERE id = 1", [hash]);
    let external = app.external_key("admin", "delete");
    let billing = mint(&app, "admin", everything(Style::Billing));
    let (panel, admin) = (admin_token(&app, Audience::Panel), admin_token(&app, Audience::Admin));
    let steps = steps();

    for route in Surface::ALL.iter().flat_map(|surface| surface.routes()) {
        let of = (route.surface, route.action);
        let walked = steps.iter().any(|(surface, action, ..)| (*surface, *action) == of);
        let known = walked || SILENT.contains(&of) || ELSEWHERE.contains(&of);
        assert!(known || route.method == Method::Get || !route.served, "{route} changes something and is not walked");
    }

    for step in &steps {
        let (surface, action, _, _, entry) = step;
        let route = surface.routes().iter().find(|route| route.action == *action).unwrap();
        let before = app.count("audit");
        let answer = take(&app, route, step, (&external, &panel, &admin, &billing)).await;

        assert!(answer.status < 300, "{route}: {}", answer.text);
        let left = newest(&app);
        assert!(app.count("audit") > before, "{route} leaves nothing");
        assert_eq!(left["action"], *entry, "{route}: {left}");
        assert_eq!(left["request_id"], *action, "{route}: {left}");
        assert_eq!((&left["surface"], &left["ip"]), (&json!(surface.as_str()), &json!("127.0.0.1")), "{route}: {left}");
        let kind = if matches!(surface, Surface::External | Surface::Billing) { "key" } else { "session" };
        assert_eq!((&left["actor_kind"], &left["actor_name"]), (&json!(kind), &json!("admin")), "{route}: {left}");
        assert_eq!(left["actor_key_id"].is_null(), kind == "session", "{route}: {left}");
    }

    let trail = Value::Array(app.rows("SELECT before, after FROM audit")).to_string();
    for secret in
        [PASSWORD, "another-Bronze-42", "other-Bronze-42", SECRET, external.secret(), billing.shown(), "$argon2id"]
    {
        assert!(!trail.contains(secret), "{secret} is in the trail");
    }
}

#[tokio::test]
async fn every_mutating_command_leaves_its_entry() {
    let app = TestApp::spawn().await;
    for (line, entry) in COMMANDS {
        let before = app.count("audit");
        let line = fill(&app, line);
        let panel = &app.panel;
        std::thread::scope(|scope| scope.spawn(|| cli::carry_out(panel, &line)).join())
            .unwrap()
            .unwrap_or_else(|e| panic!("{line}: {e:?}"));

        let left = newest(&app);
        assert!(app.count("audit") > before, "{line} leaves nothing");
        assert_eq!((&left["action"], &left["surface"]), (&json!(entry), &json!("cli")), "{line}: {left}");
        assert_eq!(left["actor_kind"], "operator", "{line}: {left}");
    }
}
