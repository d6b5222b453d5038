//! Role of the caller × session or key × every served route × target: status and code come from one table.

use panel::domain::keys::Permission;
use panel::domain::routes::Surface;
use panel::domain::users::Role;

use super::matrix_table::{FIELDS, Key, ROWS, Row, Says};
use crate::support::{Answer, PASSWORD, Request, TestApp};

const TARGETS: [&str; 4] = ["itself", "its own", "another's", "nobody"];

/// People made anew for each call, so that what one call does is not in the next one's way.
struct Stage<'a> {
    app: &'a TestApp,
    number: usize,
    hash: String,
}

impl Stage<'_> {
    fn person(&self, name: &str, role: Role, creator: &str) -> String {
        let name = format!("{name}{}", self.number);
        let id = self.app.user(&name, role, Some(creator));
        self.app.change("UPDATE users SET password_hash = ?2 WHERE id = ?1", (id, self.hash.as_str()));
        name
    }

    fn package(&self, name: &str) -> String {
        let name = format!("{name}{}", self.number);
        let insert = "INSERT INTO packages (name, name_key, created_at, updated_at) VALUES (?1, ?1, 0, 0)";
        self.app.change(insert, [name.as_str()]);
        name
    }

    /// Who calls, and the target's name.
    fn set(&mut self, role: Role, route: &str, target: usize) -> (String, String) {
        self.number += 1;
        let me = self.person("me", role, "admin");
        let name = match (route, target) {
            (route, _) if !route.contains('{') => String::new(),
            (_, 3) => "nobody".to_owned(),
            (route, 0) if route.contains("/packages/") => "default".to_owned(),
            (route, 1) if route.contains("/packages/") => self.package("unused"),
            (route, _) if route.contains("/packages/") => {
                let (name, owner) = (self.package("used"), self.person("other", Role::User, "admin"));
                let change =
                    "UPDATE users SET package_id = (SELECT id FROM packages WHERE name = ?1) WHERE username = ?2";
                self.app.change(change, (name.as_str(), owner));
                name
            }
            (_, 0) => me.clone(),
            (route, 1) if route.contains("/resellers/") && role == Role::Admin => {
                self.person("owned", Role::Reseller, &me)
            }
            (_, 1) => self.person("owned", Role::User, if role == Role::User { "admin" } else { &me }),
            (route, _) if route.contains("/resellers/") => self.person("other", Role::Reseller, "admin"),
            (_, _) => {
                let reseller = self.person("boss", Role::Reseller, "admin");
                self.person("other", Role::User, &reseller)
            }
        };
        (me, name)
    }

    fn request(&self, row: &Row, me: &str, target: &str) -> Request {
        let (method, path) = row.route.split_once(' ').unwrap();
        let mut path = path.replace("{username}", target).replace("{name}", target);
        if path.contains("{id}") {
            let id = match target {
                "nobody" => "0123456789abcdef".to_owned(),
                owner => self.app.panel_id(&self.app.panel_key(owner, "read")),
            };
            path = path.replace("{id}", &id);
        }
        let request = Request::new(method, &path);
        let body = row.body.replace("<n>", &self.number.to_string()).replace("<me>", me);
        if method == "GET" { request } else { request.header("content-type", "application/json").body(body) }
    }
}

async fn stage(app: &TestApp) -> Stage<'_> {
    let hash = app.panel.hasher.hash(PASSWORD.to_owned().into()).await.unwrap();
    app.change("INSERT INTO packages (name, name_key, created_at, updated_at) VALUES ('other', 'other', 0, 0)", []);
    Stage { app, number: 0, hash }
}

fn for_role(row: &Row, role: Role) -> [Says; 4] {
    match role {
        Role::Admin => row.admin,
        Role::Reseller => row.reseller,
        Role::User => row.user,
    }
}

