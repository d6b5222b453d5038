//! Rotation: at most two generations of a secret, the old one until its deadline (contract: keys.md, Life cycle).

use std::time::Duration;

use panel::actions;
use panel::domain::keys::{KeyId, Style};
use panel::domain::policy::operator;
use panel::domain::time::Timestamp;
use serde_json::json;

use super::styles::words;
use super::{Minted, everything, mint, new_secret, revoke, rotate};
use crate::support::{Answer, TestApp};

const NOON: &str = "2026-03-20T12:00:00Z";

async fn status(app: &TestApp, key: &Minted) -> u16 {
    match app.call(key.get()).await.status {
        status @ (401 | 403 | 429) => status,
        _ => 200,
    }
}

/// A dead generation answers as a revoked key and says nothing else.
fn is_revoked(style: Style, answer: &Answer) {
    let text = match style {
        Style::External => "API_KEY_REVOKED",
        Style::Panel => "Invalid API key",
        Style::Billing => "API key is revoked",
    };
    assert_eq!((answer.status, words(style, answer).as_str()), (401, text));
    assert_eq!(answer.body["denied"], json!([{"gate": "revoked"}]));
    assert_eq!((answer.header("deprecation"), answer.header("sunset")), (None, None));
}

#[tokio::test]
async fn a_revoked_key_is_not_rotated_and_stays_as_it_was() {
    let app = TestApp::spawn().await;
    for style in Style::ALL {
        let key = mint(&app, "admin", everything(style));
        revoke(&app, &key);
        let before = app.footprint();
        let (id, now, secret) = (KeyId(key.id), app.now(), new_secret(style));
        let refused = app.write(move |tx| actions::keys::rotate(tx, &operator("test"), id, &secret, 0, 60, now));
        assert!(refused.unwrap_err().to_string().contains("revoked for good"));
        assert_eq!(app.footprint(), before);
        assert_eq!(app.number(&format!("SELECT count(*) FROM api_key_secrets WHERE key_id = {}", key.id)), 1);
    }
}

#[tokio::test]
async fn a_rotation_without_grace_ends_every_secret_but_the_new_one() {
    let app = TestApp::at(NOON).await;
    for style in Style::ALL {
        let first = mint(&app, "admin", everything(style));
        let second = rotate(&app, &first, Timestamp::DAY);
        let third = rotate(&app, &second, 0);
        for dead in [&first, &second] {
            is_revoked(style, &app.call(dead.get()).await);
        }
        assert_eq!(status(&app, &third).await, 200, "{}", style.as_str());
    }
}

#[tokio::test]
async fn the_old_secret_works_until_its_deadline_and_says_so() {
    for style in Style::ALL {
        let app = TestApp::at(NOON).await;
        let old = mint(&app, "admin", everything(style));
        assert_eq!(app.call(old.get()).await.header("deprecation"), None);
        app.move_to("2026-03-20T13:00:00.400Z");
        let new = rotate(&app, &old, Timestamp::DAY);

        for at in ["2026-03-20T13:00:00.400Z", "2026-03-21T13:00:00.399Z"] {
            app.move_to(at);
            let answer = app.call(old.get()).await;
            assert!(answer.gates().is_empty(), "{at}: {}", answer.text);
            assert_eq!(answer.header("deprecation"), Some("@1774011600"), "RFC 9745: 13:00:00");
            assert_eq!(answer.header("sunset"), Some("Sat, 21 Mar 2026 13:00:00 GMT"), "RFC 8594");
            let fresh = app.call(new.get()).await;
            assert!(fresh.gates().is_empty(), "{at}: {}", fresh.text);
            assert_eq!((fresh.header("deprecation"), fresh.header("sunset")), (None, None));
        }
        app.move_to("2026-03-21T13:00:00.400Z");
        is_revoked(style, &app.call(old.get()).await);
        assert_eq!(status(&app, &new).await, 200);
    }
}

#[tokio::test]
async fn at_most_two_generations_live_through_any_number_of_rotations() {
    let app = TestApp::at(NOON).await;
    for style in Style::ALL {
        let mut all = vec![mint(&app, "admin", everything(style))];
        for _ in 0..5 {
            all.push(rotate(&app, &all[all.len() - 1], 7 * Timestamp::DAY));
            let mut alive = Vec::new();
            for (at, key) in all.iter().enumerate() {
                let answer = app.call(key.get()).await;
                match answer.status {
                    401 if style == Style::Billing && at + 3 < all.len() => {
                        // The oldest are forgotten: a wrong secret and a dead one are refused alike, not told apart.
                        assert!(["revoked", "secret"].contains(&answer.gates()[0]), "{}", answer.text);
                    }
                    401 => is_revoked(style, &answer),
                    _ => alive.push(at),
                }
            }
            assert_eq!(alive, [all.len() - 2, all.len() - 1], "{}", style.as_str());
        }
        let living = format!(
            "SELECT count(*) FROM api_key_secrets WHERE key_id = {} AND (ends_at IS NULL OR ends_at > {})",
            all[0].id,
            app.now().millis()
        );
        assert_eq!(app.number(&living), 2);
    }
}

