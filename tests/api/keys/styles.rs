//! The secret of one style opens no other, wherever in a request it stands.

use panel::domain::keys::Style;

use super::{Minted, everything, list_of, mint};
use crate::support::{Answer, Request, TestApp};

/// What is said to a credential that opens nothing: the status, and the words of each surface.
fn refusal(style: Style, absent: bool) -> &'static str {
    match (style, absent) {
        (Style::External, true) => "MISSING_API_KEY",
        (Style::External, false) => "INVALID_API_KEY",
        (Style::Panel, true) => "Missing authorization",
        (Style::Panel, false) => "Invalid API key",
        (Style::Billing, _) => "Invalid API key or secret",
    }
}

pub fn words(style: Style, answer: &Answer) -> String {
    match style {
        Style::External => answer.code().to_owned(),
        Style::Panel => answer.body["error"].as_str().unwrap_or_default().to_owned(),
        Style::Billing => answer.body["detail"].as_str().unwrap_or_default().to_owned(),
    }
}

/// All three headers, each with nothing or one of these.
struct Sent<'a> {
    key: Option<&'a str>,
    secret: Option<&'a str>,
    bearer: Option<&'a str>,
}

impl Sent<'_> {
    fn request(&self, target: &str) -> Request {
        let mut request = Request::new("GET", target);
        for (name, value) in [("x-api-key", self.key), ("x-api-secret", self.secret)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        match self.bearer {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Whether it opens the surface of this style, and whether nothing was shown there at all.
    fn verdict(&self, style: Style, keys: &[Minted; 3]) -> (bool, bool) {
        let [external, panel, billing] = keys;
        match style {
            Style::External => (self.key == Some(&external.key), self.key.is_none()),
            Style::Panel => (self.bearer == Some(&panel.key), self.bearer.is_none()),
            Style::Billing => (
                self.key == Some(&billing.key) && self.secret == billing.secret.as_deref(),
                self.key.is_none() && self.secret.is_none(),
            ),
        }
    }
}

#[tokio::test]
async fn the_secret_of_one_style_opens_no_other_in_any_header() {
    let app = TestApp::spawn().await;
    let keys = Style::ALL.map(|style| mint(&app, "admin", everything(style)));
    let other = mint(&app, "admin", everything(Style::Billing));
    let [external, panel, billing] = &keys;
    let nps = billing.shown();
    let everyone = [external.key.as_str(), &panel.key, &billing.key, nps, &other.key, other.shown(), "pk_live_unknown"];
    let all: Vec<_> = std::iter::once(None).chain(everyone.into_iter().map(Some)).collect();
    let mut connection = app.connect();
    let mut opened = [0; 3];
    for style in Style::ALL {
        for key in &all {
            for secret in &all {
                for bearer in &all {
                    let sent = Sent { key: *key, secret: *secret, bearer: *bearer };
                    let request = sent.request(list_of(style));
                    let answer = connection.call(&request);
                    let told = format!(
                        "{request} {:?}: {}",
                        request
                            .headers
                            .iter()
                            .map(|(name, value)| (name, String::from_utf8_lossy(value)))
                            .collect::<Vec<_>>(),
                        answer.text
                    );
                    let (opens, absent) = sent.verdict(style, &keys);
                    // The other pair is a key of its own.
                    let others = style == Style::Billing && *key == Some(&other.key) && *secret == Some(other.shown());
                    if opens || others {
                        assert!(!matches!(answer.status, 401 | 403) && answer.gates().is_empty(), "{told}");
                        opened[style as usize] += 1;
                        continue;
                    }
                    // Whatever a bearer is that does not begin as a key, the panel takes for a session's token.
                    let session = style == Style::Panel && bearer.is_some_and(|bearer| !bearer.starts_with("wsp_"));
                    let text = if session { "Invalid or expired session" } else { refusal(style, absent) };
                    assert_eq!((answer.status, words(style, &answer).as_str()), (401, text), "{told}");
                    let listed = answer.body["denied"].as_array().unwrap();
                    assert_eq!(listed.len(), 1, "{told}");
                    assert_eq!(
                        listed[0].as_object().map(serde_json::Map::len),
                        Some(1),
                        "only the gate is named: {told}"
                    );
                }
            }
        }
    }
    assert_eq!(opened, [64, 64, 16], "each surface opens to its own key and to no more");
}

#[tokio::test]
async fn half_a_pair_opens_nothing_and_says_nothing_of_the_other_half() {
    let app = TestApp::spawn().await;
    let (pair, other) =
        (mint(&app, "admin", everything(Style::Billing)), mint(&app, "admin", everything(Style::Billing)));
    let request = |key: Option<&str>, secret: Option<&str>| Sent { key, secret, bearer: None }.request(super::ACCOUNTS);
    for (name, sent, gate) in [
        ("npk_ alone", request(Some(&pair.key), None), "secret"),
        ("nps_ alone", request(None, Some(pair.shown())), "key"),
        ("nps_ as the key", request(Some(pair.shown()), None), "key"),
        ("both halves exchanged", request(Some(pair.shown()), Some(&pair.key)), "key"),
        ("npk_ twice", request(Some(&pair.key), Some(&pair.key)), "secret"),
        ("another's nps_", request(Some(&pair.key), Some(other.shown())), "secret"),
        ("an npk_ cut short", request(pair.key.get(..46), Some(pair.shown())), "key"),
        ("an nps_ cut short", request(Some(&pair.key), pair.shown().get(..67)), "secret"),
        ("an npk_ in capitals", request(Some(&pair.key.to_uppercase()), Some(pair.shown())), "key"),
    ] {
        let answer = app.call(sent).await;
        assert_eq!(
            (answer.status, words(Style::Billing, &answer).as_str()),
            (401, "Invalid API key or secret"),
            "{name}"
        );
        assert_eq!(answer.gates(), [gate], "{name}");
        assert_eq!(answer.body["denied"][0].as_object().map(serde_json::Map::len), Some(1), "{name}");
    }
}

#[tokio::test]
async fn a_bearer_in_another_scheme_or_case_is_read_as_rfc_6750_says() {
    let app = TestApp::spawn().await;
    let key = mint(&app, "admin", everything(Style::Panel)).key;
    for (value, opens) in [
        (format!("Basic {key}"), false),
        (key.clone(), false),
        (format!("Bearer{key}"), false),
        (format!("Bearer {key} x"), false),
        (format!("Bearer {}", key.to_uppercase()), false),
        (format!("bearer {key}"), true),
        (format!("BEARER {key}"), true),
    ] {
        let answer = app.call(Request::new("GET", super::USERS).header("authorization", &value)).await;
        assert_eq!(answer.status != 401, opens, "{value}: {}", answer.text);
    }
}

#[tokio::test]
async fn no_key_opens_the_admin_surface_and_none_is_read_from_the_query() {
    let app = TestApp::spawn().await;
    for style in Style::ALL {
        let key = mint(&app, "admin", everything(style));
        assert_eq!(app.call(key.on(Request::new("GET", "/api/api-keys"))).await.status, 401, "{}", style.as_str());
        for name in ["api_key", "key", "token", "access_token", "X-API-Key"] {
            let target = format!("{}?{name}={}", list_of(style), key.shown());
            assert_eq!(app.call(Request::new("GET", &target)).await.status, 401, "{name}");
        }
    }
}
