//! The last active admin cannot be demoted, suspended or deleted by any path (panel.md, Users).

use futures_util::future::join;
use panel::cli::carry_out;
use panel::domain::users::Role;
use serde_json::{Value, json};

use super::{USERS, people};
use crate::support::TestApp;

const ADMINS: &str = "SELECT count(*) FROM users WHERE role = 'admin' AND status = 'active' AND deleted_at IS NULL";

/// What would take an admin out of its office.
fn paths(user: &str) -> Vec<(&'static str, String, Value)> {
    let user = format!("{USERS}/{user}");
    vec![
        ("PUT", user.clone(), json!({"role": "reseller"})),
        ("PUT", user.clone(), json!({"role": "user"})),
        ("PUT", user.clone(), json!({"max_domains": 5, "role": "user"})),
        ("POST", format!("{user}/suspend"), json!({})),
        ("POST", format!("{user}/suspend"), json!({"reason": "gone"})),
        ("DELETE", user.clone(), json!({})),
        ("DELETE", format!("{user}?transfer_to=rita"), json!({})),
    ]
}

/// The command line runs on a thread of its own: it may block.
fn command(app: &TestApp, line: &str) -> bool {
    let panel = &app.panel;
    std::thread::scope(|scope| scope.spawn(|| carry_out(panel, line).is_ok()).join()).unwrap()
}

#[tokio::test]
async fn no_route_takes_the_last_one_away_whether_by_session_or_by_key() {
    let app = TestApp::spawn().await;
    people(&app);
    let (token, key) = (app.panel_token("admin"), app.panel_key("admin", "all"));
    for name in ["admin", "ADMIN"] {
        for (method, target, body) in paths(name) {
            for bearer in [token.as_str(), key.secret()] {
                let before = app.footprint();
                let refused = app.ask(method, &target, bearer, body.clone()).await;
                let (status, code, text) = refused.panel();
                assert_eq!((status, code), (409, "CONFLICT"), "{method} {target} {body}: {}", refused.text);
                assert!(text.contains("last active admin"), "{text}");
                assert_eq!(app.footprint(), before, "{method} {target} {body}");
            }
        }
        for (method, target, body) in [
            ("PUT", format!("/api/v1/resellers/{name}"), json!({"max_users": 1})),
            ("DELETE", format!("/api/v1/resellers/{name}"), json!({})),
            ("DELETE", format!("/api/v1/resellers/{name}?transfer_to=rita"), json!({})),
        ] {
            let refused = app.ask(method, &target, &token, body).await;
            assert_eq!(refused.panel(), (404, "NOT_FOUND", "Reseller not found"), "{method} {target}");
        }
    }
    assert_eq!(app.number(ADMINS), 1);
}

#[tokio::test]
async fn the_command_line_does_not_either() {
    let app = TestApp::spawn().await;
    people(&app);
    let before = app.footprint();
    for line in [
        "panel user update admin --role user",
        "panel user update admin --role reseller",
        "panel user suspend admin",
        "panel user delete admin",
        "panel user delete admin --transfer-to rita",
        "panel reseller delete admin",
    ] {
        assert!(!command(&app, line), "{line}");
        assert_eq!(app.footprint(), before, "{line}");
    }
    assert!(command(&app, "panel user update rita --role admin"), "with another one it is nobody's last");
    assert!(command(&app, "panel user suspend admin"));
    assert!(!command(&app, "panel user suspend rita"));
}

#[tokio::test]
async fn an_admin_that_is_suspended_or_deleted_is_no_other_one() {
    let app = TestApp::spawn().await;
    people(&app);
    app.user("anna", Role::Admin, Some("admin"));
    app.user("alma", Role::Admin, Some("admin"));
    let admin = app.panel_token("admin");
    assert_eq!(app.ask("POST", &format!("{USERS}/anna/suspend"), &admin, json!({})).await.status, 200);
    assert_eq!(app.ask("DELETE", &format!("{USERS}/alma"), &admin, json!({})).await.status, 200);
    for (method, target, body) in paths("admin") {
        assert_eq!(app.ask(method, &target, &admin, body).await.status, 409, "{method} {target}");
    }
    // Whoever is suspended already may go, and be demoted.
    assert_eq!(app.ask("PUT", &format!("{USERS}/anna"), &admin, json!({"role": "user"})).await.status, 200);
    assert_eq!(app.number(ADMINS), 1);
}

#[tokio::test]
async fn two_admins_who_go_for_each_other_at_once_leave_one() {
    for kind in 0..paths("x").len() {
        for other_kind in [1, 3, 5] {
            let app = TestApp::spawn().await;
            people(&app);
            app.user("anna", Role::Admin, Some("admin"));
            let (admin, anna) = (app.panel_token("admin"), app.panel_token("anna"));
            let (mine, theirs) = (paths("anna").swap_remove(kind), paths("admin").swap_remove(other_kind));
            // A user of hers stands in the way of neither.
            let (one, two) =
                join(app.ask(mine.0, &mine.1, &admin, mine.2), app.ask(theirs.0, &theirs.1, &anna, theirs.2)).await;
            assert_eq!(app.number(ADMINS), 1, "{} {}", one.text, two.text);
            let done = [one.status, two.status].into_iter().filter(|status| *status == 200).count();
            assert_eq!(done, 1, "{} {}", one.text, two.text);
        }
    }
}
