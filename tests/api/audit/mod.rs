//! The audit trail: every change leaves its entry, and the entries explain every change.

mod replay;
mod walk;

use panel::crypto::signer::Token;
use panel::domain::keys::hash_of;
use panel::domain::sessions::{Audience, NewSession};
use panel::domain::time::Timestamp;
use panel::domain::users::{Role, UserId};
use panel::store;
use secrecy::{ExposeSecret, SecretString};

use crate::support::TestApp;

/// A session of the first admin, as a login would have left it.
fn admin_token(app: &TestApp, audience: Audience) -> String {
    let session_id = SecretString::from(format!("test-session-of-{}", audience.as_str()));
    let now = app.now();
    let expires_at = now.plus_millis(Timestamp::DAY);
    let new = NewSession {
        user: UserId(1),
        audience,
        id_hash: hash_of(session_id.expose_secret().as_bytes()),
        ip: None,
        user_agent: None,
        now,
        expires_at,
    };
    app.write(move |tx| {
        tx.unaudited("a test's session");
        store::sessions::insert(tx, &new)
    })
    .unwrap();
    let token =
        Token { user: UserId(1), role: Role::Admin, audience, session_id: &session_id, issued_at: now, expires_at };
    app.panel.signer.sign(token).unwrap().expose_secret().to_owned()
}
