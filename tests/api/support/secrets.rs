//! Every secret that passes through a test, and where none of them may turn up: in what the process logs and in the files
//! of its folder. Noted by themselves, from requests, answers, commands and what they print; no test has to think of it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use aho_corasick::AhoCorasick;
use panel::domain::encoding::{base64url, from_base64url, hex};
use serde_json::Value;

/// Fields whose value is a secret whatever it looks like.
const FIELDS: [&str; 10] = [
    "password",
    "current_password",
    "new_password",
    "again",
    "passphrase",
    "secret",
    "key_secret",
    "api_secret",
    "refresh_token",
    "refreshToken",
];

/// How our own secrets begin, and how much must follow: their beginning alone is what lists show.
const BEGINNINGS: [&str; 3] = ["pk_live_", "wsp_", "nps_"];
const REST: usize = 16;

/// What is shorter, or made of so few different bytes, occurs by chance.
const SHORTEST: usize = 8;
const VARIETY: usize = 5;

#[derive(Debug, Default)]
pub struct Secrets {
    known: Mutex<BTreeSet<Vec<u8>>>,
    public: Mutex<BTreeSet<Vec<u8>>>,
}

impl Secrets {
    /// A value that is a secret for certain.
    pub fn note(&self, value: &str) {
        // The first half of a billing pair is a name. Of the two words one is refused wherever it is sent, and the other
        // asks for a password and is none.
        if !varied(&value.into()) || matches!(value, "password" | "auto-generate") || value.starts_with("npk_") {
            return;
        }
        let mut known = self.known.lock().unwrap();
        for beginning in BEGINNINGS {
            // Whoever keeps it without how it begins keeps it all the same.
            if let Some(rest) = value.strip_prefix(beginning) {
                if rest.len() >= REST && varied(&rest.into()) {
                    known.insert(rest.into());
                    known.extend(from_hex(rest).or_else(|| from_base64url(rest)).filter(varied));
                }
                return;
            }
        }
        known.insert(value.into());
        known.extend(from_hex(value).filter(varied));
    }

    /// A value that a test uses as a secret and elsewhere as something that is none; the reason stands where it is called.
    pub fn is_public(&self, value: &str) {
        self.public.lock().unwrap().insert(value.into());
    }

    /// Whatever in a text has the shape of a secret of ours.
    pub fn note_text(&self, text: &str) {
        for beginning in BEGINNINGS {
            for (at, _) in text.match_indices(beginning) {
                self.note(word(text.get(at..).unwrap_or_default(), &[]));
            }
        }
        for (at, _) in text.match_indices("eyJ") {
            self.note_token(word(text.get(at..).unwrap_or_default(), &['.']));
        }
        for (at, link) in text.match_indices("/setup/") {
            self.note(word(text.get(at + link.len()..).unwrap_or_default(), &[]));
        }
    }

    /// The signature of a session's token, and the session's id in it.
    fn note_token(&self, token: &str) {
        let parts: Vec<&str> = token.split('.').collect();
        let [_, claims, signature] = parts.as_slice() else { return };
        let Some(claims_text) = from_base64url(claims) else { return };
        let Ok(claims_read) = serde_json::from_slice::<Value>(&claims_text) else { return };
        self.note(claims);
        self.note(signature);
        self.note(claims_read["sid"].as_str().unwrap_or_default());
    }

    /// Whatever in a JSON value has the name or the shape of a secret.
    pub fn note_json(&self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if FIELDS.contains(&name.as_str()) => self.note(text),
                        value => self.note_json(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note_json(item)),
            Value::String(text) => self.note_text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A body as it was sent or came: JSON, a form, or text.
    pub fn note_body(&self, body: &[u8]) {
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            return self.note_json(&value);
        }
        let Ok(text) = std::str::from_utf8(body) else { return };
        self.note_text(text);
        // In pages and broken JSON there are equal signs too; a field's name decides.
        for (name, value) in form_urlencoded::parse(body) {
            if FIELDS.contains(&name.as_ref()) {
                self.note(&value);
            }
        }
    }

    /// A header of a request or an answer.
    pub fn note_header(&self, name: &str, value: &[u8]) {
        let Ok(value) = std::str::from_utf8(value) else { return };
        self.note_text(value);
        match name.to_ascii_lowercase().as_str() {
            "x-api-key" | "x-api-secret" => self.note(value),
            "authorization" => self.note(value.split_once(' ').map_or(value, |(_, token)| token.trim())),
            "cookie" | "set-cookie" => {
                for pair in value.split(';') {
                    if let Some((_, token)) = pair.split_once('=').filter(|(name, _)| name.trim() == "refresh_token") {
                        // The session's id and what renews it; each opens something.
                        token.split('.').for_each(|part| self.note(part));
                    }
                }
            }
            _ => {}
        }
    }

