//! A panel with one of everything, and whoever may call every route of it.

use panel::domain::routes::{Need, Route, Surface};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{Answer, Key, Request, TestApp};

pub const PASSWORD: &str = "correct horse battery";

pub struct World {
    pub app: TestApp,
    pub external: Key,
    /// Identifier and secret of a billing key.
    pub billing: [String; 2],
    pub panel: String,
    pub admin: String,
    /// The id of a panel key of ada's.
    pub panel_key: String,
}

impl World {
    pub async fn make() -> Self {
        let app = TestApp::spawn().await;
        app.service(4, 1, "month");
        app.nas(1);
        let external = app.external_key("admin", "delete");
        let hash = app.panel.hasher.hash(SecretString::from(PASSWORD)).await.unwrap();
        app.change("UPDATE users SET password_hash = ?1 WHERE username = 'admin'", [hash]);
        let mut world = Self {
            app,
            external,
            billing: Default::default(),
            panel: String::new(),
            admin: String::new(),
            panel_key: String::new(),
        };
        world.panel = world.log_in("/api/v1/auth/login").await;
        world.admin = world.log_in("/api/auth/login").await;
        let ada = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
        assert_eq!(world.on_panel("POST", "/users", Some(ada)).await.status, 201);
        let key = world.on_panel("POST", "/users/ada/api-keys", Some(json!({"name": "k"}))).await;
        world.panel_key = key.body["key"]["id"].as_str().unwrap().to_owned();
        let key = json!({"name": "whmcs", "permission_level": "SUPER_ADMIN"});
        let key = world.on_admin("POST", "/api-keys", Some(key)).await.body;
        world.billing = ["key_id", "key_secret"].map(|name| key[name].as_str().unwrap().to_owned());
        let subscriber = json!({"username": "sub", "service_id": 4, "password": "pppoe-word"});
        let made = world.app.post(crate::support::SUBSCRIBERS, &world.external, subscriber).await;
        assert_eq!((made.status, made.id()), (201, 1));
        world
    }

    async fn log_in(&self, target: &str) -> String {
        let body = json!({"username": "admin", "password": PASSWORD});
        let answer = self.app.call(Request::new("POST", target).json(&body)).await;
        answer.body["token"].as_str().unwrap().to_owned()
    }

    pub async fn on_panel(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.with_token(&self.panel, method, &format!("/api/v1{path}"), body).await
    }

    pub async fn on_admin(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.with_token(&self.admin, method, &format!("/api{path}"), body).await
    }

    async fn with_token(&self, token: &str, method: &str, target: &str, body: Option<Value>) -> Answer {
        let request = Request::new(method, target).header("authorization", format!("Bearer {token}"));
        self.app.call(if let Some(body) = body { request.json(&body) } else { request }).await
    }

    /// A route's path with something that is there in each place.
    pub fn target(&self, route: &Route) -> String {
        let id = if route.path.contains("{username}/api-keys") { self.panel_key.as_str() } else { "1" };
        let ada = self.app.number("SELECT id FROM users WHERE username = 'ada'").to_string();
        let id = if route.path.contains("/accounts/") { &ada } else { id };
        let user = if route.path.starts_with("/api/v1/resellers") { "rita" } else { "ada" };
        let path = route.path.replace("{id}", id).replace("{name}", "default");
        match route.surface {
            Surface::External => path.replace("{username}", "sub"),
            _ => path.replace("{username}", user),
        }
    }

    /// A request that all gates let through.
    pub fn request(&self, route: &Route, query: &str) -> Request {
        let request = Request::new(route.method.as_str(), &format!("{}{query}", self.target(route)));
        match route.need {
            Need::Nobody => request,
            Need::External(_) => request.key(&self.external),
            Need::Panel(_) => request.header("authorization", format!("Bearer {}", self.panel)),
            Need::Admin => request.header("authorization", format!("Bearer {}", self.admin)),
            Need::Billing { .. } => {
                let [id, secret] = &self.billing;
                request.header("x-api-key", id).header("x-api-secret", secret)
            }
        }
    }
}