fn holds(says: Says, answer: &Answer, told: &str) {
    let (status, code, text) = answer.panel();
    let told = format!("{told}: {status} {}", answer.text);
    match says {
        Says::Yes => assert!(matches!(status, 200 | 201), "{told}"),
        Says::Role => assert_eq!((status, code, text), (403, "FORBIDDEN", "Admin access required"), "{told}"),
        Says::Session => assert_eq!((status, code, text), (403, "FORBIDDEN", "Session required"), "{told}"),
        Says::Field => assert_eq!((status, code, answer.gates()), (403, "FORBIDDEN", vec!["field"]), "{told}"),
        Says::Gone => assert!((status, code) == (404, "NOT_FOUND") && text.ends_with(" not found"), "{told}"),
        Says::Busy => assert_eq!((status, code), (409, "CONFLICT"), "{told}"),
        Says::Na => panic!("{told}: not a case"),
    }
}

#[test]
fn every_served_route_has_its_row_and_no_row_is_of_another() {
    let served = Surface::Panel.routes().iter().filter(|route| route.served);
    let mut served: Vec<_> = served.map(ToString::to_string).collect();
    let mut rows: Vec<_> = ROWS.iter().map(|row| row.route.to_owned()).collect();
    served.sort();
    rows.sort();
    assert_eq!(rows, served);
}

#[tokio::test]
async fn a_session_may_what_its_role_may_and_a_refusal_writes_nothing() {
    for (row, role) in ROWS.iter().flat_map(|row| Role::ALL.map(|role| (row, role))) {
        let app = TestApp::spawn().await;
        let mut stage = stage(&app).await;
        for (at, says) in for_role(row, role).into_iter().enumerate().filter(|(_, says)| *says != Says::Na) {
            let (me, target) = stage.set(role, row.route, at);
            let request = stage.request(row, &me, &target).bearer(&app.panel_token(&me));
            let before = app.footprint();

            let answer = app.call(request).await;

            holds(says, &answer, &format!("{role} on {}: {}", TARGETS[at], row.route));
            assert!(says == Says::Yes || app.footprint() == before, "{role} on {}: {}", TARGETS[at], row.route);
        }
    }
}

/// The session's answer where the permission suffices; `read` reads, and no other word opens anything here.
fn with_key(row: &Row, of_session: Says, at: usize, permission: Permission) -> Option<Says> {
    let reads = row.route.starts_with("GET") && permission == Permission::Read;
    match row.key {
        Key::Open | Key::Any => Some(of_session),
        Key::None => Some(Says::Session),
        Key::Plain if reads || permission == Permission::All => {
            Some(row.own_key.filter(|_| at == 0).unwrap_or(of_session))
        }
        Key::Plain => None,
    }
}

