//! Who calls the panel and the admin surface: people with passwords, their sessions, and their panel keys.

use panel::actions;
use panel::crypto::random;
use panel::crypto::signer::Token;
use panel::domain::encoding::hex;
use panel::domain::keys::{Grants, KeyDraft, NewSecret, hash_of, parse_permissions};
use panel::domain::policy::operator;
use panel::domain::sessions::Audience;
use panel::domain::time::Timestamp;
use panel::domain::users::{Role, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Answer, Key, Request, TestApp};

pub const LOGIN: &str = "/api/v1/auth/login";
pub const ADMIN_LOGIN: &str = "/api/auth/login";
/// Of everybody who has one in these tests.
pub const PASSWORD: &str = "violet-otter 1871";

/// What is shown of a key that is its own secret.
pub fn prefix(secret: &str) -> &str {
    secret.get(..12).unwrap_or_else(|| panic!("too short for a key: {} characters", secret.len()))
}

impl TestApp {
    pub fn user_id(&self, user: &str) -> i64 {
        self.number(&format!("SELECT id FROM users WHERE username = '{user}' AND deleted_at IS NULL"))
    }

    /// A real hash, stored as the command line stores one.
    pub async fn give_password(&self, user: &str) {
        self.secrets.note(PASSWORD);
        let hash = self.panel.hasher.hash(PASSWORD.to_owned().into()).await.unwrap();
        let (id, now) = (UserId(self.user_id(user)), self.now());
        self.write(move |tx| actions::users::set_password(tx, &operator("test"), id, &hash, None, now)).unwrap();
    }

    async fn log_in(&self, target: &str, user: &str) -> Answer {
        let has_one = format!("SELECT password_hash LIKE '$argon2id$v=%' FROM users WHERE id = {}", self.user_id(user));
        if self.number(&format!("SELECT coalesce(({has_one}), 0)")) == 0 {
            self.give_password(user).await;
        }
        let request = Request::new("POST", target).json(&json!({"username": user, "password": PASSWORD}));
        let answer = self.call(request).await;
        assert_eq!(answer.status, 200, "{user}: {}", answer.text);
        answer
    }

    /// The token of a session on the panel surface, by a real login.
    pub async fn session(&self, user: &str) -> String {
        self.log_in(LOGIN, user).await.body["token"].as_str().unwrap().to_owned()
    }

    /// The access token of a session on the admin surface and its refresh cookie, by a real login.
    pub async fn admin_session(&self, user: &str) -> (String, String) {
        let answer = self.log_in(ADMIN_LOGIN, user).await;
        (answer.body["token"].as_str().unwrap().to_owned(), answer.refresh_cookie())
    }

    /// The token of a session that nobody logged in for, where logging in is not what a test is about. The role it names
    /// is the least, which nobody may believe.
    pub fn token(&self, user: &str, audience: Audience) -> String {
        let session_id = SecretString::from(hex(&random::bytes::<16>().unwrap()));
        let (user, now) = (self.user_id(user), self.now());
        let expires_at = now.plus_millis(Timestamp::DAY);
        self.change(
            "INSERT INTO sessions (user_id, audience, token_hash, created_at, last_used_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
            (
                user,
                audience.as_str(),
                hash_of(session_id.expose_secret().as_bytes()),
                now.millis(),
                expires_at.millis(),
            ),
        );
        let token = Token {
            user: UserId(user),
            role: Role::User,
            audience,
            session_id: &session_id,
            issued_at: now,
            expires_at,
        };
        let token = self.panel.signer.sign(token).unwrap();
        self.secrets.note_text(token.expose_secret());
        token.expose_secret().to_owned()
    }

    pub fn panel_token(&self, user: &str) -> String {
        self.token(user, Audience::Panel)
    }

    pub fn admin_token(&self, user: &str) -> String {
        self.token(user, Audience::Admin)
    }

    /// A panel key with these permissions, comma-joined.
    pub fn panel_key(&self, user: &str, permissions: &str) -> Key {
        let (list, _) = parse_permissions("permissions", permissions.split(',')).unwrap();
        let draft = KeyDraft::new(user, "test", Grants::Panel(list), self.now());
        let (secret, panel_id) = (NewSecret::panel(&random::bytes().unwrap()), hex(&random::bytes::<8>().unwrap()));
        let plain = secret.key.expose_secret().to_owned();
        self.secrets.note(&plain);
        let id = self
            .write(move |tx| actions::keys::mint(tx, &operator("test"), &draft, &secret, Some(&panel_id), 60))
            .unwrap_or_else(|e| panic!("a key for {user}: {e}"));
        Key { id: id.0, secret: Some(plain) }
    }

    /// What names a panel key in URLs.
    pub fn panel_id(&self, key: &Key) -> String {
        self.text(&format!("SELECT panel_id FROM api_keys WHERE id = {}", key.id)).unwrap()
    }

    /// GET with a session's token or a panel key's secret.
    pub async fn see(&self, target: &str, bearer: &str) -> Answer {
        self.call(Request::new("GET", target).bearer(bearer)).await
    }

    /// Anything else, with a body.
    pub async fn ask(&self, method: &str, target: &str, bearer: &str, body: Value) -> Answer {
        self.call(Request::new(method, target).bearer(bearer).json(&body)).await
    }

    /// The newest row of the audit: actor, action, object and what changed.
    pub fn last_audit(&self) -> Value {
        let select = "SELECT * FROM audit ORDER BY id DESC LIMIT 1";
        self.rows(select).pop().unwrap_or_default()
    }
}

impl Answer {
    /// Status, code and text of the panel surface's answer.
    pub fn panel(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (self.status, text("code"), text("error"))
    }

    /// Status and text of the admin surface's answer.
    pub fn admin(&self) -> (u16, &str) {
        (self.status, self.body["message"].as_str().unwrap_or_default())
    }

    /// The value of the refresh cookie.
    pub fn refresh_cookie(&self) -> String {
        let cookie = self.header("set-cookie").unwrap_or_else(|| panic!("no cookie beside {}", self.text));
        let value = cookie.strip_prefix("refresh_token=").and_then(|rest| rest.split(';').next());
        value.unwrap_or_else(|| panic!("another cookie: {cookie}")).to_owned()
    }
}