    /// Where secrets occur, in clear or in a form that is read as easily. One line each.
    pub fn found_in<'a>(&self, places: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<String> {
        let public = self.public.lock().unwrap();
        let known = self.known.lock().unwrap();
        let forms: Vec<_> = known.iter().filter(|secret| !public.contains(*secret)).flat_map(|s| forms(s)).collect();
        if forms.is_empty() {
            return Vec::new();
        }
        let search = AhoCorasick::new(&forms).unwrap();
        let mut found = BTreeSet::new();
        for (place, bytes) in places {
            for hit in search.find_iter(bytes) {
                let form = String::from_utf8_lossy(&forms[hit.pattern().as_usize()]);
                found.insert(format!("{place} holds {form}"));
            }
        }
        found.into_iter().collect()
    }
}

/// Bytes that do not occur by chance.
fn varied(bytes: &Vec<u8>) -> bool {
    bytes.len() >= SHORTEST && BTreeSet::from_iter(bytes).len() >= VARIETY
}

/// A secret as it is, in base64 of both alphabets, in hexadecimal, percent-encoded and as JSON.
fn forms(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([secret.to_owned(), hex(secret).into_bytes()]);
    // What follows would change the last digits.
    let whole = base64url(secret.get(..secret.len() / 3 * 3).unwrap_or_default());
    forms.insert(whole.replace('-', "+").replace('_', "/").into_bytes());
    forms.insert(whole.into_bytes());
    if let Ok(text) = std::str::from_utf8(secret) {
        let plus: String = form_urlencoded::byte_serialize(secret).collect();
        forms.insert(plus.replace('+', "%20").into_bytes());
        forms.insert(plus.into_bytes());
        forms.insert(Value::from(text).to_string().trim_matches('"').into());
    }
    forms
}

/// The letters, digits, dashes and lines at the beginning, and these.
fn word<'a>(text: &'a str, and: &[char]) -> &'a str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || and.contains(&c)));
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    pairs.collect::<Option<Vec<_>>>().filter(|_| text.len().is_multiple_of(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_found(secrets: &Secrets, text: impl AsRef<[u8]>) -> bool {
        let text = [b"before ", text.as_ref(), b" after"].concat();
        !secrets.found_in([("a file".to_owned(), text.as_slice())]).is_empty()
    }

    #[test]
    fn whatever_is_a_secret_is_noted_by_itself_and_found_in_every_form() {
        let key = format!("pk_live_{}", "0123456789abcdef".repeat(2));
        let claims = base64url(br#"{"sub":"1","sid":"sid-of-a-session"}"#);
        let secrets = Secrets::default();
        secrets.note_body(json!({"user": {"password": "violet \"otter\" 1871"}}).to_string().as_bytes());
        secrets.note_body(b"password=admin-secret%2Bpw&again=admin-secret%2Bpw");
        secrets.note_body(json!({"data": {"key": key}}).to_string().as_bytes());
        secrets.note_header("Authorization", format!("Bearer eyJhbGci.{claims}.signature-of-it").as_bytes());
        secrets.note_header("set-cookie", b"refresh_token=first-half.second-half; Path=/");
        secrets.note_header("x-api-secret", b"a-wrong-secret");
        secrets.note_text("see http://x/setup/token-of-a-link, once");
        for found in [
            "violet \"otter\" 1871".to_owned(),
            r#"violet \"otter\" 1871"#.to_owned(),
            "violet+%22otter%22+1871".to_owned(),
            "violet%20%22otter%22%201871".to_owned(),
            hex(b"violet \"otter\" 1871"),
            base64url(b"violet \"otter\" 1871"),
            "admin-secret+pw".to_owned(),
            key.clone(),
            "0123456789abcdef".repeat(2),
            claims.clone(),
            "signature-of-it".to_owned(),
            "sid-of-a-session".to_owned(),
            "second-half".to_owned(),
            "a-wrong-secret".to_owned(),
            "token-of-a-link".to_owned(),
        ] {
            assert!(is_found(&secrets, &found), "{found}");
        }
        assert!(is_found(&secrets, from_hex(&"0123456789abcdef".repeat(2)).unwrap()), "the key's own bytes");
        for plain in ["pk_live_0123", "violet otter 1871", "pk_live_", "eyJhbGci", "/setup/"] {
            assert!(!is_found(&secrets, plain), "{plain}");
        }
        secrets.is_public("a-wrong-secret");
        assert!(!is_found(&secrets, "a-wrong-secret"));
    }
}