#[tokio::test]
async fn a_key_may_what_its_owner_and_its_permissions_may_and_a_refusal_writes_nothing() {
    let rows = ROWS.iter().filter(|row| row.key != Key::Open);
    for (row, role) in rows.flat_map(|row| Role::ALL.map(|role| (row, role))) {
        let app = TestApp::spawn().await;
        let mut stage = stage(&app).await;
        for (at, says) in for_role(row, role).into_iter().enumerate().filter(|(_, says)| *says != Says::Na) {
            for permission in Permission::ALL {
                // One narrow word is as good as another on targets beyond the first.
                if at > 0 && permission > Permission::Domains {
                    continue;
                }
                let (me, target) = stage.set(role, row.route, at);
                let key = app.panel_key(&me, permission.as_str());
                let mut request = stage.request(row, &me, &target).bearer(key.secret());
                // A key makes and changes no key that may more than itself.
                if row.body == r#"{"name": "x"}"# {
                    let body = format!(r#"{{"name": "x", "permissions": ["{}"]}}"#, permission.as_str());
                    request.body = Some(body.into_bytes());
                }
                let before = app.footprint();

                let answer = app.call(request).await;

                let told = format!("{role}'s key of {} on {}: {}", permission.as_str(), TARGETS[at], row.route);
                let expected = with_key(row, says, at, permission);
                match expected {
                    Some(says) => holds(says, &answer, &told),
                    None => {
                        let segment = row.route.split('/').nth(3).unwrap();
                        let text = format!("API key is not scoped for '{segment}' on this request");
                        assert_eq!(answer.panel(), (403, "FORBIDDEN", text.as_str()), "{told}");
                        assert_eq!(answer.gates()[0], "permission", "{told}");
                    }
                }
                assert!(expected == Some(Says::Yes) || app.footprint() == before, "{told}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_without_a_credential_gets_in_and_nothing_is_written() {
    let app = TestApp::spawn().await;
    let mut stage = stage(&app).await;
    for row in ROWS.iter().filter(|row| row.key != Key::Open) {
        for at in 0..TARGETS.len() {
            let (me, target) = stage.set(Role::Admin, row.route, at);
            let request = stage.request(row, &me, &target);
            let before = app.footprint();
            let refused = app.call(request).await;
            assert_eq!(refused.panel(), (401, "UNAUTHORIZED", "Missing authorization"), "{}", row.route);
            assert_eq!(app.footprint(), before, "{}", row.route);
        }
    }
}

#[tokio::test]
async fn what_is_invisible_answers_byte_for_byte_as_what_is_not_there() {
    let app = TestApp::spawn().await;
    let mut stage = stage(&app).await;
    for (row, role) in ROWS.iter().flat_map(|row| [Role::Reseller, Role::User].map(|role| (row, role))) {
        if for_role(row, role)[2] != Says::Gone {
            continue;
        }
        let (me, target) = stage.set(role, row.route, 2);
        let token = app.panel_token(&me);
        let invisible = app.call(stage.request(row, &me, &target).bearer(&token)).await;
        let missing = app.call(stage.request(row, &me, "nobody").bearer(&token)).await;
        assert_eq!((invisible.status, &invisible.text), (missing.status, &missing.text), "{role}: {}", row.route);
    }
}

#[tokio::test]
async fn a_field_that_is_not_the_callers_is_refused_by_name_and_its_current_value_is_not() {
    let app = TestApp::spawn().await;
    let mut stage = stage(&app).await;
    for (route, body, admin, reseller, user) in FIELDS {
        for (role, says) in [(Role::Admin, admin), (Role::Reseller, reseller), (Role::User, user)] {
            let row = Row {
                route,
                body,
                key: Key::Plain,
                admin: [*says; 4],
                reseller: [*says; 4],
                user: [*says; 4],
                own_key: None,
            };
            let (me, target) = stage.set(role, route, 0);
            let before = app.footprint();
            let answer = app.call(stage.request(&row, &me, &target).bearer(&app.panel_token(&me))).await;
            holds(*says, &answer, &format!("{role}: {body}"));
            if *says == Says::Field {
                let field = body.split('"').nth(1).unwrap();
                assert!(answer.panel().2.starts_with(&format!("{field} ")), "{}", answer.text);
                // The token that was made for the call is a session.
                assert_eq!(app.footprint().1.len(), before.1.len() + 1, "{role}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn head_is_get_with_the_same_gates_and_no_body() {
    let app = TestApp::spawn().await;
    let mut stage = stage(&app).await;
    for row in ROWS.iter().filter(|row| row.route.starts_with("GET")) {
        for (at, permission) in [(0, "read"), (0, "dns"), (2, "read"), (3, "all")] {
            let (me, target) = stage.set(Role::Reseller, row.route, at);
            let key = app.panel_key(&me, permission);
            let get = stage.request(row, &me, &target).bearer(key.secret());
            let head = Request { method: "HEAD".to_owned(), ..get.clone() };
            let (get, head) = (app.call(get).await, app.call(head).await);
            assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{permission}: {}", row.route);
        }
    }
}