#[tokio::test]
async fn every_dead_generation_answers_as_revoked_however_old_it_is() {
    let app = TestApp::at(NOON).await;
    for style in Style::ALL {
        let first = mint(&app, "admin", everything(style));
        let mut last = first.clone();
        for _ in 0..4 {
            last = rotate(&app, &last, 0);
        }
        is_revoked(style, &app.call(first.get()).await);
    }
}

#[tokio::test]
async fn a_rotated_key_is_the_same_key() {
    let app = TestApp::at(NOON).await;
    for style in Style::ALL {
        let old = mint(&app, "admin", everything(style));
        let settings = format!(
            "SELECT id, style, panel_id, user_id, name, scope, permissions, level, scopes, allowed_ips, rate_per_minute, enabled, expires_at, created_at FROM api_keys WHERE id = {}",
            old.id
        );
        let before = app.rows(&settings);
        let new = rotate(&app, &old, Timestamp::HOUR);
        assert_eq!(app.rows(&settings), before);
        assert_ne!(new.shown(), old.shown());
        assert_eq!(new.key == old.key, style == Style::Billing, "the npk_ stays, and nothing else does");
        let shown = app.text(&format!("SELECT display FROM api_keys WHERE id = {}", old.id)).unwrap();
        assert!(new.key.starts_with(&shown), "a list shows the new one: {shown}");
    }
}

#[tokio::test]
async fn revoking_ends_both_generations_at_once() {
    let app = TestApp::at(NOON).await;
    for style in Style::ALL {
        let old = mint(&app, "admin", everything(style));
        let new = rotate(&app, &old, Timestamp::DAY);
        assert_eq!((status(&app, &old).await, status(&app, &new).await), (200, 200));
        revoke(&app, &old);
        is_revoked(style, &app.call(old.get()).await);
        is_revoked(style, &app.call(new.get()).await);
    }
}

#[tokio::test]
async fn the_log_says_which_generation_each_call_used() {
    let app = TestApp::at(NOON).await;
    for style in Style::ALL {
        let first = mint(&app, "admin", everything(style));
        app.call(first.get()).await;
        let second = rotate(&app, &first, Timestamp::DAY);
        app.call(first.get()).await;
        app.call(second.get()).await;
        let third = rotate(&app, &second, 0);
        app.call(second.get()).await;
        app.call(third.get()).await;
        let of_key = || app.logged().into_iter().filter(|row| row["key_id"] == first.id).collect::<Vec<_>>();
        app.eventually("the log is written", Duration::from_secs(2), || of_key().len() == 5).await;
        let seen: Vec<_> =
            of_key().iter().map(|row| (row["generation"].as_i64().unwrap(), row["gate"].clone())).collect();
        let none = serde_json::Value::Null;
        assert_eq!(seen, [(1, none.clone()), (1, none.clone()), (2, none.clone()), (2, json!("revoked")), (3, none)]);
    }
}

#[tokio::test]
async fn no_plaintext_of_any_generation_is_in_any_file() {
    let mut app = TestApp::at(NOON).await;
    let mut secrets = Vec::new();
    for style in Style::ALL {
        let mut key = mint(&app, "admin", everything(style));
        for grace in [Timestamp::DAY, 0] {
            app.call(key.get()).await;
            secrets.push(key.shown().to_owned());
            key = rotate(&app, &key, grace);
        }
        app.call(key.get()).await;
        secrets.push(key.shown().to_owned());
    }
    let scan = |app: &TestApp| {
        for (name, bytes) in app.files() {
            for secret in &secrets {
                // What lists show of a key is not what opens anything.
                let hidden = &secret.as_bytes()[12..];
                assert!(!bytes.windows(hidden.len()).any(|window| window == hidden), "{name} holds {secret}");
            }
        }
    };
    scan(&app);
    app.stop();
    scan(&app);
    assert_eq!(app.count("api_key_secrets"), 9);
}
